/**
 * Checks that run one after another: what was observed, and what to do about it.
 *
 * @module
 */

import { abortable } from "@std/async/abortable";
import { isTimeout, withTimeout } from "../async/timeout.ts";
import { describeError } from "../log/log.ts";
import { oneLine, redactSecrets } from "../log/redact.ts";
import { jsonFields, parseJson } from "../parse/json.ts";

/** What a check has found, where another one is read in its light. */
const KINDS = [
  /** It had no time, or not enough of it. */
  "no_time",
  "packets_lost",
  /** Nothing came back in time. */
  "no_answer",
  /** A name server that answers pings has not answered all questions. */
  "questions_lost",
  /** The system itself is too late with a name. */
  "late_name",
  /** The running agent's reports are accepted, or are not. */
  "reporting",
  "not_reporting",
  /** Nothing has started the service, or it was stopped. */
  "unstarted",
  /** The service has failed, and its log does not say why. */
  "unexplained",
  /** A signal has stopped the running agent. */
  "paused",
  "missing_program",
  /** The releases could not be asked for. */
  "unseen_release",
  /** One address of the panel's name is that of another server. */
  "other_server",
  /** No ping is let out of this machine. */
  "unsent",
  /** Probes that are always lost are pings alone, as far as it is known. */
  "pings",
  /** Something refuses calls by their number. */
  "limited",
  /** There is no default route of IPv4. */
  "no_ipv4_route",
  /** Everything goes to the panel without TLS. */
  "unencrypted",
  /** A file that the service may not read. */
  "unreadable",
] as const;

/** The first packet of a TCP connection without an answer, or a question, with the id of the user who sent it. */
export interface LostPacket {
  readonly address: string;
  readonly port: number;
  readonly uid: number;
  /** Whether it is one of UDP. */
  readonly isUdp?: boolean | undefined;
}

/** The result of one check. */
export interface CheckResult {
  readonly status: "ok" | "warning" | "failed" | "skipped";
  /** What was observed, and where it came from. */
  readonly text: string;
  /** What to do, where the observation leaves one cause. */
  readonly advice?: string | undefined;
  /** What to look at where several are left, the shortest look first, with the command that tells. */
  readonly causes?: readonly string[] | undefined;
  readonly kind?: (typeof KINDS)[number] | undefined;
  /** Lines of it that can't be the cause where a running agent's reports are accepted at the same time. */
  readonly ruledOutByReports?: readonly string[] | undefined;
  /** The packet without an answer, where a rule of this machine's firewall may have dropped it. */
  readonly lost?: LostPacket | undefined;
}

/** One check. */
export interface Check {
  /** Name for programs. */
  readonly id: string;
  readonly title: string;
  /** The panel that it is about, if there are several. */
  readonly panel?: string | undefined;
  run(signal: AbortSignal): CheckResult | Promise<CheckResult>;
}

/** A check of one panel, or of this machine. */
export function check(id: string, title: string, run: Check["run"]): Check {
  return { id, title, run };
}

/** A check that has run. */
export interface CompletedCheck extends CheckResult, Omit<Check, "run"> {
  readonly ms: number;
  /** The id of the check whose failure it only shows again, or for which it was not run. */
  readonly follows?: string | undefined;
}

/** The result of a check: with one line of advice what to do, with several what may be the cause. */
export function result(
  status: CheckResult["status"],
  text: string,
  ...advice: readonly (string | undefined)[]
): CheckResult {
  return { status, text, ...adviceOf(advice) };
}

/** A check that has found nothing wrong. */
export function ok(text: string): CheckResult {
  return result("ok", text);
}

/** A check that was not made, or is not needed. */
export function skipped(text: string, ...advice: readonly (string | undefined)[]): CheckResult {
  return result("skipped", text, ...advice);
}

/** A check that has found what does not stop reports. */
export function warning(text: string, ...advice: readonly (string | undefined)[]): CheckResult {
  return result("warning", text, ...advice);
}

/** A check that has found what has to be repaired. */
export function failed(text: string, ...advice: readonly (string | undefined)[]): CheckResult {
  return result("failed", text, ...advice);
}

/** One line as advice, several as what may be the cause. */
function adviceOf(
  advice: readonly (string | undefined)[],
): Pick<CheckResult, "advice" | "causes"> {
  const lines = advice.flatMap((line) => line || []);
  return lines.length > 1 ? { causes: lines } : { advice: lines[0] };
}

/** Lines of advice, without those that do not apply. */
export function advised(...lines: readonly (string | false | undefined)[]): string[] {
  return lines.flatMap((line) => line || []);
}

/** All that a check advises, in its order. */
export function linesOf({ advice, causes }: CheckResult): readonly string[] {
  return [advice ?? [], causes ?? []].flat();
}

/** A check with these lines in place of what it advises. */
export function withLines<T extends CheckResult>(
  { advice: _, causes: __, ...rest }: T,
  lines: readonly (string | undefined)[],
): Omit<T, "advice" | "causes"> & Pick<CheckResult, "advice" | "causes"> {
  return { ...rest, ...adviceOf(lines) };
}

/** Longer than any check waits by itself. */
const CHECK_TIMEOUT_MS = 10_000;
/** What every check gets to wait for its network; with less, time says nothing about what it checks. */
const LEAST_CHECK_MS = 6_000;
/** A check that was not made, as there was no time left for it. */
export const NO_TIME_LEFT: CheckResult = {
  ...skipped("not checked: other checks took all the time"),
  kind: "no_time",
};

/** How checks are run. */
export interface RunChecks {
  readonly signal: AbortSignal;
  /** Texts that no result may have. */
  readonly secrets: readonly string[];
  /** When the last check has to have ended, by `performance.now()`. */
  readonly endsAtMs?: number;
  /** Gets each check as soon as it is complete. */
  readonly onCheck?: (check: CompletedCheck) => void;
}

/** Runs checks one after another. A check that throws has failed. */
export async function* runChecks(
  checks: readonly Check[],
  options: RunChecks,
): AsyncGenerator<CompletedCheck> {
  for (const check of checks) {
    const completed = await runCheck(check, options);
    options.onCheck?.(completed);
    yield completed;
  }
}

/** Runs the links of a chain: after one that has failed the others are not run, as they follow from it. */
export async function* runChain(
  links: readonly Check[],
  options: RunChecks,
): AsyncGenerator<CompletedCheck> {
  let broken: string | undefined;
  for (const link of links) {
    const { run: _, ...named } = link;
    const completed: CompletedCheck = broken === undefined
      ? await runCheck(link, options)
      : { ...named, ...skipped("not checked"), follows: broken, ms: 0 };
    if (completed.status === "failed") broken = link.id;
    options.onCheck?.(completed);
    yield completed;
  }
}

async function runCheck({ run, ...named }: Check, options: RunChecks): Promise<CompletedCheck> {
  const { signal, secrets, endsAtMs = Infinity } = options;
  const startedAtMs = performance.now();
  const leftMs = Math.min(CHECK_TIMEOUT_MS, endsAtMs - startedAtMs);
  // Its error names it in seconds.
  const timeoutMs = Math.floor(leftMs / 100) * 100;
  let outcome: CheckResult;
  try {
    outcome = timeoutMs <= 0 ? NO_TIME_LEFT : await withTimeout(
      (signal) => abortable((async () => await run(signal))(), signal),
      { timeoutMs, signal },
    );
  } catch (error) {
    signal.throwIfAborted();
    const isCut = isTimeout(error) && timeoutMs < LEAST_CHECK_MS;
    const text = describeError(error);
    // What a library says stands beside words of our own.
    const isOwn = isTimeout(error) || text.startsWith("Cannot ");
    outcome = isCut
      ? {
        ...skipped(`not known: ${text}, and then the time for all checks was over`),
        kind: "no_time",
      }
      : failed(isOwn ? text : `this check can't be made: ${text}`);
  }
  const ms = Math.round(performance.now() - startedAtMs);
  return withoutSecrets({ ...named, ...outcome, ms }, secrets);
}

/**
 * Reads a completed check that another process has written as a line of JSON; none if it is not one.
 * Its texts are made fit to be shown again.
 */
export function parseCheck(line: string, secrets: readonly string[]): CompletedCheck[] {
  const value = line.startsWith("{") ? jsonFields(parseJson(line)).check : undefined;
  const { id, title, panel, status, text, advice, causes, follows, kind, ms, ruledOutByReports } =
    jsonFields(value);
  const { address, port, uid, isUdp } = jsonFields(jsonFields(value).lost);
  const isLost = typeof address === "string" && typeof port === "number" && typeof uid === "number";
  if (typeof id !== "string" || !isStatus(status) || typeof ms !== "number") return [];
  if (typeof title !== "string" || typeof text !== "string") return [];
  const textOf = (it: unknown) => typeof it === "string" ? it : undefined;
  const textsOf = (it: unknown) =>
    Array.isArray(it) ? it.filter((line) => typeof line === "string") : undefined;
  const read = {
    ...{ id, title, status, text, ms },
    ...{ panel: textOf(panel), advice: textOf(advice), follows: textOf(follows) },
    kind: KINDS.find((it) => it === kind),
    lost: isLost ? { address, port, uid, ...isUdp === true && { isUdp } } : undefined,
    ...{ causes: textsOf(causes), ruledOutByReports: textsOf(ruledOutByReports) },
  };
  return [withoutSecrets(read, secrets)];
}

function isStatus(value: unknown): value is CheckResult["status"] {
  return ["ok", "warning", "failed", "skipped"].includes(String(value));
}

/** A check whose texts have no secrets and nothing that would act on a terminal. */
function withoutSecrets(check: CompletedCheck, secrets: readonly string[]): CompletedCheck {
  const shown = (text: string) => oneLine(redactSecrets(text, secrets));
  const { title, panel, text, advice, causes, ruledOutByReports } = check;
  return {
    ...check,
    title: shown(title),
    panel: panel && shown(panel),
    text: shown(text),
    advice: advice && shown(advice),
    causes: causes?.map(shown),
    ruledOutByReports: ruledOutByReports?.map(shown),
  };
}
