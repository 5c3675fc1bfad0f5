import { outputOf, succeeds } from "./command.ts";

/** What starts and supervises the services of a machine. */
interface Init {
  readonly image: string;
  readonly packages: string;
  /** Options of podman, and the command that boots. */
  readonly options: readonly string[];
  readonly boot: readonly string[];
  /** A line of shell that succeeds when it has booted. */
  readonly hasBooted: string;
}

const INITS = {
  systemd: {
    image: "localhost/komari-agent-deno-test-systemd:12-users",
    // The last one is for services of users.
    packages: "systemd,systemd-sysv,dbus,procps,libpam-systemd",
    options: ["--systemd=always"],
    boot: ["/sbin/init"],
    hasBooted: "systemctl is-system-running | grep -qE 'running|degraded'",
  },
  openrc: {
    image: "localhost/komari-agent-deno-test-openrc:12",
    packages: "openrc,procps,iputils-ping",
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
} as const satisfies Record<string, Init>;

/** The name of an init system. */
export type InitName = keyof typeof INITS;

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
 * A Debian with a real systemd or OpenRC, which shares this machine's network and nothing else; it is gone
 * with all that is in it.
 */
export class MachineContainer implements AsyncDisposable {
  readonly name: string;
  readonly #init: Init;

  private constructor(name: string, init: Init) {
    this.name = name;
    this.#init = init;
  }

  /**
   * What this machine lacks for it; `undefined` when it lacks nothing.
   *
   * The image is made at the first time, which takes a minute and packages of Debian's, and kept.
   */
  static missing(init: InitName = "systemd"): string | undefined {
    if (Deno.build.os !== "linux" || Deno.uid() !== 0) return "no root on Linux";
    const tools = ["podman", "runc", "mmdebstrap"];
    const missing = tools.filter((tool) => !succeeds("sh", "-c", `command -v ${tool}`));
    if (missing.length > 0) return `no ${missing.join(", no ")}`;
    try {
      if (!succeeds("podman", ...PODMAN, "image", "exists", INITS[init].image)) {
        makeImage(INITS[init]);
      }
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
    { init: initName = "systemd", mounts = {} }: {
      init?: InitName;
      mounts?: Readonly<Record<string, string>>;
    } = {},
  ): Promise<MachineContainer> {
    const init = INITS[initName];
    const name = `komari-agent-deno-${crypto.randomUUID().slice(0, 8)}`;
    const container = new MachineContainer(name, init);
    const volumes = Object.entries(mounts).flatMap(([to, from]) => ["-v", `${from}:${to}:ro`]);
    const start = ["run", "-d", "--name", name, "--privileged", "--network=host"];
    podman(...start, ...init.options, ...LIMITS, ...volumes, init.image, ...init.boot);
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
    return this.comes(this.#init.hasBooted);
  }

  [Symbol.asyncDispose](): Promise<void> {
    succeeds("podman", ...PODMAN, "rm", "--force", "--time", "0", this.name);
    return Promise.resolve();
  }
}

function podman(...args: readonly string[]): string {
  return outputOf("podman", ...PODMAN, ...args);
}

function makeImage({ image, packages }: Init): void {
  const folder = Deno.makeTempDirSync();
  try {
    const root = `${folder}/root.tar`;
    outputOf("mmdebstrap", "--variant=minbase", `--include=${packages}`, "bookworm", root);
    podman("import", root, image);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}
