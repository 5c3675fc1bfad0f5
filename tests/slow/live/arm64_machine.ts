import { outputOf, succeeds } from "./command.ts";

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
    const tools = ["qemu-aarch64-static", "mmdebstrap", "npm", "tar"];
    const missing = tools.filter((tool) => !succeeds("sh", "-c", `command -v ${tool}`));
    if (!succeeds("test", "-e", KEYRING)) missing.push("Debian's keys");
    if (missing.length > 0) return `no ${missing.join(", no ")}`;
    return succeeds("npm", "view", "--silent", DENO_PACKAGE, "name") ? undefined : "no registry";
  }

  /**
   * Gets its parts, 110 MB, and keeps them where `$XDG_CACHE_HOME` says, if it does.
   *
   * @throws {Error} When they can't be had.
   */
  static open(): Arm64Machine {
    const folder = Deno.makeTempDirSync({ prefix: "komari-agent-deno-arm64-" });
    try {
      const cache = Deno.env.get("XDG_CACHE_HOME");
      if (cache === undefined || cache === "") {
        fetchParts(folder);
        return new Arm64Machine(folder, folder);
      }
      const kept = `${cache}/komari-agent-deno-tests/arm64-${Deno.version.deno}`;
      if (!succeeds("test", "-e", `${kept}/whole`)) {
        Deno.mkdirSync(kept, { recursive: true });
        fetchParts(kept);
        Deno.writeTextFileSync(`${kept}/whole`, "");
      }
      return new Arm64Machine(folder, kept);
    } catch (error) {
      Deno.removeSync(folder, { recursive: true });
      throw error;
    }
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.#folder, { recursive: true });
  }
}

function fetchParts(folder: string): void {
  const [archive = ""] = outputOf(
    ...["npm", "pack", "--silent", `--pack-destination=${folder}`, DENO_PACKAGE] as const,
  ).trim().split("\n");
  outputOf("tar", "-xzf", `${folder}/${archive}`, "-C", folder);
  Deno.removeSync(`${folder}/${archive}`);
  const how = ["--quiet", "--variant=extract", "--arch=arm64", `--include=${LIBRARIES}`];
  outputOf("mmdebstrap", ...how, "bookworm", `${folder}/root`);
}
