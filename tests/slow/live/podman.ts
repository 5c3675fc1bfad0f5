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

/** A podman whose images, containers, volumes and secrets no other one sees; they go with it. */
export class Podman implements AsyncDisposable {
  readonly folder: string = Deno.makeTempDirSync({ prefix: "komari-agent-deno-podman-" });

  constructor() {
    Deno.writeTextFileSync(`${this.folder}/containers.conf`, SETTINGS);
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

  async [Symbol.asyncDispose](): Promise<void> {
    await this.removeContainers();
    await this.tries("image", "unmount", "--all", "--force");
    for (const end = performance.now() + PATIENCE_MS;;) {
      // The storage mounts its own root onto itself.
      succeeds("umount", "--recursive", `${this.folder}/root/vfs`);
      succeeds("umount", "--recursive", `${this.folder}/root`);
      try {
        return await Deno.remove(this.folder, { recursive: true });
      } catch (error) {
        // What cleans up after a container writes there for a moment longer.
        if (performance.now() > end) throw error;
        await new Promise((resolve) => setTimeout(resolve, POLL_MS));
      }
    }
  }
}
