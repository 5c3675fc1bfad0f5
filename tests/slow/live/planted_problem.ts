import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { isJsonObject, jsonFields, parseJson } from "../../../lib/parse/json.ts";
import { translate } from "../../../lib/cli/translate.ts";
import { brokenRules, leftEnglish } from "../../cli/chinese_style.ts";
import { PATIENCE_MS } from "../../patience.ts";

/** A cause that is planted, and what has to be said about it. */
export interface PlantedProblem {
  readonly cause: string;
  /** The check that names it, before all others; `undefined` where everything is fine. */
  readonly check: string | undefined;
  readonly status: "failed" | "warning" | "ok";
  /** Words of its text, or of its advice. */
  readonly words: readonly string[];
  /** Exit code of `status`; `undefined` where it was not asked, or that depends on how long it has lasted. */
  readonly statusCode?: 0 | 1 | undefined;
}

/** A row of a text: its fields by name, and what has to be said. */
export interface ProblemText extends PlantedProblem {
  /** What stands after `NAME: `; the first line has no name. */
  field(name: string): string | undefined;
  /** What stands before the colon after the status. */
  readonly flags: string;
}

/**
 * Reads problems of a text: `# CAUSE`, lines that make it, and `→ CHECK STATUS FLAGS: WORDS | WORDS`;
 * `⏎` ends a line of a field.
 */
export function problemsIn(text: string): ProblemText[] {
  return text.trim().slice(2).split("\n# ").map((row) => {
    const [cause = "", ...lines] = row.split("\n").map((line) => line.replaceAll("⏎", "\n"));
    const field = (name: string) =>
      name === "" ? lines[0] : lines.find((it) => it.startsWith(name))?.slice(name.length);
    const [, check, status = "", flags = "", words = ""] =
      /^(?:(\S+) )?(failed|warning|ok)((?: \w+=\w+)*):(?: ([^]*))?$/.exec(field("→ ") ?? "") ?? [];
    return {
      ...{ cause, check, status: status as PlantedProblem["status"], field, flags },
      words: words === "" ? [] : words.split(" | "),
    };
  });
}

/** What a doctor has said about a planted problem. */
export interface Diagnosis {
  readonly problem: PlantedProblem;
  /** The exit codes of `doctor`, and of `status` where it was asked. */
  readonly exitCodes: string;
  readonly said: string;
  /** The texts, and the advices, that are bad. */
  readonly texts: readonly string[];
}

/**
 * Checks what `doctor --json` has said about a planted problem.
 *
 * @throws {AssertionError} When it does not name the cause, or names another one as well.
 */
function diagnose(
  problem: PlantedProblem,
  { code, output, statusCode }: { code: number; output: string; statusCode?: number },
): Diagnosis {
  const { cause, check: id, status, words } = problem;
  assertEquals(statusCode, problem.statusCode ?? statusCode, `${cause}: status`);
  const start = output.indexOf("{");
  const { checks, cause: first } = jsonFields(parseJson(output.slice(Math.max(0, start))));
  assert(Array.isArray(checks), `${cause}: ${output}`);
  const all = checks.filter(isJsonObject);
  const bad = all.filter((it) => it.status === "failed" || it.status === "warning");
  const shown = bad.map((it) => {
    const causes = Array.isArray(it.causes)
      ? it.causes.map((line, at) => `${at + 1}. ${line}`)
      : [];
    const lines = [it.advice === undefined ? [] : `→ ${it.advice}`, causes].flat();
    const folded = it.follows === undefined ? "" : `… follows from ${it.follows}: `;
    return [`${folded}${it.id} (${it.status}): ${it.text}`, ...lines].join("\n  ");
  });
  const said = shown.join("\n") || "everything is fine";
  assertEquals(code, bad.some((it) => it.status === "failed") ? 1 : 0, `${cause}: ${output}`);
  if (id === undefined) assertEquals(said, "everything is fine", cause);
  else {
    const found = all.find((it) => it.id === id);
    assertEquals([first, found?.status], [id, status], `${cause}: ${said}`);
    const [named = ""] = shown.filter((_, at) => bad[at] === found);
    for (const word of words) assertStringIncludes(named, word, `${cause}: ${said}`);
    // What is wrong beside it follows from it.
    const others = bad.filter((it) => it.status === "failed" && it.follows === undefined);
    assertEquals(others.filter((it) => it.id !== id), [], `${cause}: ${said}`);
  }
  const exitCodes = `${code}${statusCode === undefined ? "" : `, ${statusCode}`}`;
  const texts = bad.flatMap((it) => [it.text, it.advice ?? [], it.causes ?? []].flat()).map(String);
  return { problem, exitCodes, said, texts };
}

/**
 * Asks a doctor again and again until it names the cause: what is planted shows when the agent has met
 * it, and a busy machine has slow connections, too.
 *
 * @throws {AssertionError} When it never does.
 */
export async function untilNamed(
  problem: PlantedProblem,
  ask: () => Promise<Parameters<typeof diagnose>[1]>,
): Promise<Diagnosis> {
  for (let leftMs = PATIENCE_MS;;) {
    const startMs = performance.now();
    const answer = await ask();
    try {
      return diagnose(problem, answer);
    } catch (error) {
      // A doctor that had no time for its checks says so, and has said nothing about the cause.
      if (!/"cause": *"time"/.test(answer.output)) leftMs -= performance.now() - startMs;
      if (leftMs < 0) throw error;
    }
  }
}

/**
 * Prints what was said about each, as a table.
 *
 * @throws {AssertionError} When some of it is not all Chinese in Chinese.
 */
export function printDiagnoses(diagnoses: readonly Diagnosis[]): void {
  for (const { problem, exitCodes, said } of diagnoses) {
    console.log(`\n${problem.cause} [${exitCodes}]\n  ${said.replaceAll("\n", "\n  ")}`);
  }
  const chinese = diagnoses.flatMap(({ texts }) => texts).map((text) => translate(text, "zh"));
  const bad = chinese.filter((it) => leftEnglish(it) !== undefined || brokenRules(it).length > 0);
  assertEquals(bad, []);
}
