import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { toolLine } from "../../lib/host/tool_runner.ts";
import { readOfficialRecord } from "../../lib/service/official_service.ts";
import type { TargetSystem } from "../../lib/service/target_system.ts";
import { replaced } from "../replaced.ts";
import { NAME } from "./fake_system.ts";
import { OfficialMachine, replaceNow } from "./official_machine.ts";

/** The commands that decide which of the two agents runs. */
const DEEDS: Readonly<Record<string, string>> = {
  "rc-service komari-agent stop": "stop",
  [`rc-service ${NAME} restart`]: "install",
  "rc-update del komari-agent default": "disable",
  [`rc-service ${NAME} stop`]: "uninstall",
  "rc-service komari-agent restart": "bring back",
};

/** A machine whose deeds are recorded, each with the state of the official agent's record. */
class RecordedMachine extends OfficialMachine {
  readonly deeds: string[] = [];
  readonly user = new AbortController();
  /** The beginning of a line at which the user ends it. */
  endsAt: string | undefined;
  /** Called when a deed has begun. */
  onDeed: (deed: string | undefined) => void = () => {};

  /** Whether the replacement is done, by the record; `undefined` without one. */
  note(): boolean | undefined {
    return readOfficialRecord(`${this.root}/etc/${NAME}`)?.isDone;
  }

  async replace(): Promise<string | undefined> {
    const { tools, printLine } = this.system;
    const system: TargetSystem = {
      ...this.system,
      tools: {
        has: (tool) => tools.has(tool),
        run: (command, options) => {
          const deed = DEEDS[toolLine(command)];
          if (deed !== undefined) this.deeds.push(`${deed} ${this.note()}`);
          const running = tools.run(command, options);
          this.onDeed(deed);
          return running;
        },
      },
      printLine: (line) => {
        printLine(line);
        if (this.endsAt !== undefined && line.startsWith(this.endsAt)) this.user.abort();
      },
    };
    const { signal } = this.user;
    return await replaceNow(this, system, [], signal);
  }
}

Deno.test("replace() restores the official agent when a step fails", async () => {
  for (const step of ["stop-komari-agent", `restart-${NAME}`]) {
    await using machine = new RecordedMachine();
    machine.write(`/users/fail-${step}`, "");
    await assertRejects(() => machine.replace(), Error, "was restored");
    // Before it was installed there is nothing to stop.
    const isInstalled = step.endsWith(NAME);
    const undone = isInstalled ? ["uninstall false", "bring back false"] : ["bring back false"];
    assertEquals(machine.deeds.slice(isInstalled ? 2 : 1), undone, step);
    assertEquals([machine.note(), machine.isUp("komari-agent")], [undefined, true]);
  }
});

Deno.test("replace() prints a failed restoration when aborted", async () => {
  await using machine = new RecordedMachine();
  machine.endsAt = "Waiting up to";
  machine.write("/users/fail-restart-komari-agent", "");
  const { message } = await assertRejects(() => machine.replace(), Error);
  assertStringIncludes(message, "Cannot restore komari-agent (");
  assertStringIncludes(message, "no restart");
  assertEquals(machine.printed.at(-1), message);
});

Deno.test("replace() starts the official agent when removing this one times out", async () => {
  await using machine = new RecordedMachine();
  machine.write(`/users/hang-stop-${NAME}`, "");
  const { timeout } = AbortSignal;
  const late = new AbortController();
  let limits = 0;
  // The first limit is that of the removal.
  using _late = replaced(AbortSignal, {
    timeout: (ms) => ms === 90_000 && limits++ === 0 ? late.signal : timeout(ms),
  });
  machine.onDeed = (deed) => {
    if (deed === "uninstall") late.abort(new Error("it took too long"));
  };
  const { message } = await assertRejects(() => machine.replace(), Error);
  assertStringIncludes(message, "Cannot restore komari-agent (it took too long)");
  assertEquals([machine.deeds.at(-1), machine.isUp("komari-agent")], ["bring back false", true]);
});

Deno.test("replace() keeps its record when the restoration fails", async () => {
  const failures: [path: string, reason: string][] = [
    // A folder with a file in it is not removed as a file.
    [`/opt/${NAME}/${NAME}.old/file`, `Cannot remove /opt/${NAME}/${NAME}.old`],
    [
      "/users/fail-restart-komari-agent",
      'Cannot run "rc-service komari-agent restart": no restart',
    ],
  ];
  for (const [path, reason] of failures) {
    await using machine = new RecordedMachine();
    machine.write(path, "");
    const { message } = await assertRejects(() => machine.replace(), Error);
    assertStringIncludes(message, `Cannot restore komari-agent (${reason}`);
    assertStringIncludes(
      message,
      " after panel.example.com accepted no report within 30 s; `komari-agent-deno uninstall --restore` " +
        "tries again",
    );
    assertEquals([machine.deeds.at(-1), machine.note()], ["bring back false", false]);
  }
});
