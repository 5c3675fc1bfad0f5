import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { isExemptFromProxy, parseProxy, type Proxy } from "../../lib/parse/proxy.ts";
import { cases } from "../cases.ts";

Deno.test("parseProxy() reads proxy URLs of the environment", () => {
  const table: [string, Proxy][] = [
    ["http://proxy.lan:3128", { kind: "http", host: "proxy.lan", port: 3128 }],
    ["HTTP://Proxy.LAN:3128/", { kind: "http", host: "proxy.lan", port: 3128 }],
    ["proxy.lan:3128", { kind: "http", host: "proxy.lan", port: 3128 }],
    ["proxy.lan", { kind: "http", host: "proxy.lan", port: 80 }],
    ["http://b\u00fccher.test:80", { kind: "http", host: "xn--bcher-kva.test", port: 80 }],
    ["socks5://10.0.0.1", { kind: "socks5", host: "10.0.0.1", port: 1080 }],
    ["socks5://10.0.0.1:1", { kind: "socks5", host: "10.0.0.1", port: 1 }],
    ["socks5h://10.0.0.1", { kind: "socks5h", host: "10.0.0.1", port: 1080 }],
    ["socks5h://10.0.0.1:65535", { kind: "socks5h", host: "10.0.0.1", port: 65_535 }],
    ["socks5h://10.0.0.1:80", { kind: "socks5h", host: "10.0.0.1", port: 80 }],
    ["http://[2001:db8::1]:8080", { kind: "http", host: "2001:db8::1", port: 8080 }],
    [
      "http://me:p%40s%3As@proxy.lan:3128",
      { kind: "http", host: "proxy.lan", port: 3128, login: { user: "me", password: "p@s:s" } },
    ],
    [
      "me@proxy.lan",
      { kind: "http", host: "proxy.lan", port: 80, login: { user: "me", password: "" } },
    ],
    [
      "socks5://me:p@ss:word@[::1]",
      { kind: "socks5", host: "::1", port: 1080, login: { user: "me", password: "p@ss:word" } },
    ],
  ];
  for (const [text, proxy] of table) assertEquals(parseProxy(text), proxy, text);
});

Deno.test("parseProxy() throws for an unusable URL without showing the password", () => {
  const table: [string, string][] = [
    ["", "is not valid"],
    ["http://", "is not valid"],
    ["http://me:secret@", "is not valid"],
    ["http://me:secret@host/path", "is not valid"],
    ["http://me:secret@host:port", "is not valid"],
    ["http://me:secret@host:1:2", "is not valid"],
    ["http://me:secret@host:0", "has a port out of range"],
    ["http://me:secret@host:65536", "has a port out of range"],
    [
      "https://me:secret@host",
      "has the scheme https://; supported are http://, socks5:// and socks5h://",
    ],
    ["socks4://me:secret@host", "has the scheme socks4://"],
    ["ftp://host", "has the scheme ftp://"],
    ["http://me:secret%@host", 'has a "%" in user or password that starts no escape'],
    ["http://[10.0.0.1]", "has no IPv6 address in brackets"],
    ["http://me:secret@a b", "has no host"],
  ];
  for (const [text, reason] of table) {
    const error = assertThrows(() => parseProxy(text), RangeError, `a proxy whose URL ${reason}`);
    assert(!error.message.includes("secret"), error.message);
  }
});

Deno.test("parseProxy() returns a proxy or throws a RangeError, for any text", () => {
  const pieces = fc.constantFrom("http", "socks5", "://", ":", "@", "[", "]", "::1", "/", "%", "1");
  const texts = fc.array(fc.oneof(pieces, fc.string({ maxLength: 5 }))).map((all) => all.join(""));
  fc.assert(fc.property(texts, (text) => {
    try {
      const { host, port } = parseProxy(text);
      assert(host !== "" && port >= 1 && port <= 65_535, text);
    } catch (error) {
      assert(error instanceof RangeError, `${error}`);
    }
  }));
});

/** A list, and what is exempt of it (`+`) or not. */
const LISTS = cases(`
  * → +panel.example +127.0.0.1 +::1
  example.com → +example.com +a.example.com +EXAMPLE.com. +a.b.example.com -notexample.com
    → -example.com.evil -com
  .example.com → +example.com +a.example.com -notexample.com
  Example.COM. → +example.com
  other, example.com\tthird → +other +example.com +third -ther -exam
  example.com:8443 → +example.com@8443 +a.example.com@8443 -example.com
  10.0.0.1 → +10.0.0.1 -10.0.0.10 -110.0.0.1
  10.0.0.1:8443 → +10.0.0.1@8443 -10.0.0.1
  10.0.0.0/8 → +10.255.0.1 -11.0.0.1 -a.10.0.0.0 -::a00:1
  192.0.2.128/25 → +192.0.2.128 +192.0.2.255 -192.0.2.127
  0.0.0.0/0 → +8.8.8.8 -2001:db8::1 -panel.example
  192.0.2.1/32 → +192.0.2.1 -192.0.2.0
  192.0.2.1/33,192.0.2.1/x,192.0.2/24,/8 → -192.0.2.1
  2001:db8::1 → +2001:db8::1 +2001:DB8:0::1 -2001:db8::2
  [2001:db8::1] → +2001:db8::1
  [2001:db8::1]:8443 → +2001:db8::1@8443 -2001:db8::1
  fd00::/8 → +fd12::1 -fe00::1 -10.0.0.1
  2001:db8::/33 → +2001:db8:7fff::1 -2001:db8:8000::1
  .,:,..,[],:80 → -panel.example -a.. -127.0.0.1
  0.0.1 → -10.0.0.1`.replaceAll("\n    →", ""));

Deno.test("isExemptFromProxy() matches names, addresses, networks and ports of a list", () => {
  for (const [list, targets] of [...LISTS, ["", "-panel.example -127.0.0.1 -localhost"]]) {
    for (const text of targets?.split(" ") ?? []) {
      const [host = "", port = "443"] = text.slice(1).split("@");
      const isExempt = isExemptFromProxy(list ?? "", { host, port: Number(port) });
      assertEquals(isExempt, text.startsWith("+"), `${list}: ${text}`);
    }
  }
});
