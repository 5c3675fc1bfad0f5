import { writeAll } from "../io/write_all.ts";

/** Each slot's share of the file; what is not written stays a hole on the disk. */
const SLOT_BYTES = 256 * 1024;
/** The header is shorter, and a state that would fill the slot is refused. */
const HEADER_BYTES = 64;
const FORMAT = "komari-agent-state-1";

/** The newest text of a {@linkcode SlotFile}. */
export interface SlotContent {
  /** `undefined` when no slot holds a whole text. */
  readonly text: string | undefined;
  /** Slots that were written and are damaged; both in a file without even the mark of a new one. */
  readonly damaged: number;
}

/**
 * A file that keeps the latest of a series of texts, over an open handle alone.
 *
 * Two slots of fixed size are written in turn, each with a sequence number and a checksum, and
 * brought to the disk. A kill or a power loss during a write leaves the text before it.
 */
export class SlotFile implements Disposable {
  readonly #file: Deno.FsFile;
  #sequence = 0;

  /** Takes over a handle that reads, and writes if {@linkcode write} is to be called. */
  constructor(file: Deno.FsFile) {
    this.#file = file;
  }

  /** Whether the file has been deleted, so that nothing written to it would be found again. */
  get isDeleted(): boolean {
    return this.#file.statSync().nlink === 0;
  }

  /** Marks a new file: one that a crash has emptied has no mark. @throws {Error} When it can't. */
  async markNew(): Promise<void> {
    await this.#fill(0, formatSlot(0, ""));
  }

  /** Reads both slots. @throws {Error} When the system refuses to give them. */
  read(): SlotContent {
    const slots = [this.#readSlot(0), this.#readSlot(1)];
    if (slots.every((slot) => slot === "empty")) return { text: undefined, damaged: slots.length };
    const whole = slots.filter((slot) => typeof slot === "object");
    const newest = whole.sort((a, b) => b.sequence - a.sequence)[0];
    this.#sequence = newest?.sequence ?? 0;
    const text = this.#sequence === 0 ? undefined : newest?.text;
    return { text, damaged: slots.filter((slot) => slot === "damaged").length };
  }

  /**
   * Writes a text behind the one that {@linkcode read} has found or that was written last.
   *
   * @throws {Error} When it is too long, or can't be written or brought to the disk; the text before
   * it is still there then.
   */
  async write(text: string): Promise<void> {
    const sequence = this.#sequence + 1;
    await this.#fill(sequence % 2, formatSlot(sequence, text));
    this.#sequence = sequence;
  }

  /**
   * Checks that a text of `bytes` could be written, in the slot that holds none or the older one.
   *
   * @throws {Error} When it could not.
   */
  async checkWritable(bytes: number): Promise<void> {
    await this.#fill((this.#sequence + 1) % 2, new Uint8Array(bytes));
  }

  [Symbol.dispose](): void {
    this.#file.close();
  }

  async #fill(slot: number, bytes: Uint8Array): Promise<void> {
    this.#file.seekSync(slot * SLOT_BYTES, Deno.SeekMode.Start);
    await writeAll(this.#file, bytes);
    await this.#file.syncData();
  }

  #readSlot(slot: number): Slot | "damaged" | "empty" {
    const start = this.#readAt(slot * SLOT_BYTES, HEADER_BYTES);
    if (start.length === 0 || start[0] === 0) return "empty";
    const header = parseHeader(start);
    if (header === undefined) return "damaged";
    const body = this.#readAt(slot * SLOT_BYTES + header.bytes, header.bodyBytes);
    if (body.length !== header.bodyBytes || checksum(header.sequence, body) !== header.checksum) {
      return "damaged";
    }
    return { sequence: header.sequence, text: new TextDecoder().decode(body) };
  }

  /** Fewer bytes where the file ends. */
  #readAt(offset: number, length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    this.#file.seekSync(offset, Deno.SeekMode.Start);
    let read = 0;
    while (read < length) {
      const count = this.#file.readSync(bytes.subarray(read));
      if (count === null) break;
      read += count;
    }
    return bytes.subarray(0, read);
  }
}

interface Slot {
  readonly sequence: number;
  readonly text: string;
}

/** A line of format, sequence, length in bytes and checksum, and then the text. */
function formatSlot(sequence: number, text: string): Uint8Array {
  const body = new TextEncoder().encode(text);
  if (body.length > SLOT_BYTES - HEADER_BYTES) {
    throw new RangeError(`Cannot keep ${body.length} bytes: at most 255 KiB fit`);
  }
  const header = `${FORMAT} ${sequence} ${body.length} ${checksum(sequence, body)}\n`;
  const bytes = new Uint8Array(header.length + body.length);
  bytes.set(new TextEncoder().encode(header));
  bytes.set(body, header.length);
  return bytes;
}

function parseHeader(bytes: Uint8Array) {
  const text = new TextDecoder().decode(bytes);
  const [header, format, ...numbers] = /^(\S+) (\d{1,15}) (\d{1,6}) (\d{1,10})\n/.exec(text) ?? [];
  const [sequence = 0, bodyBytes = 0, sum = 0] = numbers.map(Number);
  if (header === undefined || format !== FORMAT || bodyBytes > SLOT_BYTES) return undefined;
  return { bytes: header.length, sequence, bodyBytes, checksum: sum };
}

/** CRC-32 of the sequence and the text, as gzip and Ethernet compute it. */
function checksum(sequence: number, body: Uint8Array): number {
  let sum = 0xffffffff;
  const add = (byte: number) => {
    sum ^= byte;
    for (let bit = 0; bit < 8; bit++) sum = (sum >>> 1) ^ (sum & 1 ? 0xedb88320 : 0);
  };
  new TextEncoder().encode(`${sequence} `).forEach(add);
  body.forEach(add);
  return (sum ^ 0xffffffff) >>> 0;
}
