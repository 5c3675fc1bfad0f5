import { assertEquals, assertStringIncludes } from "@std/assert";
import {
  descriptorCheck,
  failedPing,
  machineChecks,
  versionCheck,
} from "../../lib/cli/doctor_machine.ts";
import type { CheckResult } from "../../lib/cli/checks.ts";
import type { Config } from "../../lib/config/config.ts";
import type { PanelHealth, ProblemPart } from "../../lib/state/health_file.ts";
import type { Health } from "../../lib/state/health_reader.ts";
import { VERSION } from "../../lib/version.ts";
import { StartedProcesses } from "../started_processes.ts";
import { programOf, ReleaseServer } from "../update/release_server.ts";
import { inContainerImage } from "./container_image.ts";
import { configOf as resolved } from "./fake_context.ts";

const started = new StartedProcesses();

function configOf(...args: readonly string[]): Config {
  return resolved(["doctor", ...args]);
}

function healthOf(change: Partial<Health> = {}): Health {
  return {
    ...{ pid: 7, version: "1.2.3", intervalMs: 3000, acceptedAtMs: 1, startedAtMs: 1 },
    ...{ panels: [], problems: [], sandbox: "", isRunning: true },
    ...change,
  };
}

/** The result of the check of this id. */
async function resultOf(id: string, config: Config, health?: Health): Promise<CheckResult> {
  const checks = machineChecks(config, { os: "linux", arch: "x86_64", health });
  const check = checks.find((check) => check.id === id);
  if (check === undefined) throw new Error(`There is no check ${id}`);
  return await check.run(new AbortController().signal);
}

Deno.test("machineChecks() are in their order, and metrics among them where they are served", () => {
  const idsOf = (...args: string[]) =>
    machineChecks(configOf(...args), { os: "linux", arch: "x86_64", health: undefined })
      .map(({ id }) => id).join(" ");
  assertEquals(idsOf(), "open_files interfaces disks ping state seal");
  assertEquals(idsOf("--metrics", "9100"), "open_files interfaces disks ping state metrics seal");
});

Deno.test("descriptorCheck() fails below 64 files", async () => {
  const table: [limit: number | undefined, status: string, text: string][] = [
    [undefined, "ok", "not limited"],
    [64, "ok", "64 at a time"],
    [63, "failed", "63 at a time"],
  ];
  for (const [limit, status, text] of table) {
    const found = await descriptorCheck(limit).run(new AbortController().signal);
    assertEquals([found.status, found.text], [status, text]);
    assertEquals(found.advice?.includes("LimitNOFILE="), status === "ok" ? undefined : true);
  }
});

Deno.test("machineChecks() name the interfaces that count, and warn where none does", async () => {
  const fine = await resultOf("interfaces", configOf("--include-nics", "lo"));
  assertEquals([fine.status, /^lo counted, \d+ left out$/.test(fine.text)], ["ok", true]);
  const none = await resultOf("interfaces", configOf("--include-nics", "none-of-these"));
  assertEquals([none.status, none.text], ["warning", "none is counted, so no traffic is reported"]);
  assertStringIncludes(none.advice ?? "", "--include-nics chooses them");
});

Deno.test("machineChecks() name the disks that count, and warn where none does", async () => {
  const none = await resultOf("disks", configOf("--include-mountpoint", "/none-of-these"));
  assertEquals(
    [none.status, none.text],
    ["warning", "none is counted, so no disk space is reported"],
  );
  const fine = await resultOf("disks", configOf("--include-mountpoint", "/proc"));
  assertEquals([fine.status, /^\/proc counted, \d+ left out$/.test(fine.text)], ["ok", true]);
});

function problemHealth(part: ProblemPart, text: string): Health {
  return healthOf({ problems: [{ part, text, sinceMs: 0 }] });
}

Deno.test("machineChecks() give the advice that fits the problem of the agent's state", async () => {
  const config = configOf("--month-rotate", "1", "--state-dir", "/srv/state");
  const table: [reason: string, advice: string][] = [
    ["No space left on device", "make room on the disk of /srv/state"],
    ["Disk quota exceeded", "make room on the disk of /srv/state"],
    ["another agent uses it", "give each agent a --state-dir of its own"],
    ["Read-only file system", "make its disk writable (mount -o remount,rw)"],
    ["the folder was deleted", "repair that, and restart the agent"],
    ["restart the agent", "repair that, and restart the agent"],
    ["permission denied", "give the folder to the agent's user (chown)"],
  ];
  for (const [reason, advice] of table) {
    const found = await resultOf("state", config, problemHealth("state", reason));
    assertEquals(found.status, "failed");
    assertStringIncludes(found.text, `the running agent says: the month's traffic can't be kept: `);
    assertStringIncludes(found.advice ?? "", advice, reason);
  }
});

Deno.test("machineChecks() leave the state folder alone that no option needs", async () => {
  const { status } = await resultOf("state", configOf("--state-dir", "/nowhere"));
  assertEquals(status, "skipped");
  const key = ["--auto-discovery", "key-of-the-panel", "--state-dir"];
  const folder = Deno.makeTempDirSync();
  try {
    const found = await resultOf("state", configOf(...key, folder));
    assertEquals([found.status, found.text], ["ok", folder]);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});

Deno.test("machineChecks() fail for probes that the panel wants and the agent can't run", async () => {
  const panel: PanelHealth = { panel: "p", sinceMs: 0, failures: 0, probes: 1, kinds: { icmp: 1 } };
  const health = { ...problemHealth("ping", "no socket"), panels: [panel] };
  assertEquals((await resultOf("ping", configOf(), health)).status, "failed");
  assertEquals(started.children(), [], "its shell has ended");
});

Deno.test("machineChecks() believe the agent that serves metrics", async () => {
  const config = configOf("--metrics", "127.0.0.1:9100");
  const fine = await resultOf("metrics", config, healthOf());
  assertEquals([fine.status, fine.text], ["ok", "the agent serves them on 127.0.0.1 port 9100"]);
  const table: [reason: string, advice: string][] = [
    ["Cannot assign requested address", "no interface here has 127.0.0.1: choose an address"],
    ["address already in use", 'stop what listens there (ss -ltnp "sport = :9100")'],
  ];
  for (const [reason, advice] of table) {
    const found = await resultOf("metrics", config, problemHealth("metrics", reason));
    assertEquals(found.status, "failed");
    assertStringIncludes(found.advice ?? "", advice);
  }
});

Deno.test("machineChecks() say how the running agent is sealed, and warn of a gap", async () => {
  const whole = "sealed by the kernel and the runtime";
  const control = ["--enable-remote-control"];
  const table: [sandbox: string, args: string[], status: string][] = [
    [whole, [], "ok"],
    [`${whole}, but files can be read: there is no "getent"`, [], "warning"],
    ["sealed by the runtime only: no filters", [], "warning"],
    ["not sealed: remote control is on", control, "ok"],
  ];
  for (const [sandbox, args, status] of table) {
    const found = await resultOf("seal", configOf(...args), healthOf({ sandbox }));
    assertEquals([found.status, found.text], [status, sandbox]);
  }
  for (const health of [undefined, healthOf()]) {
    const { status, text } = await resultOf("seal", configOf(...control), health);
    assertEquals([status, text], ["skipped", "not used: remote control is on"]);
  }
});

Deno.test("versionCheck() warns of a newer version, and of none that can be looked up", async () => {
  const run = async (...args: string[]) =>
    await versionCheck(configOf(...args)).run(new AbortController().signal);
  const none = await run();
  assertEquals([none.status, none.text], [
    "skipped",
    `${VERSION}; this build has no release address`,
  ]);
  await using server = new ReleaseServer();
  const place = ["--update-url", server.url];
  server.publish("999.0.0", programOf("999.0.0"));
  const newer = await run(...place);
  assertEquals([newer.status, newer.text, newer.advice], [
    "warning",
    `${VERSION}; version 999.0.0 is available`,
    "`update --now` installs it",
  ]);
  server.publish(VERSION, programOf(VERSION));
  const same = await run(...place);
  assertEquals([same.status, same.text], ["ok", `${VERSION} is up to date`]);
  const { status, text } = await run("--update-url", "http://127.0.0.1:1/latest");
  assertEquals(status, "warning");
  assertStringIncludes(text, `${VERSION}; Cannot `);
});

Deno.test("failedPing() is a failure where a panel has the agent probe by it", () => {
  const panel: PanelHealth = { panel: "p", sinceMs: 0, failures: 0, probes: 1 };
  const table: [health: Health | undefined, status: string][] = [
    [undefined, "warning"],
    [healthOf({ panels: [panel, { ...panel, kinds: { icmp: 0, tcp: 2 } }] }), "warning"],
    [healthOf({ panels: [panel, { ...panel, kinds: { icmp: 1 } }] }), "failed"],
  ];
  for (const [health, status] of table) {
    const found = failedPing("no socket", health);
    assertEquals([found.status, found.text], [status, "they don't work: no socket"]);
    assertEquals(found.advice, undefined);
  }
});

Deno.test("in the container image advice is about the container", async () => {
  await inContainerImage(async () => {
    for (const reason of ["may not open its socket", "grant it CAP_NET_RAW"]) {
      assertStringIncludes(failedPing(reason, undefined).advice ?? "", "--cap-add NET_RAW");
    }
    assertEquals(failedPing("no answer", undefined).advice, undefined);
    const state = ["--month-rotate", "1", "--state-dir", "/srv/state"];
    const denied = await resultOf("state", configOf(...state), problemHealth("state", "denied"));
    assertEquals(
      denied.advice,
      "give the container a volume at /srv/state that its user can write",
    );
    const full = problemHealth("state", "No space left");
    assertStringIncludes(
      (await resultOf("state", configOf(...state), full)).advice ?? "",
      "make room",
    );
  });
});
