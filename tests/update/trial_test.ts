import { assertEquals } from "@std/assert";
import type { Health } from "../../lib/state/health_reader.ts";
import { StateFile } from "../../lib/state/state_file.ts";
import { formatUpdateState, parseUpdateState } from "../../lib/state/update_state.ts";
import { ProgramFiles } from "../../lib/update/program_files.ts";
import { TrialRun, type UpdateStep } from "../../lib/update/trial.ts";
import { sameLater } from "../cases.ts";
import { FakeTime } from "../fake_time.ts";
import { TempFolder } from "../temp_folder.ts";
import { sha256 } from "./release_server.ts";

const NEW = {
  ...{ pid: 2, version: "1.3.0", intervalMs: 1000, acceptedAtMs: 1, startedAtMs: 0 },
  ...{ seal: "", panels: [], problems: [], isRunning: true },
};
const TRIAL = { from: "1.2.3", to: "1.3.0", sha256: sha256(new TextEncoder().encode("two")) };

/**
 * Tries a new version, or goes on with a trial, with an agent that says one thing after the other, and
 * then the last one; gives how it ended, and the looks at the agent's health.
 */
async function outcomeOf(printed: readonly (Partial<Health> | undefined)[], resumes?: number) {
  using folder = new TempFolder();
  using time = new FakeTime();
  const path = `${folder.path}/agent`;
  Deno.writeTextFileSync(path, resumes === undefined ? "one" : "two");
  Deno.writeTextFileSync(`${path}.${resumes === undefined ? "new" : "old"}`, "two");
  using state = new StateFile(folder.path, { name: "state", parse: parseUpdateState });
  if (resumes !== undefined) {
    const trial = { ...TRIAL, resumes, isReturning: false };
    await state.write(formatUpdateState({ failed: [], trial }));
  }
  const left = [...printed];
  const steps: UpdateStep[] = [];
  /** How often the trial was taken up, at each look. */
  const looks: (number | undefined)[] = [];
  const trial = new TrialRun({
    files: new ProgramFiles(path),
    state,
    agent: {
      health() {
        looks.push(state.read().value?.trial?.resumes);
        const next = left.length > 1 ? left.shift() : left[0];
        return next && { ...NEW, ...next };
      },
      requireRestart() {},
      restart: () =>
        resumes === undefined ? Promise.resolve() : Promise.reject(new Error("it runs already")),
    },
    onStep: (step) => void steps.push(step),
  });
  const { signal } = new AbortController();
  const running = resumes === undefined ? trial.start(TRIAL, signal) : trial.resume(signal);
  await time.until(running, { withinMs: 600_000, stepMs: 5_000 });
  return { kind: (await running)?.kind, looks, steps, left: state.read().value };
}

const OLD = { version: "1.2.3" };

Deno.test("TrialRun.start() accepts a version by two consecutive reports of one process, and goes back else", async () => {
  const silent = { acceptedAtMs: undefined };
  const kind = async (printed: Parameters<typeof outcomeOf>[0]) =>
    (await outcomeOf([OLD, ...printed])).kind;
  await sameLater(kind, [
    [[undefined, silent, {}], "updated"],
    [[{}, silent], "rolled back"],
    [[{ pid: 3 }, { pid: 4 }, silent], "rolled back"],
    [[{ isRunning: false }], "rolled back"],
    [[silent], "rolled back"],
    [[OLD], "rolled back"], // It is still the old one.
  ]);
  // Every half second for a minute; one look before it starts, and one before the version before is
  // started again.
  const { looks } = await outcomeOf([OLD, undefined]);
  assertEquals(looks.length, 122);
});

Deno.test("TrialRun.resume() counts how often it was taken up, before it goes on, and goes back when that was too often", async () => {
  const { kind, looks, left } = await outcomeOf([{}], 1);
  assertEquals([kind, looks], ["updated", [2, 2, 2]]);
  assertEquals(left, { failed: [] }, "the trial is over");
  const often = await outcomeOf([OLD], 2);
  assertEquals([often.kind, often.steps], ["rolled back", ["rolling back", "rolled back"]]);
});
