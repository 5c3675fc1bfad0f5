import { assert, assertEquals } from "@std/assert";
import { attempt } from "../../lib/attempt.ts";
import {
  environmentText,
  FIRST_PAUSE,
  NEXT_PAUSE,
  updateLoop,
} from "../../lib/service/service_files.ts";
import { writeExecutable } from "../executable.ts";
import { isAlive } from "../exists.ts";
import { onlyIf } from "../only_on.ts";
import { PATIENCE_MS } from "../patience.ts";
import { SYSTEM_PLAN } from "./service_plans.ts";

/** The bounds of the pauses, as the loop has them. */
const NO_PAUSES = { first: "0 0", between: "0 0" };

/** What may be `/bin/sh` where such a service runs. */
const SHELLS = [["/bin/dash"], ["/bin/bash", "--posix"], ["/bin/busybox", "ash"]];
const pathExists = ([path = ""]: readonly string[]) =>
  new Deno.Command("test", { args: ["-x", path] }).outputSync().success;

/** A loop that runs, with a program that writes down how it is called. */
class Loop implements AsyncDisposable {
  readonly #folder = Deno.makeTempDirSync();
  readonly #process: Deno.ChildProcess;
  /** How it has ended; `undefined` while it runs. */
  status: Deno.CommandStatus | undefined;

  constructor(
    [shell = "", ...options]: readonly string[],
    { schedule = NO_PAUSES, program = "", sleep }: {
      schedule?: typeof NO_PAUSES;
      /** What the program does then, as shell. */
      program?: string;
      /** What the only tool does that the shell finds, which is `sleep`. */
      sleep?: string;
    },
  ) {
    const log = `'${this.#folder}/log'`;
    Deno.writeTextFileSync(`${this.#folder}/log`, "");
    this.#script("program", `for it; do printf '<%s>' "$it"; done >>${log}\n${program}`);
    if (sleep !== undefined) this.#script("sleep", `echo "sleep $1" >>${log}\n${sleep}`);
    const releaseFlags = ["--mirror", "https://m.example/a  b"];
    const plan = { ...SYSTEM_PLAN, program: `${this.#folder}/program`, releaseFlags };
    this.#process = new Deno.Command(shell, {
      args: [
        ...options,
        ...updateLoop(plan).slice(1).map((word) =>
          word.replace(`pause ${FIRST_PAUSE};`, `pause ${schedule.first};`)
            .replace(`pause ${NEXT_PAUSE};`, `pause ${schedule.between};`)
        ),
      ],
      env: { LOG: `${this.#folder}/log`, ...(sleep !== undefined && { PATH: this.#folder }) },
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    this.#process.status.then((status) => this.status = status);
  }

  #script(name: string, body: string): void {
    writeExecutable(`${this.#folder}/${name}`, `#!/bin/sh\n${body}\n`);
  }

  log(): string {
    return Deno.readTextFileSync(`${this.#folder}/log`);
  }

  /** The number of the process that it sleeps by, once that is one. */
  sleeper(): number | undefined {
    const { pid } = this.#process;
    const [child = ""] = Deno.readTextFileSync(`/proc/${pid}/task/${pid}/children`).split(" ");
    return child !== "" && Deno.readTextFileSync(`/proc/${child}/comm`) === "sleep\n"
      ? Number(child)
      : undefined;
  }

  /** Asks it to end and gives how it did. */
  async end(): Promise<Deno.CommandStatus> {
    this.#process.kill("SIGTERM");
    return await this.#process.status;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // It may have ended.
    attempt(() => this.#process.kill("SIGKILL"));
    await this.#process.status;
    await Deno.remove(this.#folder, { recursive: true });
  }
}

async function comes(isSo: () => boolean): Promise<void> {
  const end = performance.now() + PATIENCE_MS;
  while (!isSo()) {
    assert(performance.now() < end, "it never came");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

for (const shell of SHELLS) {
  const isThere = Deno.build.os === "linux" && pathExists(shell);
  if (!isThere) console.log(`${shell[0]} is not there to be tried`);

  const withShell = onlyIf(isThere);
  withShell.test(`updateLoop() takes newer versions again and again in ${shell[0]}, also when that fails`, async () => {
    await using loop = new Loop(shell, { program: "echo >>$LOG; exit 1" });
    const call = "<update><--now><--mirror><https://m.example/a  b>\n";
    await comes(() => loop.log().startsWith(call.repeat(3)));
    assertEquals((await loop.end()).code, 0);
  });

  withShell.test(`updateLoop() ends with what it sleeps by, in ${shell[0]}, when it is asked to`, async () => {
    await using loop = new Loop(shell, {
      schedule: { first: "5000 6000", between: "5000 6000" },
    });
    await comes(() => loop.sleeper() !== undefined);
    const sleeper = loop.sleeper() ?? 0;
    assertEquals((await loop.end()).code, 0);
    await comes(() => !isAlive(sleeper));
    assertEquals(loop.log(), "");
  });

  withShell.test(`updateLoop() waits in ${shell[0]} until an update that is under way has ended in order`, async () => {
    const program = "trap 'sleep 0.2; echo in order >>$LOG; exit' TERM\n" +
      "echo under way >>$LOG; while :; do sleep 0.01; done";
    await using loop = new Loop(shell, { program });
    await comes(() => loop.log().endsWith("under way\n"));
    assertEquals((await loop.end()).code, 0);
    assert(loop.log().endsWith("under way\nin order\n"), loop.log());
  });
}

const here = onlyIf(pathExists(["/bin/dash"]));

here.test("updateLoop() draws each pause between its bounds", async () => {
  await using loop = new Loop(["/bin/dash"], {
    schedule: { first: "3 5", between: "1000000000 2000000000" },
    sleep: "exit 0",
    program: "echo >>$LOG",
  });
  await comes(() => loop.log().split("\n").length > 40);
  await loop.end();
  const [first = 0, ...others] = Array.from(loop.log().matchAll(/sleep (\d+)/g), ([, it]) => +it!);
  assert(first >= 3 && first <= 5, `${first}`);
  assert(others.every((it) => it >= 1e9 && it <= 2e9), others.join(" "));
  assert(new Set(others).size > 10, "it is another one each time");
});

here.test("updateLoop() ends when it can't sleep, rather than ask without a pause", async () => {
  await using loop = new Loop(["/bin/dash"], { sleep: "exit 1" });
  await comes(() => loop.status !== undefined);
  assertEquals(loop.status?.code, 1);
  assert(/^sleep \d+\n$/.test(loop.log()), loop.log());
});

const ODD = `http://me:p"a$$w\`o\\r'd%20@proxy:3128/ #x`;

Deno.test("environmentText() is read unchanged by a shell", () => {
  const text = environmentText({ HTTP_PROXY: ODD, NO_PROXY: "a,b" });
  const { stdout } = new Deno.Command("sh", {
    args: ["-c", `${text}\nprintf '%s|%s' "$HTTP_PROXY" "$NO_PROXY"`],
  }).outputSync();
  assertEquals(new TextDecoder().decode(stdout), `${ODD}|a,b`);
});

Deno.test("environmentText() escapes only what systemd unescapes", () => {
  const text = environmentText({ HTTP_PROXY: ODD });
  const shown = text.split("\n")[1];
  assertEquals(shown, 'HTTP_PROXY="http://me:p\\"a\\$\\$w\\`o\\\\r\'d%20@proxy:3128/ #x"');
});
