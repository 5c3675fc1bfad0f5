import type { LoadedUnit } from "../../lib/service/loaded_unit.ts";
import { assertEquals, assertStringIncludes } from "@std/assert";
import { toolLine, type ToolResult } from "../../lib/host/tool_runner.ts";
import {
  type ServiceState,
  serviceState,
  serviceText,
} from "../../lib/service/installed_service.ts";
import { installedRecord } from "../../lib/service/installed_record.ts";
import { packagedRecord } from "../../lib/service/packaged_service.ts";
import type { ManagerKind } from "../../lib/service/service_manager.ts";
import { withTexts } from "../replaced.ts";

const NAME = "komari-agent-deno";

/** The state of a service whose manager's commands fail by their words, and whose log ends with lines. */
async function stateOf(
  { manager = "systemd", failing, failure = { code: 3, output: "" }, log = [], files = [] }: {
    manager?: ManagerKind;
    failing?: RegExp;
    failure?: ToolResult;
    log?: readonly string[];
    files?: readonly string[];
  },
): Promise<ServiceState> {
  const tools: Parameters<typeof serviceState>[1]["tools"] = {
    has: () => true,
    run(command) {
      const line = toolLine(command);
      const isFailing = failing?.test(line) ?? false;
      const isLog = /^(journalctl|tail|logread) /.test(line);
      return Promise.resolve(
        isFailing ? failure : { code: 0, output: isLog ? log.join("\n") : "" },
      );
    },
  };
  const { signal } = new AbortController();
  const record = { ...packagedRecord(), manager, files };
  return await serviceState(record, { tools, home: "", uid: 0 }, signal);
}

Deno.test("serviceState() asks the manager, and names its commands", async () => {
  const usual: ServiceState = {
    ...{ name: NAME, manager: "systemd", isActive: true, isEnabled: true, lastError: "" },
    lastLine: "",
    lastDeath: "",
    lastResult: "",
    lastStep: "",
    isLogHidden: false,
    logHint: `journalctl -u ${NAME} -f`,
    start: `systemctl start ${NAME}.service`,
    enable: `systemctl enable ${NAME}.service`,
    isUnconfigured: false,
    isStartLimited: false,
    updatesError: "",
    updates: undefined,
    enableUpdates: `systemctl enable --now ${NAME}-update.timer`,
  };
  assertEquals(await stateOf({}), usual);
  assertEquals(await stateOf({ failing: /is-active/ }), { ...usual, isActive: false });
  assertEquals(await stateOf({ failing: /is-enabled/ }), { ...usual, isEnabled: false });
  const { start, enable } = await stateOf({ manager: "launchd" });
  const plist = `/Library/LaunchDaemons/${NAME}.plist`;
  assertEquals(start, `launchctl bootstrap system ${plist}`, "the last one is what starts it");
  assertEquals(enable, `launchctl enable system/${NAME}`);
});

Deno.test("serviceState() asks for the timer of updates, and whether the last one failed", async () => {
  const of = async (failing: RegExp, files = [`/x/${NAME}-update.timer`]) =>
    (await stateOf({ failing, files })).updates;
  assertEquals(await of(/is-failed --quiet \S+-update\.service$/), "waiting");
  assertEquals(await of(/is-failed|is-active --quiet \S+-update\.timer$/), "stopped");
  assertEquals(await of(/is-enabled/), "failed");
  assertEquals(await of(/is-enabled/, []), undefined);
  const errorOf = async (...log: string[]) =>
    (await stateOf({ files: [`/x/${NAME}-update.timer`], log })).updatesError;
  const expected = "Cannot look for it";
  assertEquals(await errorOf("Started x.", "Cannot look for it", "x.service: Failed"), expected);
  assertEquals(await errorOf("Started x.", "Version 2 did not report"), "Version 2 did not report");
});

/** A unit with these properties, as systemd shows them. */
function unitOf(shown: Readonly<Record<string, string>>): LoadedUnit {
  return { name: "x.service", property: (name) => shown[name] ?? "", settings: [] };
}

Deno.test("serviceText() says what systemd does with a service that does not run", async () => {
  const table: [shown: Record<string, string>, words: string][] = [
    [{ ActiveState: "inactive", SubState: "dead" }, "is not running, and starts at boot"],
    [{ ActiveState: "failed", SubState: "failed" }, "is not running, and starts at boot"],
    [{ ActiveState: "activating", SubState: "start-pre" }, "is being started"],
    [
      { ActiveState: "activating", SubState: "auto-restart" },
      "has ended, and systemd starts it again in a moment",
    ],
    [{ ActiveState: "deactivating", SubState: "stop-sigterm" }, "is being stopped"],
  ];
  const state = { ...await stateOf({}), isActive: false };
  for (const [shown, words] of table) {
    assertEquals(serviceText(state, unitOf(shown)), `${NAME} (systemd) ${words}`);
    const never = serviceText({ ...state, isEnabled: false }, unitOf(shown));
    assertStringIncludes(never, ", and does not start at boot", words);
  }
});

Deno.test("serviceState() claims nothing that its manager has not said", async () => {
  const table: [code: number, output: string, isActive: boolean | undefined][] = [
    [3, "", false],
    [1, "Failed to get unit file state for x.service: No such file or directory", false],
    [124, "it did not end within 3 s", undefined],
    [127, "systemctl does not exist", undefined],
    [1, "Failed to connect to system scope bus via local transport: No such file", undefined],
    [1, "Failed to retrieve unit state: Connection timed out", undefined],
  ];
  for (const [code, output, isActive] of table) {
    const state = await stateOf({ failing: /systemctl/, failure: { code, output } });
    assertEquals([state.isActive, state.isEnabled], [isActive, isActive], output);
  }
});

Deno.test("serviceState() gives the last error since the last stop", async () => {
  const lastError = async (...log: string[]) => (await stateOf({ log })).lastError;
  const first = "agent: Cannot read /etc/x: Permission denied";
  const second = "error: Cannot use --token and --token-file";
  assertEquals(await lastError(first, `  ${second}  `, "systemd: a line"), second);
  assertEquals(await lastError(first, "agent: Stopped", "agent: Started"), "");
  assertEquals(await lastError(first, "x.service: Deactivated successfully.", second), second);
  const shown = await lastError("thread 'main' panicked at lib.rs");
  assertEquals(shown, "thread 'main' panicked at lib.rs");
  assertEquals(await lastError("systemd: Failed to start"), "systemd: Failed to start");
  const left =
    "x.service: Failed to connect stdout to the journal socket, ignoring: Permission denied";
  assertEquals(await lastError(left), "", "systemd goes on without it");
  const colored = "\x1b[0m\x1b[1m\x1b[31merror\x1b[0m: SyntaxError: Expression expected";
  assertEquals(await lastError(colored), "error: SyntaxError: Expression expected");
  const cause = "x.service: Failed to load environment files: No such file or directory";
  const after = ["x.service: Failed to run 'start' task: No", "Failed to start x.service - X."];
  assertEquals(await lastError(cause, ...after), cause, "what systemd says after it is no cause");
  const ended = "x.service: Main process exited, code=exited, status=2/INVALIDARGUMENT";
  assertEquals(await lastError(first, "Started x.", "2: Pipe call failed", ended), "");
  assertEquals(await lastError(first, "Started x."), first, "it has not ended yet");
  const killed = "x.service: Main process exited, code=killed, status=9/KILL";
  assertEquals(await lastError(first, killed, "Started x."), "", "that was not why it ended");
  const trapped = killed.replace("9/KILL", "5/TRAP");
  assertEquals(await lastError(first, trapped, "Started x."), first);
  assertEquals((await lastError(`Cannot ${"x".repeat(1_000)}`)).length, 300);
});

Deno.test("serviceState() knows a unit that has ended too often to be started again", async () => {
  const tooOften = "x.service: Start request repeated too quickly.";
  const of = async (...log: string[]) => (await stateOf({ log })).isStartLimited;
  assertEquals(await of("Started x.", tooOften), true);
  assertEquals(await of(tooOften, "Started x."), false);
});

Deno.test("serviceState() takes what the runtime dies of for an error", async () => {
  const log = ["Started x.", "#", "# Fatal JavaScript out of memory: LAST", "#", "==== C stack"];
  assertEquals((await stateOf({ log })).lastError, "Fatal JavaScript out of memory: LAST");
});

Deno.test("serviceState() says how the process before was ended, by systemd's words", async () => {
  const of = async (...log: string[]) => (await stateOf({ log })).lastDeath;
  const killed = "x.service: Main process exited, code=killed, status=9/KILL";
  const oom = "x.service: A process of this unit has been killed by the OOM killer.";
  const memory = "the kernel killed it, because memory was used up";
  const exited = "x.service: Main process exited, code=exited, status=1/FAILURE";
  assertEquals(await of(killed, "Started x."), "its process was ended by SIGKILL");
  assertEquals(await of(oom, killed, "Started x."), memory);
  assertEquals(await of(killed, oom, "Started x."), memory);
  assertEquals(await of(oom, killed, exited, "Started x."), "");
  assertEquals(await of("Started x."), "");
});

Deno.test("serviceState() gives the last result that systemd has written", async () => {
  const log = [
    "x.service: Failed with result 'signal'.",
    "x.service: Failed with result 'oom-kill'.",
  ];
  assertEquals((await stateOf({ log })).lastResult, "oom-kill");
  const steps = [
    "x.service: Failed at step EXEC spawning /x: No such file or directory",
    "x.service: Failed at step CHDIR spawning /x: Permission denied",
  ];
  const { lastStep, lastError } = await stateOf({ log: steps });
  assertEquals([lastStep, lastError], ["CHDIR", steps[1]]);
  const ended = "x.service: Main process exited, code=exited, status=217/USER";
  assertEquals((await stateOf({ log: [...steps, ended] })).lastStep, "USER");
  const located = "x.service: Failed to locate executable /x: No such file";
  assertEquals((await stateOf({ log: [located, ...steps] })).lastError, located);
});

Deno.test("serviceState() tells a log that this user may not read from an empty one", async () => {
  const hidden = "No journal files were opened due to insufficient permissions.";
  const { isLogHidden, logHint } = await stateOf({ log: [hidden] });
  assertEquals([isLogHidden, logHint], [true, `sudo journalctl -u ${NAME} -f`]);
  assertEquals((await stateOf({ log: ["-- No entries --"] })).isLogHidden, false);
});

Deno.test("serviceState() gives the last line of the process itself, since its start", async () => {
  const lastLine = async (...log: string[]) => (await stateOf({ log })).lastLine;
  const after = ["x.service: Main process exited, code=exited", "Stopped x.service - X."];
  const expected = "2: Pipe call failed";
  assertEquals(await lastLine("Started x.", "2: Pipe call failed", ...after), expected);
  assertEquals(await lastLine("of an earlier run", "Started x.", ...after), "");
});

Deno.test("serviceText() says whether it runs, and starts at boot", async () => {
  const state = await stateOf({});
  assertEquals(serviceText(state), `${NAME} (systemd) is running, and starts at boot`);
  const expected = `${NAME} (systemd) is not running, and does not start at boot`;
  assertEquals(serviceText({ ...state, isActive: false, isEnabled: false }), expected);
  const shown = serviceText({ ...state, isEnabled: undefined });
  assertEquals(shown, `${NAME} (systemd) is running, and may start at boot or not`);
  assertEquals(
    serviceText({ ...state, isActive: undefined }),
    `${NAME} (systemd) may run or not: systemd gives no answer`,
  );
  assertEquals(
    serviceText(state, unitOf({ LoadState: "masked" })),
    `${NAME} (systemd) is running, and can't be started at boot`,
  );
});

Deno.test("installedRecord() is a package's for the name of its service alone", () => {
  let marker = "";
  // A machine on which nothing is installed, but a package.
  using _machine = withTexts((path) => {
    if (path === marker) return "deb\n";
    throw new Deno.errors.NotFound(path);
  });
  assertEquals(installedRecord(NAME, {}), undefined);
  marker = `/usr/lib/${NAME}/package`;
  assertEquals(installedRecord(NAME, {}), packagedRecord());
  assertEquals(installedRecord("node-2", {}), undefined);
});
