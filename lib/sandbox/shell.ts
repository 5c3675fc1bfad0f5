import { abortable } from "@std/async/abortable";
import { delay } from "@std/async/delay";
import { describeError, getLogger } from "../log/log.ts";
import { ipFamily } from "../parse/ip_address.ts";
import { BoundedQueue } from "../async/bounded_queue.ts";
import { withTimeout } from "../async/timeout.ts";
import { findFreeUser } from "./free_user.ts";
import script from "./helper_shell.sh" with { type: "text" };
import { type ScriptProcess, startScript } from "./script_process.ts";
import { SYSTEM_PATH } from "../host/tool_runner.ts";
import { quoteStart } from "../parse/bounded_text.ts";

/** Options of a helper shell. */
export interface ShellOptions {
  /** The root of `/proc`. */
  readonly proc: string;
  /** `PATH` of its commands; the system's folders by default, whoever has started the agent. */
  path?: string;
  /** The shell to run; `/bin/sh` by default. */
  shell?: readonly [string, ...string[]];
  /** Whether it may start `nvidia-smi`. */
  gpu?: boolean;
  /** Whether root's shell is another user's, as its agent is once it is sealed. */
  leavesRoot?: boolean | undefined;
  /** The runtime's name of the system, which decides about options of `ping`; `linux` by default. */
  os?: string;
}

/** Folders that only root writes; the last ones are those of NixOS and of Windows' drivers in WSL. */
const PROGRAM_PATH = `${SYSTEM_PATH}:/run/wrappers/bin:/run/current-system/sw/bin:/usr/lib/wsl/lib`;

/** Programs that the shell runs at a time, and how long it may answer that it runs as many. */
const PROGRAMS_LIMIT = 32;
const BUSY = "busy";
const BUSY_MS = 5_000;
const BUSY_DELAY_MS = 20;
/** No program and no lookup takes longer, unless its answer is lost. */
const PROGRAM_MS = 60_000;
const LOOKUP_MS = 5 * 60_000;

/** The shell reaps ended children so long after an answer. */
const REAP_DELAY_MS = 200;
/** It is asked again so long after it has said that some have not ended yet. */
const REAP_AGAIN_MS = 2_000;

/** Exit codes of `timeout` when it has killed a program. */
const KILLED: ReadonlySet<string> = new Set(["124", "137"]);

/** Characters of a program's output that an error quotes. */
const QUOTED_LENGTH = 200;

/**
 * The helper shell: a `/bin/sh` that is started before the seal and runs a fixed list of commands for
 * the sealed process.
 *
 * It ends when the agent does, also by SIGKILL, and its pings end with it.
 */
export class Shell {
  /** The user that it is of, if it was to be another one's than root's. */
  readonly user: number | undefined;
  readonly #process: ScriptProcess;
  readonly #programs = new BoundedQueue<() => Promise<void>>({
    run: (program) => program(),
    concurrency: PROGRAMS_LIMIT,
    capacity: Infinity,
  });
  #reapTimer: ReturnType<typeof setTimeout> | undefined;

  /** @throws {Error} When there is no shell or it may not be started (`Cannot start …`). */
  constructor(
    { proc, path = PROGRAM_PATH, shell, gpu = false, os = "", leavesRoot = false }: ShellOptions,
  ) {
    this.user = leavesRoot ? findFreeUser() : undefined;
    this.#process = startScript(script, {
      shell,
      user: this.user,
      args: [proc, gpu ? "gpu" : "", os],
      env: { ...resolverVariables(), PATH: path },
      onAnswer: (id) => this.#reapIn(id === 0 ? REAP_AGAIN_MS : REAP_DELAY_MS),
    });
  }

  /** Why it runs as root in spite of `leavesRoot`; `undefined` when it does not. */
  get staysRoot(): string | undefined {
    return this.#process.staysRoot;
  }

  /** Resolves when it has ended, also by {@linkcode close}. */
  get ended(): Promise<void> {
    return this.#process.rpc.ended;
  }

  /** Resolves once the shell has been given all that it was asked. */
  async written(): Promise<void> {
    await this.#process.rpc.written();
  }

  /**
   * Sends one echo request; resolves to the output of `ping`, standard error included, or `undefined`
   * when there is no `ping`. It takes 3 s at most.
   *
   * @throws {TypeError} When the address is no IP literal.
   * @throws {Error} When the shell has ended.
   */
  async ping(address: string, options: { signal?: AbortSignal } = {}): Promise<string | undefined> {
    if (ipFamily(address) === undefined) {
      throw new TypeError(`Cannot ping ${JSON.stringify(address)}: it is no IP address`);
    }
    const answer = await this.#run(`ping ${address}`, options);
    return answer?.replaceAll("\t", "\n");
  }

  /** The system's name servers, at the last name without an address. */
  nameServers: readonly string[] | undefined;

  /**
   * Resolves a name as the system does; `undefined` when there is no `getent`; to none, also where its
   * {@linkcode nameServers} do not answer. At most 32 addresses
   * are given, in the system's order.
   *
   * @throws {TypeError} When the name has unusual characters.
   * @throws {Error} When the shell has ended.
   */
  async lookUp(name: string): Promise<string[] | undefined> {
    return await this.#lookUp("resolve", name);
  }

  /** The same by `/etc/hosts` alone, which may know no address. */
  async lookUpHosts(name: string): Promise<string[] | undefined> {
    return await this.#lookUp("hosts", name);
  }

  /**
   * Whether names can be resolved: tries it with an address, which needs no network.
   *
   * @throws {Error} When the shell has ended.
   */
  async canLookUp(): Promise<boolean> {
    const [address] = await this.#lookUp("resolve", "127.0.0.1") ?? [];
    return address === "127.0.0.1";
  }

  async #lookUp(verb: "resolve" | "hosts", name: string): Promise<string[] | undefined> {
    if (!/^(?!-)[A-Za-z0-9._-]{1,253}$/.test(name)) {
      throw new TypeError(`Cannot resolve ${JSON.stringify(name)}: unusual characters`);
    }
    const answer = await this.#askUntilFree(`${verb} ${name}`, LOOKUP_MS);
    // A machine that has IPv6 alone gets those of IPv4 as addresses of that.
    return answer?.split(" ").map((address) => address.replace(/^::ffff:(?=\d+\.)/i, ""))
      .filter((address) => ipFamily(address) !== undefined);
  }

  /**
   * Resolves to the output of `nvidia-smi`, a line per card, or `undefined` when there is no such
   * command or no `timeout`. It takes 5 s at most, unless the kernel can't kill it.
   *
   * @throws {Error} When it fails or its output is too long, or the shell has ended.
   */
  async nvidiaSmi(options: { signal?: AbortSignal } = {}): Promise<string | undefined> {
    const answer = await this.#run("nvidia-smi", options);
    if (answer === undefined) return undefined;
    const [, output = answer, status] = /^(.*?)exit (\d+)\t$/.exec(answer) ?? [];
    if (status === "0") return output.replaceAll("\t", "\n");
    const how = status === undefined
      ? "its output is too long"
      : KILLED.has(status)
      ? "it took too long"
      : `it ended with ${status}`;
    const said = quoteStart(output.split("\t")[0] ?? "", QUOTED_LENGTH);
    throw new Error(`Cannot run nvidia-smi: ${how}; its output begins with ${said}`);
  }

  /**
   * Counts the processes in proc.
   *
   * @throws {Error} When the shell has ended.
   */
  async countProcesses(): Promise<number> {
    const answer = await this.#ask("processes");
    const count = Number(answer);
    if (!answer || !Number.isSafeInteger(count)) {
      throw new SyntaxError(
        `Cannot parse the count of processes: the shell answered ${JSON.stringify(answer)}`,
      );
    }
    return count;
  }

  /** Ends the shell and its pings; pending requests fail. */
  async close(): Promise<void> {
    clearTimeout(this.#reapTimer);
    await this.#process.close();
  }

  /** Asks for a program, once fewer run than the shell takes. */
  async #run(
    request: string,
    { signal }: { signal?: AbortSignal },
  ): Promise<string | undefined> {
    signal?.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<string | undefined>();
    // It keeps its place until it ends, also when nobody waits for it any more.
    this.#programs.add(async () => {
      if (!signal?.aborted) await this.#askUntilFree(request, PROGRAM_MS).then(resolve, reject);
    });
    if (signal === undefined) return await promise;
    promise.catch(() => {});
    return await abortable(promise, signal);
  }

  /** A program may still be ending when its answer is there. */
  #askUntilFree(request: string, timeoutMs: number): Promise<string | undefined> {
    return withTimeout(async (signal) => {
      for (const endMs = performance.now() + BUSY_MS;;) {
        const answer = await this.#ask(request, { signal });
        if (answer !== BUSY) return answer;
        if (performance.now() > endMs) throw new Error("Cannot ask the shell: it runs too much");
        await delay(BUSY_DELAY_MS);
      }
    }, { timeoutMs });
  }

  async #ask(
    request: string,
    options: { signal?: AbortSignal } = {},
  ): Promise<string | undefined> {
    const answer = await this.#process.rpc.ask(request, options);
    if (answer === "missing") return undefined;
    if (answer === "ok") return "";
    if (answer === BUSY) return BUSY;
    if (/^none\b/.test(answer)) {
      this.nameServers = answer.split(" ").filter((address) => ipFamily(address) !== undefined);
      return "";
    }
    if (!answer.startsWith("ok ")) throw new Error(`Cannot ask the shell: it refused "${request}"`);
    return answer.slice("ok ".length);
  }

  /** The shell reaps ended children when it reads a line. */
  #reapIn(delayMs: number): void {
    if (this.#reapTimer !== undefined || this.#process.rpc.isEnded) return;
    this.#reapTimer = setTimeout(() => {
      this.#reapTimer = undefined;
      this.#process.rpc.notify("reap");
    }, delayMs);
  }
}

/** Variables of the resolver that a process may set for itself, by resolv.conf(5). */
function resolverVariables(): Record<string, string> {
  const names = ["LOCALDOMAIN", "RES_OPTIONS"];
  return Object.fromEntries(names.flatMap((name) => {
    const value = Deno.env.get(name);
    return value === undefined ? [] : [[name, value]];
  }));
}

/** Starts the shell; without one, which the log says, there are no ICMP probes. */
export function startShell(options: ShellOptions): Shell | undefined {
  try {
    return new Shell(options);
  } catch (error) {
    getLogger("agent").warning("{error}", { error: describeError(error) });
    return undefined;
  }
}
