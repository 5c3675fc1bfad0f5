const BLANK = 0x20;
const BRACE = 0x7b;

/**
 * A JSON object at the start of an open file, for two processes that see the same one.
 *
 * What is left of a longer one before it is overwritten with blanks, since a sealed process can't
 * shorten a file.
 */
export class RecordFile implements Disposable {
  readonly #file: Deno.FsFile;
  readonly #bytes: Uint8Array<ArrayBuffer>;
  readonly #encoder = new TextEncoder();
  /** As long as any record that was seen. */
  #length: number;

  /** Takes over a handle; a record has at most `maxBytes`. */
  constructor(file: Deno.FsFile, { maxBytes }: { maxBytes: number }) {
    this.#file = file;
    this.#bytes = new Uint8Array(maxBytes);
    this.#length = Math.min(file.statSync().size, maxBytes);
  }

  /**
   * Writes a record, with `replace` as that of `JSON.stringify()`; `false` when it does not fit.
   *
   * @throws {Error} When it can't be written.
   */
  write(
    record: Readonly<Record<string, unknown>>,
    replace?: (key: string, value: unknown) => unknown,
  ): boolean {
    const text = JSON.stringify(record, replace);
    const { read, written } = this.#encoder.encodeInto(text, this.#bytes);
    if (read < text.length) return false;
    this.#write(written);
    return true;
  }

  /** Leaves blanks in place of a record. @throws {Error} When it can't be written. */
  clear(): void {
    this.#write(0);
  }

  /** Reads the record; `undefined` where there is none, or one is just being written. */
  read(): unknown {
    this.#file.seekSync(0, Deno.SeekMode.Start);
    const length = this.#file.readSync(this.#bytes) ?? 0;
    this.#length = Math.max(this.#length, length);
    // Most of the time there is nothing, and every report looks.
    if (length === 0 || this.#bytes[0] !== BRACE) return undefined;
    try {
      return JSON.parse(new TextDecoder().decode(this.#bytes.subarray(0, length)));
    } catch {
      return undefined;
    }
  }

  #write(length: number): void {
    this.#length = Math.max(this.#length, length);
    this.#bytes.fill(BLANK, length, this.#length);
    this.#file.seekSync(0, Deno.SeekMode.Start);
    this.#file.writeSync(this.#bytes.subarray(0, this.#length));
  }

  [Symbol.dispose](): void {
    this.#file.close();
  }
}
