import { outputOf } from "./command.ts";
import { DEBIAN_TOOLS, debianFolder, type DebianName } from "./debian.ts";
import { type Ended, Podman } from "./podman.ts";
import { PATIENCE_MS } from "../../patience.ts";

/** What starts and supervises the services of a machine. */
interface Init {
  /** Options of podman, and the command that boots. */
  readonly options: readonly string[];
  readonly boot: readonly string[];
  /** A line of shell that succeeds when it has booted. */
  readonly hasBooted: string;
}

const INITS = {
  systemd: {
    options: ["--systemd=always"],
    boot: ["/sbin/init"],
    hasBooted: "systemctl is-system-running | grep -qE 'running|degraded'",
  },
  openrc: {
    options: [],
    boot: [
      "sh",
      "-c",
      // Its own services are for real hardware, a new boot remembers nothing, and the first process
      // of a machine waits for those whose parents are gone.
      "rm -rf /etc/runlevels/sysinit/* /run/openrc; openrc boot; openrc default; " +
      "trap 'exit 0' TERM; while :; do sleep 1; done",
    ],
    hasBooted: "rc-status default && test -e /run/openrc/softlevel",
  },
} as const satisfies Partial<Record<DebianName, Init>>;

/** The name of an init system. */
export type InitName = keyof typeof INITS;

const BEAT_MS = 200;

/**
 * A Debian with a real systemd or OpenRC, which shares this machine's network and nothing else; it is gone
 * with all that is in it.
 */
export class MachineContainer implements AsyncDisposable {
  readonly #podman: Podman;
  readonly #init: Init;
  readonly #name = "machine";

  private constructor(podman: Podman, init: Init) {
    this.#podman = podman;
    this.#init = init;
  }

  /** What this machine lacks for it; `undefined` when it lacks nothing. */
  static missing(): string | undefined {
    return Podman.missing(...DEBIAN_TOOLS);
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
    { init: initName = "systemd", mounts = {} }: {
      init?: InitName;
      mounts?: Readonly<Record<string, string>>;
    } = {},
  ): Promise<MachineContainer> {
    const init = INITS[initName];
    const files = await debianFolder(initName);
    const podman = await Podman.open();
    const container = new MachineContainer(podman, init);
    try {
      const root = container.#layOver(files);
      const volumes = Object.entries(mounts).flatMap(([to, from]) => ["-v", `${from}:${to}:ro`]);
      const start = ["run", "-d", "--name", container.#name, "--privileged", "--network=host"];
      podman.output(...start, ...init.options, ...volumes, "--rootfs", root, ...init.boot);
      await container.hasBooted();
      return container;
    } catch (error) {
      await podman[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Makes a root of these files, to which changes go into memory, and gives its path. */
  #layOver(files: string): string {
    const [memory, root] = [this.#memory, this.#root];
    for (const path of [memory, root]) Deno.mkdirSync(path);
    outputOf("mount", "-t", "tmpfs", "tmpfs", memory);
    for (const path of ["changes", "work"]) Deno.mkdirSync(`${memory}/${path}`);
    const layers = `lowerdir=${files},upperdir=${memory}/changes,workdir=${memory}/work`;
    outputOf("mount", "-t", "overlay", "-o", layers, "overlay", root);
    return root;
  }

  get #memory(): string {
    return `${this.#podman.folder}/memory`;
  }

  get #root(): string {
    return `${this.#podman.folder}/machine`;
  }

  /** Runs a line of shell within, to its end. */
  async tries(line: string, env: Readonly<Record<string, string>> = {}): Promise<Ended> {
    // What Deno keeps for itself is none of our doing: it goes into memory.
    const all = { DENO_DIR: "/run/deno", ...env };
    const variables = Object.entries(all).flatMap(([name, value]) => ["-e", `${name}=${value}`]);
    const shell = [this.#name, "sh", "-c", `{ ${line}\n} 2>&1`];
    return await this.#podman.tries("exec", ...variables, ...shell);
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
    this.#podman.output("restart", "--time", "20", this.#name);
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
    return this.comes(this.#init.hasBooted);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#podman[Symbol.asyncDispose]();
  }
}
