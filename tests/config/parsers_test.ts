import { assertEquals, assertThrows } from "@std/assert";
import {
  parseInstallFolder,
  parseListenAddress,
  parseNameServer,
} from "../../lib/config/parsers.ts";

Deno.test("parseNameServer() takes hosts with and without a port", () => {
  const right: [string, string, number][] = [
    ["192.0.2.1", "192.0.2.1", 53],
    ["192.0.2.1:5353", "192.0.2.1", 5353],
    ["dns.example", "dns.example", 53],
    ["[2001:db8::1]", "2001:db8::1", 53],
    ["[2001:db8::1]:5353", "2001:db8::1", 5353],
    ["2001:db8::1", "2001:db8::1", 53],
  ];
  for (const [text, host, port] of right) assertEquals(parseNameServer(text), { host, port });
  assertEquals(parseNameServer(""), undefined);
});

Deno.test("parseNameServer() refuses everything else", () => {
  const wrong = "h:0 h:65536 h: :53 [1.2.3.4] [x]:53 a,b https://dns [2001:db8::1 ::1:z h:5:5";
  for (const text of [...wrong.split(" "), "a b"]) {
    assertThrows(() => parseNameServer(text), RangeError, "HOST", text);
  }
});

Deno.test("parseListenAddress() listens on loopback unless an address is given", () => {
  for (
    const [text, hostname, port] of [
      ["9100", "127.0.0.1", 9100],
      [":9100", "127.0.0.1", 9100],
      ["0.0.0.0:9100", "0.0.0.0", 9100],
      ["[::1]:0", "::1", 0],
      ["[::]:65535", "::", 65535],
      ["node-1.example.com:9100", "node-1.example.com", 9100],
    ] as const
  ) assertEquals(parseListenAddress(text), { hostname, port });
});

Deno.test("parseListenAddress() refuses everything else", () => {
  for (
    const text of [
      "",
      ":",
      "x",
      "-name:9100",
      "na_me:9100",
      "[name]:9100",
      "1.2.3:9100",
      "::1:9100",
      "[1.2.3.4]:1",
      "65536",
    ]
  ) assertThrows(() => parseListenAddress(text), RangeError, "PORT or ADDRESS:PORT");
});

Deno.test("parseInstallFolder() takes full paths that need no quoting, without slashes at the end", () => {
  assertEquals(parseInstallFolder("/opt/komari-agent-deno//"), "/opt/komari-agent-deno");
  for (const wrong of ["opt", "/", "/opt/../etc", "/opt/a b", "/opt/$HOME", "/opt/x\ny", ""]) {
    assertThrows(() => parseInstallFolder(wrong), RangeError, "a full path", wrong);
  }
});
