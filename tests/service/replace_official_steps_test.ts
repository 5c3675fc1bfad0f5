import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { toolLine } from "../../lib/host/tool_runner.ts";
import { readOfficialRecord } from "../../lib/service/official_service.ts";
import type { TargetSystem } from "../../lib/service/target_system.ts";
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
