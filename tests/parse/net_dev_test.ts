import { assert, assertEquals, assertInstanceOf, assertThrows } from "@std/assert";
import fc from "fast-check";
import { parseNetDev, parseNetDevColumns } from "../../lib/parse/net_dev.ts";

const HEADINGS = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
`;

function fixture(machine: string): string {
  return Deno.readTextFileSync(new URL(`../fixtures/${machine}/proc/net/dev`, import.meta.url));
}

Deno.test("parseNetDev() reads a virtual machine's interfaces", () => {
  assertEquals(parseNetDev(fixture("debian-vm")), [
    { name: "lo", receivedBytes: 9703034, sentBytes: 9703034 },
    { name: "ifb0", receivedBytes: 0, sentBytes: 0 },
    { name: "ifb1", receivedBytes: 0, sentBytes: 0 },
    { name: "eth0", receivedBytes: 329660166, sentBytes: 621419 },
  ]);
});

Deno.test("parseNetDev() reads names that fill the column", () => {
  const found = parseNetDev(fixture("bonded-server"));
  assertEquals(found[2], {
    name: "eno2np1",
    receivedBytes: 18446744073709,
    sentBytes: 27364554610,
  });
  assertEquals(found.length, 7);
});

Deno.test("parseNetDev() reads counters that touch the colon, as old kernels write them", () => {
  assertEquals(parseNetDev("  eth0:123 0 0 0 0 0 0 0 45 0 0 0 0 0 0 0\n"), [
    { name: "eth0", receivedBytes: 123, sentBytes: 45 },
  ]);
});

Deno.test("parseNetDev() reads counters of 64 bits and a last line without line feed", () => {
  const [eth0] = parseNetDev("eth0: 18446744073709551615 0 0 0 0 0 0 0 7");
  assertEquals(eth0, { name: "eth0", receivedBytes: 2 ** 64, sentBytes: 7 });
});

Deno.test("parseNetDev() returns nothing for an empty text", () => {
  assertEquals(parseNetDev(""), []);
  assertEquals(parseNetDev(HEADINGS), []);
  assertEquals(parseNetDev("\n \n"), []);
});

Deno.test("parseNetDev() throws and quotes the line when it is malformed", () => {
  const lines = [
    "eth0: ",
    "eth0: 1 2 3",
    "eth0: 1 0 0 0 0 0 0 0 ",
    "eth0: -1 0 0 0 0 0 0 0 2",
    "eth0: 1 0 0 0 0 0 0 0 0x2",
    "eth0: 1e3 0 0 0 0 0 0 0 2",
    "eth0: 111111111111111111111 0 0 0 0 0 0 0 2",
    "  : 1 0 0 0 0 0 0 0 2",
    "eth0 1 0 0 0 0 0 0 0 2",
  ];
  for (const line of lines) {
    const next = "eth1: 5 0 0 0 0 0 0 0 6";
    assertThrows(() => parseNetDev(`${HEADINGS}${line}\n${next}\n`), SyntaxError, `"${line}"`);
  }
});

Deno.test("parseNetDev() skips malformed lines if they are listened to", () => {
  const text =
    "eth0: 1 0 0 0 0 0 0 0 2\neth0:1: 3 0 0 0 0 0 0 0 4\neth1: \neth2: 5 0 0 0 0 0 0 0 6\n";
  const errors: string[] = [];
  const found = parseNetDev(text, ({ message }) => errors.push(message));
  assertEquals(found.map(({ name }) => name), ["eth0", "eth2"]);
  assertEquals(errors, [
    'Cannot parse net/dev: "eth0:1: 3 0 0 0 0 0 0 0 4"',
    'Cannot parse net/dev: "eth1: "',
  ]);
});

Deno.test("parseNetDev() gives back what was written", () => {
  const name = fc.stringMatching(/^[a-z][a-z0-9.@_-]{0,14}$/);
  const bytes = fc.nat({ max: Number.MAX_SAFE_INTEGER });
  const lines = fc.array(fc.record({ name, receivedBytes: bytes, sentBytes: bytes }));
  fc.assert(fc.property(lines, fc.boolean(), (expected, blanks) => {
    const gap = blanks ? "  " : " ";
    const text = expected.map((line) =>
      `${
        line.name.padStart(6)
      }:${gap}${line.receivedBytes} 1 0 0 0 0 0 0${gap}${line.sentBytes} 2 0 0 0 0 0 0\n`
    );
    assertEquals(parseNetDev(HEADINGS + text.join("")), expected);
  }));
});

Deno.test("parseNetDev() throws nothing but SyntaxError on any text", () => {
  const piece = fc.oneof(
    fc.string({ unit: "binary", maxLength: 6 }),
    fc.constantFrom(
      ":",
      " ",
      "\n",
      "|",
      "0",
      "17",
      "eth0:",
      " 1 2 3 4 5 6 7 8 9 10",
      "a: 1 2 3 4 5 6 7 8 9\n",
    ),
  );
  let seen = 0;
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
      try {
        for (const { name, receivedBytes, sentBytes } of parseNetDev(pieces.join(""))) {
          assert(name !== "" && Number.isFinite(receivedBytes) && Number.isFinite(sentBytes));
          assert(receivedBytes >= 0 && sentBytes >= 0);
          seen++;
        }
      } catch (error) {
        assertInstanceOf(error, SyntaxError);
      }
    }),
    { numRuns: 1_000 },
  );
  assert(seen > 0, "nothing was an interface");
});

Deno.test("parseNetDevColumns() reads all columns of a captured file", () => {
  const found = parseNetDevColumns(fixture("debian-vm"));
  assertEquals(found.map(({ name }) => name), ["lo", "ifb0", "ifb1", "eth0"]);
  const eth0 = found[3];
  assertEquals([eth0?.received[0], eth0?.sent[0]], [329660166, 621419]);
  assertEquals([eth0?.received.length, eth0?.sent.length], [8, 8]);
});

Deno.test("parseNetDevColumns() gives malformed lines to their handler, and goes on", () => {
  const good = `eth1:${" 1".repeat(16)}`;
  const odd = ["eth0: 1 2", `:${" 1".repeat(16)}`, `eth0:${" 1".repeat(15)} -1`, "no colon"];
  const errors: string[] = [];
  const text = `${HEADINGS}${odd.join("\n")}\n${good}\n`;
  const found = parseNetDevColumns(text, ({ message }) => errors.push(message));
  assertEquals(found.map(({ name }) => name), ["eth1"]);
  assertEquals(errors, odd.map((line) => `Cannot parse net/dev: "${line}"`));
  assertThrows(() => parseNetDevColumns(text), SyntaxError, '"eth0: 1 2"');
});
