import type { Health } from "../../lib/state/health_reader.ts";
import { readProgramVersion } from "../../lib/host/program_version.ts";
import type { UpdatedAgent } from "../../lib/update/trial.ts";

/** What a fake agent remembers in a file, so that it outlives a process that is killed. */
interface Kept {
  version: string;
  reports: boolean;
}

/**
 * An agent that does nothing but run some version of a program's file; a restart takes the version
 * that is there then. Versions that are called mute never have a report accepted.
 */
export class FakeAgent implements UpdatedAgent {
  restarts = 0;
  readonly #program: string;
  readonly #path: string;
  readonly #silentVersions: readonly string[];

  constructor(
    program: string,
    { silentVersions = [] }: { silentVersions?: readonly string[] } = {},
  ) {
    this.#program = program;
    this.#path = `${program}.agent`;
    this.#silentVersions = silentVersions;
  }

  /** Starts it, as a service does after a power loss too. */
  async start(): Promise<void> {
    const version = await readProgramVersion(this.#program, {
      signal: new AbortController().signal,
    });
    const kept: Kept = { version, reports: !this.#silentVersions.includes(version) };
    await Deno.writeTextFile(this.#path, JSON.stringify(kept));
  }

  /** Ends it for good. */
  stop(): void {
    Deno.removeSync(this.#path);
  }

  health(): Health | undefined {
    try {
      const { version, reports }: Kept = JSON.parse(Deno.readTextFileSync(this.#path));
      const acceptedAtMs = reports ? Date.now() : undefined;
      const rest = { startedAtMs: 0, panels: [], problems: [], seal: "", isRunning: true };
      return { pid: 1, version, intervalMs: 1000, acceptedAtMs, ...rest };
    } catch {
      return undefined;
    }
  }

  requireRestart(): void {}

  async restart(): Promise<void> {
    this.restarts++;
    await this.start();
  }
}
