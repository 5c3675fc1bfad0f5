import { assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  configText,
  readConfigFile,
  readOptionFile,
  settingsDigest,
} from "../../lib/config/config_file.ts";
import { UsageError } from "../../lib/config/usage_error.ts";

function read(text: string): Map<string, string> {
  return readConfigFile("c", { option: "--config", readText: () => text });
}

Deno.test("readConfigFile() takes comments, trailing commas and a byte order mark", () => {
  const text = `{
    // the panel
    "endpoint": "https://p.example", /* and
    more */ "include_nics": ["a", "b",],
    "token": "// no comment",
  }`;
  const expected = { endpoint: "https://p.example", include_nics: "a,b", token: "// no comment" };
  assertEquals(Object.fromEntries(read(`\ufeff${text}`)), expected);
});

Deno.test("readConfigFile() says where the syntax is wrong, and shows nothing of the text", () => {
  const wrong: [text: string, place: string][] = [
    ['{\n  "token": s3cret\n}', "at line 2, column 12"],
    ['{"token": "s3cret" "interval": 3}', "at line 1, column 20"],
    ['{"token": "s3cret"\n "interval": 3}', "at line 2, column 2, or at the end of line 1"],
    ['{"é": "s3cret"}}', "at line 1, column 16"],
    ['{"token": "s3cret",', "it ends too early"],
    ["", "it is empty"],
    ["{ /* s3cret", "it ends too early"],
    ['{"token": "s3cret', "at line 1, column 11"],
    ["{“token”: 1}", "column 2"],
    ['{"token": "s3cret" "name": "“x”"}', "column 20"],
  ];
  for (const [text, place] of wrong) {
    const { message, cause } = assertThrows(() => read(text), UsageError, place, text);
    assertEquals(message.includes("s3cret"), false, message);
    assertEquals(String(cause).includes("s3cret"), false, String(cause));
    assertEquals(message.startsWith("Cannot use --config c: invalid JSON"), true, message);
  }
});

Deno.test("settingsDigest() differs for other settings, and not for another order of them", () => {
  const of = (text: string) => settingsDigest(read(text));
  const digest = of('{"token": "a", "interval": 3}');
  assertEquals([digest.length, of('{"interval": 3, // mine\n "token": "a"}')], [4, digest]);
  assertNotEquals(of('{"token": "a", "interval": 4}'), digest);
  assertNotEquals(of('{"token": "ab", "interval": 3}'), digest);
  assertEquals(of('{"token": "b", "interval": 3}'), digest, "no secret can be tried by it");
});

Deno.test("readConfigFile() takes null for a key that is not there", () => {
  const text = '{"interval": null, "panels": null, "enable_gpu": false, "month_rotate": 5}';
  assertEquals(Object.fromEntries(read(text)), { enable_gpu: "false", month_rotate: "5" });
});

Deno.test("readOptionFile() says why a file can't be read, with the error as the cause", () => {
  const table: [code: string, reason: string][] = [
    ["ENOENT", "no such file"],
    ["ENOTDIR", "no such file"],
    ["EACCES", "permission denied"],
    [
      "EISDIR",
      "it is a folder → put the file there; Docker makes a folder where the host has no file to mount",
    ],
    ["EIO", "the words of the system"],
  ];
  for (const [code, reason] of table) {
    const cause = Object.assign(new Error("the words of the system"), { code });
    const readText = () => {
      throw cause;
    };
    const error = assertThrows(() => readOptionFile("--ca-cert", "/pem", readText), UsageError);
    assertEquals([error.message, error.cause], [`Cannot read --ca-cert /pem: ${reason}`, cause]);
  }
});

const GIVEN = new Map([
  ["endpoint", "https://p.example"],
  ["interval", "2.5"],
  ["enable_gpu", "true"],
  ["include_nics", "eth0, wlan*"],
  ["include_mountpoints", "/;/srv/a,b"],
  ["ip_services", "https://a.example,https://b.example"],
  ["headers", "A: b\nC: d, e"],
  ["custom_dns", "9.9.9.9"],
  ["protocol_version", "1"],
]);

Deno.test("configText() has switches, numbers and lists as JSON's own", () => {
  assertEquals(JSON.parse(configText(GIVEN)), {
    endpoint: "https://p.example",
    interval: 2.5,
    enable_gpu: true,
    include_nics: ["eth0", "wlan*"],
    include_mountpoints: ["/", "/srv/a,b"],
    ip_services: ["https://a.example", "https://b.example"],
    headers: "A: b\nC: d, e",
    custom_dns: "9.9.9.9",
    protocol_version: 1,
  });
});

Deno.test("configText() is read back as what was given", () => {
  const read = readConfigFile("f", { option: "--config", readText: () => configText(GIVEN) });
  assertEquals(read, new Map([...GIVEN, ["include_nics", "eth0,wlan*"]]));
});

Deno.test("configText() keeps a token as it is, whatever is in it", () => {
  fc.assert(
    fc.property(fc.string({ minLength: 1 }).filter((it) => /^[^\s\p{Cc}]+$/u.test(it)), (token) => {
      const readText = () => configText(new Map([["token", token]]));
      assertEquals(readConfigFile("f", { option: "--config", readText }).get("token"), token);
    }),
  );
});
