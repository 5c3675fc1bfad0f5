/**
 * Messages of netlink about interfaces, addresses and routes, in the byte order of this machine.
 *
 * @module
 */

/** A network interface, as `RTM_NEWLINK` describes it. */
export interface LinkMessage {
  index: number;
  name: string;
  /** `IFF_…` of `linux/if.h`. */
  flags: number;
  /** The kind by which it was made, such as `vlan`; `undefined` for a device's own. */
  kind: string | undefined;
  /** Index of the interface below it or of its pair's other end, if that is of the same network. */
  over: number | undefined;
  /** Index of the bridge, bond or other interface that it is part of. */
  master: number | undefined;
  /** Whether it has a device; kernels before 5.14 don't tell, and it is taken for one without a kind. */
  hasDevice: boolean;
}

/** An address of an interface, as `RTM_NEWADDR` describes it. */
export interface AddressMessage {
  /** Index of the interface. */
  index: number;
  /** In its shortest form, as RFC 5952 writes it. */
  address: string;
  /** `IFA_F_…` of `linux/if_addr.h`. */
  flags: number;
}

/** `struct nlmsghdr`, with which each message begins. */
export const HEADER = { bytes: 16, length: 0, type: 4, sequence: 8 } as const;
const LINK = { type: 16, index: 20, flags: 24, attributes: 32 } as const;
const ADDRESS = { type: 20, family: 16, flags: 18, index: 20, attributes: 24 } as const;
const ROUTE = { type: 24, kind: 23, bytes: 28 } as const;
const STATS = { type: 92, index: 20, receivedBytes: 48, sentBytes: 56, bytes: 64 } as const;

const IFLA_IFNAME = 3;
const IFLA_LINK = 5;
const IFLA_MASTER = 10;
const IFLA_LINKINFO = 18;
const IFLA_LINK_NETNSID = 37;
const IFLA_INFO_KIND = 1;
const IFLA_PARENT_DEV_NAME = 56;
const IFA_ADDRESS = 1;
const IFA_LOCAL = 2;
const IFA_FLAGS = 8;
/** The upper bits of an attribute's type say how it is encoded. */
const ATTRIBUTE_TYPE = 0x3fff;

const TEXT = new TextDecoder();

const ADDRESS_BYTES: Readonly<Record<number, number>> = { 2: 4, 10: 16 };

/** Parses the answer to `RTM_GETLINK`; `undefined` when it is another message. */
export function parseLinkMessage(message: Uint8Array): LinkMessage | undefined {
  const view = viewOf(message, LINK.type, LINK.attributes);
  if (view === undefined) return undefined;
  const attributes = message.subarray(LINK.attributes);
  const name = findAttribute(attributes, IFLA_IFNAME);
  const info = findAttribute(attributes, IFLA_LINKINFO);
  const kind = info && findAttribute(info, IFLA_INFO_KIND);
  const hasParent = findAttribute(attributes, IFLA_PARENT_DEV_NAME) !== undefined;
  const master = findAttribute(attributes, IFLA_MASTER);
  const isElsewhere = findAttribute(attributes, IFLA_LINK_NETNSID) !== undefined;
  const over = isElsewhere ? undefined : findAttribute(attributes, IFLA_LINK);
  return {
    index: view.getInt32(LINK.index, true),
    name: TEXT.decode(name).replace(/\0.*$/s, ""),
    flags: view.getUint32(LINK.flags, true),
    kind: kind && toKind(kind),
    // A tunnel over any interface has 0.
    master: numberIn(master) || undefined,
    hasDevice: hasParent || kind === undefined,
    over: (numberIn(over)) || undefined,
  };
}

/** Parses one answer to `RTM_GETADDR`; `undefined` when it is another message, or has no IP address. */
export function parseAddressMessage(message: Uint8Array): AddressMessage | undefined {
  const view = viewOf(message, ADDRESS.type, ADDRESS.attributes);
  if (view === undefined) return undefined;
  const attributes = message.subarray(ADDRESS.attributes);
  const addressOf = (attribute: number) => {
    const bytes = findAttribute(attributes, attribute);
    return bytes && toAddress(bytes, view.getUint8(ADDRESS.family));
  };
  // The other one is the peer's, on a link between two.
  const address = addressOf(IFA_LOCAL) ?? addressOf(IFA_ADDRESS);
  if (address === undefined) return undefined;
  const flags = findAttribute(attributes, IFA_FLAGS);
  return {
    index: view.getInt32(ADDRESS.index, true),
    address,
    flags: numberIn(flags) ?? view.getUint8(ADDRESS.flags),
  };
}

/** `RTN_…` of `linux/rtnetlink.h` by the answer to `RTM_GETROUTE`; `undefined` for another message. */
export function parseRouteKind(message: Uint8Array): number | undefined {
  return viewOf(message, ROUTE.type, ROUTE.bytes)?.getUint8(ROUTE.kind);
}

/** Bytes that an interface has passed, in the answer to `RTM_GETSTATS` for `rtnl_link_stats64` alone. */
export function parseStatsMessage(
  message: Uint8Array,
): { index: number; receivedBytes: number; sentBytes: number } | undefined {
  const view = viewOf(message, STATS.type, STATS.bytes);
  return view && {
    index: view.getInt32(STATS.index, true),
    receivedBytes: uint64(view, STATS.receivedBytes),
    sentBytes: uint64(view, STATS.sentBytes),
  };
}

function uint64(view: DataView, at: number): number {
  return view.getUint32(at + 4, true) * 2 ** 32 + view.getUint32(at, true);
}

/** Splits what was received at once into messages; what is cut off is left out. */
export function splitMessages(received: Uint8Array): Uint8Array[] {
  const view = new DataView(received.buffer, received.byteOffset, received.byteLength);
  const messages: Uint8Array[] = [];
  for (let at = 0; at + HEADER.bytes <= received.length;) {
    const length = view.getUint32(at + HEADER.length, true);
    if (length < HEADER.bytes || at + length > received.length) break;
    messages.push(received.subarray(at, at + length));
    at += length + 3 & ~3;
  }
  return messages;
}

/** A view of the message, if it is of the type and has the bytes that belong to that. */
function viewOf(message: Uint8Array, type: number, bytes: number): DataView | undefined {
  const view = new DataView(message.buffer, message.byteOffset, message.byteLength);
  const isOfType = view.byteLength >= bytes && view.getUint16(HEADER.type, true) === type;
  return isOfType ? view : undefined;
}

/** The content of the first attribute of a type: each begins with its length and type, and ends at a multiple of 4. */
function findAttribute(attributes: Uint8Array, type: number): Uint8Array | undefined {
  const view = new DataView(attributes.buffer, attributes.byteOffset, attributes.byteLength);
  for (let at = 0; at + 4 <= view.byteLength;) {
    const length = view.getUint16(at, true);
    if (length < 4 || at + length > view.byteLength) return undefined;
    if ((view.getUint16(at + 2, true) & ATTRIBUTE_TYPE) === type) {
      return attributes.subarray(at + 4, at + length);
    }
    at += length + 3 & ~3;
  }
  return undefined;
}

/** The number of 32 bits in an attribute; `undefined` for another content. */
function numberIn(bytes: Uint8Array | undefined): number | undefined {
  if (bytes?.length !== 4) return undefined;
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
}

/** The kernel's kinds are short words of ASCII, with a zero byte at their end. */
function toKind(bytes: Uint8Array): string | undefined {
  const text = String.fromCharCode(...bytes.subarray(0, 32)).replace(/\0.*$/s, "");
  return /^[\w-]+$/.test(text) ? text : undefined;
}

function toAddress(bytes: Uint8Array, family: number): string | undefined {
  if (bytes.length !== ADDRESS_BYTES[family]) return undefined;
  if (bytes.length === 4) return bytes.join(".");
  const groups = bytes.toHex().match(/.{4}/g) ?? [];
  return new URL(`http://[${groups.join(":")}]`).hostname.slice(1, -1);
}
