import { assert, assertEquals } from "@std/assert";
import type { CheckResult, CompletedCheck } from "../../lib/cli/checks.ts";
import { inOrder, reportJson, reportText, wrapped } from "../../lib/cli/doctor_report.ts";
import { displayWidth } from "../../lib/cli/help.ts";

const LAYOUT = { language: "en", inLanguage: (text: string) => text, isColored: false } as const;

function check(
  id: string,
  status: CheckResult["status"],
  more: Partial<CompletedCheck> = {},
): CompletedCheck {
  return { id, title: id.toUpperCase(), status, text: `${id} text`, ms: 7, ...more };
}

Deno.test("reportText() marks each status, in its color on a terminal", () => {
  const table: [status: CheckResult["status"], mark: string, color: number][] = [
    ["ok", "✓", 32],
    ["warning", "!", 33],
    ["failed", "✗", 31],
    ["skipped", "-", 90],
  ];
  for (const [status, mark, color] of table) {
    const time = status === "skipped" ? "" : " (7 ms)";
    const line = ` ${"X".padEnd(18)}x text${time}`;
    const [first] = reportText([check("x", status)], LAYOUT).split("\n");
    assertEquals(first, mark + line);
    const [colored] = reportText([check("x", status)], { ...LAYOUT, isColored: true }).split("\n");
    assertEquals(colored, `\x1b[${color}m${mark}\x1b[0m${line}`);
  }
});

Deno.test("inOrder() puts a release that can't be looked up before the update job that fails by that", () => {
  const job = check("service", "warning", { text: "x is running; its last update job failed" });
  const causes = (kind?: CheckResult["kind"]) =>
    inOrder([job, check("version", "warning", { kind })]).map(({ id, follows }) => [id, follows]);
  const unseen = causes("unseen_release");
  assertEquals(unseen, [["service", "version"], ["version", undefined]]);
  const newer = causes();
  assertEquals(newer, [["service", undefined], ["version", undefined]]);
});

Deno.test("inOrder() takes what makes the agent fail for failed itself", () => {
  const late = { kind: "late_name" } as const;
  const agent = { kind: "not_reporting" } as const;
  const of = (status: CheckResult["status"]) =>
    inOrder([check("agent", status, agent), check("dns", "warning", late)])
      .map(({ id, status, follows }) => [id, status, follows]);
  assertEquals(of("failed"), [["agent", "failed", "dns"], ["dns", "failed", undefined]]);
  assertEquals(of("ok"), [["dns", "warning", undefined], ["agent", "ok", undefined]]);
});

Deno.test("inOrder() puts a missing route before the names that nobody can be asked for", () => {
  const of = (text: string) =>
    inOrder([
      check("network", "warning", { kind: "no_ipv4_route" }),
      check("dns", "failed", { text }),
    ]).map(({ id, status, follows }) => [id, status, follows]);
  assertEquals(of("Cannot resolve; there is no default route of IPv4: none leads to it"), [
    ["dns", "failed", "network"],
    ["network", "failed", undefined],
  ]);
  assertEquals(of("NXDOMAIN")[0], ["dns", "failed", undefined]);
});

Deno.test("inOrder() warns of missing TLS where the panel is reached, and shows four causes", () => {
  const tls = check("tls", "warning", { kind: "unencrypted", advice: "use it" });
  const causes = ["1", "2", "3", "4", "5"];
  const of = (status: CheckResult["status"]) =>
    inOrder([tls, check("panel", status, { causes })])
      .map(({ id, status, advice, causes }) => [id, status, advice, causes?.length]);
  assertEquals(of("failed"), [
    ["panel", "failed", undefined, 4],
    ["tls", "skipped", undefined, undefined],
  ]);
  assertEquals(of("warning")[0], ["tls", "warning", "use it", undefined]);
});

Deno.test("inOrder() takes no check for its own cause", () => {
  const text = "Cannot read /host/proc/stat: HOST_PROC must be a Linux machine's /proc";
  const all = ["interfaces", "disks", "ping"].map((id) => check(id, "failed", { text }));
  const expected = [["interfaces", undefined], ["disks", "interfaces"], ["ping", "interfaces"]];
  assertEquals(inOrder(all).map(({ id, follows }) => [id, follows]), expected);
});

Deno.test("inOrder() folds the unread files of a unit below the link that fails by them", () => {
  const text = "x is running; its files have changed since systemd read them";
  const order = inOrder([check("service", "warning", { text }), check("connect", "failed")]);
  const expected = [["connect", undefined], ["service", "connect"]];
  assertEquals(order.map(({ id, follows }) => [id, follows]), expected);
});

Deno.test("inOrder() puts lost packets that both see before a slow name", () => {
  const dns = check("dns", "warning", { kind: "questions_lost" });
  const order = (connect: Partial<CompletedCheck>) =>
    inOrder([dns, check("connect", "warning", connect)]).map(({ id, follows }) => [id, follows]);
  assertEquals(order({ kind: "packets_lost" }), [["dns", "connect"], ["connect", undefined]]);
  assertEquals(order({}), [["dns", undefined], ["connect", undefined]]);
  const trip = check("round_trip", "warning", { kind: "packets_lost" });
  const late = check("time", "failed");
  const among = (...others: CompletedCheck[]) =>
    Object.fromEntries(inOrder([...others, trip, late]).map(({ id, follows }) => [id, follows]));
  assertEquals(among(dns), { dns: "round_trip", round_trip: undefined, time: "round_trip" });
  const behind = (status: CheckResult["status"]) =>
    inOrder([
      check("connect", status, { kind: "no_answer" }),
      check("dns", "warning", { kind: "packets_lost" }),
      check("tls", "skipped", { follows: "connect" }),
    ]).map(({ id, status, follows }) => [id, status, follows]);
  assertEquals(behind("failed"), [
    ...[["connect", "failed", "dns"], ["dns", "failed", undefined], ["tls", "skipped", "dns"]],
  ], "what was not checked follows from the same");
  const connect = check("connect", "warning", { kind: "packets_lost" });
  const name = check("dns", "warning", { kind: "late_name" });
  const hung = check("panel", "failed", { kind: "no_answer" });
  const below = inOrder([name, hung, connect]).map(({ id, follows }) => [id, follows]);
  assertEquals(below, [["panel", "connect"], ["connect", undefined], ["dns", "connect"]]);
  const both = check("dns", "warning", { kind: "packets_lost" });
  assertEquals(among(both), { dns: undefined, round_trip: "dns", time: "dns" });
});

Deno.test("reportText() begins with the first broken link, and folds what follows from it", () => {
  const checks = inOrder([
    check("config", "ok"),
    check("agent", "failed"),
    check("probes", "warning", { kind: "pings" }),
    check("ping", "warning", { causes: ["one", "two"] }),
    check("connect", "failed", { advice: "do it" }),
    check("dns", "ok"),
    check("tls", "skipped", { follows: "connect" }),
  ]);
  assertEquals(reportText(checks, LAYOUT).split("\n"), [
    `✗ ${"CONNECT".padEnd(18)}connect text (7 ms)`,
    "  → do it",
    "  … and therefore: AGENT: agent text",
    "  … and therefore: PROBES: probes text",
    "  … and therefore: not checked: TLS",
    "",
    `! ${"PING".padEnd(18)}ping text (7 ms)`,
    "  1. one",
    "  2. two",
    "",
    `✓ ${"DNS".padEnd(18)}dns text (7 ms)`,
    `✓ ${"CONFIG".padEnd(18)}config text (7 ms)`,
    "",
    "1 failed, 1 warning.",
    "",
  ]);
});

Deno.test("inOrder() has each consequence follow from its cause alone", () => {
  const table: [cause: string, id: string, follows: string | undefined][] = [
    ["network", "agent", "network"],
    ["dns", "version", "dns"],
    ["token", "agent", "token"],
    ["token", "version", undefined],
    ["panel", "connections", "panel"],
    ["tls", "authorities", "tls"],
    ["token", "service", undefined],
    ["websocket", "agent", undefined],
    ["service", "environment", "service"],
    ["agents", "agent", "agents"],
    ["disks", "agent", undefined],
  ];
  const unlucky = check("service", "failed", { text: "Cannot report without --token TOKEN" });
  const [, ended] = inOrder([unlucky, check("token", "failed")]);
  assertEquals(ended?.follows, "token");
  const reporting = check("agent", "warning", { kind: "reporting" });
  assertEquals(inOrder([reporting, check("panel", "failed")])[1]?.follows, undefined);
  const paused = check("agent", "failed", { kind: "paused" });
  assertEquals(inOrder([paused, check("agents", "failed")])[0]?.follows, undefined);
  const hidden = ["service", "interfaces", "disks"].map((id) =>
    check(id, "failed", { text: "Cannot read /proc/stat: no such file" })
  );
  assertEquals(inOrder(hidden).map(({ follows }) => follows), [undefined, "service", "service"]);
  const namespace = check("service", "failed", { text: "(226/NAMESPACE)" });
  const beneath = ["environment", "dev_null", "ping", "probes"].map((id) =>
    check(id, "failed", id === "probes" ? { kind: "pings" } : {})
  );
  const folded = inOrder([namespace, ...beneath]).map(({ id, follows }) => [id, follows]);
  assertEquals(Object.fromEntries(folded), {
    ...{ dev_null: undefined, service: "dev_null", environment: "dev_null", ping: "dev_null" },
    probes: "dev_null",
  });
  const seal = check("seal", "warning", { text: 'there is no "getent" that resolves names' });
  assertEquals(inOrder([seal, check("dev_null", "failed")]).at(-1)?.follows, "dev_null");
  assertEquals(inOrder([seal, check("service", "failed")]).at(-1)?.follows, undefined);
  const stopped = inOrder([check("service", "failed"), check("dev_null", "failed")]);
  assertEquals(stopped.map(({ follows }) => follows), [undefined, undefined]);
  for (const [cause, id, follows] of table) {
    const found = inOrder([check(id, "failed"), check(cause, "failed")]);
    assertEquals(found.find((it) => it.id === id)?.follows, follows, `${cause} ${id}`);
    const fine = inOrder([check(id, "failed"), check(cause, "warning")]);
    assertEquals(fine.find((it) => it.id === id)?.follows, undefined, "a warning is no cause");
  }
  for (const cause of ["network", "dev_null"]) {
    const found = (kind?: CheckResult["kind"]) =>
      inOrder([check(cause, "failed"), check("ping", "failed", { kind })])[1]?.follows;
    assertEquals([found("missing_program"), found()], [undefined, cause]);
  }
  const sealed = (text: string) =>
    inOrder([check("dev_null", "failed"), check("seal", "warning", { text })])[1]?.follows;
  assertEquals(sealed("Cannot ask the shell: it has ended"), "dev_null");
  assertEquals(sealed("no mount namespaces"), undefined);
  const ids = ["service", "dns", "network", "agents", "seal"].map((id) => check(id, "failed"));
  assertEquals(inOrder(ids).map(({ id }) => id), ["network", "dns", "service", "agents", "seal"]);
  assertEquals(
    inOrder([check("network", "warning"), check("seal", "failed")]).map(({ id }) => id),
    ["seal", "network"],
  );
});

Deno.test("reportText() puts a panel's name above its checks, and folds only its own", () => {
  const checks = inOrder(["a", "b"].flatMap((panel) => [
    check("connect", panel === "a" ? "failed" : "ok", { panel }),
    check("tls", "skipped", { panel, ...panel === "a" && { follows: "connect" } }),
  ]));
  assertEquals(reportText(checks, LAYOUT).split("\n"), [
    "a",
    `✗ ${"CONNECT".padEnd(18)}connect text (7 ms)`,
    "  … and therefore: not checked: TLS",
    "",
    "b",
    `✓ ${"CONNECT".padEnd(18)}connect text (7 ms)`,
    `- ${"TLS".padEnd(18)}tls text`,
    "",
    "1 failed, 0 warnings.",
    "",
  ]);
});

Deno.test("reportText() folds what follows below the cause of its own panel, where several have failed", () => {
  const checks = inOrder(["a", "b"].flatMap((panel) => [
    check("connect", "failed", { panel }),
    check("tls", "skipped", { panel, title: `TLS of ${panel}`, follows: "connect" }),
  ]));
  const folded = reportText(checks, LAYOUT).match(/not checked: .*/g);
  assertEquals(folded, ["not checked: TLS of a", "not checked: TLS of b"]);
});

Deno.test("reportText() counts causes, and reportJson() names the first", () => {
  const sumOf = (...all: CheckResult["status"][]) =>
    reportText(all.map((status) => check("x", status)), LAYOUT).trim().split("\n").at(-1);
  assertEquals(sumOf("ok", "skipped"), "Everything is fine.");
  assertEquals(sumOf("warning", "ok"), "0 failed, 1 warning.");
  assertEquals(sumOf("failed", "warning", "warning"), "1 failed, 2 warnings.");
  const json = (...checks: CompletedCheck[]) => JSON.parse(reportJson(inOrder(checks)));
  const expected = { ok: true, checks: [{ id: "x", status: "ok", text: "x text", ms: 7 }] };
  assertEquals(json(check("x", "ok")), expected);
  const { ok, cause, checks } = json(check("agent", "failed"), check("dns", "failed"));
  assertEquals([ok, cause, checks[1].follows], [false, "dns", "dns"]);
  assertEquals(json(check("ping", "warning")).cause, "ping");
});

Deno.test("wrapped() goes on below the text, of 20 columns at least", () => {
  const words = "12345 12345 12345 12345 12345";
  assertEquals(wrapped(words, { indent: 2, columns: 26 }), "12345 12345 12345 12345\n  12345");
  assertEquals(wrapped(words, { indent: 90, columns: 100 }).split("\n").length, 2);
  assertEquals(wrapped("7\u00a0ms", { indent: 0, columns: Infinity }), "7 ms");
});

Deno.test("reportText() fits into 60 columns, and breaks no word", () => {
  const failed = check("ping", "failed", {
    text: "they don't work: Cannot ping 127.0.0.1: there is no ping command on this machine",
    causes: ["install iputils-ping ".repeat(5).trim(), "ask who has removed it"],
  });
  const text = "42 in the last minute, 42 of them lost";
  const probes = check("probes", "warning", { text, kind: "pings" });
  for (const language of ["en", "zh"] as const) {
    const inLanguage = (text: string) =>
      language === "zh" && !/^[A-Z]+$/.test(text) ? `${text}，请先安装它` : text;
    const checks = inOrder([failed, probes]);
    const lines = reportText(checks, { language, inLanguage, isColored: false, columns: 60 })
      .split("\n");
    assert(lines.length > 7);
    for (const line of lines) assert(displayWidth(line) <= 60, line);
    assert(lines.join(" ").split(/ +/).includes("iputils-ping"), lines.join("\n"));
  }
});

Deno.test("inOrder() has pings that are lost follow from ping, and no other probes", () => {
  const of = (kind?: CheckResult["kind"]) =>
    inOrder([check("ping", "failed"), check("probes", "warning", { kind })])[1]?.follows;
  assertEquals([of("pings"), of()], ["ping", undefined]);
  const ping = check("ping", "failed", { kind: "unsent" });
  const [, follows] = inOrder([check("connect", "failed"), ping]);
  assertEquals(follows?.follows, "connect", "the same firewall");
});
