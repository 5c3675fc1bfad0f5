import { assert, assertEquals } from "@std/assert";
import { type AttackResult, ATTACKS } from "./attacks.ts";
import { denoOutput } from "../deno_output.ts";
import { onLinux } from "../only_on.ts";
import { TempFolder } from "../temp_folder.ts";

const isRoot = Deno.uid() === 0;

/** Files that an attacker would like to change, in a folder of their own. */
class Target implements AsyncDisposable {
  readonly folder = Deno.makeTempDirSync();
  readonly #listener: Deno.Listener;

  constructor() {
    Deno.mkdirSync(`${this.folder}/cron.d`);
    Deno.mkdirSync(`${this.folder}/empty`);
    const names = ["authorized_keys", "agent", "config.json", "new", "other", "removable"];
    for (const name of [...names, "truncated", "emptied", "state"]) {
      Deno.writeTextFileSync(`${this.folder}/${name}`, "original");
    }
    Deno.writeTextFileSync(`${this.folder}/data.json`, "7");
    Deno.symlinkSync(`${this.folder}/config.json`, `${this.folder}/link`);
    this.#listener = Deno.listen({ transport: "unix", path: `${this.folder}/socket` });
  }

  /** Names, contents and modes of everything in the folder. */
  snapshot(): string[] {
    return Array.from(Deno.readDirSync(this.folder), ({ name, isFile }) => {
      const path = `${this.folder}/${name}`;
      const { mode, size, mtime } = Deno.statSync(path);
      const text = isFile ? Deno.readTextFileSync(path) : "";
      return `${name} ${mode} ${size} ${mtime?.getTime()} ${text}`;
    }).sort();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    await Deno.remove(this.folder, { recursive: true });
  }
}

/** Runs attacks in one process, with the filter or without. */
async function attack(
  mode: "sealed" | "open",
  names: readonly string[],
  { folder }: { folder: string },
): Promise<AttackResult[]> {
  const program = new URL("attacks.ts", import.meta.url).pathname;
  const words = [program, mode, folder, ...names];
  const output = await denoOutput("run -A --no-prompt --no-check", words);
  const parsed: unknown[] = output.trim().split("\n").map((line) => JSON.parse(line));
  const results: AttackResult[] = [];
  for (const line of parsed) {
    if (typeof line !== "object" || line === null) continue;
    if ("victim" in line && typeof line.victim === "number") Deno.kill(line.victim, "SIGKILL");
    else if (isResult(line)) results.push(line);
  }
  assertEquals(results.map(({ name }) => name), names);
  return results;
}

function isResult(line: object): line is AttackResult {
  return "name" in line && "succeeded" in line;
}

function namesOf(room: keyof typeof ATTACKS): string[] {
  return Object.keys(ATTACKS[room]);
}

const ROOMS = ["reading", "programs", "files", "processes", "sockets", "system"] as const;
const IN_ONE_PROCESS: readonly string[] = [
  ...ROOMS.flatMap(namesOf),
  ...isRoot ? namesOf("superuser") : [],
  ...Deno.build.arch === "x86_64" ? namesOf("amd64") : [],
];

/** Those of a superuser are root's alone to try. */
const tried = isRoot ? "" : " (not as root: without those of a superuser)";

onLinux.test(`sealByKernel() stops every attack that works without it${tried}`, async (test) => {
  await using sealedTarget = new Target();
  await using openTarget = new Target();
  const before = sealedTarget.snapshot();
  const sealed = await attack("sealed", IN_ONE_PROCESS, sealedTarget);
  const open = await attack("open", IN_ONE_PROCESS, openTarget);
  for (const [index, name] of IN_ONE_PROCESS.entries()) {
    await test.step(name, () => {
      assertEquals(sealed[index]?.succeeded, false, "it succeeds in spite of the filter");
      assertEquals(open[index]?.error, undefined, "it proves nothing");
      assert(open[index]?.succeeded, "it proves nothing");
    });
  }
  await test.step("no file has changed", () => assertEquals(sealedTarget.snapshot(), before));
});

for (const name of namesOf("replacements")) {
  onLinux.test(`sealByKernel() stops ${name} that works without it`, async () => {
    await using target = new Target();
    const [sealed] = await attack("sealed", [name], target);
    assertEquals(sealed?.succeeded, false);
    const [open] = await attack("open", [name], target);
    assertEquals(open, { name, succeeded: true });
  });
}

onLinux.test("sealByKernel() leaves everything possible that a sealed agent does", async () => {
  using folder = new TempFolder();
  const program = new URL("sealed_work.ts", import.meta.url).pathname;
  await denoOutput("run -A --no-prompt --no-check", [program, folder.path]);
});
