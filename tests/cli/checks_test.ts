import { assertEquals } from "@std/assert";
import {
  type CheckResult,
  checksJson,
  checkText,
  type CompletedCheck,
  parseCheck,
  result,
  summaryText,
  wrapped,
} from "../../lib/cli/checks.ts";

const CHECK: CompletedCheck = { id: "x", title: "X", status: "ok", text: "fine", ms: 7 };
const LAYOUT = { language: "en", inLanguage: (text: string) => text } as const;

Deno.test("checkText() marks each status, in its color on a terminal", () => {
  const table: [status: CheckResult["status"], mark: string, color: number][] = [
    ["ok", "✓", 32],
    ["warning", "!", 33],
    ["failed", "✗", 31],
    ["skipped", "-", 90],
  ];
  for (const [status, mark, color] of table) {
    const time = status === "skipped" ? "" : " (7 ms)";
    const line = ` ${"X".padEnd(18)}fine${time}\n`;
    const check = { ...CHECK, status };
    assertEquals(checkText(check, { ...LAYOUT, isColored: false }), mark + line);
    const colored = checkText(check, { ...LAYOUT, isColored: true });
    assertEquals(colored, `\x1b[${color}m${mark}\x1b[0m${line}`);
  }
  const advised = { ...CHECK, advice: "do it" };
  const text = checkText(advised, { ...LAYOUT, isColored: false });
  assertEquals(text.split("\n").slice(1), ["  → do it", ""]);
  const long = { ...CHECK, advice: "12345 12345 12345 12345" };
  const wrappedText = checkText(long, { ...LAYOUT, isColored: false, columns: 24 });
  assertEquals(wrappedText.split("\n").slice(1), ["  → 12345 12345 12345", "    12345", ""]);
});

Deno.test("wrapped() goes on below the text, of 20 columns at least", () => {
  const words = "12345 12345 12345 12345 12345";
  assertEquals(wrapped(words, { indent: 2, columns: 26 }), "12345 12345 12345 12345\n  12345");
  assertEquals(wrapped(words, { indent: 90, columns: 100 }).split("\n").length, 2);
  assertEquals(wrapped("7\u00a0ms", { indent: 0, columns: Infinity }), "7 ms");
});

Deno.test("summaryText() counts failures and warnings", () => {
  const of = (...all: CheckResult["status"][]) =>
    summaryText(all.map((status) => ({ ...CHECK, status })));
  assertEquals(of("ok", "skipped"), "Everything is fine.");
  assertEquals(of("warning", "ok"), "0 failed, 1 warning.");
  assertEquals(of("failed", "warning", "warning"), "1 failed, 2 warnings.");
  assertEquals(of("failed", "failed"), "2 failed, 0 warnings.");
});

Deno.test("checksJson() has every check, and whether none has failed", () => {
  const of = (...all: CheckResult["status"][]) =>
    JSON.parse(checksJson(all.map((status) => ({ ...CHECK, status }))));
  assertEquals([of("ok", "warning", "skipped").ok, of("ok", "failed").ok], [true, false]);
  const named = { ...CHECK, panel: "p.example", advice: "do it" };
  assertEquals(JSON.parse(checksJson([named])), {
    ok: true,
    checks: [
      { id: "x", status: "ok", text: "fine", ms: 7, panel: "p.example", advice: "do it" },
    ],
  });
});

Deno.test("parseCheck() takes every field, and refuses a check without one that it needs", () => {
  const whole = { ...CHECK, panel: "p.ex\nample", advice: "give s3cret\n" };
  assertEquals(parseCheck(whole, ["s3cret"]), [{
    ...CHECK,
    panel: "p.ex ample",
    advice: "give … ",
  }]);
  for (const name of ["id", "title", "status", "text", "ms"]) {
    assertEquals(parseCheck({ ...whole, [name]: undefined }, []), [], name);
  }
});

Deno.test("result() has advice only where there is some", () => {
  assertEquals(result("ok", "x"), { status: "ok", text: "x", advice: undefined });
  assertEquals(result("failed", "x", "y"), { status: "failed", text: "x", advice: "y" });
});
