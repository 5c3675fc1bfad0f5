/**
 * Which interface has a name, from the kernel: by netlink and `ioctl`, over sockets that are opened
 * before the process is sealed.
 *
 * @module
 */

import { attempt } from "../attempt.ts";
import { LIBC, NO_STUB, NO_STUB_VALUE, openLibrary } from "./ffi.ts";
import type { Link, Links } from "./host.ts";

const SYMBOLS = {
  socket: { parameters: ["i32", "i32", "i32"], result: "i32" },
  bind: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  // With numbers, not the kernel's longer types, which the runtime takes and gives as BigInt.
  recv: { parameters: ["i32", "pointer", "u32", "i32", NO_STUB], result: "i32" },
  ioctl: { parameters: ["i32", "u32", "buffer", NO_STUB], result: "i32" },
} as const;

const AF_INET = 2;
const AF_NETLINK = 16;
const SOCK_DGRAM = 2;
const SOCK_RAW = 3;
const SOCK_CLOEXEC = 0o2000000;
const SOCK_NONBLOCK = 0o4000;
/** Messages about links that are made, changed and removed. */
const RTMGRP_LINK = 1;
const SIOCGIFFLAGS = 0x8913;
const SIOCGIFINDEX = 0x8933;
const IFF_MASTER = 0x400;
const IFF_SLAVE = 0x800;

/** `struct ifreq`: a name of 15 bytes and its end, then what is asked for. */
const IFREQ = { bytes: 40, name: 15, value: 16 } as const;

/** Longer queues are read on at the next call. */
const MAX_MESSAGES = 1_000;

/** The interfaces of this process's own network. */
export class InterfaceLinks implements Links {
  readonly #calls: Deno.DynamicLibrary<typeof SYMBOLS>["symbols"];
  readonly #netlink: number;
  readonly #inet: number;

  /** @throws {Error} When the kernel gives no such sockets, or the C library can't be opened. */
  constructor() {
    this.#calls = openLibrary(SYMBOLS, LIBC).symbols;
    const { socket, bind } = this.#calls;
    this.#netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    this.#inet = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    // Family, the kernel chooses the port, groups.
    const address = new Uint32Array([AF_NETLINK, 0, RTMGRP_LINK]);
    const isBound = bind(this.#netlink, new Uint8Array(address.buffer), address.byteLength) === 0;
    if (!isBound || this.#inet < 0) throw new Error("Cannot open sockets to ask about interfaces");
  }

  /** Reads what the kernel has said since the last call, which is nothing nearly always: 10 µs of a report's 800. */
  hasChanged(): boolean {
    const { recv } = this.#calls;
    let count = 0;
    // Nothing of a message is kept: that there is one is enough. An error is no message, also that some
    // were lost: those before are still to be read then.
    while (count < MAX_MESSAGES && recv(this.#netlink, null, 0, 0, NO_STUB_VALUE) >= 0) count++;
    return count > 0;
  }

  find(name: string): Link | undefined {
    const bytes = new TextEncoder().encode(name);
    if (bytes.length > IFREQ.name || bytes.includes(0)) return undefined;
    const request = new Uint8Array(IFREQ.bytes);
    request.set(bytes);
    const view = new DataView(request.buffer);
    const ask = (what: number) => this.#calls.ioctl(this.#inet, what, request, NO_STUB_VALUE) === 0;
    if (!ask(SIOCGIFINDEX)) return undefined;
    const index = view.getInt32(IFREQ.value, true);
    if (!ask(SIOCGIFFLAGS)) return undefined;
    const flags = view.getUint16(IFREQ.value, true);
    return { index, isMaster: (flags & IFF_MASTER) !== 0, isSlave: (flags & IFF_SLAVE) !== 0 };
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
