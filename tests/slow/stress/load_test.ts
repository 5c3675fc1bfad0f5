import { assert, assertEquals, assertLess, assertLessOrEqual } from "@std/assert";
import { V8_FLAGS } from "../../../build/runtime_flags.ts";
import { TempFolder } from "../../temp_folder.ts";
import { REMOTE_CONTROL, withAgent } from "../../end_to_end/setup.ts";
import type { TestPanel } from "../../test_panel/test_panel.ts";
import { anonymousMb, seeProcess } from "./seen_process.ts";
import { onLinux } from "../../only_on.ts";

// All that one panel may want of an agent at once, while its connections are cut.

const COMMANDS = 200;
const FILE_ORDERS = 1000;
const TRANSFERS = 64;
const MIB = 1024 * 1024;
const SAMPLE_MS = 50;
/** Connections that are kept for the next call. */
const KEPT_CONNECTIONS = 4;
/** Peak memory relative to that before. */
const MAX_PEAK_RATIO = 2.5;
/** Tries of a transfer that was cut, as a panel's page makes them. */
const TRIES = 8;
/** What the panel has sent over a connection that was cut is not answered. */
const ANSWER_MS = 10_000;

/** Waits until so many more reports have come. */
async function reported({ state }: TestPanel, count = 1): Promise<void> {
  const { reports } = state.counts;
  await state.until(({ counts }) => counts.reports >= reports + count);
}

async function retried<T>(run: () => Promise<T>): Promise<T> {
  for (let left = TRIES;; left--) {
    try {
      return await run();
    } catch (error) {
      if (left === 0) throw error;
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
  }
}

onLinux.test("200 commands, 1,000 file orders and 64 transfers with faults between get their results", async () => {
  const setup = {
    panel: { generation: "main, October 2026" },
    args: [REMOTE_CONTROL, "--reconnect-interval", "0.1"],
    runtime: [V8_FLAGS],
  } as const;
  await withAgent(setup, async (panel, agent) => {
    await agent.says("First report accepted");
    const { files, state } = panel;
    using temp = new TempFolder();
    const folder = temp.path;
    const path = `${folder}/file`;
    const content = new Uint8Array(MIB);
    files.chunkBytes = MIB / 4;
    await files.upload(path, new Blob([content]));
    await files.request("list", { path: folder });
    await reported(panel, 60);
    const look = () => ({ ...seeProcess(agent.pid), anonymousMb: anonymousMb(agent.pid) });
    const before = look();
    const measure = async (title: string, run: () => Promise<string>) => {
      const peak = look();
      const sampling = setInterval(() => {
        for (const [name, value] of Object.entries(look())) {
          const key = name as keyof typeof peak;
          peak[key] = Math.max(peak[key], value);
        }
      }, SAMPLE_MS);
      const results = await run().finally(() => clearInterval(sampling));
      await retried(async () => {
        await reported(panel, 3);
        assertLessOrEqual(look().descriptors, before.descriptors + KEPT_CONNECTIONS);
      });
      const after = look();
      console.log(`load: ${title}: ${results}`, { before, peak, after });
      assertLess(peak.residentMb, before.residentMb * MAX_PEAK_RATIO, title);
      assertEquals(after.children, before.children, title);
    };

    await measure("200 commands", async () => {
      for (let index = 0; index < COMMANDS; index++) panel.node.sendCommand(`echo ${index}`);
      await state.until(({ counts }) => counts.commandResults >= COMMANDS / 10);
      panel.dropConnections({ reset: true });
      // A result whose answer was cut off is sent again.
      const done = () => new Set(state.commandResults.map(({ value }) => value.taskId)).size;
      await state.until(() => done() === COMMANDS);
      assert(state.commandResults.every(({ value }) => value.exitCode === 0));
      return `${done()} results`;
    });

    await measure("1,000 file orders", async () => {
      const outcomes = await Promise.allSettled(
        Array.from({ length: FILE_ORDERS }, () => files.request("stat", { path })),
      );
      const done = outcomes.filter(({ status }) => status === "fulfilled").length;
      for (const outcome of outcomes) {
        if (outcome.status === "rejected") {
          assert(/too many file requests wait/.test(`${outcome.reason}`), `${outcome.reason}`);
        }
      }
      assertLess(128, done);
      return `${done} done, ${outcomes.length - done} told to come later`;
    });

    await measure("64 transfers", async () => {
      files.answerMs = ANSWER_MS;
      const faults = (async () => {
        for (let cuts = 0; cuts < 3; cuts++) {
          await reported(panel, 4);
          panel.dropConnections({ reset: true });
        }
      })();
      const sizes = await Promise.all(
        Array.from({ length: TRANSFERS }, (_, index) =>
          retried(async () => {
            if (index % 2 === 0) {
              const target = `${folder}/up-${index}`;
              await files.upload(target, new Blob([content]));
              return (await Deno.stat(target)).size;
            }
            let bytes = 0;
            for await (const part of files.download(path)) bytes += part.length;
            return bytes;
          })),
      );
      await faults;
      // The agent waits half an hour for the parts of an upload whose cancellation was lost.
      for (const { name } of Deno.readDirSync(folder)) {
        const id = /upload-(.+)\.part$/.exec(name)?.[1];
        if (id) await retried(() => files.request("upload_cancel", { path, upload_id: id }));
      }
      assertEquals(sizes, Array(TRANSFERS).fill(MIB));
      return `${sizes.length} whole`;
    });
    // A result whose answer was cut off is sent again.
    const unexpected = state.violations.filter(({ text }) => !text.endsWith(" no request"));
    state.violations.splice(0, Infinity, ...unexpected);
  });
});
