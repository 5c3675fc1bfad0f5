import { type Abridged, AbridgedBytes } from "../io/abridged_bytes.ts";
import { BoundedBytes } from "../io/bounded_bytes.ts";

/** Longest answer without its events. */
const MAX_REST_BYTES = 256 * 1024;
/**
 * Longest answer with its events: each byte is looked at, also of what is skipped. It is that of eight
 * orders, or this, so that long ones can be skipped by their ids.
 */
const MAX_ANSWER_BYTES = 16 * 1024 * 1024;
const MAX_ORDERS = 8;
/** Events of an answer; a panel keeps 128 for a node. */
const MAX_EVENTS = 256;

/** Nesting of an event: an answer, its result, the list in that. */
const EVENT_DEPTH = 3;

const [QUOTE, BACKSLASH] = [0x22, 0x5c];
const [OPEN_BRACE, CLOSE_BRACE, OPEN_BRACKET, CLOSE_BRACKET] = [0x7b, 0x7d, 0x5b, 0x5d];

/** The text of an event, or what is left of one that is too long. */
export type EventText = string | Abridged;

/**
 * Splits an answer in JSON as it arrives, `{"result":{"events":[…]}}`, into its events and the rest.
 *
 * It is read until the events take as much memory as one may, or it is longer than eight of them; the
 * others are left to the next answer.
 */
export class EventSplitter {
  readonly #limitBytes: number;
  readonly #maxBytes: number;
  readonly #rest = new BoundedBytes(MAX_REST_BYTES);
  readonly #event: AbridgedBytes;
  readonly #events: EventText[] = [];
  #addedBytes = 0;
  #keptBytes = 0;
  /** Whether the innermost three containers are lists, the outermost first. */
  readonly #isList: boolean[] = [];
  #depth = 0;
  #isInEvent = false;
  #isInString = false;
  #isEscaped = false;
  #isFull = false;

  /** @param limitBytes The longest event; longer ones are abridged. */
  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
    this.#maxBytes = MAX_REST_BYTES + Math.max(MAX_ORDERS * limitBytes, MAX_ANSWER_BYTES);
    this.#event = new AbridgedBytes(limitBytes);
  }

  /** The events, oldest first. */
  get events(): readonly EventText[] {
    return this.#events;
  }

  /** The answer with a 0 in the place of each event; the start of it after {@linkcode add} gave `false`. */
  get rest(): string {
    return new TextDecoder().decode(this.#rest.bytes);
  }

  /** Whether the answer was read only in part, since the events of it are enough. */
  get isFull(): boolean {
    return this.#isFull;
  }

  /** Adds bytes; `false` when no more are wanted. */
  add(bytes: Uint8Array<ArrayBuffer>): boolean {
    this.#addedBytes += bytes.length;
    if (this.#addedBytes > this.#maxBytes) return false;
    let from = 0;
    for (let at = 0; at < bytes.length; at++) {
      const byte = bytes[at];
      if (this.#isInString) {
        if (this.#isEscaped) this.#isEscaped = false;
        else if (byte === BACKSLASH) this.#isEscaped = true;
        else if (byte === QUOTE) this.#isInString = false;
      } else if (byte === QUOTE) {
        this.#isInString = true;
      } else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
        const begins = byte === OPEN_BRACE && this.#depth === EVENT_DEPTH &&
          this.#isList[EVENT_DEPTH - 1] === true;
        if (begins && !this.#flush(bytes.subarray(from, at))) return false;
        if (begins) {
          from = at;
          this.#isInEvent = true;
        }
        if (this.#depth < EVENT_DEPTH) this.#isList[this.#depth] = byte === OPEN_BRACKET;
        this.#depth++;
      } else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) {
        this.#depth--;
        if (this.#isInEvent && this.#depth === EVENT_DEPTH) {
          this.#event.add(bytes.subarray(from, at + 1));
          from = at + 1;
          if (!this.#endEvent()) return false;
        }
      }
    }
    return this.#flush(bytes.subarray(from));
  }

  #flush(bytes: Uint8Array<ArrayBuffer>): boolean {
    if (!this.#isInEvent) return this.#rest.add(bytes);
    this.#event.add(bytes);
    return true;
  }

  /** Keeps an event that is complete; `false` when there is room for no other. */
  #endEvent(): boolean {
    this.#isInEvent = false;
    const { abridged, bytes } = this.#event;
    this.#keptBytes += bytes.length;
    this.#events.push(abridged ?? new TextDecoder().decode(bytes));
    this.#event.clear();
    this.#isFull = this.#keptBytes >= this.#limitBytes || this.#events.length >= MAX_EVENTS;
    return !this.#isFull && this.#rest.add(Uint8Array.of(0x30));
  }
}
