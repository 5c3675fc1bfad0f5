import { assertEquals, assertThrows } from "@std/assert";
import { formatTrafficOrder, parseTrafficOrder } from "../../lib/traffic/traffic_state.ts";
import { onlySyntaxErrors } from "../parse/only_syntax_errors.ts";

Deno.test("parseTrafficOrder() reads what formatTrafficOrder() writes", () => {
  for (
    const order of [{ sentBytes: 1 }, { receivedBytes: 0 }, { sentBytes: 5, receivedBytes: 7 }]
  ) {
    assertEquals(parseTrafficOrder(formatTrafficOrder(order)), order);
  }
});

Deno.test("parseTrafficOrder() refuses everything else", () => {
  for (
    const text of [
      "",
      "{}",
      "[]",
      "[1]",
      "null",
      "7",
      '{"sentBytes":-1}',
      '{"sentBytes":0.5}',
      '{"up":1}',
      '{"sentBytes":"1"}',
      '{"sentBytes":1',
    ]
  ) {
    assertThrows(() => parseTrafficOrder(text), SyntaxError, "Cannot parse", text);
  }
  onlySyntaxErrors(parseTrafficOrder, [formatTrafficOrder({ sentBytes: 5, receivedBytes: 7 })]);
});
