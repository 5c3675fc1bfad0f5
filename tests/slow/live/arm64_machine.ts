import { lackOfTools, outputOf, succeeds } from "./command.ts";
import { cacheFolder, onceOnThisMachine } from "./debian.ts";

const KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg";
const DENO_PACKAGE = `@deno/linux-arm64-glibc@${Deno.version.deno}`;
const LIBRARIES = "libc6,libgcc-s1,libstdc++6";

/** Deno's build for arm64 and the libraries that it needs, run on any machine by an emulator. */
export class Arm64Machine implements Disposable {
  /** A command that is Deno on that machine. */
  readonly deno: string;
  readonly #folder: string;

  private constructor(folder: string, parts: string) {
    this.#folder = folder;
    this.deno = `${folder}/deno`;
    const command = `exec qemu-aarch64-static -L "${parts}/root" "${parts}/package/deno" "$@"`;
    Deno.writeTextFileSync(this.deno, `#!/bin/sh\n${command}\n`, { mode: 0o755 });
  }

  /** What this machine lacks for it; `undefined` when it lacks nothing. */
  static missing(): string | undefined {
    if (Deno.build.os !== "linux" || Deno.uid() !== 0) return "no root on Linux";
    if (!succeeds("test", "-e", KEYRING)) return "no keys of Debian's";
    return lackOfTools("qemu-aarch64-static", "mmdebstrap", "npm", "tar");
  }

  /** Gets its parts, 110 MB, at the first time, and keeps them. @throws {Error} When it can't. */
  static async open(): Promise<Arm64Machine> {
    const path = `${cacheFolder()}/arm64-${Deno.version.deno}`;
    const parts = await onceOnThisMachine(path, fetchParts);
    return new Arm64Machine(Deno.makeTempDirSync({ prefix: "komari-agent-deno-arm64-" }), parts);
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.#folder, { recursive: true });
  }
}

function fetchParts(folder: string): void {
  Deno.mkdirSync(folder);
  const [archive = ""] = outputOf(
    ...["npm", "pack", "--silent", `--pack-destination=${folder}`, DENO_PACKAGE] as const,
  ).trim().split("\n");
  outputOf("tar", "-xzf", `${folder}/${archive}`, "-C", folder);
  Deno.removeSync(`${folder}/${archive}`);
  const how = ["--quiet", "--variant=extract", "--arch=arm64", `--include=${LIBRARIES}`];
  outputOf("mmdebstrap", ...how, "bookworm", `${folder}/root`);
}
