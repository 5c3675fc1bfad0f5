import { assertEquals, assertRejects } from "@std/assert";
import { officialRecordStep, readOfficialRecord } from "../../lib/service/official_service.ts";
import { restore } from "../../lib/service/replace_official.ts";
import type { TargetSystem } from "../../lib/service/target_system.ts";
import { ARGS, configOf, NAME, RELEASES, withoutWaiting } from "./fake_system.ts";
import { OfficialMachine, onOfficialMachine } from "./official_machine.ts";
import { seenTimeouts } from "./seen_timeouts.ts";

const { signal } = new AbortController();
const OFFICIAL = {
  manager: "openrc",
  scope: "system",
  serviceName: "komari-agent",
  isDone: true,
} as const;

async function run(machine: OfficialMachine, ...words: string[]): Promise<void> {
  const config = configOf(["uninstall", "--restore", ...words]);
  await withoutWaiting(machine.system, (system) => restore(config, system, signal));
}

/** A machine on which this agent has taken the official one's place. */
async function replaced(machine: OfficialMachine, more: readonly string[] = []): Promise<void> {
  Deno.removeSync(`${machine.root}/users/up-komari-agent`);
  const record = officialRecordStep(`/etc/${NAME}`, OFFICIAL);
  machine.write(record.path, record.text);
  await machine.install([...ARGS, ...more]);
  machine.calls();
}

onOfficialMachine.test("restore() starts the official agent before this one is removed", async (machine) => {
  const before = machine.tree();
  await replaced(machine);
  await run(machine);
  assertEquals(machine.tree(), before);
  assertEquals(machine.calls().slice(0, 5), [
    `rc-service ${NAME} stop`,
    "rc-update add komari-agent default",
    "rc-service komari-agent restart",
    "rc-service komari-agent status",
    "rc-service komari-agent status",
  ]);
});

onOfficialMachine.test("restore() keeps this agent when the official one does not start", async (machine) => {
  await replaced(machine);
  machine.write("/users/broken-komari-agent", "");
  const failing = () => assertRejects(() => run(machine), Error, "it exited within");
  assertEquals(await seenTimeouts(failing), [90_000]);
  assertEquals([machine.isUp("komari-agent"), machine.isUp(NAME)], [false, true]);
  const calls = machine.calls().filter((line) => line.startsWith("rc-update"));
  const expected = ["rc-update del komari-agent default", `rc-update add ${NAME} default`];
  assertEquals(calls.slice(-2), expected);
  assertEquals(readOfficialRecord(`${machine.root}/etc/${NAME}`)?.isDone, true);
});

onOfficialMachine.test("restore() keeps this agent when it is told to stop", async (machine) => {
  await replaced(machine);
  const stopping = new AbortController();
  const { tools } = machine.system;
  const system: TargetSystem = {
    ...machine.system,
    tools: {
      has: (tool) => tools.has(tool),
      run: async (command, options) => {
        const result = await tools.run(command, options);
        if (command.args.join(" ") === "komari-agent restart") stopping.abort(new Error("told"));
        return result;
      },
    },
  };
  const restoring = withoutWaiting(
    system,
    (it) => restore(configOf(["uninstall", "--restore"]), it, stopping.signal),
  );
  await assertRejects(() => restoring, Error, "told");
  assertEquals([machine.isUp("komari-agent"), machine.isUp(NAME)], [false, true]);
});

onOfficialMachine.test("restore() finds the official agent without a record", async (machine) => {
  const before = machine.tree();
  Deno.removeSync(`${machine.root}/users/up-komari-agent`);
  await run(machine);
  assertEquals(machine.tree(), before);
  assertEquals(machine.printed, [
    "The official agent (komari-agent) is running again, and starts at boot.",
  ]);
  Deno.removeSync(`${machine.root}/etc/init.d/komari-agent`);
  await assertRejects(() => run(machine), Error, "Cannot find an official agent");
});

onOfficialMachine.test("restore() stops updates first, and enables them again when it fails", async (machine) => {
  await replaced(machine, RELEASES);
  const update = `${NAME}-update`;
  machine.write("/users/broken-komari-agent", "");
  await assertRejects(() => run(machine), Error, "it exited within");
  assertEquals(machine.calls().slice(0, 3), [
    `rc-service ${update} stop`,
    `rc-update del ${update} default`,
    `rc-service ${NAME} stop`,
  ]);
  assertEquals([machine.isUp(NAME), machine.isUp(update)], [true, true]);
  Deno.removeSync(`${machine.root}/users/broken-komari-agent`);
  await run(machine);
  assertEquals([machine.isUp(NAME), machine.isUp(update)], [false, false]);
  assertEquals(machine.tree().some((line) => line.includes(`/etc/init.d/${update}`)), false);
});
