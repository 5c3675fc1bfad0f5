import { assertEquals, assertThrows } from "@std/assert";
import { parseSockstat } from "../../lib/parse/sockstat.ts";
import { onlySyntaxErrors } from "./only_syntax_errors.ts";

const IPV4 = `sockets: used 290
TCP: inuse 9 orphan 0 tw 4 alloc 12 mem 3
UDP: inuse 2 mem 1
UDPLITE: inuse 7
RAW: inuse 0
FRAG: inuse 0 memory 0
`;
const IPV6 = `TCP6: inuse 6
UDP6: inuse 3
UDPLITE6: inuse 7
RAW6: inuse 1
FRAG6: inuse 0 memory 0
`;

Deno.test("parseSockstat() counts TIME_WAIT separately, and reads the IPv6 file", () => {
  assertEquals(parseSockstat(IPV4), { tcp: 9, tcpTimeWait: 4, udp: 2 });
  assertEquals(parseSockstat(IPV6), { tcp: 6, tcpTimeWait: 0, udp: 3 });
});

const table = [
  ["", "no TCP or UDP"],
  ["TCP: inuse\nUDP: inuse 1\n", '"TCP: inuse"'],
  ["TCP: inuse x tw 1\nUDP: inuse 1\n", '"TCP: inuse x tw 1"'],
  ["TCP: inuse 1 tw -1\nUDP: inuse 1\n", '"TCP: inuse 1 tw -1"'],
  ["TCP4: inuse 1 orphan 0 tw 0\n", 'no TCP or UDP after "TCP4: inuse 1 orphan 0 tw 0"'],
  ["xTCP: inuse 1\nUDP: inuse 1\n", "no TCP or UDP"],
  ["TCP: inuse 1 tw 2\nUDPLITE: inuse 1\n", "no TCP or UDP"],
] as const;
Deno.test("parseSockstat() throws a SyntaxError for any other text, and nothing else", () => {
  for (const [text, quoted] of table) assertThrows(() => parseSockstat(text), SyntaxError, quoted);
  onlySyntaxErrors(parseSockstat, [IPV4, IPV6]);
});
