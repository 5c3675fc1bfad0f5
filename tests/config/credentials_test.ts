import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { requireCredentials } from "../../lib/config/credentials.ts";
import { UsageError } from "../../lib/config/usage_error.ts";

const NOTHING = { endpoint: "", token: "", autoDiscoveryKey: "" };
const endpoint = "https://panel.example";

Deno.test("requireCredentials() is content with a panel, and a token or a key", () => {
  requireCredentials({ ...NOTHING, endpoint, token: "t" }, { verb: "report" });
  requireCredentials({ ...NOTHING, endpoint, autoDiscoveryKey: "k" }, { verb: "install" });
});

Deno.test("requireCredentials() throws when the panel is missing, or what says as which node", () => {
  const missing = (words: typeof NOTHING) =>
    assertThrows(() => requireCredentials(words, { verb: "report" }), UsageError).message;
  assertStringIncludes(missing({ ...NOTHING, token: "t" }), "without --endpoint URL");
  assertStringIncludes(missing({ ...NOTHING, autoDiscoveryKey: "k" }), "without --endpoint URL");
  assertStringIncludes(missing({ ...NOTHING, endpoint }), "or --auto-discovery KEY");
  assertEquals(
    missing(NOTHING),
    'Cannot report without --endpoint URL; see --help, or try it with "demo"',
  );
  const { message } = assertThrows(
    () => requireCredentials(NOTHING, { verb: "install" }),
    UsageError,
  );
  assertEquals(message, "Cannot install without --endpoint URL; see --help");
});
