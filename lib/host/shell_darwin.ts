import { deadline } from "@std/async/deadline";
import { RequestChannel } from "./line_rpc.ts";
import { shellMenu } from "./shell.ts";

/**
 * What the shell runs that looks at a Mac: it reads requests, a line each, and answers each with a
 * line.
 *
 * ```text
 * ID facts        ID ok OUTPUT        the lines of the command's output, joined by tabs
 * ID sockets      ID missing          there is no such command
 * ID interfaces
 * ID memory
 * ID mounts
 * ID processes    ID ok COUNT
 * ```
 *
 * Everything else is answered `ID refused`: the menu holds here, not at the sender. The commands
 * take no word of the sender's. They can run beside each other, so one that hangs lets others go on,
 * but whoever asks has to see to it that two answers don't meet. One that spins is ended by the limit
 * on CPU time.
 */
export const DARWIN_SHELL_SCRIPT = `
trap '' HUP INT TERM
tab='	' newline='
'

lines_of() {
  id=$1
  shift
  command -v "$1" >/dev/null || { echo "$id missing"; return; }
  ulimit -t 2
  set -f
  IFS=$newline
  set -- $("$@" 2>/dev/null </dev/null)
  IFS=$tab
  printf '%s\\n' "$id ok $*"
}

count_processes() {
  id=$1
  command -v ps >/dev/null || { echo "$id missing"; return; }
  ulimit -t 2
  set -- $(ps -A -o pid= 2>/dev/null </dev/null)
  echo "$id ok $#"
}

while IFS=' ' read -r id verb; do
  jobs >/dev/null
  case $id in ''|*[!0-9]*) continue ;; esac
  case $verb in
    facts)
      lines_of "$id" sysctl hw.model hw.logicalcpu hw.physicalcpu kern.bootsessionuuid \\
        kern.hv_vmm_present kern.osproductversion kern.osrelease machdep.cpu.brand_string &
      ;;
    sockets) lines_of "$id" sysctl net.inet.tcp.pcbcount net.inet.udp.pcbcount & ;;
    interfaces) lines_of "$id" netstat -ibn & ;;
    memory) lines_of "$id" vm_stat & ;;
    mounts) lines_of "$id" mount & ;;
    processes) count_processes "$id" & ;;
    *) echo "$id refused" ;;
  esac
done
kill -s KILL -- -$$
`;

/** What can be asked about a Mac: each is one command with arguments that never change. */
export type DarwinQuestion =
  | "facts"
  | "sockets"
  | "interfaces"
  | "memory"
  | "mounts"
  | "processes";

/** The commands behind the questions, as an operator would type them. */
export const DARWIN_COMMANDS: Readonly<Record<DarwinQuestion, string>> = {
  facts: "sysctl",
  sockets: "sysctl net.inet.tcp.pcbcount net.inet.udp.pcbcount",
  interfaces: "netstat -ibn",
  memory: "vm_stat",
  mounts: "mount",
  processes: "ps -A",
};

/** Where macOS keeps them; other programs of these names are of no use here. */
const SYSTEM_PATH = "/usr/sbin:/sbin:/usr/bin:/bin";

/** A command that takes longer hangs; those that don't take a hundredth of it. */
const ANSWER_WITHIN_MS = 3_000;

/** A Mac with hundreds of interfaces has 30,000 characters to tell. */
const LINE_LIMIT = 256 * 1024;

/** A stopped shell can't end; the agent must. */
const CLOSE_WITHIN_MS = 500;

/**
 * A `/bin/sh` with a fixed menu of questions about this Mac, before and after the process is sealed.
 *
 * It ends when the agent does, however that dies.
 */
export class DarwinShell {
  readonly #child: Deno.ChildProcess;
  readonly #channel: RequestChannel;
  readonly #answerWithinMs: number;
  readonly #underWay = new Set<DarwinQuestion>();
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(child: Deno.ChildProcess, answerWithinMs: number) {
    this.#child = child;
    this.#answerWithinMs = answerWithinMs;
    this.#channel = new RequestChannel({
      requests: child.stdin,
      answers: child.stdout,
      lineLimit: LINE_LIMIT,
    });
  }

  /**
   * `path` is where the commands are looked for: where macOS keeps them by default.
   *
   * @throws {Error} When there is no shell or it may not be started (`Cannot start …`).
   */
  static start(options: { path?: string; answerWithinMs?: number } = {}): DarwinShell {
    const menu = shellMenu(DARWIN_SHELL_SCRIPT);
    try {
      const child = new Deno.Command("/bin/sh", {
        args: [...menu.words],
        // The agent's environment may hold its token, and a process shows its own to its user.
        clearEnv: true,
        env: { LC_ALL: "C", PATH: options.path ?? SYSTEM_PATH, ...menu.env },
        // A session of its own: Ctrl-C at the terminal is the agent's to answer.
        detached: true,
        stdin: "piped",
        stdout: "piped",
        stderr: "null",
      }).spawn();
      return new DarwinShell(child, options.answerWithinMs ?? ANSWER_WITHIN_MS);
    } catch (cause) {
      throw new Error("Cannot start /bin/sh", { cause });
    }
  }

  /**
   * The output of the command behind a question; of `processes` their number.
   *
   * @throws {Error} When there is no such command, when it says nothing, hangs or still runs, or
   * when the shell has ended.
   */
  async ask(question: DarwinQuestion): Promise<string> {
    const command = DARWIN_COMMANDS[question].split(" ", 1)[0];
    try {
      const answer = await this.#answer(question);
      if (answer === "missing") throw new Error("there is no such command");
      const output = answer.replace(/^ok ?/, "").replaceAll("\t", "\n");
      if (output === "") throw new Error("it said nothing");
      return output;
    } catch (cause) {
      throw new Error(`Cannot ask ${command}`, { cause });
    }
  }

  /**
   * One question at a time, since a long answer is more than one write, and another could cut it in
   * two. A command that hangs is not started again: each would hang as well, and stay.
   */
  #answer(question: DarwinQuestion): Promise<string> {
    if (this.#underWay.has(question)) {
      return Promise.reject(new Error("the last one still hangs"));
    }
    this.#underWay.add(question);
    const answer = this.#turn.then(() => this.#answerInTime(question));
    this.#turn = answer.catch(() => {});
    return answer;
  }

  async #answerInTime(question: DarwinQuestion): Promise<string> {
    const answer = this.#channel.ask(question).finally(() => this.#underWay.delete(question));
    const withinMs = this.#answerWithinMs;
    const { promise: late, reject } = Promise.withResolvers<never>();
    const timer = setTimeout(
      () => reject(new Error(`it did not answer within ${withinMs / 1000} s`)),
      withinMs,
    );
    Deno.unrefTimer(timer);
    try {
      return await Promise.race([answer, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Ends the shell and what it runs; what is still asked is answered with an error. */
  async close(): Promise<void> {
    const closed = this.#channel.close();
    await deadline(Promise.all([closed, this.#child.status]), CLOSE_WITHIN_MS).catch(() => {
      this.#child.unref();
    });
  }
}
