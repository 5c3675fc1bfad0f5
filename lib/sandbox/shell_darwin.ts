import { settlesWithin } from "../async/timeout.ts";
import script from "./helper_shell_darwin.sh" with { type: "text" };
import { type ScriptProcess, startScript } from "./script_process.ts";

/** The commands of the queries, as an operator would type them; none takes another argument. */
export const DARWIN_COMMANDS = {
  facts: "sysctl",
  sockets: "sysctl net.inet.tcp.pcbcount net.inet.udp.pcbcount",
  interfaces: "netstat -ibn",
  memory: "vm_stat",
  mounts: "mount",
  processes: "ps -A",
} as const;

/** A query about a Mac. */
export type DarwinQuery = keyof typeof DARWIN_COMMANDS;

/** Folders of macOS; other programs of these names have other output. */
const SYSTEM_PATH = "/usr/sbin:/sbin:/usr/bin:/bin";

/** A hundred times the usual duration of a command. */
const ANSWER_TIMEOUT_MS = 3_000;

/** A Mac with hundreds of interfaces answers with 30,000 characters. */
const MAX_LINE_LENGTH = 256 * 1024;

/**
 * A `/bin/sh` with a fixed list of queries about this Mac, before and after the process is sealed.
 *
 * It ends when the agent does, also by SIGKILL.
 */
export class DarwinShell {
  readonly #process: ScriptProcess;
  readonly #inFlight = new Set<DarwinQuery>();
  #queue: Promise<unknown> = Promise.resolve();

  /**
   * `path` is the commands' `PATH`: the folders of macOS by default.
   *
   * @throws {Error} When there is no shell or it may not be started (`Cannot start …`).
   */
  constructor({ path = SYSTEM_PATH }: { path?: string } = {}) {
    const options = { env: { PATH: path }, maxLineLength: MAX_LINE_LENGTH };
    this.#process = startScript(script, options);
  }

  /**
   * Resolves to the output of a query's command; for `processes` to their number.
   *
   * @throws {Error} When the command is missing, prints nothing, hangs or is still running, or when
   * the shell has ended.
   */
  async ask(query: DarwinQuery): Promise<string> {
    const command = DARWIN_COMMANDS[query].split(" ", 1)[0];
    try {
      const answer = await this.#answer(query);
      if (answer === "missing") throw new Error("there is no such command");
      const output = answer.replace(/^ok ?/, "").replaceAll("\t", "\n");
      if (output === "") throw new Error("it printed nothing");
      return output;
    } catch (cause) {
      throw new Error(`Cannot run ${command}`, { cause });
    }
  }

  /**
   * One query at a time: a long answer takes several writes, and another could split it. A command
   * that hangs is not started again, since that would hang as well.
   */
  #answer(query: DarwinQuery): Promise<string> {
    if (this.#inFlight.has(query)) {
      return Promise.reject(new Error("the previous one is still running"));
    }
    this.#inFlight.add(query);
    const answer = this.#queue.then(() => this.#answerInTime(query));
    this.#queue = answer.catch(() => {});
    return answer;
  }

  async #answerInTime(query: DarwinQuery): Promise<string> {
    const answer = this.#process.rpc.ask(query).finally(() => this.#inFlight.delete(query));
    if (await settlesWithin(answer, ANSWER_TIMEOUT_MS)) return await answer;
    throw new Error(`it did not answer within ${ANSWER_TIMEOUT_MS / 1000} s`);
  }

  /** Ends the shell and its commands; pending queries fail. */
  async close(): Promise<void> {
    await this.#process.close();
  }
}
