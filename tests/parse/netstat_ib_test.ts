import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
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
});

Deno.test("parseNetstatIb() strips the asterisk of an interface that is down", () => {
  assertEquals(parseNetstatIb(MACBOOK).some(({ name }) => name === "gif0"), true);
});

Deno.test("parseNetstatIb() uses the first of two links with the same truncated name", () => {
  assertEquals(parseNetstatIb(MINI).filter(({ name }) => name === "bridg"), [
    { name: "bridg", receivedBytes: 88, sentBytes: 111 },
  ]);
});

Deno.test("parseNetstatIb() finds columns by their headings", () => {
  const drops =
    `${HEADING}  Drop\nen0 1500 <Link#4> 1 0 20 3 0 40 0 7\nen1 1500 <Link#5> 1 0 2 3 0 4 0 0\n`;
  assertEquals(parseNetstatIb(drops), [
    { name: "en0", receivedBytes: 20, sentBytes: 40 },
    { name: "en1", receivedBytes: 2, sentBytes: 4 },
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
for (const [text, quoted] of table) {
  Deno.test(`parseNetstatIb() throws when the text is ${JSON.stringify(text.slice(-50))}`, () => {
    assertThrows(() => parseNetstatIb(text), SyntaxError, quoted);
  });
}

Deno.test("parseNetstatIb() throws nothing but SyntaxError", () => {
  onlySyntaxErrors((text) => parseNetstatIb(text), [MACBOOK, MINI]);
});

Deno.test("parseNetstatIb() reads back what netstat would write", () => {
  const link = fc.record({
    name: fc.stringMatching(/^[a-z]{1,6}\d{1,2}$/),
    down: fc.boolean(),
    address: fc.constantFrom("", "00:00:5e:00:53:01"),
    receivedBytes: fc.maxSafeNat(),
    sentBytes: fc.maxSafeNat(),
  });
  fc.assert(fc.property(fc.uniqueArray(link, { selector: ({ name }) => name }), (links) => {
    const rows = links.map((it, index) =>
      `${it.name}${
        it.down ? "*" : ""
      } 1500 <Link#${index}> ${it.address} 1 0 ${it.receivedBytes} 2 0 ` +
      `${it.sentBytes} 0\n${it.name} 1500 192.0.2 192.0.2.1 1 - ${it.receivedBytes} 2 - 7 -\n`
    );
    assertEquals(
      parseNetstatIb(`${HEADING}\n${rows.join("")}`),
      links.map(({ name, receivedBytes, sentBytes }) => ({ name, receivedBytes, sentBytes })),
    );
  }));
});
