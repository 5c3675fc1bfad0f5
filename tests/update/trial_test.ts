import { assertEquals } from "@std/assert";
import type { Health } from "../../lib/state/health_reader.ts";
import { StateFile } from "../../lib/state/state_file.ts";
import { formatUpdateState, parseUpdateState } from "../../lib/state/update_state.ts";
import { ProgramFiles } from "../../lib/update/program_files.ts";
import { type TrialOutcome, TrialRun } from "../../lib/update/trial.ts";
import { sameLater } from "../cases.ts";
import { FakeTime } from "../fake_time.ts";
import { sha256 } from "./release_server.ts";
import { inFolder, TempFolder } from "../temp_folder.ts";

const NEW = {
  ...{ pid: 2, version: "1.3.0", intervalMs: 1000, acceptedAtMs: 1, startedAtMs: 0 },
  ...{ seal: "", panels: [], problems: [], isRunning: true },
};

/**
 * Tries a new version with an agent that says one thing after the other, and then the last one; gives
 * how it ended, and the looks at the agent's health.
 */
async function outcomeOf(
  printed: readonly (Partial<Health> | undefined)[],
): Promise<[kind: TrialOutcome["kind"], looks: number]> {
  let looks = 0;
  using folder = new TempFolder();
  using time = new FakeTime();
  const path = `${folder.path}/agent`;
  await Deno.writeTextFile(path, "one");
  await Deno.writeTextFile(`${path}.new`, "two");
  const left: (Partial<Health> | undefined)[] = [{ version: "1.2.3" }, ...printed];
  const trial = new TrialRun({
    files: new ProgramFiles(path),
    state: new StateFile(folder.path, { name: "state", parse: parseUpdateState }),
    agent: {
      health() {
        looks++;
        const next = left.length > 1 ? left.shift() : left[0];
        return next && { ...NEW, ...next };
      },
      requireRestart: () => Promise.resolve(),
      restart: () => Promise.resolve(true),
    },
    onStep() {},
  });
  const hash = sha256(new TextEncoder().encode("two"));
  const { signal } = new AbortController();
  const starting = trial.start({ from: "1.2.3", to: "1.3.0", sha256: hash }, signal);
  await time.until(starting, { withinMs: 600_000, stepMs: 500 });
  return [(await starting).kind, looks];
}

Deno.test("TrialRun.start() accepts a version by two consecutive reports of one process, and goes back else", async () => {
  const silent = { acceptedAtMs: undefined };
  const kind = async (printed: Parameters<typeof outcomeOf>[0]) => (await outcomeOf(printed))[0];
  await sameLater(kind, [
    [[undefined, silent, {}], "updated"],
    [[{}, silent], "rolled back"],
    [[{ pid: 3 }, { pid: 4 }, silent], "rolled back"],
    [[{ isRunning: false }], "rolled back"],
    [[silent], "rolled back"],
    [[{ version: "1.2.3" }], "rolled back"], // It is still the old one.
  ]);
  // Every half second for a minute, and 10 s until the old version runs; one look before it starts, and
  // one before the version before is started again.
  assertEquals(await outcomeOf([undefined]), ["rolled back", 122 + 21]);
});

inFolder.test("TrialRun.resume() counts how often it was taken up, before it goes on", async (folder) => {
  using time = new FakeTime();
  const path = `${folder.path}/agent`;
  await Deno.writeTextFile(path, "two");
  const state = new StateFile(folder.path, { name: "update", parse: parseUpdateState });
  using _ = state;
  const hash = sha256(new TextEncoder().encode("two"));
  const open = { from: "1.2.3", to: "1.3.0", sha256: hash, resumes: 1, isReturning: false };
  await state.write(formatUpdateState({ failed: [], trial: open }));
  const seen: (number | undefined)[] = [];
  const trial = new TrialRun({
    files: new ProgramFiles(path),
    state,
    agent: {
      health() {
        seen.push(state.read().value?.trial?.resumes);
        return NEW;
      },
      requireRestart: () => Promise.resolve(),
      restart: () => Promise.reject(new Error("it runs already")),
    },
    onStep() {},
  });
  const resuming = trial.resume(new AbortController().signal);
  await time.until(resuming, { withinMs: 600_000, stepMs: 500 });
  assertEquals((await resuming)?.kind, "updated");
  assertEquals(seen, [2, 2, 2]);
  assertEquals(state.read().value, { failed: [] }, "the trial is over");
});
