/**
 * The check of `doctor` of the panel's name: who answers for it, what, and after how long.
 *
 * @module
 */

import { attemptWithin, isTimeout, settlesWithin, withTimeout } from "../async/timeout.ts";
import { Connector } from "../net/connector.ts";
import { RUNTIME_NAMES } from "../net/dns.ts";
import { addressScope, ipFamily, isLoopbackHost } from "../parse/ip_address.ts";
import { type CheckResult, failed, ok, warning } from "./checks.ts";
import { deadServerAdvice, slowAdvice } from "./doctor_name_advice.ts";
import {
  answerText,
  askEach,
  isSilent,
  type NameAnswer,
  type NameSources,
  readSources,
} from "./doctor_name_servers.ts";
import { lossKind, pingsOf, withPings } from "./doctor_name_pings.ts";
import { lostInStub, unresolved } from "./doctor_unresolved_name.ts";
import { failureText, firstHop, hopText, seconds, type Way } from "./doctor_way.ts";
import { given } from "./doctor_options.ts";
import { contradiction, readAnswer } from "./doctor_name_doubts.ts";

/** For a system whose servers are not known. */
const LOOKUP_MS = 6_000;
/** The same where they were asked themselves: other checks need the time more. */
const LATE_LOOKUP_MS = 4_000;
/** For the system's own answer beside that of another server. */
const SYSTEM_LOOKUP_MS = 2_000;
/** A name that takes longer is a finding. */
const SLOW_LOOKUP_MS = 1_500;

/** Resolves the name of the panel, or of the proxy. */
export async function checkName(way: Way, signal: AbortSignal): Promise<CheckResult> {
  const { host } = firstHop(way);
  if (ipFamily(host) !== undefined) return ok(`${host} is an address`);
  const sources = await readSources(way);
  const line = sources.leavesOutHosts ? undefined : sources.hostsLine;
  const once = { signal, times: 1 };
  const early = Promise.all([
    askEach(host, sources, once),
    // It can't exist (RFC 6761). A resolver on this machine knows that, and asks nobody.
    askEach(`${crypto.randomUUID()}.invalid`, sources, once),
  ]);
  const startedAtMs = performance.now();
  const lookup = withTimeout(
    (signal) => new Connector(way.config).lookUp(host, { signal }),
    { timeoutMs: LOOKUP_MS, signal },
  );
  let asked = await settlesWithin(lookup, SLOW_LOOKUP_MS, { signal })
    ? undefined
    : askEach(host, sources, { signal });
  // Nothing waits for them where the check is given up.
  for (const questions of [early, asked]) questions?.catch(() => {});
  let addresses: readonly string[];
  let pinging: Promise<number | undefined> | undefined;
  try {
    const answers = await asked ?? [];
    pinging = pingsOf(answers, way, signal);
    pinging.catch(() => {});
    const leftMs = LATE_LOOKUP_MS - (performance.now() - startedAtMs);
    if (answers.length > 0) {
      lookup.catch(() => {});
      if (!await settlesWithin(lookup, Math.max(0, leftMs), { signal })) {
        throw new DOMException(`no answer within ${LATE_LOOKUP_MS / 1000} s`, "TimeoutError");
      }
    }
    addresses = await lookup;
  } catch (error) {
    signal.throwIfAborted();
    const answers = await (asked ?? askEach(host, sources, { signal }));
    const pings = await (pinging ?? pingsOf(answers, way, signal));
    return await bySystem(answers, { way, sources, signal }) ??
      await lostInStub(answers, { way, sources, signal }) ??
      lateAnswer(answers, { way, sources, isLate: isTimeout(error), pings }) ??
      await unansweredName(failureText(error), { way, sources, answers, pings, signal });
  }
  const ms = performance.now() - startedAtMs;
  way.addresses = addresses;
  const isLate = asked !== undefined;
  const [first, ofNoName] = await early;
  if (line === undefined && [...first, ...ofNoName].some(isIncomplete)) {
    asked ??= askEach(host, sources, { signal });
  }
  const answers = line === undefined && asked !== undefined ? await asked : [];
  const answerer = answererOf(answers) ?? sources.asked;
  const [subject, list] = [hopText(way), addresses.join(", ")];
  const isBlocked = addresses.every((it) => ["0.0.0.0", "::"].includes(it));
  let text: string;
  if (line !== undefined) {
    way.answeredBy = `address from line ${line} of /etc/hosts`;
    text = `${subject} is ${list}, found in line ${line} of /etc/hosts`;
    if (isBlocked) return failed(blocked(text), `remove line ${line} of /etc/hosts`);
    if (!addresses.some(isLoopbackHost)) way.doubts = contradiction(first, { way, line });
  } else {
    way.answeredBy = `address from ${answerer}`;
    text = `${subject} is ${list}, answered by ${answerer}`;
    if (isBlocked) return failed(blocked(text), filterAdvice(host, sources.asked));
    text = await readAnswer(text, { way, sources, first, ofNoName, signal });
  }
  if (asked === undefined) return ok(text);
  const pings = await (isLate ? pinging : pingsOf(answers, way, signal));
  // A question alone may be lost by a server that limits them.
  if (!isLate && (pings ?? 0) === 0) {
    // Where all are, the system knows it by others.
    const silent = answers.every(isSilent) ? [] : answers.filter(isSilent);
    const names = silent.map(({ server }) => server).join(", ");
    return ok(names === "" ? text : `${text}; no answer from ${names}`);
  }
  const slow = isLate ? `${text}, after ${seconds(ms)}` : text;
  const each = answers.length === 0 ? "" : ` (${answers.map(answerText).join("; ")})`;
  const advice = slowAdvice(answers, { way, sources, lostPings: pings });
  const kind = lossKind(answers, pings);
  if (kind === "packets_lost") way.doubts = [...advice, ...way.doubts];
  return { ...warning(withPings(slow + each, answers, pings), ...advice), kind };
}

/** A text about an address that is none. */
function blocked(text: string): string {
  return `${text}: that is no server's address, but how a filter blocks a name`;
}

/** The server that has answered where another one has not. */
export function answererOf(answers: readonly NameAnswer[]): string | undefined {
  const found = answers.find(({ addresses }) => addresses.length > 0);
  return answers.some(isSilent) ? found?.server : undefined;
}

/** Advice on a name that these servers block; public ones block for nobody. */
export function filterAdvice(host: string, asked: string): string {
  return asked.split(", ").every((server) => addressScope(server) === "public")
    ? `see whether its record is that at your DNS provider; else something on the way answers in place of ${asked}`
    : `allow ${host} in the filter of ${asked} (Pi-hole, AdGuard, the router's)`;
}

/** A name without an address, with the results of pings to a server that does not answer. */
async function unansweredName(
  message: string,
  options: Parameters<typeof unresolved>[1],
): Promise<CheckResult> {
  const { answers, way, sources, pings } = options;
  const found = await unresolved(message, options);
  const text = withPings(found.text, answers, pings);
  if (text === found.text || !pings) return { ...found, text };
  const advice = slowAdvice(answers, { way, sources, lostPings: pings });
  // What a server has said to some questions is no finding where others are lost.
  const others = answers.every(isSilent) ? [found.advice, ...found.causes ?? []] : [];
  return { ...failed(text, ...advice, ...others), kind: "packets_lost" };
}

/** Whether a question was not answered. */
function isIncomplete(answer: NameAnswer): boolean {
  return isSilent(answer) || answer.lost !== undefined || answer.isSilentOnIpv6 === true;
}

/** A name that the system knows, and a name server of the configuration's own does not give. */
async function bySystem(
  answers: readonly NameAnswer[],
  { way, sources, signal }: { way: Way; sources: NameSources; signal: AbortSignal },
): Promise<CheckResult | undefined> {
  if (way.config.nameServer === undefined) return undefined;
  const { host } = firstHop(way);
  const lookUp = () => RUNTIME_NAMES.lookUp(host);
  const addresses = await attemptWithin(lookUp, { timeoutMs: SYSTEM_LOOKUP_MS, signal });
  if (addresses === undefined) return undefined;
  const unset = way.config.isConfigInstalled
    ? given(way, "--unset custom-dns")
    : "without --custom-dns";
  const [each, list] = [answers.map(answerText).join("; "), addresses.join(", ")];
  return failed(
    `Cannot resolve ${host}: asked ${sources.asked}: ${each}; the system's own name servers give ${list}`,
    `name another server in ${sources.file}, or take the system's: ${unset}`,
  );
}

/**
 * A name that a server knows behind one that does not answer, for which the system waits too long, or
 * that the system itself is late with.
 */
export function lateAnswer(
  answers: readonly NameAnswer[],
  { way, sources, isLate = false, pings }: {
    way: Way;
    sources: NameSources;
    isLate?: boolean;
    /** How many pings to a server that has not answered all questions are lost. */
    pings?: number | undefined;
  },
): CheckResult | undefined {
  const found = answers.find(({ addresses }) => addresses.length > 0);
  const hasReason = isLate || deadServerAdvice(answers, sources) !== undefined;
  if (found === undefined || !hasReason) return undefined;
  way.addresses = found.addresses;
  way.answeredBy = `address from ${found.server}`;
  const each = answers.map(answerText).join("; ");
  const text =
    `${firstHop(way).host} is ${found.addresses.join(", ")}, answered by ${found.server}, and ` +
    `the system has no answer within ${seconds(LATE_LOOKUP_MS)} (${each})`;
  const advice = slowAdvice(answers, { way, sources, lostPings: pings });
  if (pings) way.doubts = advice;
  return {
    ...warning(withPings(text, answers, pings), ...advice),
    kind: pings ? "packets_lost" : "late_name",
  };
}
