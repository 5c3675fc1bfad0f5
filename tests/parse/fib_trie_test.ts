import { assertEquals, assertThrows } from "@std/assert";
import { parseLocalIpv4 } from "../../lib/parse/fib_trie.ts";
import { onlySyntaxErrors } from "./only_syntax_errors.ts";

/** Of Linux 6.18, with two addresses in one network, and one that is a route as well. */
const TEXT = `Main:
  +-- 0.0.0.0/0 3 0 5
     |-- 0.0.0.0
        /0 universe UNICAST
     +-- 127.0.0.0/8 2 0 2
        +-- 127.0.0.0/31 1 0 0
           |-- 127.0.0.0
              /8 host LOCAL
           |-- 127.0.0.1
              /32 host LOCAL
        |-- 127.255.255.255
           /32 link BROADCAST
     +-- 192.0.2.0/24 2 0 2
        +-- 192.0.2.0/29 2 0 2
           |-- 192.0.2.0
              /24 link UNICAST
              /32 link BROADCAST
           |-- 192.0.2.2
              /32 host LOCAL
           |-- 192.0.2.4
              /30 universe UNICAST
              /32 host LOCAL
        |-- 192.0.2.255
           /32 link BROADCAST
     |-- 198.51.100.7
        /32 universe UNICAST
Local:
  +-- 127.0.0.0/8 2 0 2
     |-- 127.0.0.1
        /32 host LOCAL
  |-- 192.0.2.2
     /32 host LOCAL
`;

Deno.test("parseLocalIpv4() gives this machine's addresses, each once", () => {
  assertEquals(parseLocalIpv4(TEXT), ["127.0.0.1", "192.0.2.2", "192.0.2.4"]);
  assertEquals(parseLocalIpv4("Main:\n"), []);
});

Deno.test("parseLocalIpv4() throws when the text is no trie", () => {
  for (const text of ["", "\n", "Iface\tDestination\n", "  +-- 0.0.0.0/0 3 0 5\n"]) {
    assertThrows(() => parseLocalIpv4(text), SyntaxError, "Cannot parse fib_trie: no table in");
  }
});

Deno.test("parseLocalIpv4() throws nothing but SyntaxError", () => {
  onlySyntaxErrors(parseLocalIpv4, [TEXT]);
});
