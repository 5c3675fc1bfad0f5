import { assertEquals, assertMatch } from "@std/assert";
import type { FileManager } from "../test_panel/file_manager.ts";
import type { TestPanel } from "../test_panel/test_panel.ts";
import { eventually } from "../remote/processes_below.ts";
import { isAlive } from "../exists.ts";
import { TempFolder } from "../temp_folder.ts";
import type { AgentProcess } from "./agent_process.ts";

/** Runs `use` with a fresh folder and removes it afterwards. */
export async function withFolder(use: (folder: string) => Promise<void>): Promise<void> {
  using folder = new TempFolder();
  await use(Deno.realPathSync(folder.path));
}

/** Tests that a terminal survives a lost connection, and ends when the user closes it. */
export async function testResumedTerminal(panel: TestPanel, agent: AgentProcess): Promise<void> {
  await withFolder(async (folder) => {
    const id = panel.terminals.request();
    const terminal = panel.terminals.get(id);
    await terminal.until(({ isConnected }) => isConnected);
    terminal.send("echo first-$$-fir''st\r");
    await terminal.until(({ output }) => /first-\d+-first/.test(output));
    const [, shell = ""] = /first-(\d+)-first/.exec(terminal.output) ?? [];

    const waits = `until [ -e ${folder}/go ]; do sleep 0.02; done`;
    terminal.send(`${waits}; echo mis''sed; echo > ${folder}/done; echo rea''dy\r`);
    await terminal.until(({ output }) => output.includes("rea''dy"));
    terminal.detachBrowser();
    await terminal.until(({ isConnected }) => !isConnected);
    await Deno.writeTextFile(`${folder}/go`, "");
    await eventually(() => names(folder).includes("done"));
    assertEquals(terminal.output.includes("missed"), false);
    panel.terminals.request(id);
    await terminal.until(({ output }) => output.includes("ready"));
    assertMatch(terminal.output, /missed\r\nready\r\n/);
    terminal.send("echo again-$$-aga''in\r");
    await terminal.until(({ output }) => output.includes(`again-${shell}-again`));

    assertEquals(isAlive(Number(shell)), true);
    terminal.close();
    await eventually(() => !isAlive(Number(shell)));
    await agent.says(`Terminal ${id} ended`);
    assertMatch(agent.lines(`Terminal ${id} ended`)[0] ?? "", /the user has closed it/);

    // The user is gone before the agent dials: "Session not found".
    const gone = panel.terminals.request();
    panel.terminals.get(gone).detachBrowser();
    const isRefused = () => {
      return panel.state.calls.some(({ path, status }) => /terminal$/.test(path) && status === 404);
    };
    await panel.state.until(isRefused);
    panel.terminals.get(gone).end();
  });
}

/** The result of a file operation. */
export async function fileResult(
  files: FileManager,
  op: string,
  args: Readonly<Record<string, unknown>>,
  // deno-lint-ignore no-explicit-any -- a test reads whatever the result holds
): Promise<any> {
  return await files.request(op, args);
}

function names(folder: string): string[] {
  return [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
}
