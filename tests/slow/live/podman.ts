import { attempt } from "../../../lib/attempt.ts";
import { lackOfTools, outputOf, succeeds } from "./command.ts";
import { PATIENCE_MS } from "../../patience.ts";

/** How a command ended. */
export interface Ended {
  readonly code: number;
  /** What it wrote to both streams. */
  readonly output: string;
}

/** What podman needs on a machine that is itself a container. */
const OPTIONS = ["--storage-driver=vfs", "--runtime=runc", "--cgroup-manager=cgroupfs"];
/** Locks in files, since those in shared memory belong to all of the machine's podmans. */
const SETTINGS = `[engine]
lock_type = "file"
[containers]
default_ulimits = ["nofile=20000:20000", "nproc=4096:4096"]
`;
const POLL_MS = 200;

const PREFIX = "komari-agent-deno-podman-";
/** Locked while the process lives that uses the folder. */
const LOCK = "lock";

/** A podman whose images, containers, volumes and secrets no other one sees; they go with it. */
export class Podman implements AsyncDisposable {
  readonly folder: string;
  readonly #lock: Deno.FsFile;

  private constructor(folder: string, lock: Deno.FsFile) {
    this.folder = folder;
    this.#lock = lock;
  }

  /** Makes one, after those of runs that were killed have gone. */
  static async open(within: string = Deno.env.get("TMPDIR") || "/tmp"): Promise<Podman> {
    for (const { name } of Deno.readDirSync(within)) {
      if (name.startsWith(PREFIX)) await Podman.#removeAbandoned(`${within}/${name}`);
    }
    const folder = Deno.makeTempDirSync({ dir: within, prefix: PREFIX });
    const lock = Deno.openSync(`${folder}/new-lock`, { createNew: true, write: true });
    lock.lockSync(true);
    Deno.renameSync(`${folder}/new-lock`, `${folder}/${LOCK}`);
    Deno.writeTextFileSync(`${folder}/containers.conf`, SETTINGS);
    return new Podman(folder, lock);
  }

  static async #removeAbandoned(folder: string): Promise<void> {
    const lock = attempt(() => Deno.openSync(`${folder}/${LOCK}`, { write: true }));
    // It is being made, or has just gone.
    if (lock === undefined) return;
    if (lock.tryLockSync(true)) await new Podman(folder, lock)[Symbol.asyncDispose]();
    else lock.close();
  }

  /** What this machine lacks for it; `undefined` when it lacks nothing. */
  static missing(...tools: readonly string[]): string | undefined {
    if (Deno.build.os !== "linux" || Deno.uid() !== 0) return "no root on Linux";
    return lackOfTools("podman", "runc", ...tools);
  }

  /** Runs it and gives what it wrote to standard output. @throws {Error} When it fails. */
  output(...args: readonly string[]): string {
    return outputOf("env", ...this.#command, ...args);
  }

  /** Runs it to whatever end. */
  async tries(...args: readonly string[]): Promise<Ended> {
    const { code, stdout, stderr } = await new Deno.Command("env", {
      args: [...this.#command, ...args],
      stdin: "null",
    }).output();
    const decoder = new TextDecoder();
    return { code, output: decoder.decode(stdout) + decoder.decode(stderr) };
  }

  /** Runs it again and again until it ends with that code. @throws {Error} When it never does. */
  async comesTo(code: number, ...args: readonly string[]): Promise<string> {
    for (const end = performance.now() + PATIENCE_MS;;) {
      const ended = await this.tries(...args);
      if (ended.code === code) return ended.output;
      if (performance.now() > end) {
        throw new Error(
          `Cannot wait longer for podman ${args[0]} to end with ${code}: ${ended.output}`,
        );
      }
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }

  get #command(): string[] {
    const places = [
      `--root=${this.folder}/root`,
      `--runroot=${this.folder}/run`,
      `--tmpdir=${this.folder}/tmp`,
    ];
    return [`CONTAINERS_CONF=${this.folder}/containers.conf`, "podman", ...OPTIONS, ...places];
  }

  /** Ends and removes all containers. */
  async removeContainers(): Promise<void> {
    await this.tries("pod", "rm", "--all", "--force", "--time", "0");
    await this.tries("rm", "--all", "--force", "--time", "0");
  }

  /** Ends and removes everything, with all that is mounted below its folder. */
  async [Symbol.asyncDispose](): Promise<void> {
    using _lock = this.#lock;
    await this.removeContainers();
    await this.tries("image", "unmount", "--all", "--force");
    for (const end = performance.now() + PATIENCE_MS;;) {
      for (const path of this.#mounts().reverse()) succeeds("umount", path);
      try {
        // What cleans up after a container makes its folders anew where they have gone.
        if (this.#isInUse()) throw new Error(`Cannot remove ${this.folder}: it is in use`);
        return await Deno.remove(this.folder, { recursive: true });
      } catch (error) {
        if (performance.now() > end) throw error;
        await new Promise((resolve) => setTimeout(resolve, POLL_MS));
      }
    }
  }

  /** Whether a process runs whose command names a path within. */
  #isInUse(): boolean {
    return Deno.readDirSync("/proc").some(({ name }) =>
      /^\d+$/.test(name) &&
      attempt(() => Deno.readTextFileSync(`/proc/${name}/cmdline`))?.includes(`${this.folder}/`)
    );
  }

  /** What is mounted below its folder, also by podman itself. */
  #mounts(): string[] {
    const lines = Deno.readTextFileSync("/proc/self/mountinfo").split("\n");
    return lines.map((line) => line.split(" ")[4] ?? "")
      .filter((path) => path.startsWith(`${this.folder}/`));
  }
}
