import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  formatTrafficState,
  MAX_KEPT_INTERFACES,
  MAX_OTHER_PERIODS,
  parseTrafficState,
  type TrafficState,
} from "../../lib/traffic/traffic_state.ts";
import { onlySyntaxErrors } from "../parse/only_syntax_errors.ts";

const STATE: TrafficState = {
  day: 15,
  bootId: "17977a6f-cc5d-4ae1-a7bd-0e62d4ddcc27",
  countedBytes: { sentBytes: 10, receivedBytes: 2 ** 60 },
  current: { start: "2026-11-15", seenMs: 1795553719494, sentBytes: -5, receivedBytes: 7 },
  others: [{ start: "2026-10-15", seenMs: -1, sentBytes: 1, receivedBytes: 2 }],
  interfaces: new Map([["eth0", { sentBytes: 10, receivedBytes: 20 }]]),
  indexes: new Map([["eth0", 2]]),
};

const count = fc.maxSafeNat();
const both = fc.record({ sentBytes: count, receivedBytes: count });
const mark = fc.record({
  start: fc.date({ min: new Date("1000-01-01"), max: new Date("9000-01-01"), noInvalidDate: true })
    .map((date) => date.toISOString().slice(0, 10)),
  seenMs: fc.integer(),
  sentBytes: fc.maxSafeInteger(),
  receivedBytes: fc.maxSafeInteger(),
});
const state: fc.Arbitrary<TrafficState> = fc.record({
  day: fc.integer({ min: 1, max: 31 }),
  bootId: fc.constantFrom("", "17977a6f-cc5d-4ae1-a7bd-0e62d4ddcc27"),
  countedBytes: both,
  current: mark,
  others: fc.array(mark, { maxLength: MAX_OTHER_PERIODS }),
  interfaces: fc.array(fc.tuple(fc.stringMatching(/^[!-.0-~]{1,15}$/), both), { maxLength: 9 })
    .map((pairs) => new Map(pairs)),
  indexes: fc.constant(new Map<string, number>()),
});

Deno.test("parseTrafficState() reads what formatTrafficState() writes", () => {
  assertEquals(parseTrafficState(formatTrafficState(STATE)), STATE);
  fc.assert(fc.property(state, (value) => {
    assertEquals(parseTrafficState(formatTrafficState(value)), value);
  }));
});

Deno.test("formatTrafficState() writes a few hundred bytes, and the latest of too many interfaces and periods", () => {
  assert(formatTrafficState(STATE).length < 500);
  const most = { sentBytes: 2 ** 62, receivedBytes: 2 ** 62 };
  const many = new Map(Array.from({ length: 500 }, (_, at) => [`interface-${at}`, most]));
  const periods = [10, 9, 8, 7].map((seenMs) => ({ ...STATE.current, seenMs }));
  const full = { ...STATE, interfaces: many, others: periods };
  const { interfaces, others } = parseTrafficState(formatTrafficState(full));
  assertEquals([interfaces.size, MAX_KEPT_INTERFACES], [128, 128]);
  assertEquals(others, periods.slice(0, 3));
  assert(interfaces.has("interface-499"));
});

Deno.test("parseTrafficState() throws a SyntaxError for a truncated state, and any other text", () => {
  const text = formatTrafficState(STATE).trimEnd();
  for (let length = 0; length < text.length; length++) {
    assertThrows(() => parseTrafficState(text.slice(0, length)), SyntaxError);
  }
  // Marks may be below 0, which is checked for elsewhere.
  const interfaces = (text: string) => Object.fromEntries(parseTrafficState(text).interfaces);
  onlySyntaxErrors(interfaces, [text]);
});

Deno.test("parseTrafficState() throws for a state with one invalid field", () => {
  const fields: Record<string, unknown> = JSON.parse(formatTrafficState(STATE));
  const baseline = (changes: object) => ({ ...STATE.current, ...changes });
  const bytes = (sentBytes: unknown, receivedBytes: unknown) => ({ sentBytes, receivedBytes });
  parseTrafficState(JSON.stringify({ ...fields, current: baseline({}) }));
  const many = (value: unknown) =>
    Object.fromEntries(Array.from({ length: MAX_KEPT_INTERFACES + 1 }, (_, at) => [at, value]));
  const wrong: Record<string, unknown[]> = {
    version: [2, "1", undefined],
    day: [0, 32, 1.5, "1", null],
    bootId: [1, null, "x".repeat(65)],
    countedBytes: [
      ...[[1, 2], {}, null, { sentBytes: 1 }, bytes(-1, 1), bytes(1, "2"), bytes(1, 1e300)],
      ...[bytes(1, null), bytes(0.5, 1)],
    ],
    current: [
      ...[null, {}, { start: "2026-11-15" }],
      ...["yesterday", "2026-11-1", "12026-11-15", "2026-11-155"].map((start) =>
        baseline({ start })
      ),
      ...[1.5, "1", 8.64e15 + 2, -8.64e15 - 2].map((seenMs) => baseline({ seenMs })),
      ...[bytes(2 ** 66, 0), bytes(0, -(2 ** 66)), bytes(1, undefined)].map(baseline),
    ],
    others: [{}, [1], Array(4).fill(fields.current)],
    interfaces: [
      ...[[], null, { eth0: 1 }, { eth0: bytes(-1, 0) }, { eth0: bytes(2 ** 66, 0) }],
      ...[many(bytes(0, 0)), { "a\nb": bytes(0, 0) }, { sixteen_letters_: bytes(0, 0) }],
    ],
    indexes: [[], 1, { eth0: 0 }, { eth0: 2 ** 31 + 1 }, { eth0: "2" }, many(2)],
  };
  for (const [name, values] of Object.entries(wrong)) {
    for (const value of values) {
      const text = JSON.stringify({ ...fields, [name]: value });
      assertThrows(() => parseTrafficState(text), SyntaxError, "month's state", text);
    }
  }
  assertThrows(() => parseTrafficState(" ".repeat(40_000)), SyntaxError, "month's state");
});
