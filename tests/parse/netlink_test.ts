import { assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  parseAddressMessage,
  parseLinkMessage,
  parseRouteKind,
  parseStatsMessage,
  splitMessages,
} from "../../lib/parse/netlink.ts";

/** Messages of Linux 6.18, without most of the attributes that nobody reads. */
const CAPTURED = {
  veth:
    "4c000000100000000700000 07c700000 00000100 03000000 02100000 00000000 07000300 76300000 05001000" +
    "02000000 10001200 09000100 76657468 00000000 08000500 02000000",
  renamedLoopback:
    "3c000000 10000000 07000000 aa700000 00000403 01000000 08000000 00000000 0a000300 6c6f6f70 37000000" +
    "08000500 02000000 09000600 6e6f6f70 00000000",
} as const;

function bytesOf(hex: string): Uint8Array {
  const message = Uint8Array.fromHex(hex.replaceAll(" ", ""));
  new DataView(message.buffer).setUint32(0, message.length, true);
  return message;
}

Deno.test("parseLinkMessage() reads the kind, index, type and flags of an interface", () => {
  assertEquals(parseLinkMessage(bytesOf(CAPTURED.veth)), {
    ...{ index: 3, name: "v0", flags: 0x1002, kind: "veth", over: 2 },
    ...{ master: undefined, hasDevice: false },
  });
  assertEquals(parseLinkMessage(bytesOf(CAPTURED.renamedLoopback)), {
    ...{ index: 1, name: "loop7", flags: 0x8, kind: undefined, over: 2 },
    ...{ master: undefined, hasDevice: true },
  });
});

Deno.test("parseLinkMessage() reads what an interface is part of, and whether it has a device", () => {
  const member = "10001200 09000100 76657468 00000000 0a003800 30303000 00000000 08000a00 07000000";
  const port = bytesOf(CAPTURED.veth.replace("10001200 09000100 76657468 00000000", member));
  const link = parseLinkMessage(port);
  assertEquals([link?.kind, link?.master, link?.hasDevice], ["veth", 7, true]);
});

Deno.test("parseLinkMessage() knows nothing below an interface whose lower one is elsewhere, or none", () => {
  const elsewhere = bytesOf(`${CAPTURED.veth} 08002500 00000000`);
  assertEquals(parseLinkMessage(elsewhere)?.over, undefined);
  for (const over of ["08000500 00000000", "08000600 02000000", "06000500 02000000"]) {
    const other = bytesOf(CAPTURED.veth.replace("08000500 02000000", over));
    assertEquals(parseLinkMessage(other)?.over, undefined, over);
  }
});

Deno.test("parseLinkMessage() finds an attribute that is marked as nested", () => {
  const marked = bytesOf(CAPTURED.veth.replace("10001200", "10001280"));
  assertEquals(parseLinkMessage(marked)?.kind, "veth");
});

Deno.test("parseLinkMessage() reads no other message, and no kind that is none", () => {
  const error = bytesOf(CAPTURED.veth);
  error[4] = 2;
  assertEquals(parseLinkMessage(error), undefined);
  assertEquals(parseLinkMessage(bytesOf(CAPTURED.veth).subarray(0, 31)), undefined);
  const odd = bytesOf(CAPTURED.veth.replace("76657468", "7665 0a68"));
  assertEquals(parseLinkMessage(odd)?.kind, undefined);
});

/** The beginning of what `ip addr` receives, from Linux 6.18: on `lo`, between two, and deprecated. */
const ADDRESSES = [
  "4c0000001400020007000000503f0000 020880fe01000000 080001007f000001 080002007f000001",
  "070003006c6f0000 0800080080000000 14000600ffffffffffffffffaae60300aae60300",
  "4c0000001400020007000000503f0000 0220800003000000 08000100cb00710b 08000200cb00710a",
  "0700030076300000 0800080080000000 14000600ffffffffffffffffade60300ade60300",
  "480000001400020007000000503f0000 0a40a20003000000 1400010020010db8000000000000000000000001",
  "140006000000 0000ffffffffb0e60300b0e60300 08000800a2000000",
].join("");

/** The end of such a list. */
const DONE = "140000000300020007000000503f000000000000";

const ROUTE =
  "700000001800000007000000503f0000 02200000fe000001 00020000 08000f00fe000000 0800010001010101" +
  "0800040003000000 08000700cb00710a 08000500cb00710b 0800190000000000 24000c0002000000".padEnd(
    80,
    "0",
  ) +
  "0".repeat(24);

const STATS =
  "e80000005c00000007000000503f0000 00000000 02000000 01000000 cc000100 0400000000000000" +
  "0100000000000000 8c01000000010000 5a00000000000000" + "0".repeat(320);

function hex(text: string): Uint8Array {
  return Uint8Array.fromHex(text.replaceAll(" ", ""));
}

Deno.test("parseAddressMessage() reads the own address of a link, its interface and its flags", () => {
  const messages = splitMessages(hex(ADDRESSES + DONE));
  assertEquals(messages.length, 4);
  assertEquals(messages.map(parseAddressMessage), [
    { index: 1, address: "127.0.0.1", flags: 0x80 },
    { index: 3, address: "203.0.113.10", flags: 0x80 },
    { index: 3, address: "2001:db8::1", flags: 0xa2 },
    undefined,
  ]);
});

Deno.test("parseAddressMessage() reads no address of a wrong length or of another family", () => {
  const [message] = splitMessages(hex(ADDRESSES));
  const other = message?.slice() ?? new Uint8Array();
  other[16] = 10;
  assertEquals(parseAddressMessage(other), undefined);
  other[16] = 45;
  assertEquals(parseAddressMessage(other), undefined);
});

Deno.test("splitMessages() leaves out what is cut off, and ends at a length that none has", () => {
  const all = hex(ADDRESSES);
  assertEquals(splitMessages(all.subarray(0, 100)).length, 1);
  assertEquals(splitMessages(all.subarray(0, 15)), []);
  assertEquals(splitMessages(new Uint8Array(64)), []);
});

Deno.test("splitMessages() finds the next message at a multiple of four bytes", () => {
  const odd = "11000000 00000000 00000000 00000000 01 000000";
  assertEquals(splitMessages(hex(odd + DONE)).map(({ length }) => length), [17, 20]);
});

Deno.test("parseRouteKind() reads the kind of a route, and of no other message", () => {
  const messages = [hex(ROUTE), hex(ROUTE).subarray(0, 27), hex(STATS)];
  assertEquals(messages.map(parseRouteKind), [1, undefined, undefined]);
});

Deno.test("parseStatsMessage() reads 64 bits of counters, and no short message", () => {
  assertEquals(parseStatsMessage(hex(STATS)), {
    ...{ index: 2, receivedBytes: 2 ** 40 + 0x18c, sentBytes: 0x5a },
  });
  const highBit = STATS.replace("8c010000", "8c0100f0");
  assertEquals(parseStatsMessage(hex(highBit))?.receivedBytes, 2 ** 40 + 0xf000018c);
  assertEquals(parseStatsMessage(hex(STATS).subarray(0, 63)), undefined);
  assertEquals(parseStatsMessage(hex(ROUTE)), undefined);
});

Deno.test("messages of netlink with any bytes are read without an error", () => {
  const captured = [ADDRESSES, ROUTE, STATS, CAPTURED.veth].map(hex);
  const changes = fc.array(fc.tuple(fc.nat(255), fc.nat(255)), { maxLength: 6 });
  for (const text of captured) {
    fc.assert(fc.property(changes, fc.nat(255), (changes, length) => {
      const bytes = text.slice(0, length);
      for (const [at, value] of changes) {
        if (at < bytes.length) bytes[at] = value;
      }
      for (const message of [bytes, ...splitMessages(bytes)]) {
        parseAddressMessage(message);
        parseRouteKind(message);
        parseStatsMessage(message);
        parseLinkMessage(message);
      }
    }));
  }
});
