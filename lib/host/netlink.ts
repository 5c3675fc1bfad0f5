import { HEADER, type LinkMessage, parseLinkMessage, splitMessages } from "../parse/netlink.ts";
import { withoutCapability } from "./capabilities.ts";
import { LIBC, NO_STUB, NO_STUB_VALUE, openLibrary } from "./ffi.ts";

const SYMBOLS = {
  socket: { parameters: ["i32", "i32", "i32"], result: "i32" },
  bind: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  close: { parameters: ["i32", NO_STUB], result: "i32" },
  // With numbers, not the kernel's longer types, which the runtime takes and gives as BigInt.
  recv: { parameters: ["i32", "buffer", "u32", "i32", NO_STUB], result: "i32" },
  send: { parameters: ["i32", "buffer", "u32", "i32", NO_STUB], result: "i32" },
} as const;

/** The calls to the kernel. */
type Calls = Deno.DynamicLibrary<typeof SYMBOLS>["symbols"];

const AF_NETLINK = 16;
const SOCK_RAW = 3;
const SOCK_CLOEXEC = 0o2000000;
const SOCK_NONBLOCK = 0o4000;
/** Messages about links that are made, changed and removed. */
const RTMGRP_LINK = 1;

const RTM_NEWLINK = 16;
const RTM_DELLINK = 17;
const RTM_GETLINK = 18;
/** An attribute that leaves out counters: `IFLA_EXT_MASK` with `RTEXT_FILTER_SKIP_STATS`. */
const WITHOUT_STATS = [29 << 16 | 8, 1 << 3] as const;
/** An attribute of a name of 15 bytes and its end: `IFLA_IFNAME`. */
const NAME = { header: 3 << 16 | 20, bytes: 15 } as const;

const NLM_F_REQUEST = 1;
const NLM_F_DUMP = 0x300;
const NLMSG_ERROR = 2;
const NLMSG_DONE = 3;

/** Of a message about an interface: the header, and what is of each, with its index. */
const LINK_BYTES = 32;
const LINK_INDEX = 20;
const NOTHING: ReadonlySet<number> = new Set();

/** Longer queues are read on at the next call. */
const MAX_MESSAGES = 1_000;
/** What came too late, which is passed over for the answer that was asked for. */
const MAX_LATE = 16;
/** A machine has fewer addresses. */
const MAX_LISTED = 100_000;
/** The kernel answers in pieces of at most half of this, where a reader asks for no more. */
const RECEIVED_BYTES = 8_192;

/**
 * A socket of netlink: it asks the kernel about the network of this process, also after the seal. It is
 * opened before; for an `ioctl` with a name, the kernel would load a module of that name for root.
 *
 * The kernel answers within the call that asks, so nothing waits. Where another one emulates it, an
 * answer may come after the next question: it is known by its number and left out.
 */
export class Netlink {
  readonly #calls: Calls;
  readonly #socket: number;
  readonly #received = new Uint8Array(RECEIVED_BYTES);
  #sequence = 0;

  /** @throws {Error} When the kernel gives no such socket, or the C library can't be opened. */
  constructor(calls: Calls = openLibrary(SYMBOLS, LIBC).symbols) {
    this.#calls = calls;
    this.#socket = this.#open();
  }

  /** The message that answers, which the next one overwrites; `undefined` without one. */
  ask(type: number, body: readonly number[]): Uint8Array | undefined {
    const sequence = this.#send(type, NLM_F_REQUEST, body);
    const received = sequence === undefined ? undefined : this.#receive(sequence);
    return received?.length ? received : undefined;
  }

  /** All messages of an answer that is a list; `undefined` when it does not end as one. */
  list(type: number, body: readonly number[]): Uint8Array[] | undefined {
    const sequence = this.#send(type, NLM_F_REQUEST | NLM_F_DUMP, body);
    if (sequence === undefined) return undefined;
    const messages: Uint8Array[] = [];
    while (messages.length < MAX_LISTED) {
      const received = splitMessages(this.#receive(sequence).slice());
      if (received.length === 0) return undefined;
      for (const message of received) {
        const type = message[HEADER.type];
        if (type === NLMSG_DONE) return messages;
        if (type === NLMSG_ERROR) return undefined;
        messages.push(message);
      }
    }
    return undefined;
  }

  /** The interface that has an index or a name; `undefined` without one. */
  link(of: number | string): LinkMessage | undefined {
    const name = typeof of === "string" ? nameAttribute(of) : [];
    if (name === undefined) return undefined;
    const index = typeof of === "string" ? 0 : of;
    const answer = this.ask(RTM_GETLINK, [0, index, 0, 0, ...WITHOUT_STATS, ...name]);
    return answer && parseLinkMessage(answer);
  }

  /**
   * The interfaces of whose changes the kernel has told since the last call, by their indexes, or
   * `undefined` when some are unknown; the first call to the function begins with what happens from now on.
   *
   * @throws {Error} When the kernel does not tell of changes.
   */
  followLinks(): () => ReadonlySet<number> | undefined {
    const socket = this.#open();
    // Family, the kernel chooses the port, groups.
    const address = new Uint8Array(new Uint32Array([AF_NETLINK, 0, RTMGRP_LINK]).buffer);
    if (this.#calls.bind(socket, address, address.length) !== 0) {
      this.#calls.close(socket, NO_STUB_VALUE);
      throw new Error("Cannot follow changes of interfaces");
    }
    const { recv } = this.#calls;
    // Of a message only the start is kept.
    const start = new Uint8Array(LINK_BYTES);
    const view = new DataView(start.buffer);
    return () => {
      let changed: Set<number> | undefined;
      let [isKnown, failures] = [true, 0];
      for (let count = 0; failures < 2; count++) {
        const length = recv(socket, start, LINK_BYTES, 0, NO_STUB_VALUE);
        if (length < 0) failures++;
        // An error before a message says that some were lost.
        else if (length < LINK_BYTES || failures > 0 || !isLinkChange(view)) isKnown = false;
        else (changed ??= new Set()).add(view.getInt32(LINK_INDEX, true));
        if (count < MAX_MESSAGES) continue;
        isKnown = false;
        break;
      }
      return isKnown ? changed ?? NOTHING : undefined;
    };
  }

  #open(): number {
    // The kernel changes nothing over a socket whose opener could not.
    const socket = withoutCapability(
      "NET_ADMIN",
      () => this.#calls.socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0),
    );
    if (socket < 0) throw new Error("Cannot open a socket of netlink");
    return socket;
  }

  /** Sends a question, whose body is given in words of 32 bits; its number, by which its answer is known. */
  #send(type: number, flags: number, body: readonly number[]): number | undefined {
    const sequence = this.#sequence = this.#sequence + 1 >>> 0;
    const words = Uint32Array.of(
      HEADER.bytes + 4 * body.length,
      flags << 16 | type,
      sequence,
      0,
      ...body,
    );
    const { byteLength } = words;
    const sent = this.#calls.send(this.#socket, words, byteLength, 0, NO_STUB_VALUE);
    return sent === byteLength ? sequence : undefined;
  }

  /** What came for the question, empty without an answer. */
  #receive(sequence: number): Uint8Array {
    const view = new DataView(this.#received.buffer);
    for (let late = 0; late <= MAX_LATE; late++) {
      const received = this.#received;
      const length = this.#calls.recv(this.#socket, received, RECEIVED_BYTES, 0, NO_STUB_VALUE);
      if (length < HEADER.bytes) break;
      if (view.getUint32(HEADER.sequence, true) === sequence) return received.subarray(0, length);
    }
    return this.#received.subarray(0, 0);
  }
}

function isLinkChange(message: DataView): boolean {
  const type = message.getUint16(HEADER.type, true);
  return type === RTM_NEWLINK || type === RTM_DELLINK;
}

function nameAttribute(name: string): number[] | undefined {
  const bytes = new TextEncoder().encode(name);
  if (bytes.length === 0 || bytes.length > NAME.bytes || bytes.includes(0)) return undefined;
  const padded = new Uint8Array(NAME.bytes + 1);
  padded.set(bytes);
  return [NAME.header, ...new Uint32Array(padded.buffer)];
}
