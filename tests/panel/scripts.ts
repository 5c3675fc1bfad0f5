import { assert, assertEquals } from "@std/assert";

/** What the scripts of {@linkcode testScripts} may do and say, by word. */
export interface ScriptWords<T> {
  readonly steps: Readonly<Record<string, (it: T, value: string) => unknown>>;
  readonly facts: Readonly<Record<string, (it: T) => unknown>>;
  /** Lets so many milliseconds pass. */
  run(it: T, ms: number): Promise<void>;
  /** What it has logged: `said 2: …` are the lines with these words. */
  readonly log?: (it: T) => readonly string[];
}

/**
 * Makes a test of each script in a text: its name stands on a line, and its steps, apart by `;`, on
 * indented ones below. `9 s` passes, `dials = 2` and `dials >= 2` are facts, `(mute; 9 s)×3` happens three
 * times, and all else is a step with its value.
 */
export function testScripts<T extends AsyncDisposable>(
  text: string,
  { steps, facts, run, log = () => [] }: ScriptWords<T>,
  { subject, make }: { subject: string; make(): T },
): void {
  for (const [, name, lines = ""] of text.matchAll(/^(\S.*)\n((?: .*\n)+)/gm)) {
    const script = lines.trim().replaceAll("\n", ";").replace(
      /\((.+?)\)×(\d+)/g,
      (_, part, count) => Array(Number(count)).fill(part).join(";"),
    );
    Deno.test(`${subject} ${name}`, async () => {
      await using it = make();
      for (const step of script.split(";").map((words) => words.trim())) {
        const [, seconds] = /^([\d.]+) s$/.exec(step) ?? [];
        const [, fact = "", sign, expected = ""] = /^(\w+) (=|>=|<=) ?(.*)$/.exec(step) ?? [];
        const [, word = "", value = ""] = /^([\w-]+) ?(.*)$/.exec(step) ?? [];
        const [, count, said = ""] = /^said (\d+): (.+)$/.exec(step) ?? [];
        const lines = log(it).filter((line) => line.includes(said));
        if (seconds !== undefined) await run(it, Number(seconds) * 1000);
        else if (count !== undefined) assertEquals(lines.length, Number(count), log(it).join("\n"));
        else if (sign === undefined) {
          assert(word in steps, `there is no step "${step}"`);
          await steps[word]?.(it, value);
        } else {
          assert(fact in facts, `there is no fact "${fact}"`);
          const actual = facts[fact]?.(it);
          if (sign === "=") assertEquals(`${actual}`, expected, step);
          const [least, most] = sign === ">=" ? [expected, actual] : [actual, expected];
          if (sign !== "=") assert(Number(least) <= Number(most), `${actual}: ${step}`);
        }
      }
    });
  }
}
