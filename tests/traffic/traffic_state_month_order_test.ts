import { assertEquals, assertThrows } from "@std/assert";
import { formatMonthOrder, parseMonthOrder } from "../../lib/traffic/traffic_state.ts";
import { onlySyntaxErrors } from "../parse/only_syntax_errors.ts";

Deno.test("parseMonthOrder() reads what formatMonthOrder() writes", () => {
  for (
    const order of [{ sentBytes: 1 }, { receivedBytes: 0 }, { sentBytes: 5, receivedBytes: 7 }]
  ) {
    assertEquals(parseMonthOrder(formatMonthOrder(order)), order);
  }
});

Deno.test("parseMonthOrder() refuses everything else", () => {
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
    assertThrows(() => parseMonthOrder(text), SyntaxError, "Cannot parse", text);
  }
  onlySyntaxErrors(parseMonthOrder, [formatMonthOrder({ sentBytes: 5, receivedBytes: 7 })]);
});
