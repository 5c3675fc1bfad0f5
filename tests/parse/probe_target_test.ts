import { assert, assertEquals, assertNotMatch, assertThrows } from "@std/assert";
import fc from "fast-check";
import { parseProbe, parseProbeTarget, urlHost } from "../../lib/parse/probe_target.ts";
import { type Probe, PROBE_TYPES, type ProbeKind } from "../../lib/types.ts";

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
  const texts = [
    "",
    "-f",
    "-f 1.1.1.1",
    "--",
    "1.1.1.1 ",
    " 1.1.1.1",
    "a b",
    "a\tb",
    "a\nb",
    "a\0b",
    "a\u0085b",
    "a\u2028b",
    "\u00a0",
    "host:0",
    "host:65536",
    "host:99999999",
    "user@host",
    "http://user@host/",
    "http://user:word@host/",
    "http://@host/",
    "ftp://host/",
    "file:///etc/passwd",
    "://host",
    "http://",
    "http:///",
    "http://-f/",
    "http://a..b/",
    long,
    `http://${long}/`,
    `${"a".repeat(64)}.example`,
    "a".repeat(3000),
    "[::1",
    "::1]",
    "[1.1.1.1]",
    "[::1]443",
    "fe80::1%eth0",
    "[fe80::1%eth0]:80",
    "256.1.1.1",
    "a,b",
    "$(reboot)",
    "`reboot`",
    "a;b",
    "a|b",
    "a'b",
    "a%20b",
    ".",
    "..",
    ".host",
  ];
  for (const text of texts) {
    for (const kind of KINDS) {
      assertThrows(() => parseProbeTarget(kind, text), SyntaxError, "Cannot parse probe target");
    }
  }
  const cases = [
    "host:",
    "[::1]:",
    "127.1",
    "0x7f.0.0.1",
    "010.0.0.1",
    "a:b:c",
    "host:http",
    "a/b",
  ];
  for (const text of cases) {
    assertThrows(() => parseProbeTarget("icmp", text), SyntaxError, JSON.stringify(text));
    assertThrows(() => parseProbeTarget("tcp", text), SyntaxError, JSON.stringify(text));
  }
});

Deno.test("parseProbeTarget() takes names and URLs up to the longest", () => {
  const labels = `${"a".repeat(63)}.`.repeat(3);
  const [longest, longer] = [labels + "a".repeat(61), labels + "a".repeat(62)];
  assertEquals(parseProbeTarget("icmp", longest), { kind: "icmp", host: longest });
  assertEquals(parseProbeTarget("icmp", `${longest}.`), { kind: "icmp", host: `${longest}.` });
  assertThrows(() => parseProbeTarget("icmp", longer), SyntaxError, "the host name is too long");
  const label = "a".repeat(63);
  assertEquals(parseProbeTarget("icmp", label), { kind: "icmp", host: label });
  const url = (length: number) => "http://host/".padEnd(length, "a");
  assertEquals(parseProbeTarget("http", url(2048)).kind, "http");
  assertThrows(() => parseProbeTarget("http", url(2049)), SyntaxError, ": it is too long");
});

Deno.test("parseProbeTarget() quotes 80 characters at most", () => {
  const text = `-${"x".repeat(200)}`;
  const { message } = assertThrows(() => parseProbeTarget("icmp", text), SyntaxError);
  assertEquals(
    message,
    `Cannot parse probe target "-${"x".repeat(78)}…": it starts like an option`,
  );
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
    "h h?secret",
    "\u001b[31m\u202esecret@h",
    "http://secret@more:secret@h/",
    "ftp://h/#secret",
    "h\u202e\u2028\u2029\u0085 h",
  ];
  for (const text of texts) {
    const { message } = assertThrows(() => parseProbeTarget("http", text), SyntaxError);
    assertNotMatch(message, /secret|[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
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
  const icmp = (host: string) => ({ kind: "icmp", host });
  const tcp = (host: string, port: number) => ({ kind: "tcp", host, port });
  const cases: [Omit<Probe, "id">, [string, unknown[], boolean?][]][] = [
    [{ kind: "icmp", target: "h" }, [["icmp", [icmp("h")]]]],
    [{ kind: "tcp", target: "h" }, [["tcp", [tcp("h", 80)]]]],
    [{ kind: "auto", target: "h" }, [["icmp", [icmp("h"), tcp("h", 443), tcp("h", 80)]]]],
    [{ kind: "auto", target: "::1" }, [["icmp", [icmp("::1"), tcp("::1", 443), tcp("::1", 80)]]]],
    [{ kind: "auto", target: "h:22" }, [["tcp", [tcp("h", 22)]]]],
    [{ kind: "auto", target: "[::1]:22" }, [["tcp", [tcp("::1", 22)]]]],
    [{ kind: "auto", target: "-f" }, [["icmp", []]]],
    [
      { kind: "dual", target: "h" },
      [["icmp", [icmp("h")]], ["tcp", [tcp("h", 443), tcp("h", 80)]]],
    ],
    [{ kind: "dual", target: "h:22" }, [["icmp", [icmp("h")]], ["tcp", [tcp("h", 22)]]]],
    [{ kind: "dual", target: "a b" }, [["icmp", []], ["tcp", []]]],
    [
      { kind: "tcp", target: "h:22", reference: "r" },
      [["tcp", [tcp("h", 22)]], ["tcp", [tcp("r", 80)], true]],
    ],
    [
      { kind: "auto", target: "h:22", reference: "r:1" },
      [["tcp", [tcp("h", 22)]], ["icmp", [icmp("r")], true]],
    ],
    [{ kind: "icmp", target: "h", reference: "-f" }, [["icmp", [icmp("h")]], ["icmp", [], true]]],
  ];
  for (const [probe, expected] of cases) {
    const parts = parseProbe({ id: 1, ...probe });
    assertEquals<unknown[][]>(
      parts.map(({ kind, targets, isReference }) => [kind, targets, isReference]),
      expected.map(([kind, targets, isReference = false]) => [kind, targets, isReference]),
      JSON.stringify(probe),
    );
    for (const { targets, refusal } of parts) {
      assertEquals(refusal === undefined, targets.length > 0);
    }
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
