import { assert, assertEquals, assertRejects } from "@std/assert";
import { abortable } from "@std/async/abortable";
import {
  type CheckResult,
  checksJson,
  checkText,
  type CompletedCheck,
  parseCheck,
  result,
  runChecks,
  summaryText,
  wrapped,
} from "../../lib/cli/checks.ts";
import { displayWidth } from "../../lib/cli/help.ts";
import { FakeTime } from "../fake_time.ts";
import { realDeadline } from "../real_deadline.ts";

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
  const title = "X s3cret\x1b";
  const whole = { ...CHECK, title, panel: "p.ex\nample", advice: "give s3cret\n" };
  assertEquals(parseCheck(whole, ["s3cret"]), [{
    ...CHECK,
    title: "X … ",
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

Deno.test("runChecks() hides secrets, and takes an error for a failure", async () => {
  const run = () => {
    throw new Error("Cannot use s3cret");
  };
  const advise = () => result("warning", "with s3cret", "use s3cret");
  const { signal } = new AbortController();
  const checks = [
    { id: "x", title: "X", run },
    { id: "y", title: "Y", run: advise },
  ];
  const [completed, hidden] = await Array.fromAsync(
    runChecks(checks, { signal, secrets: ["s3cret"] }),
  );
  assert(completed !== undefined);
  assertEquals([completed.status, completed.text], ["failed", "Cannot use …"]);
  assertEquals([hidden?.text, hidden?.advice], ["with …", "use …"]);
  const advised = { ...completed, ms: 7, advice: "do it" };
  const words: Record<string, string> = { "X": "某", "do it": "去做" };
  const inLanguage = (text: string) => words[text] ?? text;
  assertEquals(
    checkText(advised, { language: "zh", inLanguage, isColored: false }),
    "✗ 某                Cannot use …（7 ms）\n  → 去做\n",
  );
  assertEquals(JSON.parse(checksJson([advised])), {
    ok: false,
    checks: [{ id: "x", status: "failed", text: "Cannot use …", advice: "do it", ms: 7 }],
  });
});

Deno.test("runChecks() takes a check that hangs for a failure after 30 s, and goes on", async () => {
  using time = new FakeTime();
  const { signal } = new AbortController();
  const title = "X";
  const checks = [
    { id: "hangs", title, run: () => new Promise<never>(() => {}) },
    { id: "fine", title, run: () => result("ok", "fine") },
  ].map((it) => ({
    ...it,
    run: (limit: AbortSignal) => abortable(Promise.resolve(it.run()), limit),
  }));
  const completed = Array.fromAsync(runChecks(checks, { signal, secrets: [] }));
  await time.run(29_999);
  assertEquals(time.timers, 1);
  await time.run(1);
  const outcomes = (await realDeadline(completed)).map(({ status, text }) => [status, text]);
  assertEquals(outcomes, [["failed", "no answer within 30 s"], ["ok", "fine"]]);
});

Deno.test("runChecks() ends with the signal's reason, and takes no check for failed by it", async () => {
  const controller = new AbortController();
  const run = (signal: AbortSignal) => {
    controller.abort(new Error("enough"));
    return abortable(new Promise<never>(() => {}), signal);
  };
  const checks = [{ id: "x", title: "X", run }];
  const running = runChecks(checks, { signal: controller.signal, secrets: [] });
  await assertRejects(() => realDeadline(Array.fromAsync(running)), Error, "enough");
});

Deno.test("checkText() fits into 60 columns, and breaks no word", () => {
  const check: CompletedCheck = {
    id: "x",
    title: "ICMP probes",
    status: "failed",
    text: "they don't work: Cannot ping 127.0.0.1: there is no ping command on this machine",
    advice: "install iputils-ping ".repeat(5).trim(),
    ms: 7,
  };
  const chinese: Record<string, string> = {
    [check.title]: "ICMP 探测",
    [check.text]: "不可用：这台机器上没有 ping 命令，所以无法向任何目标发送 ICMP 探测，请先安装它",
    [check.advice ?? ""]: "安装 iputils-ping 软件包。".repeat(6),
  };
  for (const language of ["en", "zh"] as const) {
    const inLanguage = (text: string) => language === "zh" ? chinese[text] ?? "" : text;
    const layout = { language, inLanguage, isColored: false, columns: 60 };
    const lines = checkText(check, layout).split("\n");
    assert(lines.length > 4);
    for (const line of lines) assert(displayWidth(line) <= 60, line);
    const words = lines.join(" ").split(/ +/);
    assert(words.includes("iputils-ping") && words.includes("ICMP"), lines.join("\n"));
  }
});

Deno.test("runChecks() runs one check after another, and measures each in whole milliseconds", async () => {
  using time = new FakeTime();
  const events: string[] = [];
  const checks = [1.4, 2_000.5].map((ms, at) => ({
    id: `c${at}`,
    title: `C${at}`,
    panel: at === 0 ? undefined : "p.example",
    run() {
      events.push(`c${at} runs`);
      time.tick(ms);
      return result("ok", "fine");
    },
  }));
  const { signal } = new AbortController();
  const completed: CompletedCheck[] = [];
  for await (const check of runChecks(checks, { signal, secrets: [] })) {
    events.push(`${check.id} has run`);
    completed.push(check);
  }
  assertEquals(events, ["c0 runs", "c0 has run", "c1 runs", "c1 has run"]);
  const fine = { status: "ok", text: "fine", advice: undefined } as const;
  assertEquals(completed, [
    { id: "c0", title: "C0", panel: undefined, ...fine, ms: 1 },
    { id: "c1", title: "C1", panel: "p.example", ...fine, ms: 2_001 },
  ]);
});

Deno.test("parseCheck() takes what a doctor has written, fit to be shown, and nothing else", () => {
  const written = {
    id: "x",
    title: "X",
    status: "ok" as const,
    text: "with s3cret \x1b[2J",
    ms: 1,
  };
  assertEquals(parseCheck(written, ["s3cret"]), [{
    ...written,
    panel: undefined,
    advice: undefined,
    text: "with …  [2J",
  }]);
  for (
    const wrong of [undefined, 1, {}, { ...written, status: "toString" }, { ...written, ms: "1" }]
  ) {
    assertEquals(parseCheck(wrong, []), []);
  }
});
