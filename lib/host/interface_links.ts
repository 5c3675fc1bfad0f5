/**
 * The network interfaces, asked from the kernel by netlink, over sockets that are opened before the
 * process is sealed. For an `ioctl` with a name, the kernel would load a module of that name for root.
 *
 * @module
 */

import { attempt } from "../attempt.ts";
import type { TrafficBytes } from "../types.ts";
import { withoutCapability } from "./capabilities.ts";
import { LIBC, NO_STUB, NO_STUB_VALUE, openLibrary } from "./ffi.ts";
import type { Links } from "./host.ts";

const SYMBOLS = {
  socket: { parameters: ["i32", "i32", "i32"], result: "i32" },
  bind: { parameters: ["i32", "buffer", "u32"], result: "i32" },
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

/** `struct nlmsghdr`, which begins each message. */
const HEADER = { type: 4, sequence: 8 } as const;
/** Where the number of a question is, in 32-bit words. */
const SEQUENCE_WORD = 2;
const NLM_F_REQUEST = 1;

/**
 * A question for the interface of a name, as 32-bit words: the header, `ifinfomsg`, and two attributes:
 * no statistics are wanted, and a name of 15 bytes with its end.
 */
const GET_LINK = [60, NLM_F_REQUEST << 16 | 18, 0, 0, 0, 0, 0, 0, 29 << 16 | 8, 8, 3 << 16 | 20];
const NAME = { at: 44, bytes: 15 };
/** The start of its answer: the same two structures. */
const NEW_LINK = { type: 16, index: 20, bytes: 32 };

/** A question for `rtnl_link_stats64` of an interface: the header, then `if_stats_msg`. */
const GET_STATS = { words: [28, NLM_F_REQUEST << 16 | 94, 0, 0, 0, 0, 1], index: 5 };
/** Its answer: the same two structures, the header of an attribute, and counters of 64 bits. */
const NEW_STATS = { type: 92, index: 20, receivedBytes: 48, sentBytes: 56, bytes: 64 };

/** Longer queues are read on at the next call. */
const MAX_MESSAGES = 1_000;
/** Answers that came too late, which are passed over for the one that was asked for. */
const MAX_LATE = 16;

/** The interfaces of this process's own network. */
export class InterfaceLinks implements Links {
  readonly #calls: Calls;
  /** Receives the kernel's messages about changes. */
  readonly #changes: number;
  /** For questions and their answers. */
  readonly #questions: number;
  readonly #question = new Uint32Array(GET_STATS.words);
  readonly #answer = new DataView(new ArrayBuffer(512));
  readonly #answerBytes = new Uint8Array(this.#answer.buffer);
  #sequence = 0;

  /** @throws {Error} When the kernel gives no such sockets, or the C library can't be opened. */
  constructor(calls: Calls = openLibrary(SYMBOLS, LIBC).symbols) {
    this.#calls = calls;
    const open = () => calls.socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    // The kernel changes nothing over a socket whose opener could not.
    [this.#changes, this.#questions] = withoutCapability("NET_ADMIN", () => [open(), open()]);
    // Family, the kernel chooses the port, groups.
    const address = new Uint8Array(new Uint32Array([AF_NETLINK, 0, RTMGRP_LINK]).buffer);
    const isBound = calls.bind(this.#changes, address, address.byteLength) === 0;
    if (!isBound || this.#questions < 0) {
      throw new Error("Cannot open sockets to ask about interfaces");
    }
  }

  /** Reads what the kernel has said since the last call, which is nothing nearly always. */
  hasChanged(): boolean {
    const { recv } = this.#calls;
    let count = 0;
    // Nothing of a message is kept: that there is one is enough. An error is no message, also that some
    // were lost: those before are still to be read then.
    while (
      count < MAX_MESSAGES &&
      recv(this.#changes, this.#answerBytes, 0, 0, NO_STUB_VALUE) >= 0
    ) count++;
    return count > 0;
  }

  find(name: string): number | undefined {
    const bytes = new TextEncoder().encode(name);
    if (bytes.length > NAME.bytes || bytes.includes(0)) return undefined;
    const question = new Uint8Array(NAME.at + NAME.bytes + 1);
    new Uint32Array(question.buffer).set(GET_LINK);
    question.set(bytes, NAME.at);
    return this.#ask(new Uint32Array(question.buffer)) >= NEW_LINK.bytes &&
        this.#answer.getUint16(HEADER.type, true) === NEW_LINK.type
      ? this.#answer.getInt32(NEW_LINK.index, true)
      : undefined;
  }

  counters(index: number): TrafficBytes | undefined {
    this.#question[GET_STATS.index] = index;
    const length = this.#ask(this.#question);
    const isAnswer = length >= NEW_STATS.bytes &&
      this.#answer.getUint16(HEADER.type, true) === NEW_STATS.type &&
      this.#answer.getUint32(NEW_STATS.index, true) === index;
    if (!isAnswer) return undefined;
    return {
      receivedBytes: this.#uint64(NEW_STATS.receivedBytes),
      sentBytes: this.#uint64(NEW_STATS.sentBytes),
    };
  }

  /**
   * Sends a question and receives its answer; the length of that, or -1. The kernel answers within the
   * call that asks. Where another one emulates it, an answer may come after the next question: it is
   * recognized by its number.
   */
  #ask(question: Uint32Array<ArrayBuffer>): number {
    const sequence = this.#sequence = this.#sequence + 1 >>> 0;
    question[SEQUENCE_WORD] = sequence;
    const { send, recv } = this.#calls;
    const { byteLength } = question;
    if (send(this.#questions, question, byteLength, 0, NO_STUB_VALUE) !== byteLength) return -1;
    for (let late = 0; late <= MAX_LATE; late++) {
      const bytes = this.#answerBytes;
      const received = recv(this.#questions, bytes, bytes.length, 0, NO_STUB_VALUE);
      if (received < 0 || this.#answer.getUint32(HEADER.sequence, true) === sequence) {
        return received;
      }
    }
    return -1;
  }

  #uint64(at: number): number {
    return this.#answer.getUint32(at + 4, true) * 2 ** 32 + this.#answer.getUint32(at, true);
  }
}

/**
 * The interfaces in the given `net/dev`, if that is of this process's own network; `undefined` if not,
 * or where the kernel does not tell.
 */
export function openInterfaceLinks(netDev: string): Links | undefined {
  // The kernel's number of the file is another one in each network, whichever `/proc` it is read from.
  const inode = (path: string) => attempt(() => Deno.statSync(path).ino) ?? undefined;
  const own = inode("/proc/self/net/dev");
  if (own === undefined || inode(netDev) !== own) return undefined;
  return attempt(() => new InterfaceLinks());
}
