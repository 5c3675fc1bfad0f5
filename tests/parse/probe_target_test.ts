import { assert, assertEquals, assertNotMatch, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  parseProbe,
  parseProbeTarget,
  type ProbeTarget,
  urlHost,
} from "../../lib/parse/probe_target.ts";
import { PROBE_TYPES, type ProbeKind } from "../../lib/types.ts";
import { cases } from "../cases.ts";

const KINDS: readonly ProbeKind[] = ["icmp", "tcp", "http"];

Deno.test("parseProbeTarget() reads every form for every kind", () => {
  const forms: [string, string, number, string][] = [
    ["1.1.1.1", "1.1.1.1", 80, "http://1.1.1.1/"],
    ["1.1.1.1:53", "1.1.1.1", 53, "http://1.1.1.1:53/"],
    ["host", "host", 80, "http://host/"],
    ["Host.Example.", "host.example.", 80, "http://host.example./"],
    ["under_score.example:443", "under_score.example", 443, "http://under_score.example:443/"],
    ["[2606::1]:443", "2606::1", 443, "http://[2606::1]:443/"],
    ["[::1]", "::1", 80, "http://[::1]/"],
    ["::1", "::1", 80, "http://[::1]/"],
    ["https://host/path?q=1#part", "host", 443, "https://host/path?q=1"],
    ["HTTP://[::1]:8080/", "::1", 8080, "http://[::1]:8080/"],
    ["bücher.example", "xn--bcher-kva.example", 80, "http://xn--bcher-kva.example/"],
    ["例え.テスト:81", "xn--r8jz45g.xn--zckzah", 81, "http://xn--r8jz45g.xn--zckzah:81/"],
  ];
  for (const [text, host, port, href] of forms) {
    assertEquals(parseProbeTarget("icmp", text), { kind: "icmp", host });
    assertEquals(parseProbeTarget("tcp", text), { kind: "tcp", host, port });
    const http = parseProbeTarget("http", text);
    assertEquals(http.kind === "http" && http.url.href, href);
  }
});

Deno.test("parseProbeTarget() accepts a path without a scheme for HTTP only", () => {
  const target = parseProbeTarget("http", "host:8080/a?b");
  assertEquals(target.kind === "http" && target.url.href, "http://host:8080/a?b");
  assertThrows(() => parseProbeTarget("tcp", "host:8080/a"), SyntaxError, "neither a host");
});

Deno.test("parseProbeTarget() rejects options, tricks and mistakes", () => {
  const long = `${"a".repeat(63)}.`.repeat(4) + "example";
  const words = "-f -- host:0 host:65536 host:99999999 user@host http://user@host/ http://@host/ " +
    "http://user:word@host/ ftp://host/ file:///etc/passwd ://host http:// http:/// http://-f/ " +
    "http://a..b/ [::1 ::1] [1.1.1.1] [::1]443 fe80::1%eth0 [fe80::1%eth0]:80 256.1.1.1 a,b " +
    "$(reboot) `reboot` a;b a|b a'b a%20b . .. .host";
  const texts = [
    ...["", "-f 1.1.1.1", "1.1.1.1 ", " 1.1.1.1", "a b", "a\tb", "a\nb", "a\0b", "a\u0085b"],
    ...["a\u2028b", "\u00a0", long, `http://${long}/`, `${"a".repeat(64)}.example`],
    ...["a".repeat(3000), ...words.split(" ")],
  ];
  for (const text of texts) {
    for (const kind of KINDS) {
      assertThrows(() => parseProbeTarget(kind, text), SyntaxError, "Cannot parse probe target");
    }
  }
  const hosts = "host: [::1]: 127.1 0x7f.0.0.1 010.0.0.1 a:b:c host:http a/b".split(" ");
  for (const text of hosts) {
    for (const kind of ["icmp", "tcp"] as const) {
      assertThrows(() => parseProbeTarget(kind, text), SyntaxError, JSON.stringify(text));
    }
  }
});

Deno.test("parseProbeTarget() takes names and URLs up to the longest", () => {
  const labels = `${"a".repeat(63)}.`.repeat(3);
  const [longest, longer] = [labels + "a".repeat(61), labels + "a".repeat(62)];
  assertEquals(parseProbeTarget("icmp", longest), { kind: "icmp", host: longest });
  assertEquals(parseProbeTarget("icmp", `${longest}.`), { kind: "icmp", host: `${longest}.` });
  assertThrows(() => parseProbeTarget("icmp", longer), SyntaxError, "the host name is too long");
  const url = (length: number) => "http://host/".padEnd(length, "a");
  assertEquals(parseProbeTarget("http", url(2048)).kind, "http");
  for (const text of [url(2049), `http://host/${"\u4e2d".repeat(300)}`]) {
    assertThrows(() => parseProbeTarget("http", text), SyntaxError, ": it is too long");
  }
});

Deno.test("parseProbeTarget() takes an @ behind the host for no user", () => {
  const texts = ["http://host/a@b", "http://host?a@b", "http://host#a@b", "http://host\\a@b"];
  for (const text of texts) {
    assertEquals(parseProbeTarget("icmp", text), { kind: "icmp", host: "host" });
  }
});

Deno.test("parseProbeTarget() names the reason", () => {
  const table = [
    ["-f", '"-f": it starts like an option'],
    [`-${"x".repeat(200)}`, `"-${"x".repeat(78)}…": it starts like an option`],
    ["a b", '"a b": it has spaces or control characters'],
    ["ftp://host", '"ftp://host": the scheme is not http(s)'],
    ["host:70000", '"host:70000": the port is out of range'],
    ["127.1", '"127.1": the address is not written in full'],
  ] as const;
  for (const [text, reason] of table) {
    assertThrows(() => parseProbeTarget("tcp", text), SyntaxError, reason);
  }
});

Deno.test("parseProbeTarget() quotes neither query, user nor control characters", () => {
  const texts = [
    "http://me:secret@h/",
    "ftp://h/?secret",
    "\u001b[31m\u202esecret@h",
    "http://secret@more:secret@h/",
    "ftp://h/#secret",
    "h\u202e\u2028\u2029\u0085 \u2192 h",
  ];
  for (const text of texts) {
    const { message } = assertThrows(() => parseProbeTarget("http", text), SyntaxError);
    assertNotMatch(message, /secret|[→\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
  }
});

Deno.test("parseProbeTarget() returns any host and port unchanged", () => {
  const port = fc.integer({ min: 1, max: 65_535 });
  const endpoint = fc.oneof(
    fc.tuple(fc.oneof(fc.domain(), fc.ipV4()), port).map(([host, port]) => ({
      host,
      port,
      text: `${host}:${port}`,
    })),
    fc.tuple(fc.ipV6(), port).map(([host, port]) => ({ host, port, text: `[${host}]:${port}` })),
  );
  fc.assert(fc.property(endpoint, ({ host, port, text }) => {
    assertEquals(parseProbeTarget("tcp", text), { kind: "tcp", host: host.toLowerCase(), port });
  }));
});

Deno.test("parseProbeTarget() returns only hosts that are safe as an argument, for any text", () => {
  const text = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.string({ unit: fc.constantFrom(..."-.:/[]@%?#\\ 0aé\n") }),
  );
  fc.assert(
    fc.property(fc.constantFrom(...KINDS), text, (kind, text) => {
      let target;
      try {
        target = parseProbeTarget(kind, text);
      } catch (error) {
        assert(error instanceof SyntaxError);
        return;
      }
      const host = target.kind === "http" ? urlHost(target.url) : target.host;
      assert(/^[0-9a-z_.:][0-9a-z_.:-]{0,253}$/i.test(host), host);
    }),
    { numRuns: 2000 },
  );
});

Deno.test("parseProbe() gives a part for each result, with the targets that are tried in turn", () => {
  const rows = cases(`
    icmp h → icmp h
    tcp h → tcp h:80
    auto h → icmp h, h:443, h:80
    auto ::1 → icmp ::1, ::1:443, ::1:80
    auto h:22 → tcp h:22
    auto [::1]:22 → tcp ::1:22
    auto -f → icmp
    dual h → icmp h | tcp h:443, h:80
    dual h:22 → icmp h | tcp h:22
    dual a;b → icmp | tcp
    tcp h:22 r → tcp h:22 | reference tcp r:80
    auto h:22 r:1 → tcp h:22 | reference icmp r
    icmp h -f → icmp h | reference icmp`);
  for (const [row, expected] of rows) {
    const [type, target = "", reference] = row.split(" ");
    const kind = PROBE_TYPES.find((it) => it === type) ?? "http";
    const parts = parseProbe({ id: 1, kind, target, ...(reference && { reference }) });
    const told = parts.map(({ kind, targets, isReference, refusal }) => {
      assertEquals(refusal === undefined, targets.length > 0);
      const of = (it: ProbeTarget) =>
        it.kind === "tcp" ? `${it.host}:${it.port}` : it.kind === "icmp" ? it.host : "";
      return `${isReference ? "reference " : ""}${kind} ${targets.map(of).join(", ")}`.trim();
    });
    assertEquals(told.join(" | "), expected, row);
  }
});

Deno.test("parseProbe() never throws, and quotes no query of a target", () => {
  const types = fc.constantFrom(...PROBE_TYPES);
  fc.assert(fc.property(types, fc.string(), fc.string(), (kind, target, reference) => {
    const parts = parseProbe({ id: 1, kind, target, reference });
    assertEquals(parts.length, kind === "dual" ? 3 : 2);
  }));
  for (const { refusal } of parseProbe({ id: 1, kind: "dual", target: "ftp://h/?token=secret" })) {
    assertNotMatch(refusal ?? "", /secret/);
  }
});
