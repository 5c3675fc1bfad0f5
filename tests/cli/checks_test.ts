import { assert, assertEquals, assertRejects } from "@std/assert";
import { abortable } from "@std/async/abortable";
import {
  type Check,
  check,
  type CheckResult,
  type CompletedCheck,
  parseCheck,
  result,
  runChain,
  runChecks,
} from "../../lib/cli/checks.ts";
import { timed } from "../fake_time.ts";
import { realDeadline } from "../real_deadline.ts";

const CHECK: CompletedCheck = { id: "x", title: "X", status: "ok", text: "fine", ms: 7 };

/** A line of a doctor that runs as the service. */
function line(check: unknown): string {
  return JSON.stringify({ check });
}

Deno.test("parseCheck() takes every field, and refuses a check without one that it needs", () => {
  const title = "X s3cret\x1b";
  const more = {
    panel: "p.ex\nample",
    advice: "give s3cret\n",
    causes: ["s3cret", 7],
    ruledOutByReports: ["s3cret", 7],
    follows: "y",
    kind: "paused" as const,
    lost: { address: "192.0.2.1", port: 443, uid: 7 },
  };
  const whole = { ...CHECK, ...more, title };
  assertEquals(parseCheck(line(whole), ["s3cret"]), [{
    ...CHECK,
    title: "X … ",
    panel: "p.ex ample",
    advice: "give … ",
    causes: ["…"],
    ruledOutByReports: ["…"],
    follows: "y",
    kind: "paused" as const,
    lost: { address: "192.0.2.1", port: 443, uid: 7 },
  }]);
  const [odd] = parseCheck(line({ ...whole, lost: { ...whole.lost, port: "443" } }), []);
  assertEquals(odd?.lost, undefined);
  for (const name of ["id", "title", "status", "text", "ms"]) {
    assertEquals(parseCheck(line({ ...whole, [name]: undefined }), []), [], name);
  }
  for (const wrong of [undefined, 1, {}, { ...CHECK, status: "toString" }, { ...CHECK, ms: "1" }]) {
    assertEquals(parseCheck(line(wrong), []), []);
  }
  assertEquals(parseCheck("Cannot start", []), []);
});

Deno.test("result() has advice where one cause is left, and causes where several are", () => {
  assertEquals(result("ok", "x"), { status: "ok", text: "x", advice: undefined });
  assertEquals(result("failed", "x", "y"), { status: "failed", text: "x", advice: "y" });
  const expected = { status: "failed", text: "x", advice: "y" } as const;
  assertEquals(result("failed", "x", undefined, "y", ""), expected);
  const wanted = { status: "failed", text: "x", causes: ["y", "z"] } as const;
  assertEquals(result("failed", "x", "y", "z"), wanted);
});

Deno.test("runChecks() hides secrets, and takes an error for a failure", async () => {
  const run = () => {
    throw new Error("Cannot use s3cret");
  };
  const { signal } = new AbortController();
  const checks: Check[] = [
    { id: "x", title: "X", run },
    { id: "y", title: "Y", run: () => result("warning", "with s3cret", "use s3cret") },
    { id: "z", title: "Z", run: () => result("warning", "z", "s3cret", "2") },
  ];
  const completed = await Array.fromAsync(runChecks(checks, { signal, secrets: ["s3cret"] }));
  assertEquals(
    completed.map(({ status, text, advice, causes }) => [status, text, advice, causes]),
    [
      ["failed", "Cannot use …", undefined, undefined],
      ["warning", "with …", "use …", undefined],
      ["warning", "z", undefined, ["…", "2"]],
    ],
  );
});

/** Checks that fail, hang or are fine, and those that have run. */
function checksOf(...kinds: readonly (CheckResult["status"] | "hangs")[]) {
  const ran: string[] = [];
  const checks = kinds.map((kind, at): Check => ({
    id: `c${at}`,
    title: "X",
    run() {
      ran.push(`c${at}`);
      return kind === "hangs" ? new Promise(() => {}) : result(kind, kind);
    },
  }));
  return { checks, ran };
}

timed.test("runChecks() takes a check that hangs, whatever its signal, for a failure after 10 s", async (time) => {
  const { signal } = new AbortController();
  const { checks } = checksOf("hangs", "ok");
  const completed = Array.fromAsync(runChecks(checks, { signal, secrets: [] }));
  await time.run(9_999);
  assertEquals(time.timers, 1);
  await time.run(1);
  const outcomes = (await realDeadline(completed)).map(({ status, text }) => [status, text]);
  assertEquals(outcomes, [["failed", "no answer within 10 s"], ["ok", "ok"]]);
});

timed.test("runChecks() ends in time, and says what was not checked for it", async (time) => {
  const { signal } = new AbortController();
  const noTime = ["skipped", "not checked: other checks took all the time"];
  // A check that others have left little time says nothing about what it checks.
  const cut = [
    "skipped",
    "not known: no answer within 5.9 s, and then the time for all checks was over",
  ];
  const table = [[5_999, cut], [6_000, ["failed", "no answer within 6 s"]]] as const;
  for (const [ms, hanging] of table) {
    const { checks, ran } = checksOf("ok", "hangs", "ok");
    const endsAtMs = performance.now() + ms;
    const completed = Array.fromAsync(runChecks(checks, { signal, secrets: [], endsAtMs }));
    await time.run(ms);
    const outcomes = (await realDeadline(completed)).map(({ status, text }) => [status, text]);
    assertEquals(outcomes, [["ok", "ok"], hanging, noTime]);
    assertEquals(ran, ["c0", "c1"]);
  }
});

Deno.test("runChain() runs no link behind one that has failed, and names it", async () => {
  const { signal } = new AbortController();
  const { checks, ran } = checksOf("ok", "warning", "skipped", "failed", "ok", "failed");
  const completed = await Array.fromAsync(runChain(checks, { signal, secrets: [] }));
  assertEquals(ran, ["c0", "c1", "c2", "c3"]);
  assertEquals(completed.map(({ status, follows }) => [status, follows]), [
    ["ok", undefined],
    ["warning", undefined],
    ["skipped", undefined],
    ["failed", undefined],
    ["skipped", "c3"],
    ["skipped", "c3"],
  ]);
});

Deno.test("runChain() hands each check over before the next one begins, which may be the last", async () => {
  const { signal } = new AbortController();
  const seen: string[] = [];
  const onCheck = ({ id }: { id: string }) => seen.push(id);
  const { checks } = checksOf("ok", "failed", "ok");
  const watched = checks.map((it) => ({
    ...it,
    run: async (signal: AbortSignal) => {
      seen.push(`runs ${it.id}`);
      return await it.run(signal);
    },
  }));
  await Array.fromAsync(runChain(watched, { signal, secrets: [], onCheck }));
  assertEquals(seen, ["runs c0", "c0", "runs c1", "c1", "c2"]);
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

timed.test("runChecks() runs one check after another, and measures each in whole milliseconds", async (time) => {
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
  const expected = [["c0", undefined, 1], ["c1", "p.example", 2_001]];
  assertEquals(completed.map(({ id, panel, ms }) => [id, panel, ms]), expected);
  assert(completed.every(({ status }) => status === "ok"));
});

Deno.test("runChecks() puts what a library says beside words of its own", async () => {
  const of = async (message: string) => {
    const broken = check("x", "X", () => Promise.reject(new Error(message)));
    const { signal } = new AbortController();
    const [completed] = await Array.fromAsync(runChecks([broken], { signal, secrets: [] }));
    return completed?.text;
  };
  assertEquals(await of("proto error"), "this check can't be made: proto error");
  assertEquals(await of("Cannot read /x"), "Cannot read /x");
});
