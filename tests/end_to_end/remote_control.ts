import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import type { FileManager } from "../test_panel/file_manager.ts";
import { fileErrorCode } from "../test_panel/file_contract.ts";
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

/** The parameters of one part of an upload, by a transfer that the panel does not know. */
export function unknownPart(path: string): Record<string, unknown> {
  const part = { offset: 0, chunk_index: 0, chunk_count: 2, chunk_size: 5, total_size: 10 };
  const transfer = { transfer_id: "unknown", transfer_token: "unknown" };
  return { path, upload_id: "cancelled", first: true, final: false, ...part, ...transfer };
}

/** Tests the panel's file manager with an agent that allows it. */
export async function testRemoteFiles({ files }: TestPanel): Promise<void> {
  await withFolder(async (folder) => {
    const path = `${folder}/sub/file`;
    assertEquals(await files.request("mkdir", { path: `${folder}/sub`, mode: "750" }), {
      created: true,
    });
    assertEquals(Number((await Deno.stat(`${folder}/sub`)).mode) & 0o777, 0o750);

    const bytes = crypto.getRandomValues(new Uint8Array(65_000));
    files.chunkBytes = 20_000;
    await files.upload(path, new Blob([bytes]));
    assertEquals(await Deno.readFile(path), bytes);
    const parts: Uint8Array<ArrayBuffer>[] = [];
    files.chunkBytes = 30_000;
    for await (const part of files.download(path)) parts.push(part);
    assertEquals(parts.map(({ length }) => length), [30_000, 30_000, 5000]);
    assertEquals(new Uint8Array(await new Blob(parts).arrayBuffer()), bytes);

    // The first part makes the temporary file even if its transfer fails.
    const other = `${folder}/sub/other`;
    const part = unknownPart(other);
    await assertRejects(() => files.request("upload_stream", part), Error);
    assertEquals(names(`${folder}/sub`), [".komari-upload-cancelled.part", "file"]);
    const commit = () => files.request("upload_commit", { ...part, final: true });
    await assertRejects(commit, Error, "incomplete");
    const cancelled = await files.request("upload_cancel", { path: other, upload_id: "cancelled" });
    assertEquals(cancelled, { cancelled: true });
    assertEquals(names(`${folder}/sub`), ["file"]);

    const { size, mode_octal, is_dir } = await fileResult(files, "stat", { path });
    assertEquals([size, mode_octal, is_dir], [65_000, "0644", false]);
    const listed: { path: string }[] = await fileResult(files, "list", { path: folder });
    assertEquals(listed.map(({ path }) => path), [`${folder}/sub`]);

    const searched = { path: folder, query: "FIL", content: false };
    const { matches }: { matches: { path: string }[] } = await fileResult(
      files,
      "search",
      searched,
    );
    assertEquals(matches.map(({ path }) => path), [path]);
    assertEquals(await files.request("delete", { path: `${folder}/sub` }), { deleted: true });
    assertEquals(names(folder), []);
    const missing = () => files.request("stat", { path });
    assertEquals(fileErrorCode(await assertRejects(missing, Error)), -32044);
    const unknown = () => files.request("defragment", { path: folder });
    assertEquals(fileErrorCode(await assertRejects(unknown, Error)), -32050);
  });
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
