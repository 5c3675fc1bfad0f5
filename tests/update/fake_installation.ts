import { StateFile } from "../../lib/state/state_file.ts";
import { FolderLock } from "../../lib/state/state_lock.ts";
import {
  parseUpdateState,
  UPDATE_STATE,
  updateFolder,
  type UpdateState,
} from "../../lib/state/update_state.ts";
import { Downloads } from "../../lib/update/download.ts";
import { ProgramFiles } from "../../lib/update/program_files.ts";
import type { UpdateStep } from "../../lib/update/trial.ts";
import {
  performUpdate,
  type UpdateOutcome,
  type UpdaterOptions,
} from "../../lib/update/updater.ts";
import { makeExecutable } from "../executable.ts";
import { FakeTime, realTurn } from "../fake_time.ts";
import { patience } from "../patience.ts";
import { FakeAgent } from "./fake_agent.ts";
import { programOf } from "./release_server.ts";

/** Where a program lies, with an agent that runs it. */
export interface FakeInstallation {
  readonly path: string;
  /** Where releases are described. */
  readonly url: string;
  /** The key that they are signed with. */
  readonly publicKey: string;
  /** Put before every address of GitHub. */
  readonly mirror?: string;
  /** A version by its exact name. */
  readonly wanted?: string;
  /** Versions of which no report is ever accepted. */
  readonly silentVersions: readonly string[];
}

/** Files of a program that can be run at once although other tests start programs in this process. */
class RunnableFiles extends ProgramFiles {
  override async finishStaged(): Promise<void> {
    await super.finishStaged();
    makeExecutable(this.stagedPath);
  }
}

/** All that an update works with, with steps that are handed to `onStep`. */
export function updaterOptions(
  { path, url, publicKey, mirror = "", wanted, silentVersions }: FakeInstallation,
  onStep: (step: UpdateStep) => void = () => {},
): UpdaterOptions & { agent: FakeAgent; state: StateFile<UpdateState> } {
  return {
    url,
    publicKey,
    mirror,
    repository: "o/n",
    wanted,
    currentVersion: versionIn(path),
    target: "portable",
    files: new RunnableFiles(path),
    state: new StateFile(updateFolder(path), { name: UPDATE_STATE, parse: parseUpdateState }),
    agent: new FakeAgent(path, { silentVersions }),
    downloads: new Downloads({ proxies: {}, caCerts: [] }),
    onStep,
  };
}

/** As {@linkcode performUpdate}; where it polls the agent's health, time passes at once. */
export async function performNow(
  parts: UpdaterOptions & { agent: FakeAgent },
  signal = new AbortController().signal,
): Promise<UpdateOutcome> {
  using time = new FakeTime({ now: Date.now() });
  let isPolled = false;
  const health = parts.agent.health.bind(parts.agent);
  parts.agent.health = () => {
    isPolled = true;
    return health();
  };
  let isDone = false;
  const performing = performUpdate(parts, signal);
  const finish = () => void (isDone = true);
  performing.then(finish, finish);
  const hang = patience();
  while (!isDone) {
    hang.throwIfAborted();
    await realTurn();
    if (isPolled) {
      isPolled = false;
      await time.run(500);
    }
  }
  return await performing;
}

/** Runs an update as the command does, under its lock. */
export async function runFakeUpdate(
  place: FakeInstallation,
  onStep?: (step: UpdateStep) => void,
): Promise<UpdateOutcome> {
  using lock = FolderLock.open(updateFolder(place.path));
  if (!lock.tryLock()) throw new Error("another update is running");
  const parts = updaterOptions(place, onStep);
  // It stays open while the process lives.
  using _state = parts.state;
  return await performNow(parts);
}

/** The version of a program's file, which is whole. */
export function versionIn(path: string): string {
  const text = Deno.readTextFileSync(path);
  const version = /"version": "([^"]+)"/.exec(text)?.[1] ?? "";
  if (!text.startsWith(programOf(version).slice(0, 9)) || !text.endsWith("}'\n")) {
    throw new Error(`no whole program: ${text}`);
  }
  return version;
}
