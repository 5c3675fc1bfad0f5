import { outputOf, succeeds } from "./command.ts";

const IMAGE = "localhost/komari-agent-deno-test-systemd:12-users";
/** The last one is for services of users. */
const PACKAGES = "systemd,systemd-sysv,dbus,procps,libpam-systemd";
/** What podman needs on a machine that is itself a container. */
const PODMAN = ["--storage-driver=vfs", "--runtime=runc", "--cgroup-manager=cgroupfs"];
const LIMITS = ["--ulimit", "nofile=20000:20000", "--ulimit", "nproc=4096:4096"];
/** Longer than a boot takes on the slowest machine. */
const PATIENCE_MS = 60_000;
const BEAT_MS = 200;

/** How a command within ended. */
export interface Ended {
  readonly code: number;
  /** What it wrote to both streams. */
  readonly output: string;
}

/**
 * A Debian with a real systemd, which shares this machine's network and nothing else; it is gone
 * with all that is in it.
 */
export class SystemdContainer implements AsyncDisposable {
  readonly name: string;

  private constructor(name: string) {
    this.name = name;
  }

  /**
   * What this machine lacks for it; `undefined` when it lacks nothing.
   *
   * The image is made at the first time, which takes a minute and packages of Debian's, and kept.
   */
  static missing(): string | undefined {
    if (Deno.build.os !== "linux" || Deno.uid() !== 0) return "no root on Linux";
    const tools = ["podman", "runc", "mmdebstrap"];
    const missing = tools.filter((tool) => !succeeds("sh", "-c", `command -v ${tool}`));
    if (missing.length > 0) return `no ${missing.join(", no ")}`;
    try {
      if (!succeeds("podman", ...PODMAN, "image", "exists", IMAGE)) makeImage();
      return undefined;
    } catch (error) {
      return `no image: ${error instanceof Error ? error.message.slice(-300) : error}`;
    }
  }

  /**
   * Starts one and waits until it has booted.
   *
   * Each of `mounts` is a file or folder of this machine's by its path within, where it can't be
   * written.
   *
   * @throws {Error} When it can't be made or does not boot.
   */
  static async start(
    { mounts = {} }: { mounts?: Readonly<Record<string, string>> } = {},
  ): Promise<SystemdContainer> {
    const container = new SystemdContainer(`komari-agent-deno-${crypto.randomUUID().slice(0, 8)}`);
    const volumes = Object.entries(mounts).flatMap(([to, from]) => ["-v", `${from}:${to}:ro`]);
    const start = ["run", "-d", "--name", container.name, "--privileged", "--systemd=always"];
    podman(...start, "--network=host", ...LIMITS, ...volumes, IMAGE, "/sbin/init");
    try {
      await container.hasBooted();
      return container;
    } catch (error) {
      await container[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Runs a line of shell within, to its end. */
  async tries(line: string, env: Readonly<Record<string, string>> = {}): Promise<Ended> {
    // What Deno keeps for itself is none of our doing: it goes into memory.
    const all = { DENO_DIR: "/run/deno", ...env };
    const variables = Object.entries(all).flatMap(([name, value]) => ["-e", `${name}=${value}`]);
    const { code, stdout } = await new Deno.Command("podman", {
      args: [...PODMAN, "exec", ...variables, this.name, "sh", "-c", `{ ${line}\n} 2>&1`],
      stdin: "null",
    }).output();
    return { code, output: new TextDecoder().decode(stdout) };
  }

  /** Runs a line of shell within and gives what it wrote. @throws {Error} When it fails. */
  async run(line: string, env: Readonly<Record<string, string>> = {}): Promise<string> {
    const { code, output } = await this.tries(line, env);
    if (code !== 0) throw new Error(`Cannot run ${line}: exit code ${code}\n${output}`);
    return output;
  }

  /** Writes a file within, and the folders that lead to it. */
  async write(path: string, text: string, mode = "644"): Promise<void> {
    const line =
      `mkdir -p "$(dirname "$FILE")" && printf %s "$TEXT" >"$FILE" && chmod ${mode} "$FILE"`;
    await this.run(line, { FILE: path, TEXT: text });
  }

  /** Waits until a line of shell succeeds within. @throws {Error} When it never does. */
  async comes(line: string, patienceMs: number = PATIENCE_MS): Promise<void> {
    const end = performance.now() + patienceMs;
    for (;;) {
      const { code, output } = await this.tries(line);
      if (code === 0) return;
      if (performance.now() > end) throw new Error(`Cannot wait any longer for ${line}: ${output}`);
      await new Promise((resolve) => setTimeout(resolve, BEAT_MS));
    }
  }

  /** Ends everything within in good order and boots anew, as after a power switch. */
  async reboot(): Promise<void> {
    podman("restart", "--time", "20", this.name);
    await this.hasBooted();
  }

  /** Every file and folder on its disk, without those of systemd's that have another name each time. */
  async files(): Promise<string[]> {
    const found = await this.run("find / -xdev -not -path '/var/tmp/systemd-private-*' | sort");
    return found.trim().split("\n");
  }

  /** What has come to its disk since, with a plus before it, and what has gone, with a minus. */
  async changes(before: readonly string[]): Promise<string[]> {
    const now = await this.files();
    return [
      ...now.filter((path) => !before.includes(path)).map((path) => `+${path}`),
      ...before.filter((path) => !now.includes(path)).map((path) => `-${path}`),
    ];
  }

  private hasBooted(): Promise<void> {
    return this.comes("systemctl is-system-running | grep -qE 'running|degraded'");
  }

  [Symbol.asyncDispose](): Promise<void> {
    succeeds("podman", ...PODMAN, "rm", "--force", "--time", "0", this.name);
    return Promise.resolve();
  }
}

function podman(...args: readonly string[]): string {
  return outputOf("podman", ...PODMAN, ...args);
}

function makeImage(): void {
  const folder = Deno.makeTempDirSync();
  try {
    const root = `${folder}/root.tar`;
    outputOf("mmdebstrap", "--variant=minbase", `--include=${PACKAGES}`, "bookworm", root);
    podman("import", root, IMAGE);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}
