import { assertEquals, assertGreater, assertThrows } from "@std/assert";
import fc from "fast-check";
import { parseNetstat, parseSnmp6 } from "../../lib/parse/netstat.ts";
import { onlySyntaxErrors } from "./only_syntax_errors.ts";

const fixture = (name: string) =>
  Deno.readTextFileSync(`tests/fixtures/debian-vm/proc/net/${name}`);

Deno.test("parseNetstat() reads captured pairs of lines", () => {
  const snmp = parseNetstat(fixture("snmp"));
  assertEquals(snmp.get("Tcp_MaxConn"), -1);
  assertEquals(snmp.get("Ip_Forwarding"), 2);
  const netstat = fixture("netstat");
  const names = netstat.split("\n").filter((_, index) => index % 2 === 0)
    .flatMap((line) => line.split(" ").slice(1));
  assertEquals([parseNetstat(netstat).size, names.length > 100], [names.length, true]);
  assertEquals(parseNetstat(netstat).has("TcpExt_ListenDrops"), true);
});

Deno.test("parseNetstat() gives malformed pairs to their handler, and goes on", () => {
  const pairs = [
    ["Tcp: A B", "Tcp: 1"],
    ["Tcp: A", "Udp: 1"],
    ["Tcp: A{x", "Tcp: 1"],
    ["Tcp: A", "Tcp: 1e3"],
    ["Udp: A", "Udp: 7"],
  ];
  const text = pairs.map((pair) => `${pair.join("\n")}\n`).join("");
  const errors: string[] = [];
  assertEquals([...parseNetstat(text, ({ message }) => errors.push(message))], [["Udp_A", 7]]);
  assertEquals(errors.length, 4);
  assertThrows(() => parseNetstat(text), SyntaxError, 'Cannot parse netstat: "Tcp: A B"');
});

Deno.test("parseNetstat() throws nothing but SyntaxError, and gives numbers for any text", () => {
  const piece = fc.constantFrom("Tcp:", " A", " 1", " -1", "\n", "Tcp: A\nTcp: 2\n", "x", ":");
  let seen = 0;
  fc.assert(fc.property(fc.array(piece), (pieces) => {
    for (const [key, value] of parseNetstat(pieces.join(""), () => {})) {
      seen++;
      assertEquals(/^\w+_\w+$/.test(key) && Number.isFinite(value), true);
    }
  }));
  assertGreater(seen, 0);
});

Deno.test("parseSnmp6() reads captured lines, and leaves out others", () => {
  const captured = fixture("snmp6");
  const found = parseSnmp6(captured);
  assertEquals(found.size, captured.trim().split("\n").length);
  assertEquals(found.has("Ip6_InOctets") && found.has("UdpLite6_InErrors"), true);
  assertEquals([...parseSnmp6("Ip6InX\t-1\nIpInY 2\nUdp6InZ   \t3\n")], [["Udp6_InZ", 3]]);
  onlySyntaxErrors(parseSnmp6, [captured]);
});
