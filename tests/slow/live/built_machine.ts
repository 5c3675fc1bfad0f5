import { buildPortable } from "../../../build/portable.ts";
import { startTestPanel, type TestPanel } from "../../test_panel/test_panel.ts";
import { writeFastDeno } from "../fast_deno.ts";
import { folderOfFile } from "./folder_of_file.ts";
import { MachineContainer } from "./machine_container.ts";

/** The build within. */
export const PROGRAM = "/build/komari-agent-deno-portable";
/** The service that it installs, unless it is told otherwise. */
export const SERVICE = "komari-agent-deno";

/**
 * Variables for a command that waits for no report while the line of shell succeeds, and long for one
 * that comes. The service that it starts has none of them.
 */
export function quickWhen(line: string): Readonly<Record<string, string>> {
  return { DENO: "/build/fast-deno", QUICK_WHEN: line };
}

/** A line of shell that succeeds when the service's agent has failed with an error of these words. */
export function hasFailed(words: string): string {
  return `grep -q '"error":{.*${words}' /run/${SERVICE}/health`;
}

/** A machine with a build of this checkout, and a panel that it can reach. */
export interface World {
  readonly panel: TestPanel;
  readonly machine: MachineContainer;
}

/** Makes one with systemd, and lets it go afterwards. */
export async function inWorld(act: (world: World) => Promise<void>): Promise<void> {
  const deno = "/usr/local/bin/deno";
  const build = await folderOfFile("build", async (folder) => {
    await buildPortable({ version: "1.0.0", folder });
    await writeFastDeno("quick_timers", { folder, deno, folderWithin: "/build" });
  });
  using panel = await startTestPanel();
  const mounts = { [deno]: Deno.execPath(), "/build": build };
  await using machine = await MachineContainer.start({ mounts });
  await act({ panel, machine });
}

/** Waits for a report that comes from now on. */
export async function reports({ state }: TestPanel): Promise<void> {
  const before = state.counts.reports;
  await state.until(({ counts }) => counts.reports > before);
}

/** A command that installs an agent of a world's panel, and its variables. */
export function install(
  { panel }: World,
  options = "",
): [line: string, env: Record<string, string>] {
  const line = `${PROGRAM} install -e ${panel.url} --ip-services off ${options}`;
  return [line, { AGENT_TOKEN: panel.token }];
}
