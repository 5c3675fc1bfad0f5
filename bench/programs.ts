import { bundle } from "../build/bundle.ts";
import { run } from "../build/run.ts";
import { NO_CODE_CACHE, PERMISSIONS, V8_FLAGS } from "../build/runtime_flags.ts";

/** The flags that a portable build is run with. */
export const RUN_FLAGS: readonly string[] = [
  ...[...PERMISSIONS, NO_CODE_CACHE, "--no-config", "--no-lock", V8_FLAGS],
];

const ROOT = new URL("..", import.meta.url).pathname.replace(/\/$/, "");

/** The programs that an agent is compared with. */
const BARE_PROGRAMS = ["idle_program", "bare_reporter", "bare_socket"] as const;
type ProgramName = "agent" | typeof BARE_PROGRAMS[number];

/**
 * Bundles a program of this folder, as a release does.
 *
 * @throws {Error} When Deno can't bundle it.
 */
export async function bundleProgram(name: string, output: string): Promise<void> {
  const entry = new URL(name, import.meta.url).pathname;
  const args = ["bundle", "--quiet", "--minify", "--platform", "browser"];
  await run(Deno.execPath(), [...args, "--output", output, entry], { folder: ROOT });
}

/** A panel that a program reports to. */
export interface PanelAddress {
  readonly url: string;
  readonly token: string;
}

/**
 * The measured programs, all of them bundled as a release is and run with its flags. Each method
 * gives the arguments of `deno run`.
 */
export class Programs {
  readonly #folder: string;

  /** The folder that holds the bundles. */
  constructor(folder: string) {
    this.#folder = folder;
  }

  /**
   * Writes the bundles.
   *
   * @throws {Error} When Deno can't bundle a program.
   */
  async write(): Promise<void> {
    const info = { version: "0.0.0", commit: "", repository: "", releaseKey: "" };
    await Deno.writeTextFile(this.#path("agent"), await bundle(ROOT, info));
    for (const name of BARE_PROGRAMS) await bundleProgram(`${name}.ts`, this.#path(name));
  }

  /** An agent that reports once a second, by WebSocket unless an option says otherwise. */
  agent({ url, token }: PanelAddress, ...options: readonly string[]): string[] {
    const common = ["--interval", "1", "--ip-services", "off"];
    return this.#run("agent", "-e", url, "-t", token, ...options, ...common);
  }

  /** A program that does nothing. */
  idle(): string[] {
    return this.#run("idle_program");
  }

  /** A program that posts the same report once a second. */
  barePost({ url, token }: PanelAddress, report: string): string[] {
    return this.#run("bare_reporter", `${url}/api/clients/report?token=${token}`, report);
  }

  /** A program that sends the same report once a second by the runtime's WebSocket. */
  bareSocket({ url, token }: PanelAddress, report: string): string[] {
    const address = `${url.replace("http:", "ws:")}/api/clients/v2/rpc?token=${token}`;
    const params = `{"report":${report}}`;
    const message = `{"jsonrpc":"2.0","method":"agent.report","params":${params},"id":1}`;
    return this.#run("bare_socket", address, message);
  }

  #path(name: ProgramName): string {
    return `${this.#folder}/${name}.js`;
  }

  #run(name: ProgramName, ...args: string[]): string[] {
    return [...RUN_FLAGS, this.#path(name), ...args];
  }
}
