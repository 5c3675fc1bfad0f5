import { type Config, releaseFlags } from "../config/config.ts";
import { pickVariables } from "../config/paths.ts";
import { getLogger } from "../log/log.ts";
import { knowsReleases } from "../version.ts";
import { isInContainerImage, type ThisProgram, thisProgram } from "./this_program.ts";
import { isTrialOpen, updateFolder } from "./update_state.ts";

/** How this program is started to look for a newer version of itself. */
export interface UpdateCommand {
  readonly words: readonly string[];
  /** All of its environment. */
  readonly env: Readonly<Record<string, string>>;
}

/** What it needs of the agent's: where the agent says how it is, and where things are found. */
const NEEDED_VARIABLES = ["HOME", "RUNTIME_DIRECTORY", "XDG_RUNTIME_DIR", "TMPDIR", "DENO_DIR"];

/**
 * The command by which an agent looks for newer versions of itself; `undefined` where it does not.
 *
 * It does not where that was not wanted, in a container image, from sources, from a build that has
 * no releases, and at a terminal, where nobody would start it again. The token is no part of it.
 */
export function updateCommand(
  config: Config,
  { program, env, isAtTerminal }: {
    program: ThisProgram;
    env: Readonly<Record<string, string>>;
    isAtTerminal: boolean;
  },
): UpdateCommand | undefined {
  const { update, install, logFormat, proxies, command } = config;
  if (command !== "report" || !update.automatic || !knowsReleases(update)) return undefined;
  if (program.form === "source" || isAtTerminal || isInContainerImage()) return undefined;
  const options = releaseFlags(install.given);
  return {
    words: [program.path, "update", "--now", "--log-format", logFormat, ...options],
    env: {
      ...pickVariables(env, NEEDED_VARIABLES),
      // A portable build needs to know by what it is run.
      ...(program.form === "portable" && { DENO: Deno.execPath() }),
      ...(proxies.http !== undefined && { http_proxy: proxies.http }),
      ...(proxies.https !== undefined && { https_proxy: proxies.https }),
      ...(proxies.none !== undefined && { no_proxy: proxies.none }),
    },
  };
}

/** How the agent that runs here takes newer versions of itself. */
export interface OwnUpdates {
  readonly command: UpdateCommand;
  /** Whether a trial of a new version was cut off. */
  readonly isTrialOpen: boolean;
}

/** The same for this very process; tells where it can't be done although it was wanted. */
export function ownUpdates(config: Config): OwnUpdates | undefined {
  const { form, path: named } = thisProgram();
  const path = realPath(named);
  const command = updateCommand(config, {
    program: { form, path },
    env: Deno.env.toObject(),
    isAtTerminal: Deno.stdin.isTerminal(),
  });
  if (command === undefined) return undefined;
  if (isReplaceable(path)) return { command, isTrialOpen: isTrialOpen(path) };
  getLogger("update").info(
    "Newer versions are not taken by this process: this user can't put a new file beside {path}",
    { path },
  );
  return undefined;
}

function realPath(path: string): string {
  try {
    return Deno.realPathSync(path);
  } catch {
    return path;
  }
}

/** Whether this user may put another file in a program's place. */
function isReplaceable(path: string): boolean {
  const folder = updateFolder(path);
  try {
    Deno.mkdirSync(folder, { mode: 0o700 });
    Deno.removeSync(folder);
    return true;
  } catch (error) {
    // It is there from the last time, and belongs to whoever could do it then.
    return error instanceof Deno.errors.AlreadyExists && Deno.statSync(folder).uid === Deno.uid();
  }
}

/** What starts an update, and how often that is. */
export interface UpdateTriggerParts {
  /** Starts one apart from this process, and does not wait for its end. */
  start(): Promise<void>;
  /** Whether a trial of a new version was cut off. */
  readonly isTrialOpen: boolean;
  /** Told once for each failure in a row. */
  onError(error: unknown): void;
  /** From 0 to 1. */
  readonly random?: () => number;
}

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
/** Soon after the start, but not all that were started at the same time at once. */
const FIRST_MS = { from: 5 * MINUTE_MS, to: HOUR_MS };
/** Every 6 h, drawn anew each time so that agents spread out. */
const LATER_MS = { from: 3 * HOUR_MS, to: 9 * HOUR_MS };

/**
 * Starts an update every 6 h, the first one within an hour; at once when one was cut off, since the
 * version that runs has to prove itself.
 *
 * All the rest is another process's, so that an agent that waits holds nothing of it in memory.
 */
export class UpdateTrigger {
  readonly #parts: UpdateTriggerParts;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #hasFailed = false;
  #isStopped = false;

  constructor(parts: UpdateTriggerParts) {
    this.#parts = parts;
    if (parts.isTrialOpen) this.#fire();
    else this.#wait(FIRST_MS);
  }

  /** Starts none from now on. */
  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
  }

  #wait({ from, to }: { from: number; to: number }): void {
    const random = this.#parts.random ?? Math.random;
    this.#timer = setTimeout(() => this.#fire(), from + random() * (to - from));
  }

  async #fire(): Promise<void> {
    try {
      await this.#parts.start();
      this.#hasFailed = false;
    } catch (error) {
      if (!this.#hasFailed && !this.#isStopped) this.#parts.onError(error);
      this.#hasFailed = true;
    }
    if (!this.#isStopped) this.#wait(LATER_MS);
  }
}
