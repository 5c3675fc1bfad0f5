import { assertEquals, assertThrows } from "@std/assert";
import { parseNetDev } from "../../lib/parse/net_dev.ts";
import { onlySyntaxErrors } from "./only_syntax_errors.ts";

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

Deno.test("parseNetDev() reads counters that touch the colon, as old kernels write them, and reads counters of 64 bits and a last line without line feed", () => {
  assertEquals(parseNetDev("  eth0:123 0 0 0 0 0 0 0 45 0 0 0 0 0 0 0\n"), [
    { name: "eth0", receivedBytes: 123, sentBytes: 45 },
  ]);
  const [eth0] = parseNetDev("\n \neth0: 18446744073709551615 0 0 0 0 0 0 0 7");
  assertEquals(eth0, { name: "eth0", receivedBytes: 2 ** 64, sentBytes: 7 });
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
  onlySyntaxErrors((text) => parseNetDev(text), [fixture("debian-vm")]);
});
