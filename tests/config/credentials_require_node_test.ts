import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { requireNode } from "../../lib/config/credentials.ts";
import { UsageError } from "../../lib/config/usage_error.ts";

const NOTHING = { endpoint: "", token: "", autoDiscoveryKey: "" };
const endpoint = "https://panel.example";

Deno.test("requireNode() is content with a panel, and a token or a key", () => {
  requireNode({ ...NOTHING, endpoint, token: "t" }, { verb: "report" });
  requireNode({ ...NOTHING, endpoint, autoDiscoveryKey: "k" }, { verb: "install" });
});

Deno.test("requireNode() throws when the panel is missing, or what says as which node", () => {
  const missing = (words: typeof NOTHING) =>
    assertThrows(() => requireNode(words, { verb: "report" }), UsageError).message;
  assertStringIncludes(missing({ ...NOTHING, token: "t" }), "without --endpoint URL");
  assertStringIncludes(missing({ ...NOTHING, autoDiscoveryKey: "k" }), "without --endpoint URL");
  assertStringIncludes(missing({ ...NOTHING, endpoint }), "or --auto-discovery KEY");
  const { message } = assertThrows(() => requireNode(NOTHING, { verb: "install" }), UsageError);
  assertEquals(message, "Cannot install without --endpoint URL; see --help");
});
