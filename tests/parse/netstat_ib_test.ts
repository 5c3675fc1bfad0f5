import { assertEquals, assertThrows } from "@std/assert";
import { parseNetstatIb } from "../../lib/parse/netstat_ib.ts";
import { onlySyntaxErrors } from "./only_syntax_errors.ts";

const fixture = (path: string) =>
  Deno.readTextFileSync(new URL(`../fixtures/${path}`, import.meta.url));
const MACBOOK = fixture("macbook-arm64/netstat");
const MINI = fixture("mac-mini-amd64/netstat");
const HEADING =
  "Name  Mtu   Network       Address            Ipkts Ierrs     Ibytes    Opkts Oerrs     Obytes  Coll";

Deno.test("parseNetstatIb() uses the link row of each interface, with and without an address", () => {
  const found = parseNetstatIb(MACBOOK);
  assertEquals(found.filter(({ receivedBytes }) => receivedBytes > 0), [
    { name: "lo0", receivedBytes: 301234567, sentBytes: 301234567 },
    { name: "en0", receivedBytes: 12345678901, sentBytes: 2345678901 },
    { name: "awdl0", receivedBytes: 234567, sentBytes: 67890 },
    { name: "utun4", receivedBytes: 500000000, sentBytes: 125000000 },
  ]);
  assertEquals(found.length, 12);
  assertEquals(found.some(({ name }) => name === "gif0"), true, "which is down");
  // Of two links with the same truncated name the first counts; columns are found by their headings.
  assertEquals(parseNetstatIb(MINI).filter(({ name }) => name === "bridg"), [
    { name: "bridg", receivedBytes: 88, sentBytes: 111 },
  ]);
  assertEquals(parseNetstatIb(`${HEADING}  Drop\nen0 1500 <Link#4> 1 0 20 3 0 40 0 7\n`), [
    { name: "en0", receivedBytes: 20, sentBytes: 40 },
  ]);
});

const table = [
  ["", "no headings"],
  ["en0 1500 <Link#4> 1 0 20 3 0 40 0\n", '"en0 1500'],
  [
    "Name Mtu Network Address Ipkts Ierrs Opkts Oerrs Coll\nen0 1500 <Link#4> 1 0 1 0 0\n",
    "no headings",
  ],
  [`${HEADING}\nen0 1500 <Link#4>\n`, '"en0 1500 <Link#4>"'],
  [`${HEADING}\nen0 1500 <Link#4> 00:00:5e:00:53:01 1 0 - 3 0 40 0\n`, "no counters"],
  [`${HEADING}\nen0 1500 <Link#4> 1 0 20 3 0 -40 0\n`, "no counters"],
  [`${HEADING}\nen0 1500 <Link#4> 1 0 20 3 0 ${"4".repeat(21)} 0\n`, "no counters"],
] as const;
Deno.test("parseNetstatIb() throws a SyntaxError for any other text, and nothing else", () => {
  for (const [text, quoted] of table) assertThrows(() => parseNetstatIb(text), SyntaxError, quoted);
  onlySyntaxErrors((text) => parseNetstatIb(text), [MACBOOK, MINI]);
});
