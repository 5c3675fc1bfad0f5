import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { parseProxy, type Proxy } from "../../lib/parse/proxy.ts";

Deno.test("parseProxy() reads proxies as the environment names them", () => {
  const table: [string, Proxy][] = [
    ["http://proxy.lan:3128", { kind: "http", host: "proxy.lan", port: 3128 }],
    ["HTTP://Proxy.LAN:3128/", { kind: "http", host: "proxy.lan", port: 3128 }],
    ["proxy.lan:3128", { kind: "http", host: "proxy.lan", port: 3128 }],
    ["proxy.lan", { kind: "http", host: "proxy.lan", port: 80 }],
    ["http://b\u00fccher.test:80", { kind: "http", host: "xn--bcher-kva.test", port: 80 }],
    ["socks5://10.0.0.1", { kind: "socks5", host: "10.0.0.1", port: 1080 }],
    ["socks5h://10.0.0.1:80", { kind: "socks5h", host: "10.0.0.1", port: 80 }],
    ["http://[2001:db8::1]:8080", { kind: "http", host: "2001:db8::1", port: 8080 }],
    [
      "http://me:p%40s%3As@proxy.lan:3128",
      {
        kind: "http",
        host: "proxy.lan",
        port: 3128,
        login: { user: "me", password: "p@s:s" },
      },
    ],
    ["me@proxy.lan", {
      kind: "http",
      host: "proxy.lan",
      port: 80,
      login: { user: "me", password: "" },
    }],
    ["socks5://me:p@ss:word@[::1]", {
      kind: "socks5",
      host: "::1",
      port: 1080,
      login: { user: "me", password: "p@ss:word" },
    }],
  ];
  for (const [text, proxy] of table) assertEquals(parseProxy(text), proxy, text);
});

Deno.test("parseProxy() throws for what it can't use, and shows no password", () => {
  const table: [string, string][] = [
    ["", "is no URL"],
    ["http://", "is no URL"],
    ["http://me:secret@", "is no URL"],
    ["http://me:secret@host/path", "is no URL"],
    ["http://me:secret@host:port", "is no URL"],
    ["http://me:secret@host:1:2", "is no URL"],
    ["http://me:secret@host:0", "has a port out of range"],
    ["http://me:secret@host:65536", "has a port out of range"],
    ["https://me:secret@host", "is of kind https://; known are http://, socks5:// and socks5h://"],
    ["socks4://me:secret@host", "is of kind socks4://"],
    ["ftp://host", "is of kind ftp://"],
    ["http://me:secret%@host", 'has a "%" in user or password that is no escape'],
    ["http://[10.0.0.1]", "has no IPv6 address in brackets"],
    ["http://me:secret@a b", "names no host"],
  ];
  for (const [text, reason] of table) {
    const error = assertThrows(() => parseProxy(text), RangeError, `a proxy whose URL ${reason}`);
    assert(!error.message.includes("secret"), error.message);
  }
});

Deno.test("parseProxy() gives a proxy or a RangeError, whatever the text", () => {
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
