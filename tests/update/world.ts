import { assertRejects } from "@std/assert";
import { attempt } from "../../lib/attempt.ts";
import { describeError } from "../../lib/log/log.ts";
import type { Health } from "../../lib/state/health_reader.ts";
import { StateFile } from "../../lib/state/state_file.ts";
import {
  parseUpdateState,
  UPDATE_STATE,
  updateFolder,
  type UpdateState,
} from "../../lib/state/update_state.ts";
import { Downloads } from "../../lib/update/download.ts";
import { ProgramFiles } from "../../lib/update/program_files.ts";
import type { UpdatedAgent } from "../../lib/update/trial.ts";
import {
  performUpdate,
  type UpdateOutcome,
  type UpdaterOptions,
} from "../../lib/update/updater.ts";
import { makeExecutable, writeExecutable } from "../executable.ts";
import { FakeTime, realTurn } from "../fake_time.ts";
import { patience } from "../patience.ts";
import { TempFolder } from "../temp_folder.ts";
import { programOf, ReleaseServer } from "./release_server.ts";

/** The version that is installed at first, and the next one. */
export const VERSIONS = { from: "1.2.3", to: "1.3.0" };
export const PROGRAM: string = programOf(VERSIONS.to);
/** What {@linkcode World.sight} says where nothing has changed. */
export const UNCHANGED = "1.2.3 runs as 1.2.3";

/** Where a program lies, and its releases. */
export interface Place {
  readonly path: string;
  /** Where releases are described. */
  readonly url: string;
  /** The key that they are signed with. */
  readonly publicKey: string;
  /** The version of which no report is ever accepted. */
  readonly silent: string;
}

/** All that an update works with. */
export type Parts = UpdaterOptions & { agent: FakeAgent; state: StateFile<UpdateState> };

/**
 * An agent that does nothing but run some version of a program's file; a restart takes the version
 * that is there then. It remembers that in a file, `PATH.agent`, which outlives a process that is
 * killed.
 */
class FakeAgent implements UpdatedAgent {
  restarts = 0;
  looks = 0;
  /** What it says else, look by look; the last one stays. `undefined` is no health file. */
  says: (Partial<Health> | undefined)[] = [{}];
  readonly #place: Place;
  readonly #file: string;

  constructor(place: Place) {
    this.#place = place;
    this.#file = `${place.path}.agent`;
  }

  /** Starts it, as a service does after a power loss too. */
  start(): Promise<void> {
    return Deno.writeTextFile(this.#file, versionIn(this.#place.path));
  }

  health(): Health | undefined {
    this.looks++;
    const said = this.says.length > 1 ? this.says.shift() : this.says[0];
    const version = attempt(() => Deno.readTextFileSync(this.#file));
    if (version === undefined || said === undefined) return undefined;
    const acceptedAtMs = this.#place.silent === version ? undefined : Date.now();
    return {
      ...{ pid: 1, version, intervalMs: 1000, acceptedAtMs, startedAtMs: 0 },
      ...{ panels: [], problems: [], seal: "", isRunning: true, ...said },
    };
  }

  requireRestart(): void {}

  restart(): Promise<void> {
    this.restarts++;
    return this.start();
  }
}

/** Files of a program that can be run at once although other tests start programs in this process. */
class RunnableFiles extends ProgramFiles {
  override async finishStaged(): Promise<void> {
    await super.finishStaged();
    makeExecutable(this.stagedPath);
  }
}

/** What an update of the program there works with. */
export function partsOf(place: Place): Parts {
  const { path, url, publicKey } = place;
  return {
    ...{ url, publicKey, mirror: "", repository: "o/n", target: "portable" },
    currentVersion: versionIn(path),
    files: new RunnableFiles(path),
    state: new StateFile(updateFolder(path), { name: UPDATE_STATE, parse: parseUpdateState }),
    agent: new FakeAgent(place),
    downloads: new Downloads({ proxies: {}, caCerts: [] }),
    onStep() {},
  };
}

/** As {@linkcode performUpdate}; where it polls the agent's health, time passes at once. */
export async function performNow(
  parts: Parts,
  signal = new AbortController().signal,
): Promise<UpdateOutcome> {
  using time = new FakeTime({ now: Date.now() });
  const { agent } = parts;
  const hang = patience();
  const performing = performUpdate(parts, signal);
  const ended = performing.then(() => true, () => true);
  for (let seen = 0; await Promise.race([ended, realTurn()]) !== true;) {
    hang.throwIfAborted();
    if (agent.looks === seen) continue;
    seen = agent.looks;
    await time.run(500);
  }
  return await performing;
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

/** Version 1.2.3 with an agent, and a server with a release of 1.3.0. */
export class World implements AsyncDisposable {
  readonly server = new ReleaseServer();
  readonly path: string;
  readonly folder: string;
  readonly #silent: string;
  readonly #own = new TempFolder();

  /** @param options.silent A version of which no report is ever accepted. */
  constructor({ program = PROGRAM, silent = "", folder = "" } = {}) {
    this.folder = folder || this.#own.path;
    this.path = `${this.folder}/agent`;
    this.#silent = silent;
    Deno.mkdirSync(updateFolder(this.path));
    writeExecutable(this.path, programOf(VERSIONS.from));
    Deno.writeTextFileSync(`${this.path}.agent`, VERSIONS.from);
    this.server.publish(VERSIONS.to, program);
  }

  get place(): Place {
    const { url, keys: { publicKey } } = this.server;
    return { path: this.path, url, publicKey, silent: this.#silent };
  }

  parts(): Parts {
    return partsOf(this.place);
  }

  /** How an update ends, or why there is none. */
  async run(): Promise<string> {
    const outcome = await performNow(this.parts());
    return outcome.kind === "nothing" ? outcome.release.decision : outcome.kind;
  }

  /** The words of the failure that an update ends with. */
  async failure(parts: Parts = this.parts()): Promise<string> {
    return describeError(await assertRejects(() => performNow(parts), Error));
  }

  /** What is there, as in `1.3.0 runs as 1.3.0, agent.old 1.2.3, failed 1.4.0, returning`. */
  sight(): string {
    const { agent, state } = this.parts();
    const { failed = [], trial } = state.read().value ?? {};
    const others = Array.from(Deno.readDirSync(this.folder), ({ name }) => name)
      .filter((name) => !/^agent(?:\.agent|\.update)?$/.test(name)).sort();
    return [
      `${versionIn(this.path)} runs as ${agent.health()?.version}`,
      ...others.map((name) => `${name} ${versionIn(`${this.folder}/${name}`)}`),
      ...failed.map(({ version }) => `failed ${version}`),
      ...(trial === undefined ? [] : [trial.isReturning ? "returning" : "on trial"]),
    ].join(", ");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server[Symbol.asyncDispose]();
    this.#own[Symbol.dispose]();
  }
}
