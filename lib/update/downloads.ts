import { type FetchOptions, ReleaseFetch } from "./release_fetch.ts";
import { Silence } from "./silence.ts";

/** How releases are reached. */
export interface DownloadOptions extends FetchOptions {
  /** How long nothing may arrive: 30 s. */
  readonly silenceMs?: number;
}

const SILENCE_MS = 30_000;
/** However slowly it comes, it has to come to an end. */
const TEXT_WITHIN_MS = 60_000;
const FILE_WITHIN_MS = 30 * 60_000;

/** Gets texts and files from the servers of releases, within bounds of size and time. */
export class Downloads {
  readonly #fetch: ReleaseFetch;
  readonly #silenceMs: number;

  /** @throws {RangeError} When a proxy can't be used. */
  constructor(options: DownloadOptions) {
    this.#fetch = new ReleaseFetch(options);
    this.#silenceMs = options.silenceMs ?? SILENCE_MS;
  }

  /**
   * A text of so many bytes at most.
   *
   * @throws {Error} When it can't be had (`Cannot get …`); the message has no query.
   */
  async text(
    url: string,
    options: { maxBytes: number; signal: AbortSignal; withinMs?: number },
  ): Promise<string> {
    const { maxBytes, signal, withinMs = TEXT_WITHIN_MS } = options;
    const decoder = new TextDecoder();
    let text = "";
    let length = 0;
    await this.#get(url, { withinMs, signal }, (part) => {
      length += part.length;
      if (length > maxBytes) throw new RangeError(`it is longer than ${maxBytes} bytes`);
      text += decoder.decode(part, { stream: true });
    });
    return text + decoder.decode();
  }

  /**
   * Writes what is there to an open file: exactly so many bytes.
   *
   * @throws {Error} When it can't be had or written, or has another size.
   */
  async file(
    url: string,
    { file, sizeBytes, signal }: { file: Deno.FsFile; sizeBytes: number; signal: AbortSignal },
  ): Promise<void> {
    let length = 0;
    await this.#get(url, { withinMs: FILE_WITHIN_MS, signal }, async (part) => {
      length += part.length;
      if (length > sizeBytes) throw new RangeError(`it is longer than ${sizeBytes} bytes`);
      for (let at = 0; at < part.length;) at += await file.write(part.subarray(at));
    });
    if (length < sizeBytes) {
      throw new Error(`Cannot get ${plain(url)}: it ends after ${length} of ${sizeBytes} bytes`);
    }
  }

  async #get(
    url: string,
    { signal, withinMs }: { signal: AbortSignal; withinMs: number },
    use: (part: Uint8Array) => void | Promise<void>,
  ): Promise<void> {
    const silence = new Silence(this.#silenceMs);
    const late = AbortSignal.timeout(withinMs);
    try {
      await this.#fetch.get(url, AbortSignal.any([signal, silence.signal, late]), (part) => {
        silence.broken();
        return use(part);
      });
    } catch (error) {
      signal.throwIfAborted();
      const cause = silence.signal.aborted
        ? silence.signal.reason
        : late.aborted
        ? new Error(`it did not end within ${withinMs / 60_000} min`)
        : error;
      throw new Error(`Cannot get ${plain(url)}`, { cause });
    } finally {
      silence.end();
    }
  }
}

/** Without what may be secret. */
function plain(url: string): string {
  const { origin, pathname } = new URL(url);
  return origin + pathname;
}
