import { deadline } from "@std/async/deadline";
import { describeError, getLogger } from "../log/log.ts";
import { ipFamily } from "../parse/ip_address.ts";
import type { Roots } from "./host.ts";
import { type InterfaceTraits, isTunnelType, parseInterfaceIndex } from "./interface_traits.ts";
import { RequestChannel } from "./line_rpc.ts";
import { SHELL_SCRIPT } from "./shell_script.ts";
import { SYSTEM_PATH } from "./tool_runner.ts";

/** How a `/bin/sh` is given what it runs for its whole life. */
export interface ShellMenu {
  /** What comes after the shell's own name, before what its script is given. */
  readonly words: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

const VARIABLE = "KOMARI_AGENT_MENU";

/**
 * How a shell gets its script: by a variable, since the words of a process stand in every list of
 * processes, where a long script hides the rest and looks like somebody else's.
 *
 * The variable is gone before the script starts anything, so no program inherits it.
 */
export function shellMenu(script: string): ShellMenu {
  return {
    words: ["-c", `eval "$${VARIABLE}"`, "komari-agent-deno-shell"],
    env: { [VARIABLE]: `unset ${VARIABLE}\n${script}` },
  };
}

/** What is asked of one shell. */
export interface ShellOptions extends Pick<Roots, "proc" | "sys"> {
  /** Where commands are looked for; by default `$PATH` and where systems keep `ping`. */
  path?: string;
  /** Which shell to run; `/bin/sh` by default. */
  shell?: readonly [string, ...string[]];
  /** Whether it may start `nvidia-smi`. */
  gpu?: boolean;
  /** The runtime's name of the system, whose `ping` it is; that of Linux by default. */
  os?: string;
}

/** How long ended pings may stay zombies. */
const REAP_AFTER_MS = 200;

/** How `timeout` ends when it has ended a program: by its own number, or by the signal's. */
const KILLED: ReadonlySet<string> = new Set(["124", "137"]);

/** So much of a program's complaint is told. */
const QUOTED_LENGTH = 200;

/** A stopped shell can't end; the agent must. */
const CLOSE_WITHIN_MS = 500;

/**
 * The one door through which a sealed process starts anything: a `/bin/sh` that is started before
 * the seal and knows a fixed menu.
 *
 * It ends when the agent does, however that dies, and takes its pings along.
 */
export class Shell {
  readonly #child: Deno.ChildProcess;
  readonly #channel: RequestChannel;
  #reapTimer: ReturnType<typeof setTimeout> | undefined;

  private constructor(child: Deno.ChildProcess) {
    this.#child = child;
    this.#channel = new RequestChannel({
      requests: child.stdin,
      answers: child.stdout,
      onAnswer: () => this.#reapSoon(),
    });
  }

  /** @throws {Error} When there is no shell or it may not be started (`Cannot start …`). */
  static start(options: ShellOptions): Shell {
    const [command, ...prefix] = options.shell ?? ["/bin/sh"];
    const menu = shellMenu(SHELL_SCRIPT);
    try {
      const child = new Deno.Command(command, {
        args: [
          ...prefix,
          ...menu.words,
          options.proc,
          options.sys,
          options.gpu ? "gpu" : "",
          options.os ?? "",
        ],
        // The agent's environment may hold its token, and a process shows its own to its user.
        clearEnv: true,
        env: {
          LC_ALL: "C",
          PATH: options.path ?? `${Deno.env.get("PATH") ?? ""}:${SYSTEM_PATH}`,
          ...menu.env,
        },
        // A session of its own: Ctrl-C at the terminal is the agent's to answer, and all of it can
        // be ended at once.
        detached: true,
        stdin: "piped",
        stdout: "piped",
        stderr: "null",
      }).spawn();
      return new Shell(child);
    } catch (cause) {
      throw new Error(`Cannot start ${command}`, { cause });
    }
  }

  /**
   * Sends one echo request and gives the output of `ping`, standard error included; `undefined`
   * when there is no `ping`. It takes 3 s at most.
   *
   * @throws {TypeError} When the address is no IP literal.
   * @throws {Error} When the shell has ended.
   */
  async ping(address: string, options: { signal?: AbortSignal } = {}): Promise<string | undefined> {
    if (ipFamily(address) === undefined) {
      throw new TypeError(`Cannot ping ${JSON.stringify(address)}: it is no IP address`);
    }
    const answer = await this.#ask(`ping ${address}`, options);
    return answer?.replaceAll("\t", "\n");
  }

  /**
   * What `nvidia-smi` says of its cards, a line each; `undefined` when there is no such command, or
   * none that could be ended when it hangs. It takes 5 s at most, unless the kernel lets nobody end it.
   *
   * @throws {Error} When it fails or talks without end, or the shell has ended.
   */
  async nvidiaSmi(options: { signal?: AbortSignal } = {}): Promise<string | undefined> {
    const answer = await this.#ask("nvidia-smi", options);
    if (answer === undefined) return undefined;
    const [, output = answer, status] = /^(.*?)exit (\d+)\t$/.exec(answer) ?? [];
    if (status === "0") return output.replaceAll("\t", "\n");
    const how = status === undefined
      ? "it talked without end"
      : KILLED.has(status)
      ? "it took too long"
      : `it ended with ${status}`;
    const said = JSON.stringify(output.split("\t")[0]?.slice(0, QUOTED_LENGTH));
    throw new Error(`Cannot ask nvidia-smi: ${how}; its first words are ${said}`);
  }

  /**
   * How many processes proc shows.
   *
   * @throws {Error} When the shell has ended.
   */
  async countProcesses(options: { signal?: AbortSignal } = {}): Promise<number> {
    const answer = await this.#ask("processes", options);
    const count = Number(answer);
    if (!answer || !Number.isSafeInteger(count)) {
      throw new SyntaxError(`Cannot parse process count: the shell said ${JSON.stringify(answer)}`);
    }
    return count;
  }

  /**
   * What `/sys/class/net/NAME` tells of an interface; `undefined` when there is no such folder.
   *
   * @throws {TypeError} When the name has characters that no sane interface's has.
   * @throws {Error} When the shell has ended.
   */
  async interfaceTraits(
    name: string,
    options: { signal?: AbortSignal } = {},
  ): Promise<InterfaceTraits | undefined> {
    if (!/^(?!\.{1,2}$)[\w.@:-]{1,64}$/.test(name)) {
      throw new TypeError(`Cannot look at interface ${JSON.stringify(name)}: the name is odd`);
    }
    const found = (await this.#ask(`interface ${name}`, options))?.split(" ");
    if (found === undefined) return undefined;
    const master = valueOf(found, "master=");
    return {
      device: found.includes("device"),
      bond: found.includes("bonding"),
      bondSlave: found.includes("bonding_slave"),
      deviceSlave: found.includes("master/device"),
      bridge: found.includes("bridge"),
      tunnel: found.includes("tun_flags") || isTunnelType(valueOf(found, "type=")),
      stacked: found.includes("lower"),
      switchPort: found.includes("lower/dsa"),
      bridgePort: found.includes("brport"),
      master: master || undefined,
      index: parseInterfaceIndex(valueOf(found, "index=")),
    };
  }

  /** Ends the shell and its pings; what is still asked is answered with an error. */
  async close(): Promise<void> {
    clearTimeout(this.#reapTimer);
    const closed = this.#channel.close();
    await deadline(Promise.all([closed, this.#child.status]), CLOSE_WITHIN_MS).catch(() => {
      this.#child.unref();
    });
  }

  async #ask(request: string, options: { signal?: AbortSignal }): Promise<string | undefined> {
    const answer = await this.#channel.ask(request, options);
    if (answer === "missing") return undefined;
    if (answer === "ok") return "";
    if (!answer.startsWith("ok ")) throw new Error(`Cannot ask the shell: it refused "${request}"`);
    return answer.slice("ok ".length);
  }

  /** The shell takes note of its ended children when it reads a line. */
  #reapSoon(): void {
    if (this.#reapTimer !== undefined || this.#channel.ended) return;
    const timer = setTimeout(() => {
      this.#reapTimer = undefined;
      this.#channel.tell("reap");
    }, REAP_AFTER_MS);
    Deno.unrefTimer(timer);
    this.#reapTimer = timer;
  }
}

/** Starts the shell; without one, which the log says, there are no ICMP probes. */
export function startShell(options: ShellOptions): Shell | undefined {
  try {
    return Shell.start(options);
  } catch (error) {
    getLogger("agent").warning("{error}", { error: describeError(error) });
    return undefined;
  }
}

/** What follows `name` in the first word that begins with it; `undefined` when there is none or nothing follows. */
function valueOf(words: readonly string[], name: string): string | undefined {
  return words.find((word) => word.startsWith(name))?.slice(name.length) || undefined;
}
