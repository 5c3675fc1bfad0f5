import { assert, assertEquals, assertLess, assertLessOrEqual, assertRejects } from "@std/assert";
import { V8_FLAGS } from "../../../build/runtime_flags.ts";
import type { FileManager } from "../../test_panel/file_manager.ts";
import { TRANSFER_PATH } from "../../test_panel/file_transfers.ts";
import type { TestPanel } from "../../test_panel/test_panel.ts";
import type { AgentProcess } from "../../end_to_end/agent_process.ts";
import { fileResult, withFolder } from "../../end_to_end/remote_control.ts";
import { REMOTE_CONTROL, withAgent } from "../../end_to_end/setup.ts";
import { patience } from "../../patience.ts";
import { eventually } from "../../remote/processes_below.ts";
import { residentMb, seeProcess } from "./seen_process.ts";
import { onLinux } from "../../only_on.ts";

// A panel whose file manager asks for too much, or for what has no end. Everything takes place in
// fresh folders; nothing outside them is written to or deleted.

const MIB = 1024 * 1024;
/** Peak memory relative to that of the same agent when it has served one request of each kind. */
const MAX_PEAK_RATIO = 2;
/** Connections that are kept for the next call. */
const KEPT_CONNECTIONS = 4;
const SAMPLE_MS = 20;
const CUTS = 6;

interface Stress {
  readonly panel: TestPanel;
  readonly agent: AgentProcess;
  readonly files: FileManager;
  /** Holds nothing at the start. */
  readonly folder: string;
}

/** Tests that an agent's memory and descriptors are bounded during and after `use`. */
function test(name: string, use: (stress: Stress) => Promise<void>): void {
  onLinux.test(name, async () => {
    const args = [REMOTE_CONTROL, "--reconnect-interval", "0.1"];
    const setup = { panel: { generation: "1.5" }, args, runtime: [V8_FLAGS] } as const;
    await withAgent(setup, async (panel, agent) => {
      await agent.says("First report accepted");
      const { files } = panel;
      await withFolder((folder) => serveOneOfEach(files, folder));
      const before = seeProcess(agent.pid);
      let peakMb = before.residentMb;
      const sampling = setInterval(() => {
        peakMb = Math.max(peakMb, residentMb(agent.pid));
      }, SAMPLE_MS);
      try {
        await withFolder((folder) => use({ panel, agent, files, folder }));
      } finally {
        clearInterval(sampling);
      }
      const maxDescriptors = before.descriptors + KEPT_CONNECTIONS;
      const seen = () => seeProcess(agent.pid);
      await eventually(() => seen().descriptors <= maxDescriptors).catch(() => {});
      const after = seen();
      console.log(
        `files: ${name}: ${before.residentMb.toFixed(1)} MB before, ${peakMb.toFixed(1)} at the ` +
          `peak, ${after.residentMb.toFixed(1)} after; ${before.descriptors} descriptors before, ` +
          `${after.descriptors} after`,
      );
      assertLess(peakMb, before.residentMb * MAX_PEAK_RATIO, "MB at the peak");
      assertLessOrEqual(after.descriptors, maxDescriptors);
      assertEquals(after.children, before.children);
      await reported(panel);
    });
  });
}

/** What loads all code, and fills the buffers that are kept. */
async function serveOneOfEach(files: FileManager, folder: string): Promise<void> {
  const path = `${folder}/file`;
  files.chunkBytes = MIB;
  await files.upload(path, new Blob([new Uint8Array(4 * MIB)]));
  await downloadedBytes(files, path);
  await files.request("list", { path: folder });
  await files.request("search", { path: folder, query: "x", content: true });
}

async function downloadedBytes(files: FileManager, path: string): Promise<number> {
  let bytes = 0;
  for await (const part of files.download(path)) bytes += part.length;
  return bytes;
}

/** The result of a request, which is made again where the agent has no time for it on a busy machine. */
async function answered(
  files: FileManager,
  ...[op, args]: Parameters<FileManager["request"]>
): Promise<unknown> {
  for (const hang = patience();; hang.throwIfAborted()) {
    try {
      return await files.request(op, args);
    } catch (error) {
      if (!(error instanceof Error && error.message.startsWith("timeout: "))) throw error;
    }
  }
}

test("100 file requests at once are answered", async ({ files, folder }) => {
  for (let count = 0; count < 500; count++) {
    await Deno.writeTextFile(`${folder}/${"n".repeat(60)}-${count}`, "");
  }
  const path = `${folder}/${"n".repeat(60)}-0`;
  await Deno.writeFile(path, new Uint8Array(256 * 1024));
  const hundred = Array.from({ length: 100 }, (_, index) => index);
  const lists = await Promise.all(hundred.map(() => answered(files, "list", { path: folder })));
  for (const list of lists) assert(Array.isArray(list) && list.length === 500);
  const searches = await Promise.all(hundred.map((index) => {
    const args = { path: folder, query: `-${index}`, content: index % 2 === 0 };
    return answered(files, "search", args);
  }));
  assertEquals(searches.length, 100);
  const downloads = await Promise.all(
    hundred.map(() => downloadedBytes(files, path)),
  );
  assertEquals(downloads, Array(100).fill(256 * 1024));
});

test("uploads that are cut leave nothing open", async ({ panel, files, folder }) => {
  const content = new Blob([new Uint8Array(16 * MIB)]);
  for (let count = 0; count < CUTS; count++) {
    await reported(panel);
    const path = `${folder}/${count}`;
    files.chunkBytes = 16 * MIB;
    const upload = files.upload(path, content).catch((error) => error);
    await eventually(() => [...Deno.readDirSync(folder)].length > 0);
    const [part] = [...Deno.readDirSync(folder)].map(({ name }) => name);
    await eventually(() => (sizeOf(`${folder}/${part}`) ?? 1) > 0);
    panel.dropConnections({ reset: true });
    await upload;
    await reported(panel);
    // The panel could not reach the agent when it cancelled the upload, or it was too late.
    const [, upload_id] = /^\.komari-upload-([\w-]+)\.part$/.exec(part ?? "") ?? [];
    await files.request("upload_cancel", { path, upload_id });
    assertEquals([...Deno.readDirSync(folder)].filter(({ name }) => name.endsWith(".part")), []);
    await Deno.remove(path).catch(() => {});
  }
});

test("downloads that are cut leave nothing open", async ({ panel, agent, files, folder }) => {
  const path = `${folder}/long`;
  await Deno.writeTextFile(path, "");
  await Deno.truncate(path, 64 * MIB);
  let failed = 0;
  for (let count = 0; count < CUTS; count++) {
    await reported(panel);
    let isOver = false;
    files.chunkBytes = 64 * MIB;
    const download = downloadedBytes(files, path)
      .catch(() => void failed++).finally(() => isOver = true);
    await eventually(() => isOver || hasOpen(agent.pid, path));
    panel.dropConnections({ reset: true });
    await download;
    await eventually(() => !hasOpen(agent.pid, path));
  }
  assertLess(0, failed, "none was cut: the test has proven nothing");
  await reported(panel);
});

test("devices, FIFOs and loops of links are shown and never opened", async (stress) => {
  const { files, folder, panel, agent } = stress;
  const tree = `${folder}/tree`;
  await Deno.mkdir(`${tree}/deep/deeper`, { recursive: true });
  await Deno.writeTextFile(`${tree}/deep/text`, "a needle");
  const { success } = await new Deno.Command("mkfifo", { args: [`${tree}/fifo`] }).output();
  assert(success);
  const links = [
    ["fifo", "to-fifo"],
    ["/dev/zero", "to-zero"],
    ["self", "self"],
    ["there", "back"],
    ["back", "there"],
    ["..", "deep/deeper/up"],
    [tree, "deep/again"],
  ] as const;
  for (const [target, name] of links) await Deno.symlink(target, `${tree}/${name}`);

  const listed: { name: string; mode: string; is_symlink: boolean }[] = await fileResult(
    files,
    "list",
    { path: tree },
  );
  const shown = listed.map(({ name, is_symlink }) => `${name}${is_symlink ? "@" : ""}`);
  const names = ["back@", "deep", "fifo", "self@", "there@", "to-fifo@", "to-zero@"];
  assertEquals(shown.sort(), names);
  assertEquals(listed.find(({ name }) => name === "fifo")?.mode.charAt(0), "p");

  const { matches, limited }: { matches: { path: string }[]; limited: boolean } = await fileResult(
    files,
    "search",
    { path: tree, query: "needle", content: true },
  );
  assertEquals([matches.map(({ path }) => path), limited], [[`${tree}/deep/text`], false]);

  const endless = ["/dev/zero", `${tree}/to-zero`, `${tree}/fifo`, `${tree}/to-fifo`, tree];
  const loops = [`${tree}/self`, `${tree}/back`];
  const transfer = { transfer_id: "unknown", transfer_token: "unknown", chunk_index: 0 };
  const transfers = () => panel.state.calls.filter(({ path }) => path === TRANSFER_PATH).length;
  const before = transfers();
  for (const path of [...endless, ...loops]) {
    const refused = () => {
      return files.request("download_stream", { path, offset: 0, length: 100, ...transfer });
    };
    const error = await assertRejects(refused, Error);
    const isEndless = endless.includes(path);
    assert(error.message.includes(isEndless ? "not a regular file" : "symbolic link"), `${error}`);
  }
  assertEquals(transfers(), before, "nothing was sent");
  assertEquals(hasOpen(agent.pid, "/dev/zero"), false);

  const copied = await fileResult(files, "copy", { source: tree, destination: `${folder}/copy` });
  assertEquals(copied, { copied: true, skipped: 1 });
  assertEquals(await Deno.readLink(`${folder}/copy/deep/deeper/up`), "..");
  await files.request("delete", { path: `${folder}/copy` });
  assertEquals(await Deno.readTextFile(`${tree}/deep/text`), "a needle");
});

test("file requests of the wrong shape are survived", async ({ panel, files, folder }) => {
  const wrong = [
    "[]",
    "7",
    `{"request_id":7,"op":"stat","args":{}}`,
    `{"request_id":"","op":"stat","args":{}}`,
    `{"request_id":"${"e".repeat(50_000)}","op":"stat","args":{}}`,
  ];
  for (const params of wrong) {
    panel.sendRaw(`{"jsonrpc":"2.0","method":"agent.file","params":${params}}\n`);
    await reported(panel);
  }
  const long = () => files.request("stat", { path: "x".repeat(5000) });
  await assertRejects(long, Error, "file name too long");
  // What is no text counts as missing.
  const deep = JSON.parse(`${"[".repeat(1000)}${"]".repeat(1000)}`);
  assertEquals((await fileResult(files, "stat", { path: deep })).path, "/");
  const relative = () => files.request("list", { path: "../../etc" });
  await assertRejects(relative, Error, "must begin with /");
  assertEquals(await files.request("list", { path: `${folder}/./x/..` }), []);
});

/**
 * Waits for a report: the agent is back, by POST if the WebSocket was lost too often.
 */
async function reported({ state }: TestPanel): Promise<void> {
  const { reports } = state.counts;
  await state.until(({ counts }) => counts.reports > reports);
}

/** Size of a file in bytes; `undefined` when there is none. */
function sizeOf(path: string): number | undefined {
  try {
    return Deno.statSync(path).size;
  } catch {
    return undefined;
  }
}

/** Whether a process has a file open. */
function hasOpen(pid: number, path: string): boolean {
  for (const { name } of Deno.readDirSync(`/proc/${pid}/fd`)) {
    try {
      if (Deno.readLinkSync(`/proc/${pid}/fd/${name}`) === path) return true;
    } catch {
      // It was closed meanwhile.
    }
  }
  return false;
}
