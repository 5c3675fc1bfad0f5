import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { requireCredentials, secretsOf } from "../../lib/config/credentials.ts";
import { UsageError } from "../../lib/config/usage_error.ts";

const NOTHING = { endpoint: "", token: "", autoDiscoveryKey: "" };
const endpoint = "https://panel.example";

Deno.test("requireCredentials() is content with a panel, and a token or a key", () => {
  requireCredentials({ ...NOTHING, endpoint, token: "t" }, { verb: "report" });
  requireCredentials({ ...NOTHING, endpoint, autoDiscoveryKey: "k" }, { verb: "install" });
});

Deno.test("requireCredentials() throws when the panel is missing, or what says as which node", () => {
  const missing = (words: Parameters<typeof requireCredentials>[0]) =>
    assertThrows(() => requireCredentials(words, { verb: "report" }), UsageError).message;
  assertStringIncludes(missing({ ...NOTHING, token: "t" }), "without --endpoint URL");
  assertStringIncludes(missing({ ...NOTHING, autoDiscoveryKey: "k" }), "without --endpoint URL");
  assertStringIncludes(missing({ ...NOTHING, endpoint }), "or --auto-discovery KEY");
  const expected = 'Cannot report without --endpoint URL; see --help, or try it with "demo"';
  assertEquals(missing(NOTHING), expected);
  const { message } = assertThrows(
    () => requireCredentials(NOTHING, { verb: "install" }),
    UsageError,
  );
  assertEquals(message, "Cannot install without --endpoint URL; see --help");
});

const NONE = { tokens: [], headers: [], proxies: {} };

Deno.test("secretsOf() has a proxy's password in every spelling, whatever is in it", () => {
  const secrets = (http: string) => secretsOf({ ...NONE, proxies: { http } });
  assertEquals(secrets("http://u:a%3Ab%2F@h"), ["a%3Ab%2F", "a:b/", btoa("u:a:b/")]);
  assertEquals(secrets("http://u:p@ss/w:d@h:1"), ["p@ss/w:d", btoa("u:p@ss/w:d")]);
  assertEquals(secrets("http://u:100%safe@h"), ["100%safe", btoa("u:100%safe")]);
  assertEquals(secrets("http://me@corp.example:s3cret@h:1"), [
    "s3cret",
    btoa("me@corp.example:s3cret"),
  ]);
  assertEquals(secrets("http://apikey@host:3128"), [btoa("apikey:")]);
  assertEquals(secrets("http://u:p%C3%A4ss@h"), ["p%C3%A4ss", "päss", "dTpww6Rzcw=="]);
  assertEquals(secrets("socks5://host:1080"), []);
});

Deno.test("secretsOf() leaves out what would hide parts of ordinary words", () => {
  assertEquals(secretsOf({ ...NONE, tokens: ["t"], headers: [["X", "1"], ["Y", ""]] }), ["t"]);
  const headers = [["X", "12345"], ["Y", "123456"], ["Z", "Bearer 12345"]] as const;
  assertEquals(secretsOf({ ...NONE, headers }), ["123456", "Bearer 12345"]);
  const secrets = (http: string) => secretsOf({ ...NONE, proxies: { http } });
  const shown = secrets("http://u:1234@h");
  assertEquals(shown, secretsOf({ ...NONE, proxies: { https: "http://u:1234@h" } }));
  assertEquals([secrets("http://u:123@h"), shown], [[btoa("u:123")], ["1234", btoa("u:1234")]]);
});

Deno.test("secretsOf() has what follows the scheme of a header, too", () => {
  for (const scheme of ["Basic", "bearer", "Digest", "Token"]) {
    const value = `${scheme} s3cret`;
    assertEquals(secretsOf({ ...NONE, headers: [["X", value]] }), [value, "s3cret"]);
  }
  assertEquals(secretsOf({ ...NONE, headers: [["X", "other s3cret"]] }), ["other s3cret"]);
});
