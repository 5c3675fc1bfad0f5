import { buildPortable } from "../../../build/portable.ts";
import { DEBIAN_TOOLS, debianArchive } from "./debian.ts";
import { type Ended, Podman } from "./podman.ts";

/** Debian, with the packages that the image is made of. */
const BASE = "localhost/debian:12";
const ROOT = new URL("../../../", import.meta.url).pathname;

/** The image of this checkout's `Dockerfile`, with a portable build and this Deno; gone after use. */
export class ContainerImage implements AsyncDisposable {
  readonly name = "localhost/komari-agent-deno:test";
  readonly podman: Podman;
  #containers = 0;

  private constructor(podman: Podman) {
    this.podman = podman;
  }

  /** What this machine lacks for it; `undefined` when it lacks nothing. */
  static missing(): string | undefined {
    return Podman.missing("chroot", ...DEBIAN_TOOLS);
  }

  /** Builds it. @throws {Error} When that fails. */
  static async build(version: string): Promise<ContainerImage> {
    const archive = await debianArchive("image");
    const podman = await Podman.open();
    const image = new ContainerImage(podman);
    const { name } = image;
    const context = `${podman.folder}/context`;
    try {
      podman.output("import", "--quiet", archive, BASE);
      await Deno.mkdir(`${context}/dist`, { recursive: true });
      await buildPortable({ version, folder: `${context}/dist` });
      await Deno.copyFile(Deno.execPath(), `${context}/dist/deno`);
      for (const file of ["Dockerfile", ".dockerignore"]) {
        await Deno.copyFile(`${ROOT}${file}`, `${context}/${file}`);
      }
      const how = ["--isolation=chroot", "--pull=never", "--layers=false", "--format=docker"];
      const what = ["--from", BASE, "--build-arg", "FORM=portable", "--tag", name, context];
      podman.output("build", "--quiet", ...how, ...what);
      return image;
    } catch (error) {
      await podman[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Starts a container in the background and gives its name. */
  start(options: readonly string[]): string {
    const name = this.newName();
    this.podman.output("run", "--detach", "--name", name, ...options, this.name);
    return name;
  }

  /** Runs a command to its end in a container of its own. */
  run(options: readonly string[], args: readonly string[]): Promise<Ended> {
    return this.podman.tries("run", "--rm", ...options, this.name, ...args);
  }

  /** A name for a container or a volume. */
  newName(): string {
    this.#containers++;
    return `agent-${this.#containers}`;
  }

  /** Where the image's files can be seen on this machine until it is gone. */
  files(): string {
    return this.podman.output("image", "mount", this.name).trim();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.podman[Symbol.asyncDispose]();
  }
}
