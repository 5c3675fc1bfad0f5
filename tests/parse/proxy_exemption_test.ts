import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { isExemptFromProxy } from "../../lib/parse/proxy.ts";

const TABLE: readonly [list: string, exempt: readonly string[], not: readonly string[]][] = [
  ["", [], ["panel.example", "127.0.0.1", "localhost"]],
  ["*", ["panel.example", "127.0.0.1", "::1"], []],
  ["example.com", ["example.com", "a.example.com", "EXAMPLE.com.", "a.b.example.com"], [
    "notexample.com",
    "example.com.evil",
    "com",
  ]],
  [".example.com", ["example.com", "a.example.com"], ["notexample.com"]],
  ["Example.COM.", ["example.com"], []],
  ["other, example.com\tthird", ["other", "example.com", "third"], ["ther", "exam"]],
  ["example.com:8443", ["example.com 8443", "a.example.com 8443"], ["example.com"]],
  ["10.0.0.1", ["10.0.0.1"], ["10.0.0.10", "110.0.0.1"]],
  ["10.0.0.1:8443", ["10.0.0.1 8443"], ["10.0.0.1"]],
  ["10.0.0.0/8", ["10.255.0.1"], ["11.0.0.1", "a.10.0.0.0", "::a00:1"]],
  ["192.0.2.128/25", ["192.0.2.128", "192.0.2.255"], ["192.0.2.127"]],
  ["0.0.0.0/0", ["8.8.8.8"], ["2001:db8::1", "panel.example"]],
  ["192.0.2.1/32", ["192.0.2.1"], ["192.0.2.0"]],
  ["192.0.2.1/33,192.0.2.1/x,192.0.2/24,/8", [], ["192.0.2.1"]],
  ["2001:db8::1", ["2001:db8::1", "2001:DB8:0::1"], ["2001:db8::2"]],
  ["[2001:db8::1]", ["2001:db8::1"], []],
  ["[2001:db8::1]:8443", ["2001:db8::1 8443"], ["2001:db8::1"]],
  ["fd00::/8", ["fd12::1"], ["fe00::1", "10.0.0.1"]],
  ["2001:db8::/33", ["2001:db8:7fff::1"], ["2001:db8:8000::1"]],
  [".,:,..,[],:80", [], ["panel.example", "a..", "127.0.0.1"]],
  ["0.0.1", [], ["10.0.0.1"]],
];

/** `host`, or `host port`. */
function target(text: string): { host: string; port: number } {
  const [host = "", port = "443"] = text.split(" ");
  return { host, port: Number(port) };
}

for (const [list, exempt, not] of TABLE) {
  Deno.test(`isExemptFromProxy() knows whom ${JSON.stringify(list)} means`, () => {
    for (const text of exempt) assertEquals(isExemptFromProxy(list, target(text)), true, text);
    for (const text of not) assertEquals(isExemptFromProxy(list, target(text)), false, text);
  });
}

Deno.test("isExemptFromProxy() finds a host by its own name, whatever else is listed", () => {
  fc.assert(fc.property(fc.array(fc.string()), fc.domain(), (others, host) => {
    const list = [...others, host, ...others].join(",");
    assertEquals(isExemptFromProxy(list, { host, port: 443 }), true);
  }));
});

Deno.test("isExemptFromProxy() finds every address in its own range", () => {
  const addresses = fc.oneof(
    fc.tuple(fc.ipV4(), fc.integer({ min: 0, max: 32 })),
    fc.tuple(fc.ipV6(), fc.integer({ min: 0, max: 128 })),
  );
  fc.assert(fc.property(addresses, ([host, bits]) => {
    assertEquals(isExemptFromProxy(`${host}/${bits}`, { host, port: 443 }), true);
  }));
});
