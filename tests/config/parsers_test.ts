import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  parseAddress,
  parseDiscoveryKey,
  parseEndpoint,
  parseHeaders,
  parseHeaderValue,
  parseInstallFolder,
  parseListenAddress,
  parseNameServer,
  parsePanels,
  parsePublicKey,
  parseServiceName,
  parseServices,
  parseStateFolder,
  parseToken,
  parseVersion,
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
  const table = [
    ["9100", "127.0.0.1", 9100],
    [":9100", "127.0.0.1", 9100],
    ["0.0.0.0:9100", "0.0.0.0", 9100],
    ["[::1]:0", "::1", 0],
    ["[::]:65535", "::", 65535],
    ["node-1.example.com:9100", "node-1.example.com", 9100],
  ] as const;
  for (const [text, hostname, port] of table) {
    assertEquals(parseListenAddress(text), { hostname, port });
  }
});

Deno.test("parseListenAddress() refuses everything else", () => {
  const texts = [
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
  ];
  for (const text of texts) {
    assertThrows(() => parseListenAddress(text), RangeError, "PORT or ADDRESS:PORT");
  }
});

/** Texts that a parser takes, with their values, and those that it refuses, with the reason. */
interface Row {
  readonly parse: (text: string) => unknown;
  readonly right: readonly (readonly [text: string, value: unknown])[];
  readonly wrong: readonly string[];
  readonly allowed: string;
}

const UUID = "6b2f0c4e-9a1d-4c57-8e3b-0d5a7f1c2e94";
const KEY = "MCowBQYDK2VwAyEA" + "A".repeat(43) + "=";

const ROWS: readonly Row[] = [
  {
    parse: parseEndpoint,
    right: [
      ["https://p.example/", "https://p.example"],
      ["HTTP://P.example:8080/x//", "http://p.example:8080/x"],
    ],
    wrong: [
      "https://u@p.example",
      "https://:p@p.example",
      "https://",
      "https://p.example,",
      "https://*.example",
      "2001:db8::1",
    ],
    allowed: "a URL such as https://panel.example.com",
  },
  {
    parse: parseEndpoint,
    right: [],
    wrong: ["https://p.example/?a=b", "https://p.example/#a"],
    allowed: "a URL without ? and #",
  },
  ...[
    [
      ["p.example", "ftp://p.example", "https:/p.example", "wss://p.example/api/x?token=s3cret"],
      "a URL such as https://p.example",
    ],
    [
      ["p.example:25774", "ws://p.example:25774/api"],
      "a URL such as https://p.example:25774, or http://p.example:25774 without TLS",
    ],
    [
      ["https：//p.example", "https://p.example，", "http://fe80::1"],
      "a URL such as https://panel.",
    ],
    [["http://http://p.example", "https://https://p"], "a URL with http:// or https:// once"],
    [
      ["tBTiQPwVm4v98oEkA6EccB", "“tBTiQPwVm4v98oEkA6EccB”", UUID],
      "it has the form of a token: endpoint and token look exchanged",
    ],
    [["localhost", "panel-server", "panel-01"], "a URL such as https://panel.example.com"],
  ].map(([wrong = [], allowed]): Row => ({
    ...{ parse: parseEndpoint, right: [], wrong: [...wrong] },
    allowed: String(allowed),
  })),
  {
    parse: parsePublicKey,
    right: [[KEY, KEY]],
    wrong: [`x${KEY}`, `${KEY}x`, KEY.replace("MCow", "MCox"), KEY.slice(1), ""],
    allowed: "an Ed25519 public key in Base64",
  },
  {
    parse: parseVersion,
    right: [["1.2.3", "1.2.3"], ["v10.20.30", "10.20.30"], ["1.2.123456789", "1.2.123456789"]],
    wrong: ["1.2", "1.2.3-beta", "1.2.3.4", "vv1.2.3", "1.2.1234567890", "x1.2.3", ""],
    allowed: "a version such as 1.2.3",
  },
  {
    parse: parseToken,
    right: [[" -abc\n", "-abc"]],
    wrong: ["a b", "a\tb", "a\nb", " ", ""],
    allowed: "one token as the panel shows it, without blanks in it",
  },
  {
    parse: parseToken,
    right: [["httpsecret", "httpsecret"]],
    wrong: ["https://p.example", "HTTP://p.example:25774"],
    allowed: "without blanks in it; it is a URL: endpoint and token look exchanged",
  },
  {
    parse: parseDiscoveryKey,
    right: [["123456789012", "123456789012"], [" 123456789012 ", "123456789012"]],
    wrong: ["12345678901", " 12345678901 ", ""],
    allowed: "the panel's key, 12 letters at least",
  },
  {
    parse: (text) => parseAddress(text, 4),
    right: [["192.0.2.1", "192.0.2.1"]],
    wrong: ["::1", "192.0.2", "x", ""],
    allowed: "an IPv4 address",
  },
  {
    parse: (text) => parseAddress(text, 6),
    right: [["2001:db8::1", "2001:db8::1"]],
    wrong: ["192.0.2.1", "[::1]", "x", ""],
    allowed: "an IPv6 address",
  },
  {
    parse: parseServices,
    right: [
      ["off", "off"],
      ["https://a.example, http://b.example/x,", ["https://a.example", "http://b.example/x"]],
    ],
    wrong: ["", " , ", "a.example", "https://a.example,off", "ftp://a.example"],
    allowed: "off, or URLs separated by commas",
  },
  {
    parse: parseStateFolder,
    right: [["/var/lib/x//", "/var/lib/x"], ["/a b", "/a b"]],
    wrong: ["", "/", "//", "x", "./x", "~/x"],
    allowed: "a full path, such as /var/lib/komari",
  },
  {
    parse: parseServiceName,
    right: [["a", "a"], ["x".repeat(64), "x".repeat(64)], ["9_.@-Z", "9_.@-Z"]],
    wrong: ["", "x".repeat(65), "-x", ".x", "a b", "a/b"],
    allowed: "letters, digits and _.@-, 64 at most",
  },
  {
    parse: parseHeaderValue,
    right: [[" a b~ ", "a b~"], ["", ""]],
    wrong: ["\u00e4", "a\x7fb", "a\x1fb", "a\nb"],
    allowed: "a value of plain ASCII letters, digits and signs",
  },
  {
    parse: parseInstallFolder,
    right: [["/opt/x", "/opt/x"], ["/opt/komari-agent-deno//", "/opt/komari-agent-deno"]],
    wrong: ["opt", "/", "/opt/../x", "/a b", "/opt/$HOME", "/opt/x\ny", ""],
    allowed: "a full path of letters, digits and ._+@-",
  },
];

Deno.test("parsers of options take what is right and say what is allowed", () => {
  for (const { parse, right, wrong, allowed } of ROWS) {
    for (const [text, value] of right) assertEquals(parse(text), value, text);
    for (const text of wrong) assertThrows(() => parse(text), RangeError, allowed, text);
  }
});

Deno.test("parsePanels() takes 16 panels, and an interval within the bounds of --interval", () => {
  const panel = { endpoint: "https://p.example/", token: " t " };
  const parsed = { endpoint: "https://p.example", token: "t", intervalSeconds: undefined };
  const off = { remoteControl: false, remoteFiles: false };
  assertEquals(parsePanels(JSON.stringify([panel])), [{ ...parsed, ...off }]);
  for (const [interval, isTaken] of [[0.1, true], [3600, true], [0.099, false], [3600.1, false]]) {
    const parse = () => parsePanels(JSON.stringify([{ ...panel, interval }]));
    if (isTaken) assertEquals(parse()[0]?.intervalSeconds, interval);
    else assertThrows(parse, RangeError, "a number from 0.1 to 3600");
  }
  const on = parsePanels(JSON.stringify([{ ...panel, enable_remote_control: true }]));
  assertEquals(on[0], { ...parsed, remoteControl: true, remoteFiles: true });
  const of = (count: number) => JSON.stringify(Array.from({ length: count }, () => panel));
  assertEquals(parsePanels(of(16)).length, 16);
  assertThrows(
    () => parsePanels(of(17)),
    RangeError,
    "up to 16 more panels, in a JSON array of objects with endpoint, token",
  );
});

Deno.test("parseHeaders() refuses what is no header, and never quotes a value", () => {
  const wrong = [
    "s3cret",
    ": s3cret",
    "two words: s3cret",
    "(x): s3cret",
    "Größe: s3cret",
    "X-Ok: 1\nX: s3cret\x00",
    "X: s3cret\tcut",
    "X: s3cret\rY: 1",
    "X: s3cret ü",
  ];
  for (const text of wrong) {
    const { message } = assertThrows(() => parseHeaders(text), RangeError);
    assertEquals(message.includes("s3cret"), false, message);
  }
});

Deno.test("parseHeaders() refuses the headers that the agent sets itself", () => {
  const own = "Host content-length CONNECTION Upgrade Transfer-Encoding Sec-WebSocket-Key " +
    "sec-websocket-protocol";
  for (const name of own.split(" ")) {
    const { message } = assertThrows(() => parseHeaders(`${name}: 1`), RangeError);
    assertStringIncludes(message, name);
  }
  assertEquals(parseHeaders("X-Host: 1"), [["X-Host", "1"]]);
});

Deno.test("parseHeaders() gives only what a request can carry, whatever it is given", () => {
  const lines = fc.array(
    fc.oneof(fc.string(), fc.tuple(fc.string(), fc.string()).map(([a, b]) => `${a}: ${b}`)),
  );
  fc.assert(fc.property(lines, (texts) => {
    let headers: ReturnType<typeof parseHeaders>;
    try {
      headers = parseHeaders(texts.join("\n"));
    } catch (error) {
      return error instanceof RangeError;
    }
    for (const [name, value] of headers) new Headers([[name, value]]);
    return true;
  }));
});
