import { buildPortable } from "../../../build/portable.ts";
import { outputOf, succeeds } from "./command.ts";

/** Debian, with the packages that the image is made of, so that its building downloads little. */
const BASE = "localhost/komari-agent-deno-test-base:12";
const PACKAGES = "busybox-static,ca-certificates,libcap2-bin";
/** What podman needs on a machine that is itself a container. */
const PODMAN = ["--storage-driver=vfs", "--runtime=runc", "--cgroup-manager=cgroupfs"];
const LIMITS = ["--ulimit", "nofile=20000:20000", "--ulimit", "nproc=4096:4096"];
const ROOT = new URL("../../../", import.meta.url).pathname;
const PATIENCE_MS = 60_000;
const BEAT_MS = 200;

/** How a command ended. */
export interface Ended {
  readonly code: number;
  /** What it wrote to both streams. */
  readonly output: string;
}

/** The image of this checkout's `Dockerfile`, with a portable build and this Deno; gone after use. */
export class ContainerImage implements AsyncDisposable {
  readonly name: string;
  readonly #names: string[] = [];

  private constructor(name: string) {
    this.name = name;
  }

  /** What this machine lacks for it; `undefined` when it lacks nothing. */
  static missing(): string | undefined {
    if (Deno.build.os !== "linux" || Deno.uid() !== 0) return "no root on Linux";
    const tools = ["podman", "runc", "mmdebstrap", "chroot"];
    const missing = tools.filter((tool) => !succeeds("sh", "-c", `command -v ${tool}`));
    return missing.length === 0 ? undefined : `no ${missing.join(", no ")}`;
  }

  /** Builds it; Debian is made at the first time and kept. @throws {Error} When that fails. */
  static async build(version: string): Promise<ContainerImage> {
    if (!succeeds("podman", ...PODMAN, "image", "exists", BASE)) makeBase();
    const name = `localhost/komari-agent-deno-test:${crypto.randomUUID().slice(0, 8)}`;
    const context = await Deno.makeTempDir({ prefix: "komari-agent-deno-image-" });
    try {
      await Deno.mkdir(`${context}/dist`);
      await buildPortable({ version, folder: `${context}/dist` });
      await Deno.copyFile(Deno.execPath(), `${context}/dist/deno`);
      for (const file of ["Dockerfile", ".dockerignore"]) {
        await Deno.copyFile(`${ROOT}${file}`, `${context}/${file}`);
      }
      const how = ["--isolation=chroot", "--pull=never", "--layers=false", "--format=docker"];
      const what = ["--from", BASE, "--build-arg", "FORM=portable", "--tag", name, context];
      podman("build", "--quiet", ...how, ...what);
      return new ContainerImage(name);
    } finally {
      await Deno.remove(context, { recursive: true });
    }
  }

  /** Starts a container in the background and gives its name. */
  start(options: readonly string[]): string {
    const name = this.newName();
    podman("run", "--detach", "--name", name, ...LIMITS, ...options, this.name);
    return name;
  }

  /** Runs a command to its end in a container of its own. */
  run(options: readonly string[], args: readonly string[]): Promise<Ended> {
    return tries("run", "--rm", ...LIMITS, ...options, this.name, ...args);
  }

  /** A name for a container or a volume that is to be gone with the image. */
  newName(): string {
    const name = `komari-agent-deno-${crypto.randomUUID().slice(0, 8)}`;
    this.#names.push(name);
    return name;
  }

  /** Where the image's files can be seen on this machine until it is gone. */
  files(): string {
    return podman("image", "mount", this.name).trim();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const name of this.#names) {
      await tries("rm", "--force", "--time", "0", name);
      await tries("volume", "rm", "--force", name);
    }
    await tries("image", "unmount", "--force", this.name);
    await tries("image", "rm", "--force", this.name);
  }
}

/** Runs podman and gives what it wrote to standard output. @throws {Error} When it fails. */
export function podman(...args: readonly string[]): string {
  return outputOf("podman", ...PODMAN, ...args);
}

/** Runs podman to whatever end. */
export async function tries(...args: readonly string[]): Promise<Ended> {
  const { code, stdout, stderr } = await new Deno.Command("podman", {
    args: [...PODMAN, ...args],
    stdin: "null",
  }).output();
  const decoder = new TextDecoder();
  return { code, output: decoder.decode(stdout) + decoder.decode(stderr) };
}

/** Runs podman again and again until it ends with that code. @throws {Error} When it never does. */
export async function comesTo(code: number, ...args: readonly string[]): Promise<string> {
  for (const end = performance.now() + PATIENCE_MS;;) {
    const ended = await tries(...args);
    if (ended.code === code) return ended.output;
    if (performance.now() > end) {
      throw new Error(
        `Cannot wait longer for podman ${args[0]} to end with ${code}: ${ended.output}`,
      );
    }
    await new Promise((resolve) => setTimeout(resolve, BEAT_MS));
  }
}

function makeBase(): void {
  const folder = Deno.makeTempDirSync();
  try {
    const root = `${folder}/root.tar`;
    outputOf("mmdebstrap", "--variant=minbase", `--include=${PACKAGES}`, "bookworm", root);
    podman("import", root, BASE);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}
