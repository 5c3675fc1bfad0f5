import { assertEquals } from "@std/assert";
import { toolLine, type ToolResult } from "../../lib/host/tool_runner.ts";
import { type ServiceState, serviceState } from "../../lib/service/installed_service.ts";
import type { ManagerKind } from "../../lib/service/service_manager.ts";
import { sameLater } from "../cases.ts";
import { RECORD } from "./service_plans.ts";

const NAME = "komari-agent-deno";

interface Given {
  readonly manager?: ManagerKind;
  readonly failing?: RegExp;
  readonly failure?: ToolResult;
  /** Lines of the log, apart by ` | `. */
  readonly log?: string;
}

/** The state of a service whose manager's commands fail by their words, and whose log ends with lines. */
async function stateOf(given: Given): Promise<ServiceState> {
  const { manager = "systemd", failing, failure = { code: 3, output: "" }, log = "" } = given;
  const tools: Parameters<typeof serviceState>[1]["tools"] = {
    has: () => true,
    run(command) {
      const line = toolLine(command);
      const output = /^(journalctl|tail|logread) /.test(line) ? log.replaceAll(" | ", "\n") : "";
      return Promise.resolve(failing?.test(line) ? failure : { code: 0, output });
    },
  };
  const record = { ...RECORD, manager };
  return await serviceState(record, { tools, home: "", uid: 0 }, new AbortController().signal);
}

/** A field of the state, by the log. */
const byLog = (field: keyof ServiceState) => async (log: string) => (await stateOf({ log }))[field];

Deno.test("serviceState() asks the manager, and names its commands", async () => {
  const usual: ServiceState = {
    ...{ name: NAME, manager: "systemd", isActive: true, isEnabled: true, lastError: "" },
    ...{ lastLine: "", lastDeath: "", isLogHidden: false },
    logHint: `journalctl -u ${NAME} -f`,
    start: `systemctl start ${NAME}.service`,
    enable: `systemctl enable ${NAME}.service`,
  };
  await sameLater(stateOf, [
    [{}, usual],
    [{ failing: /is-active/ }, { ...usual, isActive: false }],
    [{ failing: /is-enabled/ }, { ...usual, isEnabled: false }],
  ]);
  const { start, enable } = await stateOf({ manager: "launchd" });
  const plist = `/Library/LaunchDaemons/${NAME}.plist`;
  assertEquals(start, `launchctl bootstrap system ${plist}`, "the last one is what starts it");
  assertEquals(enable, `launchctl enable system/${NAME}`);
});

Deno.test("serviceState() claims nothing that its manager has not said", async () => {
  const of = async (failure: ToolResult) => {
    const { isActive, isEnabled } = await stateOf({ failing: /systemctl/, failure });
    return [isActive, isEnabled];
  };
  const unit = "Failed to get unit file state for x.service: No such file or directory";
  const bus = "Failed to connect to system scope bus via local transport: No such file";
  await sameLater(of, [
    [{ code: 3, output: "" }, [false, false]],
    [{ code: 1, output: unit }, [false, false]],
    [{ code: 124, output: "it did not end within 3 s" }, [undefined, undefined]],
    [{ code: 127, output: "systemctl does not exist" }, [undefined, undefined]],
    [{ code: 1, output: bus }, [undefined, undefined]],
    [{ code: 1, output: "Failed to retrieve unit state: Connection timed out" }, [
      undefined,
      undefined,
    ]],
  ]);
});

const X = "x.service:";
const exited = (code: string, status: string) =>
  `${X} Main process exited, code=${code}, status=${status}`;
const KILLED = exited("killed", "9/KILL");
const step = (name: string, why: string) => `${X} Failed at step ${name} spawning /x: ${why}`;

Deno.test("serviceState() gives the last error since the last stop", async () => {
  const [first, second] = ["agent: Cannot read /etc/x: no", "error: Cannot use --token"];
  const cause = `${X} Failed to load environment files: No such file or directory`;
  const located = `${X} Failed to locate executable /x: No such file`;
  await sameLater(byLog("lastError"), [
    [`${first} |   ${second}   | systemd: a line`, second],
    [`${first} | agent: Stopped | agent: Started`, ""],
    [`${first} | ${X} Deactivated successfully. | ${second}`, second],
    ["thread 'main' panicked at lib.rs", "thread 'main' panicked at lib.rs"],
    ["systemd: Failed to start", "systemd: Failed to start"],
    // A panel may have said it.
    [
      `${first} | info panel: The panel says: Cannot x | panel：Cannot x | {"component":"probe","message":"Cannot x"}`,
      first,
    ],
    // systemd goes on without it.
    [`${X} Failed to connect stdout to the journal socket, ignoring: Permission denied`, ""],
    ["\x1b[0m\x1b[1m\x1b[31merror\x1b[0m: SyntaxError: x", "error: SyntaxError: x"],
    // What systemd says after it is no cause.
    [`${cause} | ${X} Failed to run 'start' task: No | Failed to start x.service - X.`, cause],
    [`${first} | Started x. | 2: Pipe call failed | ${exited("exited", "2/INVALIDARGUMENT")}`, ""],
    [`${first} | Started x.`, first], // It has not ended yet.
    [`${first} | ${KILLED} | Started x.`, ""], // That was not why it ended.
    [`${first} | ${exited("killed", "5/TRAP")} | Started x.`, first],
    // What the runtime dies of.
    [
      "Started x. | # | # Fatal JavaScript out of memory: LAST | # | ==== C",
      "Fatal JavaScript out of memory: LAST",
    ],
    [`${step("EXEC", "a")} | ${step("CHDIR", "b")}`, step("CHDIR", "b")],
    [`${located} | ${step("EXEC", "a")}`, located],
  ]);
  assertEquals((await stateOf({ log: `Cannot ${"x".repeat(1_000)}` })).lastError.length, 300);
});
