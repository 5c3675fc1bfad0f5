import { assert, assertEquals, assertNotEquals, assertStringIncludes } from "@std/assert";
import { check as checkOf, type CompletedCheck, failed, runChecks } from "../../lib/cli/checks.ts";
import { startFailure, withStart } from "../../lib/cli/doctor_completed.ts";
import { machineChecks } from "../../lib/cli/doctor_machine.ts";
import { runningAgent } from "../../lib/cli/doctor.ts";
import { checkOtherAgents } from "../../lib/cli/doctor_other_agents.ts";
import { serviceResult } from "../../lib/cli/doctor_service.ts";
import { agentReports, agentResult } from "../../lib/cli/doctor_agent.ts";
import { connectionsResult } from "../../lib/cli/doctor_connections.ts";
import { checkProbes, probesResult } from "../../lib/cli/doctor_probes.ts";
import {
  detailCommands,
  type FoundService,
  userQuestion,
} from "../../lib/cli/doctor_found_service.ts";
import { toolLine } from "../../lib/host/tool_runner.ts";
import { mountWith } from "../../lib/cli/doctor_rights.ts";
import { packagedRecord } from "../../lib/service/packaged_service.ts";
import type { ServiceState } from "../../lib/service/installed_service.ts";
import type { FoundUnit } from "../../lib/cli/doctor_unit_settings.ts";
import type { Health } from "../../lib/state/health_reader.ts";
import { FakeTime, realTurn } from "../fake_time.ts";
import { acceptAt } from "../state/accept_at.ts";
import type { Config } from "../../lib/config/config.ts";
import { inContainerImage } from "./container_image.ts";
import { configOf } from "./fake_context.ts";
import { programDefect } from "../../lib/cli/doctor_unit_program.ts";
import { replaced } from "../replaced.ts";
import { inFolder, TempFolder } from "../temp_folder.ts";
import { openHealth } from "../state/health_folder.ts";
import { adviceText } from "./advice_text.ts";
import { healthOf, problemHealth, SERVICE } from "./seen_health.ts";
import { onLinux } from "../only_on.ts";

/** Who is root needs no `sudo`. */
const SUDO = Deno.uid() === 0 ? "" : "sudo ";
const INSTALL = `${SUDO}komari-agent-deno install`;

// Another agent of this machine, such as that of another test, may have a well-known one.
const TOKEN = `t0ken-${crypto.randomUUID()}`;

/** Runs the checks of these ids alone. */
async function check(
  config: Config,
  env: Record<string, string>,
  ids: readonly string[],
): Promise<Record<string, CompletedCheck>> {
  const { signal } = new AbortController();
  const health = runningAgent(config, env);
  const options = { os: "linux", arch: "x86_64", health };
  const all = [
    checkOf("agent", "X", () => agentResult(config, health, { logHint: undefined })),
    checkOf(
      "agents",
      "X",
      (signal) => checkOtherAgents(config, { env, health, mainPid: 0, signal }),
    ),
    checkOf("connections", "X", () => connectionsResult(health, undefined)),
    checkOf("probes", "X", () => probesResult(config, health)),
    ...machineChecks(config, options),
  ];
  const checks = all.filter(({ id }) => ids.includes(id));
  const completed = await Array.fromAsync(runChecks(checks, { signal, secrets: [] }));
  return Object.fromEntries(completed.map((it) => [it.id, it]));
}

/** Leaves the health file of an agent that was killed: others that run on this machine don't count. */
function leaveKilled(folder: string): void {
  const health = openHealth(folder);
  const text = Deno.readTextFileSync(health.path);
  health.close();
  Deno.writeTextFileSync(`${folder}/health`, text);
}

function configIn(folder: string, ...more: readonly string[]): Config {
  const args = [
    "-e",
    "http://127.0.0.1:1",
    "-t",
    TOKEN,
    "--install-service-name",
    "no-such-service",
  ];
  return configOf(["doctor", ...args, "--state-dir", `${folder}/state`, ...more], {
    RUNTIME_DIRECTORY: folder,
  });
}

inFolder.test("checks believe the running agent more than what they can do themselves", async ({ path: folder }) => {
  // Tests of other files have deleted states open in this process.
  const { readDirSync } = Deno;
  using _own = replaced(Deno, {
    readDirSync: (path) => path === `/proc/${Deno.pid}/fd` ? [].values() : readDirSync(path),
  });
  using health = openHealth(folder);
  const port = 45_678;
  const args = ["--month-rotate", "1", "--metrics", `127.0.0.1:${port}`];
  const config = configIn(folder, ...args);
  health.accepted(3000);
  const ids = ["state", "metrics", "agent", "agents", "connections", "probes"];
  const fine = await check(config, {}, ids);
  assertEquals(Object.values(fine).map(({ id, status }) => [id, status]), [
    ["agent", "ok"],
    ["agents", "ok"],
    ["connections", "ok"],
    ["probes", "skipped"],
    ["state", "ok"],
    ["metrics", "ok"],
  ]);
  health.setProblem("state", "No space left on device");
  health.setProblem("metrics", "Address already in use");
  health.setProblem("authorities", "no such file");
  const panel = { panel: "127.0.0.1:1", sinceMs: Date.now(), failures: 0, probes: 1 };
  const counted = { lastMinute: 12, lost: 12, shortConnections: 3 };
  health.setPanels([{ ...panel, ...counted }], { now: true });
  const broken = await check(config, {}, ids);
  assertEquals(Object.values(broken).map(({ id, status }) => [id, status]), [
    ["agent", "warning"],
    ["agents", "ok"],
    ["connections", "failed"],
    ["probes", "warning"],
    ["state", "failed"],
    ["metrics", "failed"],
  ]);
  assertStringIncludes(adviceText(broken.state), "make room");
  assertStringIncludes(adviceText(broken.connections), "another agent, here or elsewhere");
  assertStringIncludes(adviceText(broken.connections), "proxy_read_timeout");
  assertStringIncludes(adviceText(broken.metrics), `:${port}`);
  assertEquals(broken.probes?.text, "12 in the last minute, 12 lost");
});

inFolder.test("agentResult() says why the agent has not registered", async ({ path: folder }) => {
  using health = openHealth(folder);
  health.setProblem("registration", "status 403");
  const { agent } = await check(configIn(folder), {}, ["agent"]);
  assertStringIncludes(agent?.text ?? "", "can't be registered: status 403");
  assertEquals(agent?.status, "failed");
  assertStringIncludes(adviceText(agent), "the key of --auto-discovery");
});

inFolder.test("agentResult() fails while graphics cards that --gpu asks for can't be measured", async ({ path: folder }) => {
  using health = openHealth(folder);
  health.accepted(3000);
  health.setProblem("gpu", "Driver/library version mismatch");
  const { agent } = await check(configIn(folder, "--gpu"), {}, ["agent"]);
  const words = "can't be measured: Driver/library version mismatch";
  assertStringIncludes(agent?.text ?? "", words);
  assertEquals(agent?.status, "failed");
  assertStringIncludes(adviceText(agent), "nvidia-smi");
});

Deno.test("agentResult() warns of a service that reports to another panel than its configuration has", () => {
  const panel = { panel: "old.example", sinceMs: Date.now(), failures: 0, probes: 0 };
  const health = { ...HEALTH, acceptedAtMs: Date.now(), panels: [panel] };
  const installed = {
    ...configOf(["doctor", "-e", "http://new.example", "-t", "x"]),
    isConfigInstalled: true,
  };
  const { status, text, advice } = agentResult(installed, health, { logHint: undefined });
  assertEquals([status, advice], ["warning", "have it use that: komari-agent-deno install"]);
  const words = "reports to old.example, and its configuration has new.example by now";
  assertStringIncludes(text, words);
  // A variable of the unit counts before the file.
  const value = "AGENT_ENDPOINT=http://old.example";
  const settings = [{ name: "Environment", value, file: DROP_IN }];
  assertEquals(agentResult(installed, health, { logHint: undefined, settings }).status, "ok");
  const correct = "correct ExecStart= in /x.conf";
  const started = agentResult(installed, health, { logHint: undefined, correct });
  assertEquals([started.status, started.advice], ["failed", correct]);
});

Deno.test("agentResult() asks for the name servers where the agent can't resolve the panel's name", () => {
  const of = (text: string) => {
    const error = { text, atMs: Date.now() };
    const panel = { panel: "p.example", sinceMs: 1, failures: 2, error, probes: 0 };
    const health = { ...HEALTH, acceptedAtMs: undefined, panels: [panel] };
    const config = configOf(["doctor", "-e", "http://p.example", "-t", "x"]);
    return agentResult(config, health, { logHint: "x" }).causes?.[0] ?? "";
  };
  assertStringIncludes(
    of("Cannot open a WebSocket: Cannot resolve p.example: no answer within 8 s"),
    "see whether a name server answers about it: cat /etc/resolv.conf; time getent ahosts p.example",
  );
  assertStringIncludes(of("Cannot connect to p.example"), "if all checks of the panel are fine");
});

Deno.test("agentResult() has a user who may not read the configuration run it as root", () => {
  const health = { ...HEALTH, acceptedAtMs: undefined };
  const { advice } = agentResult(configOf(["doctor"]), health, { logHint: "x", isUnread: true });
  assertStringIncludes(advice ?? "", "as root: sudo komari-agent-deno doctor");
});

inFolder.test("agentResult() leaves an agent alone that reports to another panel", async ({ path: folder }) => {
  using health = openHealth(folder);
  const panel = { panel: "q.example", sinceMs: Date.now(), failures: 3, probes: 0 };
  health.setPanels([panel], { now: true });
  const { agent } = await check(configIn(folder), {}, ["agent"]);
  assertEquals(agent?.status, "skipped");
  assertStringIncludes(agent?.text ?? "", "reports to q.example");
});

const HEALTH = healthOf();

function foundOf(
  state: ServiceState | undefined,
  more: Partial<FoundService> = {},
): FoundService {
  return {
    ...{
      record: undefined,
      state,
      recordError: "",
      unit: state && unitOf({}),
      detail: "",
      readConfig: undefined,
      runtimeFolder: "/run/x",
      programVersion: "1.2.3",
    },
    scope: "system",
    install: INSTALL,
    ...more,
  };
}

Deno.test("serviceResult() says of a service whether it runs, starts at boot, and why it ended", () => {
  const runs = "x (systemd) is running, and starts at boot";
  const error = { lastError: "Cannot report" };
  const table: [
    change: Partial<ServiceState> | undefined,
    health: Health | undefined,
    status: string,
    text: string,
    advice: string | undefined,
  ][] = [
    [
      undefined,
      undefined,
      "skipped",
      "not installed as a service",
      "`install` starts it at every boot",
    ],
    [{}, HEALTH, "ok", runs, undefined],
    [
      { isUnconfigured: true, isActive: false },
      undefined,
      "failed",
      "x is installed and not configured: it knows no panel",
      `name the panel: ${INSTALL} -e URL --token-file -`,
    ],
    [
      { isEnabled: false },
      HEALTH,
      "warning",
      "x (systemd) is running, and does not start at boot",
      "start it at boot: systemctl enable x",
    ],
    [{ updates: "waiting" }, HEALTH, "ok", runs, undefined],
    [
      { updates: "failed" },
      HEALTH,
      "warning",
      `${runs}; its last update job failed`,
      "see more in its log: journalctl -u x-update -n 20",
    ],
    [
      { updates: "failed", updatesError: "Version 2 did not report: 1 is installed again" },
      HEALTH,
      "warning",
      `${runs}; its last update job failed: Version 2 did not report: 1 is installed again`,
      "see more in its log: journalctl -u x-update -n 20",
    ],
    [
      { updates: "failed", updatesError: "Cannot look for a release" },
      HEALTH,
      "warning",
      `${runs}; its last update job failed: Cannot look for a release`,
      "repair that, and have it look again: systemctl start x-update",
    ],
    [
      { updates: "stopped" },
      HEALTH,
      "warning",
      `${runs}; the timer of its updates is not running`,
      "have it look for updates: systemctl enable --now x-update.timer",
    ],
    [
      {},
      undefined,
      "failed",
      `${runs}, but no agent of it is seen`,
      "it was started a moment ago, or ends again and again: journalctl -u x -f",
    ],
    [
      error,
      undefined,
      "failed",
      `${runs}, but no agent of it is seen; the last error in its log: Cannot report`,
      "repair that, and then: systemctl start x; its log: journalctl -u x -f",
    ],
    [error, HEALTH, "ok", runs, undefined],
    [
      { isActive: false, isEnabled: false },
      undefined,
      "failed",
      "x (systemd) is not running, and does not start at boot: it was stopped",
      "start it: systemctl start x",
    ],
    [
      { isActive: false, ...error },
      HEALTH,
      "failed",
      "x (systemd) is not running, and starts at boot; the last error in its log: Cannot report",
      "repair that, and then: systemctl start x; its log: journalctl -u x -f",
    ],
  ];
  for (const [change, health, status, text, advice] of table) {
    const found = serviceResult(foundOf(change && { ...SERVICE, ...change }), health);
    assertEquals([found.status, found.text, found.advice], [status, text, advice]);
  }
});

const UNIT = "/etc/systemd/system/x.service";
const DROP_IN = `${UNIT}.d/planted.conf`;

/** A unit with settings of a drop-in, or of `file`; what is in its own by the name of one is as `install` writes it. */
function unitOf(
  properties: Readonly<Record<string, string>>,
  settings: Readonly<Record<string, string>> = {},
  file = DROP_IN,
): FoundUnit {
  const shown: Readonly<Record<string, string>> = { LoadState: "loaded", ...properties };
  return {
    name: "x.service",
    property: (name) => shown[name] ?? "",
    settings: Object.entries(settings).map(([name, value]) => ({
      ...{ name, value, file },
      isOurs: shown.FragmentPath === DROP_IN,
    })),
    install: INSTALL,
  };
}

/** What differs from a usual service: its unit, a drop-in's settings, its state and its agent. */
interface Given extends Partial<FoundService> {
  readonly properties?: Readonly<Record<string, string>>;
  readonly settings?: Readonly<Record<string, string>>;
  readonly change?: Partial<ServiceState>;
  /** Where it is seen, the service runs, unless `change` says otherwise. */
  readonly health?: Health;
}

/** What is found of a service; without more, of one that does not run. */
function said({ properties = {}, settings = {}, change, health, ...more }: Given) {
  const state = { ...SERVICE, isActive: health !== undefined, ...change };
  return serviceResult(foundOf(state, { unit: unitOf(properties, settings), ...more }), health);
}

function exited(status: string): Record<string, string> {
  return { Result: "exit-code", ExecMainCode: "1", ExecMainStatus: status };
}

function killed(signal: string): Record<string, string> {
  return { Result: "signal", ExecMainCode: "2", ExecMainStatus: signal };
}

Deno.test("serviceResult() says that a service ends again and again, and not that it is running", () => {
  using _ = replaced(Deno, { osUptime: () => 1_000 });
  const of = (startedAtMs: number, more: Readonly<Record<string, string>> = {}) => {
    const properties = {
      ...{ ActiveState: "active", NRestarts: "4", ExecMainCode: "1", ExecMainStatus: "133" },
      ...{ ActiveEnterTimestampMonotonic: String(startedAtMs * 1_000), ...more },
    };
    return said({ properties, settings: { LimitAS: "9M" }, change: { isActive: true } }).text;
  };
  assertEquals(
    of(990_000),
    "x (systemd) ends again and again, and systemd has started it again 4 times: its runtime " +
      `ended with code 133 (LimitAS=9M in ${DROP_IN})`,
  );
  const unset = of(990_000, { ExecMainStatus: "226" });
  assertStringIncludes(unset, "x (systemd) does not start, and systemd has tried it again 4 times");
  assertStringIncludes(of(500_000), "x (systemd) is running", "that was long ago");
  assertStringIncludes(of(990_000, { NRestarts: "1" }), "x (systemd) is running");
});

Deno.test("serviceResult() warns of a program that another user may change", () => {
  const record = { ...packagedRecord(), program: "/opt/x/agent", user: "root" };
  const of = (uid: number) => {
    using _ = replaced(Deno, { statSync: () => ({ uid }) as Deno.FileInfo });
    return said({ health: HEALTH, record });
  };
  const found = of(4321);
  assertStringIncludes(
    found.text,
    "program /opt/x/agent belongs to another user (id 4321), who may",
  );
  assertEquals([found.status, found.advice], ["warning", "give it back: chown -R root: /opt/x"]);
  assertEquals(of(0).status, "ok");
});

Deno.test("serviceResult() knows by the log what ends a service that systemd starts at this moment", () => {
  const properties = { ActiveState: "activating", SubState: "auto-restart", NRestarts: "3" };
  const of = (lastResult: string) =>
    said({ properties, settings: { RuntimeMaxSec: "4" }, change: { lastResult } });
  const found = of("timeout");
  assertStringIncludes(found.text, `: systemd has ended it (RuntimeMaxSec=4 in ${DROP_IN})`);
  assertStringIncludes(found.advice ?? "", "correct that setting, or remove it");
  assertStringIncludes(of("exit-code").text, ": it ended by itself");
});

onLinux.test("serviceResult() knows by the log which step has failed of a start that is made anew", () => {
  using temp = new TempFolder();
  const program = `${temp.path}/program`;
  Deno.writeTextFileSync(program, "#!/bin/sh\n", { mode: 0o755 });
  const gone = "/opt/gone/program";
  const starting = {
    ...{ ActiveState: "active", SubState: "running", NRestarts: "3", FragmentPath: UNIT },
    User: "u",
  };
  const of = (
    path: string,
    reason: string,
    installed = program,
    file = UNIT,
    started = path,
  ) => {
    const change = {
      isActive: true,
      lastError: `x.service: Failed to locate executable ${started}: ${reason}`,
      lastStep: "EXEC",
    };
    const unit = { ...unitOf(starting, { ExecStart: path }, file), program: installed };
    return said({ change, unit });
  };
  const missing = "No such file or directory";
  const moved = of(gone, missing);
  assertStringIncludes(
    moved.text,
    `(203/EXEC): Failed to locate executable ${gone}: ${missing}; ${gone} of ExecStart= in ${UNIT} is not ` +
      `there; the program is installed as ${program}`,
  );
  assertStringIncludes(moved.advice ?? "", `name ${program} in ExecStart= of ${UNIT}, and then: `);
  assertStringIncludes(
    moved.advice ?? "",
    `or have the unit written anew: ${INSTALL}`,
  );
  const both = of(gone, missing, "/opt/gone/other");
  assertStringIncludes(both.text, "and neither is the installed /opt/gone/other");
  assertStringIncludes(both.causes?.[0] ?? "", "put the program there again: ");
  Deno.chmodSync(program, 0o644);
  Deno.chmodSync(temp.path, 0o755);
  const closed = of(program, "Permission denied");
  assertStringIncludes(closed.text, `: not everybody may use ${program}`);
  assertStringIncludes(closed.advice ?? "", `chmod a+rx ${program} && systemctl`);
  Deno.writeTextFileSync(program, "#!/opt/gone/sh\n");
  Deno.chmodSync(program, 0o755);
  const interpreted = of(program, missing);
  assertStringIncludes(interpreted.text, "it is there, and /opt/gone/sh, which runs it, is not");
  const repaired = of(program, missing, program, DROP_IN, gone);
  assertStringIncludes(repaired.text, `; its unit has ${program} by now`);
  assertStringIncludes(
    repaired.advice ?? "",
    "have systemd read that: systemctl daemon-reload && ",
  );
  // The words of the program itself are of another start.
  const own = said({
    properties: starting,
    change: { isActive: true, lastError: "Cannot report", lastStep: "EXEC" },
  });
  assertEquals(own.text.includes("203/EXEC"), false);
});

Deno.test("serviceResult() warns of a service that is root's against its installation", () => {
  const record = { ...packagedRecord(), user: "u" };
  const of = (properties: Record<string, string>, settings: Record<string, string>) =>
    said({ properties: { FragmentPath: UNIT, ...properties }, settings, record, health: HEALTH });
  const set = of({ User: "root" }, { User: "root" });
  const words = "it runs as root, and was installed to run as u: ";
  assertStringIncludes(set.text, `${words}User=root in ${DROP_IN}`);
  assertStringIncludes(set.advice ?? "", "correct that setting, or remove it, and then: ");
  assertStringIncludes(of({}, {}).text, `${words}there is no User= in ${UNIT}`);
  assertEquals(of({ User: "u" }, {}).status, "ok");
  assertEquals(of({ User: "other" }, { User: "other" }).status, "ok");
  const own = said({
    properties: { User: "root" },
    record: { ...record, user: "root" },
    health: HEALTH,
  });
  assertEquals(own.status, "ok");
});

Deno.test("serviceResult() tells of variables that a file exports, which systemd does not set", () => {
  using temp = new TempFolder();
  const file = `${temp.path}/environment`;
  Deno.writeTextFileSync(file, "A=b\nexport AGENT_TOKEN=s3cret\n");
  const of = (value: string) => said({ settings: { EnvironmentFile: value }, health: HEALTH });
  const found = of(`-${file}`);
  assertEquals(found.status, "warning");
  const words = `systemd leaves out what is wrong: ${file}:2: no "export" before AGENT_TOKEN`;
  assertStringIncludes(found.text, words);
  assertEquals(found.text.includes("s3cret"), false);
  assertStringIncludes(found.advice ?? "", "correct that, or remove it, and then: systemctl");
  Deno.writeTextFileSync(file, "A=export\n");
  assertEquals(of(file).status, "ok");
});

onLinux.test("serviceResult() says that the runtime is there again that a service missed", () => {
  const of = (deno: string) =>
    said({
      change: {
        lastError: `Cannot run x: this needs Deno; ${deno} is not there, or not for this user`,
      },
    });
  const again = of("/bin/sh");
  assertStringIncludes(again.text, "; that is repaired by now");
  assertEquals(again.advice, "start it: systemctl start x");
  assertEquals(of("/opt/gone/deno").text.includes("repaired"), false);
});

Deno.test("serviceResult() tells what systemd has not read of a unit, whatever else is found", () => {
  const setting = { name: "Environment", value: "AGENT_TOKEN=s3cret A=b", file: DROP_IN };
  const unit = { ...unitOf({}), unread: [setting] };
  const told = `systemd has not read ${DROP_IN} (AGENT_TOKEN, A) yet`;
  const reload = "systemctl daemon-reload && systemctl restart x.service";
  const well = said({ unit, health: HEALTH });
  assertEquals([well.status, well.advice], ["warning", reload]);
  assertEquals(well.text, `x (systemd) is running, and starts at boot; ${told}`);
  const late = said({ unit, health: HEALTH, change: { isEnabled: false } });
  assertStringIncludes(late.text, told);
  assertEquals(late.causes?.[1], `have systemd read them: ${reload}`);
  const masked = { ...unitOf({ LoadState: "masked" }), unread: [setting] };
  assertEquals(said({ unit: masked }).text.includes("not read"), false);
});

Deno.test("serviceResult() knows the failed step also before the log has its error", () => {
  using _ = replaced(Deno, { osUptime: () => 1_000 });
  const properties = {
    ...{ ActiveState: "active", SubState: "running", NRestarts: "3", MainPID: "1", User: "u" },
    ActiveEnterTimestampMonotonic: String(999_000 * 1_000),
  };
  const of = (lastStep: string) =>
    said({ properties, settings: { User: "u" }, change: { isActive: true, lastStep } }).text;
  assertStringIncludes(of("USER"), `(217/USER): there is no user u (User=u in ${DROP_IN})`);
  assertStringIncludes(of("FAILURE"), "its health file /run/x/health is not there");
  const lastDeath = "its process was ended by SIGXFSZ";
  const killed = (settings: Record<string, string>) =>
    said({ properties, settings, change: { isActive: true, lastStep: "XFSZ", lastDeath } });
  const limited = killed({ LimitFSIZE: "4096" });
  assertStringIncludes(limited.text, `before, ${lastDeath} (LimitFSIZE=4096 in ${DROP_IN})`);
  assertStringIncludes(killed({ PrivateTmp: "yes" }).text, `writes: PrivateTmp (${DROP_IN})`);
});

Deno.test("serviceResult() takes no limit for the cause that is wide enough", () => {
  const table: [setting: Record<string, string>, isCause: boolean][] = [
    [{ MemoryMax: "30M" }, true],
    [{ MemoryMax: "2G" }, false],
    [{ MemoryMax: "5%" }, true],
    [{ LimitNPROC: "4:8" }, true],
    [{ LimitNPROC: "65535" }, false],
    [{ TasksMax: "infinity" }, false],
  ];
  for (const [settings, isCause] of table) {
    const { text } = said({ properties: exited("133"), settings });
    assertEquals(text.includes(DROP_IN), isCause, text);
  }
});

Deno.test("serviceResult() names the setting by which a service does not run", () => {
  const [correct, raise] = ["correct that setting", "raise that limit, or remove it"];
  const stopping = { Job: "7", ActiveState: "deactivating", SubState: "stop" };
  const dumped = { ...killed("11"), Result: "core-dump", ExecMainCode: "3" };
  const table: [Record<string, string>, setting: string, text: string, advice: string][] = [
    [{ Job: "7", SubState: "start-pre" }, "ExecStartPre=/bin/sleep 30", "(start-pre)", correct],
    [{ ...exited("217"), User: "u" }, "User=u", "there is no user u", correct],
    [exited("200"), "WorkingDirectory=/nothing", "(200/CHDIR)", correct],
    [{ Result: "timeout" }, "RuntimeMaxSec=2", "has ended it (Result=timeout)", correct],
    [stopping, "ExecStop=/bin/sleep 60", "systemd is still stopping it (stop)", correct],
    [killed("5"), "MemoryDenyWriteExecute=yes", "ended by SIGTRAP", correct],
    [exited("1"), "LimitAS=9M", "ended with code 1", raise],
    [{ Result: "oom-kill" }, "MemoryMax=9M", "(Result=oom-kill)", raise],
    [killed("25"), "LimitFSIZE=1", "ended by SIGXFSZ", raise],
    [dumped, "LimitSTACK=1", "ended by SIGSEGV", raise],
  ];
  for (const [properties, setting, text, advice] of table) {
    const [name = "", value = ""] = setting.split("=");
    const found = said({ properties, settings: { [name]: value } });
    assertStringIncludes(found.text, `${text} (${setting} in ${DROP_IN})`);
    assertStringIncludes(found.advice ?? "", advice, setting);
  }
});

Deno.test("serviceResult() names what was changed by hand in the unit's own file", () => {
  using folder = new TempFolder();
  const there = `${folder.path}/config.json`;
  Deno.writeTextFileSync(there, "{}");
  const gone = `${folder.path}/config.jsno`;
  const of = (
    settings: Record<string, string>,
    properties: Record<string, string> = {},
    more: Partial<FoundService> & { lastError?: string; health?: Health } = {},
  ) => {
    const unit = unitOf({ FragmentPath: UNIT, ...properties }, settings, UNIT);
    const { lastError = "", health, ...rest } = more;
    const state = { ...SERVICE, isActive: health !== undefined, lastError };
    const { text, advice } = serviceResult(foundOf(state, { unit, ...rest }), health);
    return `${text} → ${advice}`;
  };
  const anew =
    "and then: systemctl daemon-reload && systemctl restart x.service; or have the unit " +
    `written anew: ${INSTALL}`;
  const start = `→ correct ExecStart= in ${UNIT}, ${anew}`;
  const errors = [
    `Cannot read --config ${gone}: no such file`,
    "Cannot use flag --confg: there is none of that name",
    'Cannot use "0" for flag --interval: allowed is a number',
    'Cannot use command "3": there is none of that name',
    "Cannot report without --token TOKEN",
  ];
  for (const lastError of errors) {
    const found = of({ ExecStart: `/bin/sh --config ${there} x` }, exited("2"), { lastError });
    assertStringIncludes(found, start);
    assertEquals(found.includes("; did you mean config.json?"), lastError.includes("jsno"));
  }
  const settings = `→ correct that setting, ${anew}`;
  assertStringIncludes(of({ User: "u" }, { ...exited("217"), User: "u" }), settings);
  assertStringIncludes(of({ WorkingDirectory: "/nothing" }, exited("200")), settings);
  assertStringIncludes(of({ ExecStart: `${gone} -x` }, exited("203")), start);
  // What the next start would lack.
  const [correct, seen] = [`→ correct it, ${anew}`, { health: HEALTH }];
  const missing: [Record<string, string>, text: string, advice: string][] = [
    [{ ExecStart: `/bin/sh --config ${gone}` }, `${gone} of ExecStart= in ${UNIT}`, correct],
    [{ ExecStart: gone }, `${gone} of ExecStart= in ${UNIT}`, start],
    [{ EnvironmentFile: gone }, `EnvironmentFile=${gone} in ${UNIT}`, correct],
    [{ WorkingDirectory: gone }, `WorkingDirectory=${gone} in ${UNIT}`, correct],
  ];
  for (const [settings, text, advice] of missing) {
    const found = of(settings, { NeedDaemonReload: "yes" }, seen);
    assertStringIncludes(
      found,
      `it can't be started again: ${text} is not there; did you mean config.json?; its files have ` +
        `changed since systemd read them ${advice}`,
    );
  }
  for (const value of [`-${gone}`, "%h/x", ""]) {
    assertEquals(of({ EnvironmentFile: value }, {}, seen).includes("not there"), false, value);
  }
  const detail = `${UNIT}:7: Unknown key 'user' in section [Service], ignoring.\n` +
    `${UNIT}:8: Failed to parse RestartSec= value, ignoring: s3cret\n` +
    `${UNIT}:9: Failed to resolve specifiers in AGENT_TOKEN=s3cret%zz, ignoring\n`;
  const left = of({ user: "x" }, {}, { ...seen, detail });
  const words = `${UNIT}:7: Unknown key 'user' in section [Service], ignoring; ${UNIT}:8: Failed`;
  assertStringIncludes(left, `; systemd leaves out what is wrong: ${words}`);
  assertStringIncludes(left, `→ correct that, ${anew}`);
  assertStringIncludes(left, `${UNIT}:9: Failed to resolve specifiers in AGENT_TOKEN=… ignoring`);
  assert(!left.includes("s3cret"));
});

Deno.test("serviceResult() says in systemd's words why a service does not run", () => {
  const table: [
    properties: Record<string, string>,
    settings: Record<string, string>,
    text: string,
    advice: string,
    count?: number,
  ][] = [
    [
      { LoadState: "masked" },
      {},
      "it is masked",
      `${SUDO}systemctl unmask x.service && ${SUDO}systemctl start x`,
    ],
    [
      { LoadState: "masked", FragmentPath: "/etc/systemd/system/x.service" },
      {},
      "it is masked",
      `${SUDO}systemctl unmask x.service && ${INSTALL}`,
    ],
    [{ LoadState: "not-found" }, {}, "systemd finds no unit", INSTALL],
    [{ LoadState: "bad-setting" }, {}, "by now finds no fault", "have systemd read it again"],
    [{ Job: "7" }, {}, "its start is queued (job 7)", "systemctl list-jobs --after"],
    [
      { ...exited("3"), Job: "7", SubState: "auto-restart", NRestarts: "4" },
      {},
      "it exited with code 3",
      "read its log",
    ],
    [{ ...exited("3"), Job: "7", NRestarts: "4" }, {}, "it exited with code 3", "read its log"],
    [
      { Job: "7", SubState: "start" },
      {},
      "still starting it (start)",
      "systemctl status x.service",
    ],
    [
      { ConditionResult: "no", ConditionTimestampMonotonic: "7", ExecMainStatus: "0" },
      {},
      "a condition of its unit",
      "Condition…=",
    ],
    [
      { ConditionResult: "no", ConditionTimestampMonotonic: "0", ExecMainStatus: "0" },
      {},
      "nothing has started it since",
      "start it: systemctl start x",
    ],
    [{ ...exited("217"), User: "u" }, {}, "(217/USER): there is no user u", "make the user again"],
    [
      { ...exited("203"), FragmentPath: DROP_IN },
      { ExecStart: "/opt/x/y --config z" },
      "(203/EXEC); /opt/x/y is not there",
      `put the program there again: ${INSTALL}`,
    ],
    [
      exited("203"),
      { ExecStart: "-/opt/x/y -t s3cret" },
      `(203/EXEC); /opt/x/y of ExecStart= in ${DROP_IN} is not there`,
      `correct ExecStart= in ${DROP_IN}, or remove it, and then: systemctl daemon-reload`,
    ],
    [exited("203"), { ExecStart: "/bin/sh" }, "(203/EXEC) (/bin/sh)", "correct ExecStart= in"],
    [
      exited("203"),
      { ExecStart: "/bin/sh", LimitNPROC: "1" },
      `(203/EXEC) (/bin/sh) (LimitNPROC=1 in ${DROP_IN})`,
      "raise that limit, or remove it",
    ],
    [exited("226"), {}, "(226/NAMESPACE)", "which setting it names"],
    [
      { ...exited("238"), FragmentPath: DROP_IN },
      { StateDirectory: "x" },
      "(238/STATE_DIRECTORY)",
      "namei -l /var/lib/x",
      2,
    ],
    [
      exited("203"),
      { RootDirectory: "/srv", ExecStart: "/bin/sh" },
      `(RootDirectory=/srv in ${DROP_IN})`,
      "correct that setting",
    ],
    [{ Result: "timeout" }, {}, "(Result=timeout)", "its log: journalctl"],
    [exited("3"), {}, "it exited with code 3", "read its log"],
    [
      { Job: "7", ActiveState: "deactivating", SubState: "stop" },
      {},
      "systemd is still stopping it (stop)",
      "see how far it is: systemctl status x.service",
    ],
    [{ SubState: "auto-restart" }, {}, "it ended by itself", "read its log"],
    [
      exited("3"),
      { Environment: "A=secret B=2", CPUQuota: "1000%", Nice: "5", PrivateTmp: "yes" },
      "; the unit has more than `install` writes: A, B " +
      `(${DROP_IN}), PrivateTmp (${DROP_IN})`,
      `see whether it starts without ${DROP_IN}: mv ${DROP_IN} ${DROP_IN}.off && systemctl`,
      2,
    ],
    [
      { ActiveState: "inactive", SubState: "dead", Result: "success", NRestarts: "2" },
      {},
      "it was stopped",
      "start it: systemctl start x",
    ],
    [
      { SubState: "auto-restart", ExecMainCode: "1", ExecMainStatus: "0", NRestarts: "2" },
      { ExecStart: "/bin/true" },
      "ends again and again, and systemd has started it again 2 times: it ended by itself",
      `correct ExecStart= in ${DROP_IN}, or remove it`,
      2,
    ],
    [exited("233"), {}, "(233/RUNTIME_DIRECTORY)", "which setting it names"],
    [exited("1"), { LimitAS: "infinity" }, "it exited with code 1", "read its log"],
    [{ Result: "oom-kill" }, {}, "memory was used up", "free -m"],
    [killed("5"), { MemoryDenyWriteExecute: "no" }, "ended by SIGTRAP", "see what it said last"],
    [killed("6"), { LimitAS: "1", LimitNPROC: "2" }, "ended by SIGABRT", "remove LimitAS=1", 2],
    [killed("9"), {}, "ended by SIGKILL", "grep -i -e oom", 2],
    [killed("34"), {}, "ended by signal 34", "journalctl -u x.service"],
    [
      { Result: "resources" },
      { EnvironmentFile: "/no/such/file" },
      "systemd gave up (Result=resources): there is no environment file /no/such/file",
      `write it, or remove EnvironmentFile=/no/such/file in ${DROP_IN}`,
    ],
    [
      { Result: "resources" },
      { EnvironmentFile: "-/no/such" },
      "(Result=resources)",
      "its log:",
      2,
    ],
    [
      {
        ...killed("15"),
        ExecStartPost: "{ path=/bin/no ; ignore_errors=no ; pid=7 ; code=exited ; status=1 }",
      },
      { ExecStartPost: "/bin/no" },
      `/bin/no of ExecStartPost= in ${DROP_IN} ended with code 1`,
      "repair it, or remove it there",
    ],
    [
      {
        Result: "exit-code",
        ExecStartPre: [["/bin/true", "no", 0], ["/bin/no", "yes", 2], ["/bin/false", "no", 3]]
          .map(([path, ignores, status]) =>
            `{ path=${path} ; argv[]=${path} ; ignore_errors=${ignores} ; start_time=[n/a] ; ` +
            `stop_time=[n/a] ; pid=7 ; code=exited ; status=${status} }`
          ).join("\n"),
      },
      { ExecStartPre: "/bin/false x" },
      `/bin/false of ExecStartPre= in ${DROP_IN} ended with code 3`,
      "repair it, or remove it there",
    ],
    [
      {
        Result: "timeout",
        ExecStartPre: "{ path=/bin/sleep ; argv[]=/bin/sleep 30 ; ignore_errors=no ; " +
          "start_time=[n/a] ; stop_time=[n/a] ; pid=7 ; code=killed ; status=15/TERM }",
      },
      { ExecStartPre: "/bin/sleep 30" },
      `/bin/sleep of ExecStartPre= in ${DROP_IN} did not end in time (TimeoutStartSec=)`,
      "repair it, or remove it there",
    ],
    [{ Result: "start-limit-hit" }, {}, "(Result=start-limit-hit)", "its log: journalctl -u x -f"],
  ];
  for (const [properties, settings, text, advice, count = 1] of table) {
    const found = said({ properties, settings });
    assertStringIncludes(found.text, text);
    assertStringIncludes(adviceText(found), advice, text);
    assertEquals(found.causes?.length ?? 1, count, text);
  }
  const hidden = said({ properties: exited("3"), change: { isLogHidden: true } });
  assertStringIncludes(hidden.text, "with code 3, and its log is not for this user");
  // Whatever else limits it, no runtime that compiles its program can start with that.
  const limits = { LimitNPROC: "200", MemoryMax: "512M", MemoryDenyWriteExecute: "yes" };
  const never = said({ properties: exited("1"), settings: limits });
  assertStringIncludes(never.text, `with code 1 (MemoryDenyWriteExecute=yes in ${DROP_IN})`);
  for (const isActive of [true, false]) {
    const change = { isActive, lastError: "sh: Cannot fork" };
    const forked = said({ settings: { LimitNPROC: "1" }, change });
    assertStringIncludes(forked.text, `its runtime ended by itself (LimitNPROC=1 in ${DROP_IN})`);
    const { text } = said({ change });
    assertStringIncludes(text, "its runtime ended by itself, and said: sh: Cannot fork");
  }
  const older = said({ programVersion: "1.1.0", health: HEALTH });
  const versions = "of version 1.2.3, and its program on the disk of version 1.1.0";
  assertStringIncludes(older.text, versions);
  assertEquals([older.status, older.causes?.length], ["warning", 2]);
  const detail = "7 x.service start waiting\n5 slow.service start running\n";
  const found = said({ properties: { Job: "7" }, detail });
  assertStringIncludes(found.text, "while systemd still starts slow.service");
  assertStringIncludes(adviceText(found), "systemctl status slow.service");
});

/** The head of a program for a kind of processor. */
function elfOf(machine: number): Uint8Array {
  const head = new Uint8Array(64);
  head.set([0x7f, 0x45, 0x4c, 0x46]);
  head[18] = machine;
  return head;
}

onLinux.test("serviceResult() looks why the installed program can't be started", () => {
  using temp = new TempFolder();
  const folder = temp.path;
  Deno.chmodSync(folder, 0o755);
  const program = `${folder}/program`;
  Deno.writeTextFileSync(program, "#!/bin/sh\n");
  const properties = {
    ...{ Result: "exit-code", ExecMainCode: "1", ExecMainStatus: "203" },
    ...{ FragmentPath: DROP_IN, User: "u" },
  };
  const found = (path: string) => {
    const unit = unitOf(properties, { ExecStart: path });
    const state = { ...SERVICE, isActive: false, lastError: "Failed: Permission denied" };
    const { text, advice } = serviceResult(foundOf(state, { unit }), undefined);
    return [text.slice(text.indexOf("denied (") + 7), advice];
  };
  const restarted = "systemctl restart x.service";
  const because = (lastError: string) => {
    const unit = unitOf(properties, { ExecStart: program });
    return serviceResult(
      foundOf({ ...SERVICE, isActive: false, lastError }, { unit }),
      undefined,
    );
  };
  const damaged = because("Failed to execute: Exec format error");
  assertStringIncludes(damaged.advice ?? "", "it is damaged, or for other machines: put");
  const defects: [content: Uint8Array, words: string][] = [
    [new Uint8Array(), "it is empty"],
    [new TextEncoder().encode("<html>"), "it is no program"],
    [new TextEncoder().encode("#!/bin/sh\r\n"), "its lines end as on Windows (CR LF)"],
    [elfOf(8), "it is for another kind of processor"],
  ];
  for (const [content, words] of defects) {
    Deno.writeFileSync(program, content);
    const { text, advice } = because("");
    assertStringIncludes(text, `(${program}): ${words}`);
    assertStringIncludes(advice ?? "", `put the program there again: ${SUDO}komari-agent-deno`);
  }
  assertEquals(programDefect(Deno.execPath()), undefined);
  Deno.writeTextFileSync(program, "#!/bin/sh\n");
  const unrun = because("Failed to execute: No such file or directory");
  assertStringIncludes(unrun.text, "it is there, and what runs it is not");
  Deno.chmodSync(program, 0o644);
  assertEquals(found(program), [
    `(${program}): not everybody may use ${program}`,
    `let everybody use it: chmod a+rx ${program} && ${restarted}`,
  ]);
  Deno.chmodSync(program, 0o755);
  assertEquals(found(program), [
    `(${program})`,
    `see what hinders its user on the way to it: namei -l ${program}`,
  ]);
  Deno.chmodSync(folder, 0o700);
  const expected = `let everybody use it: chmod a+rx ${folder} && ${restarted}`;
  assertEquals(found(`"${program}" --config x`)[1], expected);
});

Deno.test("serviceResult() names the drop-in that takes a path from the service", () => {
  const lastError = "Cannot read --config /etc/x/config.json: permission denied";
  const found = (value: string, properties = {}, isActive = false) =>
    said({ properties, settings: { InaccessiblePaths: value }, change: { isActive, lastError } });
  const hidden = found("/usr/bin/y -/etc/x");
  assertStringIncludes(hidden.text, `denied (InaccessiblePaths=/usr/bin/y -/etc/x in ${DROP_IN})`);
  assertStringIncludes(hidden.advice ?? "", "correct that setting");
  for (const value of ["/etc/x/config", "/etc/y", "", "-"]) {
    assertStringIncludes(found(value).text, `; the last error in its log: ${lastError}`, value);
  }
  const unseen = found("/etc/x", { NRestarts: "3" }, true);
  assertStringIncludes(unseen.text, `, but ${lastError} (InaccessiblePaths=/etc/x in`);
  const procfs = said({
    ...{ settings: { ProcSubset: "pid" } },
    change: { lastError: "Cannot read /proc/stat: no such file" },
  });
  assertStringIncludes(procfs.text, `no such file (ProcSubset=pid in ${DROP_IN})`);
  const own = found("/etc/x", { FragmentPath: DROP_IN });
  assertStringIncludes(own.text, `; the last error in its log: ${lastError}`);
});

Deno.test("mountWith() takes the mount that lies above the others at the nearest folder", () => {
  const mountinfo = [
    "21 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw",
    "22 21 8:2 / /opt rw - ext4 /dev/sda2 rw",
    "23 21 8:3 / /opt rw,noexec,nosuid - ext4 /dev/sda3 rw",
    "24 23 8:4 / /opt/x rw,nosuid - ext4 /dev/sda4 ro",
    "",
  ].join("\n");
  assertEquals(mountWith("noexec", "/opt/y/program", mountinfo), "/opt");
  for (const path of ["/opt/x/program", "/optional/program", "/program"]) {
    assertEquals(mountWith("noexec", path, mountinfo), undefined);
  }
  assertEquals(mountWith("noexec", "/program", ""), undefined);
  assertEquals(mountWith("ro", "/opt/x/state", mountinfo), "/opt/x", "after an error of its disk");
});

Deno.test("serviceResult() has a service enabled that was not started since the boot", () => {
  const properties = { ConditionResult: "no", ConditionTimestampMonotonic: "0" };
  const { advice } = said({ properties, change: { isEnabled: false } });
  assertEquals(advice, "start it, now and at boot: systemctl enable x --now");
});

Deno.test("serviceResult() claims nothing of a service while systemctl does not answer", () => {
  const silent = foundOf({ ...SERVICE, isActive: false, lastError: "Cannot x" }, {
    unit: undefined,
  });
  for (const [health, status] of [[undefined, "failed"], [HEALTH, "warning"]] as const) {
    const found = serviceResult(silent, health);
    assertEquals(found.status, status);
    assertEquals(found.text, "systemctl does not answer, so nothing is known of x");
  }
  const { advice } = serviceResult({ ...silent, scope: "user" }, undefined);
  assertEquals(advice, "ask it in a login of its user, not by su or sudo -u");
  const openrc = { ...SERVICE, manager: "openrc", isActive: undefined } as const;
  const expected = "x (openrc) may run or not: openrc gives no answer";
  assertEquals(serviceResult(foundOf(openrc), HEALTH).text, expected);
  const unsure = serviceResult(foundOf({ ...SERVICE, isEnabled: undefined }), HEALTH);
  assertEquals([unsure.status, unsure.advice], ["ok", undefined]);
});

Deno.test("serviceResult() names a missing record, a health file that is gone, and a paused process", async () => {
  const path = "/etc/systemd/system/x.service";
  const unrecorded = serviceResult(
    foundOf(undefined, { unit: unitOf({ FragmentPath: path }) }),
    undefined,
  );
  assertEquals(unrecorded.text, `${path} is there, but the record of its installation is not`);
  const none = serviceResult(
    foundOf(undefined, { unit: unitOf({ LoadState: "not-found" }) }),
    undefined,
  );
  assertEquals(none.status, "skipped");
  const child = new Deno.Command("sleep", { args: ["60"] }).spawn();
  try {
    const of = () =>
      serviceResult(foundOf(SERVICE, { unit: unitOf({ MainPID: String(child.pid) }) }), undefined);
    const gone = of();
    const words = `process ${child.pid}, and its health file /run/x/health is not`;
    assertStringIncludes(gone.text, words);
    const ofFile = (look: () => Deno.FileInfo) => {
      using _file = replaced(Deno, { lstatSync: look });
      return of();
    };
    const uids = [997, 65_534, 997, 997].map((uid) => ({ uid }) as Deno.FileInfo).values();
    const next = () => uids.next().value ?? ({} as Deno.FileInfo);
    const foreign = ofFile(next);
    assertStringIncludes(foreign.text, "health belongs to another user than /run/x, so that");
    assertStringIncludes(foreign.advice ?? "", "ls -ld /run/x /run/x/health");
    assertStringIncludes(ofFile(next).text, "its health file /run/x/health says nothing of it");
    const closed = ofFile(() => {
      throw new Deno.errors.PermissionDenied();
    });
    assertStringIncludes(closed.text, "its health file /run/x/health is not for this user");
    assertEquals(closed.advice, "run it as root (sudo)");
    const unit = unitOf({ MainPID: String(child.pid) }, { RuntimeDirectory: "" });
    const emptied = serviceResult(foundOf(SERVICE, { unit }), undefined);
    const shown = emptied.advice ?? "";
    assertStringIncludes(shown, `remove RuntimeDirectory= in ${DROP_IN}, and then: `);
    const properties = { MainPID: String(child.pid), FragmentPath: UNIT };
    const without = unitOf(properties, { ExecStart: "/bin/sh" }, UNIT);
    const removed = serviceResult(foundOf(SERVICE, { unit: without }), undefined);
    assertStringIncludes(removed.text, `; ${UNIT} has no RuntimeDirectory= by now`);
    assertStringIncludes(removed.advice ?? "", `have the unit written anew: ${SUDO}komari-agent`);
    child.kill("SIGSTOP");
    await stopped(child.pid);
    assertEquals(of().advice, `let it go on: kill -CONT ${child.pid}`);
    const silent = { ...HEALTH, pid: child.pid, acceptedAtMs: 1 };
    const agent = agentResult(configOf(["doctor"]), silent, { logHint: "journalctl -u x -f" });
    assertEquals(agent.advice, `let it go on: kill -CONT ${child.pid}`);
  } finally {
    child.kill("SIGKILL");
    await child.status;
  }
});

onLinux.test("agentResult() warns of an agent that has its token on the command line", async () => {
  const cases: [string[], boolean][] = [
    [["-t", "s3cret"], true],
    [["-ts3cret"], true],
    [["--token=s3cret"], true],
    [["--token", "s3cret"], true],
    [["--token-file", "FILE"], false],
    [["--token-in", "header"], false],
    [["--trace", "-e", "https://h/-t"], false],
  ];
  for (const [args, isSeen] of cases) {
    const child = new Deno.Command("sh", { args: ["-c", "sleep 100; :", "sh", ...args] }).spawn();
    try {
      // It is empty until the program runs.
      while (Deno.readTextFileSync(`/proc/${child.pid}/cmdline`) === "") await realTurn();
      const health = { ...HEALTH, pid: child.pid, acceptedAtMs: Date.now() };
      const found = agentResult(configOf(["doctor"]), health, { logHint: undefined });
      const { status, text, kind } = found;
      assertEquals(kind, "reporting", "it is, all the same");
      assertEquals(status, isSeen ? "warning" : "ok", text);
      assertEquals(text.includes("started with -t"), isSeen);
      assert(!text.includes("s3cret"));
    } finally {
      child.kill("SIGKILL");
      await child.status;
    }
  }
});

/** Waits until the kernel shows a process as stopped. */
async function stopped(pid: number): Promise<void> {
  while (!/^State:\s+T/m.test(Deno.readTextFileSync(`/proc/${pid}/status`))) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

Deno.test("serviceResult() wants no service in the container image", async () => {
  await inContainerImage(() => {
    const { status, text, advice } = serviceResult(foundOf(undefined), undefined);
    assertEquals([status, text, advice], ["skipped", "not used in a container", undefined]);
  });
});

inFolder.test("agentResult() says since when an agent's reports are accepted, or what fails", async ({ path: folder }) => {
  using file = openHealth(folder);
  const config = configIn(folder);
  const now = Date.now();
  const agentAt = async (nowMs: number) => {
    using _ = new FakeTime({ now: nowMs });
    return (await check(config, {}, ["agent"])).agent;
  };
  const none = await agentAt(now);
  assertEquals(none?.status, "failed");
  assertEquals(none?.text.endsWith("no report was accepted yet"), true);
  assertStringIncludes(adviceText(none), "komari-agent-deno status");
  acceptAt(file, { intervalMs: 3000, atMs: now });
  const fine = await agentAt(now + 2_100);
  const text = `version 1.2.3, process ${Deno.pid}: a report was accepted 2.1 s ago`;
  assertEquals([fine?.status, fine?.text, fine?.advice], ["ok", text, undefined]);
  assertEquals((await agentAt(now + 60_000))?.status, "failed");
  file.setProblem("authorities", "no such file");
  const { advice, status } = await agentAt(now) ?? {};
  assertEquals(status, "warning");
  assertStringIncludes(advice ?? "", "openssl x509");
  file.setProblem("state", "No space left on device");
  file.setProblem("authorities", undefined);
  assertEquals((await agentAt(now))?.status, "ok", "the state has a check of its own");
  const panel = { panel: "q.example", sinceMs: now, failures: 0, probes: 0 };
  file.setPanels([panel], { now: true });
  const ofNone = configOf(["doctor", "--install-service-name", "no-such-service"], {
    RUNTIME_DIRECTORY: folder,
  });
  using _ = new FakeTime({ now });
  const { agent } = await check(ofNone, {}, ["agent"]);
  assertEquals(agent?.status, "ok", "no panel of the command line is another one");
});

inFolder.test("checkProbes() names targets that are always lost, and one that may not be probed", async ({ path: folder }) => {
  using file = openHealth(folder);
  const panel = {
    panel: "p.example",
    sinceMs: 0,
    failures: 0,
    probes: 1,
    lastMinute: 2,
    lost: 1,
  };
  const of = async (kind: "icmp" | "tcp", target: string, lost = 1) => {
    const lostTargets = [{ kind, target }];
    file.setPanels([{ ...panel, lost, alwaysLost: 1, lostTargets }], { now: true });
    const config = configIn(folder);
    const { signal } = new AbortController();
    return await checkProbes(config, runningAgent(config, {}), signal);
  };
  const own = await of("tcp", "127.0.0.1:22");
  assertEquals([own.status, own.text], [
    "warning",
    "2 in the last minute, 1 lost; always lost: 127.0.0.1:22 (tcp); Refused to probe 127.0.0.1: " +
    "127.0.0.1 is a loopback address",
  ]);
  assertStringIncludes(own.advice ?? "", "permit it: --allow-local-probes");
  const metadata = await of("icmp", "169.254.169.254");
  assertStringIncludes(metadata.advice ?? "", "remove that probe from the panel");
  const other = await of("icmp", "192.0.2.1");
  const expected = ["warning", "see whether a target answers this machine: ping -c 3 192.0.2.1"];
  assertEquals([other.status, other.causes?.[0]], expected);
  assertEquals([other.kind, own.kind], ["pings", undefined]);
  const mail = await of("tcp", "192.0.2.1:25");
  assertStringIncludes(mail.causes?.[2] ?? "", "this machine's provider lets port 25 out");
  const targets = ["127.0.0.1:22", "192.0.2.1:80", "198.51.100.7:81"];
  const lostTargets = targets.map((target) => ({ kind: "tcp", target } as const));
  file.setPanels([{ ...panel, alwaysLost: 3, lostTargets }], { now: true });
  const config = configIn(folder);
  const { causes = [] } = await checkProbes(
    config,
    runningAgent(config, {}),
    new AbortController().signal,
  );
  assertStringIncludes(causes[0] ?? "", "permit it: --allow-local-probes");
  assertStringIncludes(causes[1] ?? "", ": nc -vz 192.0.2.1 80; nc -vz 198.51.100.7 81");
  const permitting = configIn(folder, "--allow-local-probes");
  const health = runningAgent(permitting, {});
  const permitted = await checkProbes(permitting, health, new AbortController().signal);
  assertEquals(adviceText(permitted).includes("permit it"), false);
  const all = await of("tcp", "192.0.2.1:443", 2);
  assertStringIncludes(all.causes?.[0] ?? "", "nc -vz 192.0.2.1 443");
});

inFolder.test("probesResult() warns when each of the last minute is lost", async ({ path: folder }) => {
  using file = openHealth(folder);
  const panel = { panel: "p.example", sinceMs: 0, failures: 0, probes: 1 };
  const table: [
    counts: { lastMinute?: number; lost?: number }[],
    status: string,
    text: string,
  ][] = [
    [[{}], "skipped", "none ran in the last minute"],
    [[{ lastMinute: 2 }], "ok", "2 in the last minute, 0 lost"],
    [[{ lastMinute: 12, lost: 11 }], "ok", "12 in the last minute, 11 lost"],
    [
      [{ lastMinute: 12, lost: 12 }, { lastMinute: 1, lost: 0 }],
      "ok",
      "13 in the last minute, 12 lost",
    ],
    [
      [{ lastMinute: 12, lost: 12 }, { lastMinute: 1, lost: 1 }],
      "warning",
      "13 in the last minute, 13 lost",
    ],
  ];
  for (const [counts, status, text] of table) {
    file.setPanels(counts.map((it) => ({ ...panel, ...it })), { now: true });
    const { probes } = await check(configIn(folder), {}, ["probes"]);
    assertEquals([probes?.status, probes?.text], [status, text]);
  }
});

inFolder.test("runningAgent() is none that was killed", ({ path: folder }) => {
  leaveKilled(folder);
  // Another one may run on this machine.
  assertNotEquals(runningAgent(configIn(folder), {})?.pid, Deno.pid);
  using _file = openHealth(folder);
  assertEquals(runningAgent(configIn(folder), {})?.pid, Deno.pid);
});

inFolder.test("agentResult() takes an agent for this configuration's where one of the panels is", async ({ path: folder }) => {
  using file = openHealth(folder);
  const now = Date.now();
  acceptAt(file, { intervalMs: 3000, atMs: now });
  const config = configIn(folder);
  const { intervalSeconds, remoteControl, remoteFiles } = config;
  const own = { intervalSeconds, remoteControl, remoteFiles };
  const further = { ...own, endpoint: "https://q.example", token: "x" };
  const panel = { panel: "q.example", sinceMs: now, failures: 0, probes: 0 };
  file.setPanels([{ ...panel, panel: "r.example" }, panel], { now: true });
  using _ = new FakeTime({ now });
  assertEquals((await check(config, {}, ["agent"])).agent?.status, "skipped");
  const several = { ...config, furtherPanels: [further] };
  assertEquals((await check(several, {}, ["agent"])).agent?.status, "ok");
});

Deno.test("serviceResult() names what systemd says of a condition and of a line that it can't read", () => {
  const properties = {
    ...{ ConditionResult: "no", ConditionTimestampMonotonic: "7", ExecMainStatus: "0" },
  };
  const unmet = said({
    ...{ properties, settings: { ConditionPathExists: "/nothing" } },
    detail:
      "  Condition: start condition failed\n     └─ ConditionPathExists=/nothing was not met\n",
  });
  const words = `ConditionPathExists=/nothing in ${DROP_IN} is not met, so it was not started`;
  assertStringIncludes(unmet.text, words);
  assertStringIncludes(unmet.advice ?? "", "fulfil it, or remove it there, and then: systemctl");
  const asserted = said({
    properties: { ...properties, ...killed("15"), ConditionResult: "yes", AssertResult: "no" },
    detail: "             AssertPathExists=/nothing was not met\n",
  });
  assertStringIncludes(asserted.text, ": AssertPathExists=/nothing is not met");
  const path = "/etc/systemd/system/x.service.d/p.conf";
  const wrong = said({
    properties: { LoadState: "bad-setting" },
    detail: `${path}:3: Unbalanced quoting, ignoring: "/opt/x -t s3cret"\n` +
      "x.service: Service has no ExecStart\n",
  });
  assertStringIncludes(wrong.text, `(bad-setting): ${path}:3: Unbalanced quoting, ignoring`);
  assertEquals(wrong.text.includes("s3cret"), false, "a value may be a token");
  assertStringIncludes(wrong.advice ?? "", "correct that, or remove it, and then: systemctl");
  const ExecCondition = "{ path=/bin/false ; argv[]=/bin/false ; ignore_errors=no ; " +
    "start_time=[n/a] ; stop_time=[n/a] ; pid=7 ; code=exited ; status=1 }";
  const before = said({
    properties: { Result: "exec-condition", ConditionResult: "no", ExecCondition },
    settings: { ExecCondition: "/bin/false" },
  });
  assertStringIncludes(before.text, `/bin/false of ExecCondition= in ${DROP_IN} ended with code 1`);
});

Deno.test("detailCommands() ask systemd for more of what does not run, or was changed", () => {
  const of = (properties: Record<string, string>, settings = {}) =>
    detailCommands(unitOf(properties, settings), "user")
      .map((command) => toolLine(command).split(" ").slice(0, 3).join(" ")).join("; ");
  assertEquals(of({ LoadState: "bad-setting" }), "systemd-analyze --user verify");
  assertEquals(of({ Job: "7" }), "systemctl --user list-jobs");
  assertEquals(of({ ConditionResult: "no" }), "systemctl --user status");
  assertEquals(of({ AssertResult: "no" }), "systemctl --user status");
  assertEquals(of({ Job: "0", ConditionResult: "yes" }), "");
  assertEquals(of({ FragmentPath: DROP_IN }, { User: "x" }), "");
  assertEquals(
    of({ DropInPaths: DROP_IN }),
    "systemd-analyze --user verify",
    "its section may be wrong",
  );
  const changed = of({ Job: "7" }, { User: "x" });
  assertEquals(changed, "systemd-analyze --user verify; systemctl --user list-jobs");
});

Deno.test("serviceResult() says of an error what is known of it by now", () => {
  const file = "/etc/x/config.json";
  const of = (lastError: string, more: Partial<FoundService> = {}) =>
    said({ change: { lastError }, ...more });
  const typo = `Cannot use key "tokn" of ${file}: there is none of that name`;
  const repaired = of(typo, { readConfig: file });
  assertStringIncludes(repaired.text, `${typo}; that is repaired by now`);
  assertEquals(repaired.advice, "start it: systemctl start x");
  for (const readConfig of [undefined, "/etc/y/config.json"]) {
    assertEquals(of(typo, { readConfig }).text.includes("repaired by now"), false);
  }
  const shown = of("Cannot reach the panel", { readConfig: file }).text.includes("repaired by now");
  assertEquals(shown, false);
  const user = of(typo, { scope: "user", readConfig: file });
  assertEquals(user.advice, "start it: systemctl --user start x");
});

Deno.test("serviceResult() names the drop-in of a variable that can't be used", () => {
  const lastError = 'Cannot use "abc" for variable AGENT_INTERVAL: allowed is a number';
  const of = (value: string) =>
    said({ settings: { Environment: value }, change: { lastError } }).advice ?? "";
  const correct = `correct AGENT_INTERVAL in ${DROP_IN}, and then: systemctl daemon-reload`;
  assertStringIncludes(of("AGENT_INTERVAL=abc"), correct);
  assertStringIncludes(of("AGENT_TOKEN=abc"), "repair that, and then");
  using folder = new TempFolder();
  const file = `${folder.path}/agent.env`;
  Deno.writeTextFileSync(file, "AGENT_INTERVAL=abc\n");
  const ofFile = said({ settings: { EnvironmentFile: file }, change: { lastError } });
  assertStringIncludes(ofFile.advice ?? "", `correct AGENT_INTERVAL in ${file}, and then: `);
  const ofCommand = (lastError: string) => {
    const settings = { ExecStart: "/bin/sh --x", Environment: "HOST_PROC=/x" };
    return said({ settings, change: { lastError } }).advice ?? "";
  };
  const flag = ofCommand("Cannot use flag --x: there is none of that name");
  assertStringIncludes(flag, `correct ExecStart= in ${DROP_IN}, or remove it`);
  const proc = ofCommand("Cannot read /x/stat: HOST_PROC must be a Linux machine's /proc");
  assertStringIncludes(proc, `correct HOST_PROC in ${DROP_IN}`);
});

Deno.test("serviceResult() quotes the last line of a log that names no error", () => {
  const of = (settings: Record<string, string>, lastLine = "2: Pipe call failed") =>
    said({ properties: exited("2"), settings, change: { lastLine } }).text;
  const last = "it exited with code 2; the last line of its log: 2: Pipe call failed";
  assertStringIncludes(of({}), last);
  assertStringIncludes(of({}, ""), "its log does not say why");
  const settings = { SystemCallFilter: "@basic-io" };
  assertStringIncludes(of(settings), `(SystemCallFilter=@basic-io in ${DROP_IN})`);
});

Deno.test("serviceResult() says that systemd does not start it again", () => {
  const of = (ActiveState: string) => {
    const settings = { Restart: "no" };
    return said({ properties: { ...killed("9"), ...settings, ActiveState }, settings });
  };
  const left = of("failed");
  assertStringIncludes(left.text, `Restart=no in ${DROP_IN}, so systemd does not start it again`);
  assertEquals(left.causes?.at(-1), "start it: systemctl start x");
  assertEquals(of("activating").text.includes("start it again"), false);
});

Deno.test("serviceResult() names what keeps a running service from its next start", () => {
  const of = (ExecStart: string) =>
    said({ properties: { FragmentPath: DROP_IN }, settings: { ExecStart }, health: HEALTH });
  const gone = of("/no/such/program --config x");
  assertStringIncludes(gone.text, "it can't be started again: /no/such/program is not there");
  assertEquals(gone.advice, `put the program there again: ${INSTALL}`);
  assertEquals(of("/bin/sh -c x").status, "ok");
  const properties = { LoadState: "not-found" };
  const removed = said({ properties, change: { isEnabled: false }, health: HEALTH });
  assertStringIncludes(removed.text, "it can't be started again: systemd finds no unit of it");
});

Deno.test("serviceResult() says why the record of the installation can't be read", () => {
  const recordError =
    "Cannot read /etc/x/install.json: Cannot parse the installation record: manager";
  const { status, text, advice } = serviceResult(foundOf(undefined, { recordError }), HEALTH);
  assertEquals([status, text], ["failed", recordError]);
  assertEquals(
    advice,
    `remove it, and write it anew: ${SUDO}rm /etc/x/install.json && ${INSTALL}`,
  );
  const denied = foundOf(undefined, { recordError: "Cannot read /etc/x/install.json: Permission" });
  assertStringIncludes(serviceResult(denied, HEALTH).advice ?? "", "run it as root");
});

Deno.test("serviceResult() has systemd start again what was started too often", () => {
  const of = (change: Partial<ServiceState>, more: Given = {}) =>
    said({
      ...{ properties: { Result: "exit-code" }, settings: { StartLimitBurst: "3" } },
      ...{ change: { isStartLimited: true, ...change }, ...more },
    });
  const failed = of({ lastError: "Cannot report" });
  assertStringIncludes(
    failed.text,
    `Cannot report; StartLimitBurst=3 in ${DROP_IN}, so systemd does not start it again`,
  );
  const again = "systemctl reset-failed x && systemctl start x";
  assertEquals(failed.advice, `repair that, and then: ${again}; its log: journalctl -u x -f`);
  const start = "systemctl --user start x";
  const expected = `start it: systemctl --user reset-failed x && ${start}`;
  assertEquals(of({ start }, { scope: "user" }).advice, expected);
  const ended = of({}, { properties: killed("9"), settings: {} });
  const tooOften = "SIGKILL; it was started too often, so systemd does not start it";
  assertStringIncludes(ended.text, tooOften);
  assertEquals(ended.causes?.at(-1), `start it: ${again}`);
  const limited = of({}, { properties: { Result: "oom-kill" }, settings: { MemoryMax: "9M" } });
  const words = "daemon-reload && systemctl reset-failed x.service && systemctl restart x.service";
  assertStringIncludes(limited.advice ?? "", words);
});

Deno.test("serviceResult() names a group that is not there", () => {
  const of = (properties: Record<string, string>, settings: Record<string, string> = {}) =>
    said({ properties: { ...exited("216"), User: "root", ...properties }, settings });
  const group = `g${crypto.randomUUID()}`;
  const { text } = of({ Group: group }, { Group: group });
  const none = `(216/GROUP): there is no group ${group} (Group=${group} in ${DROP_IN})`;
  assertStringIncludes(text, none);
  const more = of({ Group: "root", SupplementaryGroups: `root ${group}` });
  assertStringIncludes(more.text, `there is no group ${group}`);
  assertStringIncludes(more.advice ?? "", `make it again: groupadd --system ${group}`);
});

Deno.test("serviceResult() warns of a user that the system does not know any more", () => {
  const of = (more: Partial<FoundService>, settings: Record<string, string> = {}) =>
    said({ properties: { User: "u" }, settings, health: HEALTH, ...more });
  assertEquals(of({}).status, "ok");
  const { status, text, advice } = of({ isUserMissing: true });
  assertEquals([status, text], [
    "warning",
    "x (systemd) is running, and starts at boot; it can't be started again: there is no user u",
  ]);
  assertEquals(advice, `make the user again: ${INSTALL}`);
  const ofDropIn = of({ isUserMissing: true }, { User: "u" });
  assertStringIncludes(ofDropIn.advice ?? "", "correct that setting");
});

Deno.test("userQuestion() asks all sources of users, and not of one that systemd makes itself", () => {
  const of = (User: string, settings: Record<string, string> = {}) => {
    const question = userQuestion(unitOf({ User }, settings));
    return question && toolLine(question);
  };
  assertEquals(of("u"), "getent passwd u");
  for (const user of ["", "1000"]) assertEquals(of(user), undefined);
  assertEquals(of("u", { DynamicUser: "yes" }), undefined);
});

Deno.test("serviceResult() names the setting that keeps from the log what the program said", () => {
  const of = (settings: Record<string, string>) => said({ properties: exited("3"), settings });
  assertStringIncludes(of({}).text, "its log does not say why");
  const off = of({ StandardOutput: "null" });
  const keeps = `StandardOutput=null in ${DROP_IN} keeps what it said from the log`;
  assertStringIncludes(off.text, keeps);
  assertStringIncludes(off.advice ?? "", "remove that setting, and its log will say why");
  const file = of({ StandardOutput: "null", StandardError: "append:/var/log/x" });
  assertEquals(file.advice, "read what it said: tail /var/log/x");
  const ofNamespace = "read what it said: journalctl --namespace own -u x.service -n 20";
  assertEquals(of({ LogNamespace: "own" }).advice, ofNamespace);
  const journal = of({ StandardError: "journal", StandardOutput: "null" });
  assertStringIncludes(journal.text, "its log does not say why");
});

Deno.test("serviceResult() names the setting under which a service does not get to its first report", () => {
  const of = (settings: Record<string, string>) =>
    said({ properties: { MainPID: "1" }, settings, change: { isActive: true } }).text;
  assertStringIncludes(of({ CPUQuota: "1%" }), `is not there (CPUQuota=1% in ${DROP_IN})`);
  const barred = of({ ReadOnlyPaths: "/run/x" });
  assertStringIncludes(barred, `is not there (ReadOnlyPaths=/run/x in ${DROP_IN})`);
});

Deno.test("serviceResult() looks for what else denies a file whose rights are in order", () => {
  const lastError = "Cannot read --config /nowhere/config.json: permission denied";
  const of = (settings: Record<string, string>, files: Record<string, string> = {}) => {
    using _ = replaced(Deno, { readTextFileSync: (path) => files[String(path)] ?? "" });
    return said({ settings, change: { lastError } });
  };
  assertStringIncludes(of({ DynamicUser: "yes" }).text, `(DynamicUser=yes in ${DROP_IN})`);
  assertStringIncludes(of({}).advice ?? "", "see its rights: namei -l");
  const table = [["/sys/fs/selinux/enforce", "1\n", "SELinux"], [
    "/sys/module/apparmor/parameters/enabled",
    "Y\n",
    "AppArmor",
  ]] as const;
  for (const [file, text, module] of table) {
    const [, second] = of({}, { [file]: text }).causes ?? [];
    assertStringIncludes(second ?? "", `see whether ${module} refuses it`);
    assertEquals(of({}, { [file]: "0" }).causes, undefined);
  }
});

Deno.test({
  name: "serviceResult() has the command that lets the service's user read a file",
  ignore: Deno.build.os !== "linux" || Deno.uid() !== 0,
  fn() {
    using temp = new TempFolder();
    const folder = temp.path;
    const file = `${folder}/config.json`;
    Deno.writeTextFileSync(file, "");
    const lastError = `Cannot read --config ${file}: permission denied`;
    const of = (mode: number, ofFolder: number) => {
      Deno.chmodSync(file, mode);
      Deno.chmodSync(folder, ofFolder);
      const unit = unitOf({ User: "nobody" });
      const state = { ...SERVICE, isActive: false, lastError };
      return serviceResult(foundOf(state, { unit }), undefined);
    };
    const closed = of(0o640, 0o755);
    assertStringIncludes(closed.text, `${lastError}; user nobody may not use ${file}`);
    const words = `${file} && chmod g+r ${file} && systemctl start x`;
    assertStringIncludes(closed.advice ?? "", words);
    const dropIn = unitOf({ User: "nobody" }, { User: "nobody" });
    const state = { ...SERVICE, isActive: false, lastError };
    of(0o640, 0o755);
    const [ofUser] = serviceResult(foundOf(state, { unit: dropIn }), undefined).causes ?? [];
    assertStringIncludes(ofUser ?? "", `correct User=nobody in ${DROP_IN}, and then: systemctl`);
    assertEquals(of(0o644, 0o700).advice, `let it: chmod o+x ${folder} && systemctl start x`);
    assertStringIncludes(adviceText(of(0o644, 0o755)), "see its rights: namei -l");
    of(0o755, 0o700);
    const launcher = `this needs Deno 2.9 or newer; ${file} is not there, or not for this user`;
    const barred = serviceResult(
      foundOf({ ...state, lastError: launcher }, { unit: unitOf({ User: "nobody" }) }),
      undefined,
    );
    assertStringIncludes(barred.text, `it is there, and user nobody may not use ${folder}`);
    of(0o700, 0o755);
    const byRoot = `this needs Deno 2.9 or newer; ${file} is there as ${file}, and does not run`;
    for (const lastError of [launcher, byRoot]) {
      const closedFile = serviceResult(
        foundOf({ ...state, lastError }, { unit: unitOf({ User: "nobody" }) }),
        undefined,
      );
      assertStringIncludes(closedFile.advice ?? "", `let everybody run it: chmod a+rx ${file} && `);
    }
    const shown = barred.advice ?? "";
    const shared = "/usr/local/bin/deno";
    const copy = `install -m 755 ${file} ${shared}.new && mv ${shared}.new ${shared}`;
    assertStringIncludes(shown, `${copy}, and then`);
    of(0o644, 0o700);
    const link = `${temp.path}-link`;
    Deno.symlinkSync(file, link);
    using _ = { [Symbol.dispose]: () => Deno.removeSync(link) };
    const linked = { ...state, lastError: launcher.replace(file, link) };
    const found = foundOf(linked, { unit: unitOf({ User: "nobody" }) });
    const { text, advice } = serviceResult(found, undefined);
    assertStringIncludes(text, `it is there, and user nobody may not use ${folder}`, "by a link");
    assertStringIncludes(advice ?? "", `install -m 755 ${file} ${shared}.new`);
  },
});

Deno.test("serviceResult() has a token copied that the service's user may not read, and no home opened", () => {
  using _home = replaced(Deno, {
    statSync: (path) => {
      const mode = ["/", "/srv"].includes(String(path)) ? 0o755 : 0o700;
      return { mode, uid: 0, gid: 0 } as Deno.FileInfo;
    },
  });
  const of = (error: string) => {
    const change = { lastError: `${error}: permission denied` };
    return said({ properties: { User: "nobody" }, change }).advice ?? "";
  };
  assertEquals(
    of("Cannot read token_file /srv/t"),
    `have it copied into the configuration: ${INSTALL} --token-file /srv/t`,
  );
  const words = "put it where that user may read it";
  assertStringIncludes(of("Cannot read ca_cert /root/ca.pem"), words);
  assertStringIncludes(of("Cannot read ca_cert /srv/ca.pem"), " /srv/ca.pem && systemctl start x");
});

inFolder.test("serviceResult() names the folder of a unit that is a file, or a link to nothing", (folder) => {
  const { lstatSync, statSync, readLinkSync } = Deno;
  const at = (path: string | URL) => String(path).replace("/var/lib/x", `${folder.path}/x`);
  using _state = replaced(Deno, {
    lstatSync: (path) => lstatSync(at(path)),
    statSync: (path) => statSync(at(path)),
    readLinkSync: (path) => readLinkSync(at(path)),
  });
  const of = () => said({ properties: exited("238"), settings: { StateDirectory: "x" } });
  Deno.symlinkSync("/no/such", `${folder.path}/x`);
  assertStringIncludes(of().text, ": /var/lib/x is a link to /no/such, which is not there");
  const [mount = "", make] = of().causes ?? [];
  assertStringIncludes(mount, "see whether a disk is to be mounted there, and mount it: findmnt");
  assertStringIncludes(make ?? "", "else make that folder, or remove the link: rm /var/lib/x &&");
  Deno.removeSync(`${folder.path}/x`);
  Deno.writeTextFileSync(`${folder.path}/x`, "");
  assertStringIncludes(of().text, ": /var/lib/x is a file, and no folder");
  assertStringIncludes(of().advice ?? "", "move it away: mv /var/lib/x /var/lib/x.old && ");
});

Deno.test("serviceResult() says what systemd refuses in a unit, and what the runtime died of", () => {
  const refused = (detail: string) =>
    said({ properties: { LoadState: "bad-setting" }, settings: { ExecStart: "/x" }, detail });
  const more = "Service has more than one ExecStart= setting, which is only allowed for oneshots";
  const second = refused(`x.service: ${more}. Refusing.\nUnit x.service has a bad unit file.\n`);
  assertStringIncludes(second.text, `(bad-setting): ${more} (${DROP_IN})`);
  assertStringIncludes(second.advice ?? "", `an empty line ExecStart= above it in ${DROP_IN}`);
  const none = refused("x.service: Service has no ExecStart=. Refusing.");
  assertStringIncludes(none.text, "(bad-setting): Service has no ExecStart=");
  assertStringIncludes(none.advice ?? "", "correct that");
  assertStringIncludes(refused("no systemd-analyze").advice ?? "", "systemd-analyze verify x");
  const lastError = "Fatal JavaScript out of memory: CALL_AND_RETRY_LAST";
  const died = (settings: Record<string, string>) =>
    said({ properties: killed("5"), settings, change: { lastError } });
  assertStringIncludes(died({}).text, `SIGTRAP; the last error in its log: ${lastError}`);
  const { advice } = died({ Environment: "DENO_V8_FLAGS=--max-old-space-size=4" });
  assertStringIncludes(advice ?? "", `remove DENO_V8_FLAGS in ${DROP_IN}`);
});

Deno.test("serviceResult() takes a setting that forbids the runtime for why that does not run", () => {
  const lastError = "Cannot run x: this needs Deno; /usr/bin/deno is there as /d, and does not run";
  const settings = { SystemCallFilter: "~@network-io", Environment: "DENO=/usr/bin/deno" };
  const { text, advice } = said({ properties: exited("1"), settings, change: { lastError } });
  assertStringIncludes(text, `(SystemCallFilter=~@network-io in ${DROP_IN})`);
  assertStringIncludes(advice ?? "", "correct that setting");
  const bare = said({ properties: exited("1"), change: { lastError } });
  assertStringIncludes(bare.advice ?? "", "put one in its place that runs here: /d --version");
});

Deno.test("serviceResult() has the Deno that runs this take the place of one that is gone", () => {
  using _ = replaced(Deno, { execPath: () => "/root/.deno/bin/deno" });
  const of = (file: string) => {
    const lastError =
      "Cannot run x: this needs Deno 2.9 or newer, named by $DENO; /opt/no/deno is not there, or not for this user";
    const unit = unitOf(
      { ...exited("1"), FragmentPath: "/etc/systemd/system/x.service" },
      { Environment: "DENO=/opt/no/deno" },
      file,
    );
    return serviceResult(foundOf({ ...SERVICE, isActive: false, lastError }, { unit }), undefined);
  };
  const copy =
    "install -m 755 /root/.deno/bin/deno /opt/no/deno.new && mv /opt/no/deno.new /opt/no/deno";
  const { text, advice } = of("/etc/systemd/system/x.service");
  assertStringIncludes(text, "; the Deno that runs this is /root/.deno/bin/deno");
  assertEquals(advice, `put it there: ${copy} && systemctl restart x.service`);
  const [, second] = of(DROP_IN).causes ?? [];
  assertStringIncludes(second ?? "", `correct DENO in ${DROP_IN}`, "or its variable is wrong");
});

Deno.test("serviceResult() has a Deno that is too old brought up to date, or its variable corrected", () => {
  const lastError =
    "Cannot run x: this needs Deno 2.9 or newer, named by $DENO or on the path; /opt/deno is " +
    "deno 2.1.4; update it: deno upgrade";
  const of = (settings: Record<string, string>) =>
    adviceText(said({ properties: exited("1"), settings, change: { lastError } }));
  const upgrade = "bring that Deno up to date: /opt/deno upgrade && systemctl start x";
  assertEquals(of({}), upgrade);
  assertStringIncludes(of({ Environment: "DENO=/opt/deno" }), `correct DENO in ${DROP_IN}`);
});

Deno.test("withStart() says how a service would end that nothing has started", () => {
  const why = "Cannot use key tokn of /x: there is none of that name";
  const found = foundOf({ ...SERVICE, isActive: false, isEnabled: false });
  const failure = startFailure(why, found);
  const of = (kind?: "unstarted" | "unexplained") => {
    const result = {
      ...failed("x is not running: nothing has started it", "start it", "or"),
      kind,
    };
    return failure &&
      withStart({ id: "service", title: "X", ms: 1, ...result }, { failure, error: why });
  };
  assertStringIncludes(of("unstarted")?.text ?? "", `, and a start would fail: ${why}`);
  const words = "repair that, and then: systemctl enable x --now";
  assertStringIncludes(of("unstarted")?.advice ?? "", words);
  assertStringIncludes(of("unexplained")?.text ?? "", `; started once more, it says: ${why}`);
  assertEquals(of()?.causes, ["start it", "or"]);
  assertEquals(of("unstarted")?.causes, undefined, "what is known now takes the place of guesses");
});

Deno.test("connectionsResult() names the proxy on the way, and the panel that may start again", () => {
  const panel = { panel: "p.example", sinceMs: 1, failures: 0, probes: 0, shortConnections: 4 };
  const health = { ...HEALTH, panels: [panel] };
  const { text, causes } = connectionsResult(health, "HTTPS_PROXY (/x.conf)");
  assertEquals(text, "the last 4 WebSockets to p.example were closed soon after they opened");
  const expected = "see whether the proxy of HTTPS_PROXY (/x.conf) closes what is silent";
  assertEquals(causes?.at(2), expected);
  assertEquals(connectionsResult(health, undefined).causes?.length, 3);
  const error = { atMs: Date.now(), text: "Cannot send agent.pull: status 504" };
  const late = { ...health, panels: health.panels.map((it) => ({ ...it, error })) };
  assertStringIncludes(connectionsResult(late, undefined).advice ?? "", "proxy_read_timeout 60s");
});

Deno.test("connectionsResult() doubts a time-out first where all were open for the same time", () => {
  const panel = { panel: "p.example", sinceMs: 1, failures: 0, probes: 0 };
  const table: [
    count: number,
    shortestMs: number,
    longestMs: number,
    text: string,
    first: string,
  ][] = [
    [5, 2_010, 2_040, "the last 3 were open for 2.0 s each", "a proxy in front of the panel"],
    [9, 3_000, 3_190, "the last 3 were open for 3.0 s to 3.2 s", "a proxy in front of the panel"],
    [9, 10, 15, "the last 3 were open for 0.0 s each", "another agent"],
    [9, 2_140, 2_720, "the last 3 were open for 2.1 s to 2.7 s", "another agent"],
    // The official agent closes them so while this one connects again at once.
    [4, 2_975, 2_985, "the last 3 were open for 3.0 s each", "another agent"],
  ];
  for (const [shortConnections, shortestMs, longestMs, expected, first] of table) {
    const panels = [{ ...panel, shortConnections, shortestMs, longestMs }];
    const { text, causes } = connectionsResult({ ...HEALTH, panels }, undefined);
    assertEquals(text.split("; ")[1], expected);
    assertStringIncludes(causes?.[0] ?? "", first);
  }
});

Deno.test("agentResult() tells a failure of the last minute beside reports that are accepted", () => {
  using _ = new FakeTime({ now: 100_000 });
  const error = { text: "database is locked", atMs: 95_000 };
  const resultOf = (atMs: number, text = error.text) => {
    const panel = { panel: "p.example", sinceMs: 1, acceptedAtMs: 99_000, failures: 0, probes: 0 };
    const health = {
      ...HEALTH,
      pid: Deno.pid,
      acceptedAtMs: 99_000,
      panels: [{ ...panel, error: { text, atMs } }],
    };
    return agentResult(configOf(["doctor", "-e", "http://p.example", "-t", "x"]), health, {
      logHint: undefined,
    });
  };
  const of = (atMs: number) => resultOf(atMs).text;
  // A panel whose database is locked, or whose disk is full, takes reports and stores none.
  const refused = resultOf(95_000, 'Cannot send x: the panel answered "database is locked"');
  assertEquals([refused.status, refused.kind], ["warning", "reporting"]);
  assertStringIncludes(refused.advice ?? "", "whether its disk is full: df -h");
  assertStringIncludes(of(95_000), "accepted 1.0 s ago; a failure 5.0 s ago: database is locked");
  assertStringIncludes(of(99_500), "accepted 1.0 s ago; a failure since then, 0.5 s ago");
  assertEquals(of(39_000).includes("database"), false);
});

Deno.test("serviceResult() warns of a service that can't be started again", () => {
  const needs = { Requires: "a.service wg@x.service" };
  const detail = "Id=a.service\nLoadState=loaded\nActiveState=active\n\n" +
    "Id=wg@x.service\nLoadState=not-found\nActiveState=inactive\n";
  const words =
    `Requires=a.service wg@x.service in ${DROP_IN} needs wg@x.service, which is not there`;
  const of = (detail: string, settings: Record<string, string> = needs) =>
    said({ settings, detail, health: HEALTH });
  const runs = of(detail);
  assertEquals(runs.status, "warning");
  assertEquals(runs.text.endsWith(`; it can't be started again: ${words}`), true, runs.text);
  assertStringIncludes(runs.advice ?? "", "install that, or remove the setting");
  assertStringIncludes(said({ settings: needs, detail }).text, `: ${words}`);
  const failed = of("Id=a.service\nLoadState=loaded\nActiveState=failed\n");
  assertStringIncludes(failed.text, "needs a.service, which has failed");
  assertEquals(failed.advice, "see why: systemctl status a.service");
  assertEquals(of(detail, {}).status, "ok");
  const ended = "Id=wg@x.service\nLoadState=loaded\nActiveState=inactive\n";
  assertEquals(of(ended).status, "ok", "systemd starts it with the service");
  const bound = of(ended, { BindsTo: "wg@x.service" });
  assertStringIncludes(
    bound.text,
    `by BindsTo=wg@x.service in ${DROP_IN} it stops with wg@x.service, which does not run`,
  );
  const part = { PartOf: "wg@x.service" };
  assertEquals(of(ended, part).status, "ok", "it runs without that");
  const down = { properties: { ActiveState: "inactive" }, settings: part, detail: ended };
  assertStringIncludes(said(down).text, `by PartOf=wg@x.service in ${DROP_IN} it stops with`);
  const rival = {
    ...{ ...down, settings: { Conflicts: "b.service" } },
    detail: "Id=b.service\nLoadState=loaded\nActiveState=active\n",
  };
  const aside = said(rival);
  assertStringIncludes(aside.text, "it does not run beside b.service, which runs");
  assertStringIncludes(aside.advice ?? "", "systemctl stop b.service && systemctl start x.service");
  assertStringIncludes(bound.causes?.[0] ?? "", "systemctl start wg@x.service x.service");
  const unread = said({
    ...{ properties: { LoadState: "bad-setting" }, health: HEALTH },
    detail: "/x.conf:3: Unbalanced quoting, ignoring: x\n",
  });
  assertStringIncludes(unread.text, "it can't be started again: systemd can't read its unit");
});

Deno.test("serviceResult() warns of a service that ended again and again", () => {
  using _ = new FakeTime({ now: 1_000_000 });
  const of = (restarts: number, startedAtMs: number, settings = {}, change = {}) =>
    said({
      ...{ properties: { NRestarts: String(restarts) }, settings, change },
      health: { ...HEALTH, startedAtMs },
    });
  const often = of(7, 995_000);
  assertStringIncludes(often.text, "systemd has started it again 7 times, the last time 5.0 s ago");
  const expected = ["warning", "see why it ended: journalctl -u x.service -n 50"];
  assertEquals([often.status, often.advice], expected);
  assertEquals(of(1, 995_000).status, "ok");
  assertEquals(of(1, 995_000, { RuntimeMaxSec: "6" }).status, "warning", "it will end again");
  const limited = of(7, 995_000, { RuntimeMaxSec: "6" });
  assertStringIncludes(limited.text, `5.0 s ago (RuntimeMaxSec=6 in ${DROP_IN})`);
  const other = of(7, 995_000, { RuntimeMaxSec: "6" }, { lastResult: "exit-code" });
  assertEquals(other.text.includes("RuntimeMaxSec"), false, "that has not ended it");
  assertEquals(of(1, 995_000).status, "ok");
  assertEquals(of(7, 800_000).status, "ok", "it has run for a while");
});

Deno.test("serviceResult() warns of a service that was killed, for an hour", () => {
  const killed = (lastDeath: string, startedAtMs: number) =>
    said({
      ...{ properties: { NRestarts: "1" }, change: { lastDeath } },
      health: { ...HEALTH, startedAtMs },
    });
  using _ = new FakeTime({ now: 10_000_000 });
  const once = killed("its process was ended by SIGKILL", 9_000_000);
  assertEquals(once.status, "warning");
  const words = "again 1 time, the last time 16 min ago: before, its process was ended";
  assertStringIncludes(once.text, words);
  assertStringIncludes(once.causes?.[0] ?? "", "see whether the kernel has too little memory");
  assertEquals(killed("its process was ended by SIGKILL", 1_000_000).status, "ok", "long ago");
  assertEquals(killed("its process was ended by SIGTERM", 9_000_000).status, "ok");
});

Deno.test("serviceResult() knows a full disk and a damaged program by their words", () => {
  const of = (status: string, lastError: string, isActive = false) => {
    const properties = { ExecMainCode: "1", ExecMainStatus: status, NRestarts: "3" };
    return said({ properties, change: { isActive, lastError } });
  };
  const full = of("233", "Failed to set up special execution directory: No space left on device");
  assertStringIncludes(full.advice ?? "", "make room on the disk that it names");
  // Also in the moment in which systemd tries it once more.
  for (const isActive of [false, true]) {
    const damaged = of("1", "error: Uncaught SyntaxError: Invalid or unexpected token", isActive);
    assertStringIncludes(damaged.text, "its program is damaged (error: Uncaught SyntaxError");
    assertStringIncludes(damaged.advice ?? "", "put the program there again");
  }
});

Deno.test("agentReports() know a panel that took reports at the address that is configured", () => {
  const config = configOf(["doctor", "-e", "http://p.example:80/a", "-t", "x"]);
  const of = (panel: string, acceptedAtMs?: number) => {
    const panels = [{ panel, acceptedAtMs, sinceMs: 0, failures: 0, probes: 0 }];
    const { accepted, panel: ours } = agentReports(config, { ...HEALTH, panels });
    return accepted.has(ours);
  };
  assertEquals([of("p.example/a", 1), of("p.example/a"), of("p.example", 1)], [true, false, false]);
  assertEquals(agentReports(config, undefined).accepted.size, 0);
});

Deno.test("agentReports() say why reports of a refused token are accepted", () => {
  const config = configOf(["doctor", "-e", "http://p.example", "-t", "x"]);
  const opened = { panel: "p.example", sinceMs: Date.now() - 60_000, failures: 0, probes: 0 };
  const of = (transport: string | undefined) =>
    agentReports(config, { ...HEALTH, panels: [{ ...opened, transport }] }).explanation;
  assertStringIncludes(of("v2 WebSocket"), "they go by a WebSocket that was opened 60 s ago, and");
  assertEquals([of("v2 POST"), of(undefined), agentReports(config, undefined).explanation], [
    "",
    "",
    "",
  ]);
  const changed = { ...config, configPath: "/x.json", configDigest: "1", isConfigInstalled: true };
  assertEquals(
    agentReports(changed, { ...HEALTH, configDigest: "2" }).explanation,
    "/x.json was changed since it has read that",
  );
});

Deno.test("agentResult() advises on graphics cards by what is missing", () => {
  const of = (text: string) => {
    const panel = { panel: "p.example", sinceMs: 1, failures: 0, probes: 0 };
    const health = {
      ...problemHealth("gpu", text),
      pid: Deno.pid,
      acceptedAtMs: Date.now(),
      panels: [{ ...panel, acceptedAtMs: Date.now() }],
    };
    const config = configOf(["doctor", "-e", "http://p.example", "-t", "x"]);
    return agentResult(config, health, { logHint: undefined }).advice;
  };
  assertEquals(of("Cannot run nvidia-smi: it hangs"), "ask the driver itself: nvidia-smi");
  const shown = of("Cannot run nvidia-smi: it is not installed or not executable") ?? "";
  assertStringIncludes(shown, "leave out --gpu");
});

Deno.test("agentResult() says that an agent runs with other settings than its file has by now, also of one that reports", () => {
  const base = configOf(["doctor", "-e", "http://p.example", "-t", "x"]);
  const of = (
    configDigest: string | undefined,
    acceptedAtMs?: number,
    isConfigInstalled = true,
  ) => {
    const config = { ...base, configPath: "/x.json", configDigest, isConfigInstalled };
    const panel = { panel: "p.example", sinceMs: 1, acceptedAtMs, failures: 3, probes: 0 };
    const health = { ...HEALTH, pid: Deno.pid, acceptedAtMs, configDigest: "1", panels: [panel] };
    const { status, text, advice } = agentResult(config, health, { logHint: undefined });
    const isTold = text.endsWith("; /x.json was changed since it has read that");
    assertEquals(advice === "have it use that: komari-agent-deno install", isTold);
    return [status, isTold];
  };
  assertEquals(of("2"), ["failed", true]);
  assertEquals(of("2", Date.now()), ["warning", true]);
  assertEquals(of("1", Date.now()), ["ok", false]);
  assertEquals(of(undefined, Date.now()), ["ok", false], "it is not for this user");
  assertEquals(of("2", Date.now(), false), ["ok", false], "another file");
});
