import { assertEquals } from "@std/assert";
import { toPanelError } from "../../lib/panel/client_v2.ts";

Deno.test("toPanelError() quotes the panel, or its code when there is no text", () => {
  const error = toPanelError("send x", { code: -32000, text: "not saved" });
  assertEquals(error.message, 'Cannot send x: the panel answered "not saved"');
  assertEquals([error.failure, error.code], ["rejected", -32000]);
  assertEquals(
    toPanelError("send x", { code: -32601, text: "" }).message,
    "Cannot send x: the panel answered error -32601",
  );
  const bare = toPanelError("send x", { text: "" });
  assertEquals(bare.message, "Cannot send x: the panel answered error without a code");
  assertEquals(bare.code, undefined);
});
