/**
 * The way to one panel, link by link: what is gathered of it, and what that says.
 *
 * @module
 */

import { isTimeout, withTimeout } from "../async/timeout.ts";
import { roundMs } from "../log/log.ts";
import type { HttpResponse } from "../net/http_client.ts";
import { reasonOf } from "../diagnosis/page.ts";
import { truncate } from "../parse/bounded_text.ts";
import { ipFamily } from "../parse/ip_address.ts";
import { movedAddress, TOKEN_LENGTH } from "../diagnosis/diagnose.ts";
import { type Check, failed, type Finding, ok, skipped, warning } from "./check.ts";
import { judgeClock } from "./clock.ts";
import { type ConnectionEvidence, gatherConnection, judgeConnection } from "./connection.ts";
import { gatherName, judgeName, type NameEvidence, sourceText } from "./name.ts";
import { gatherNetwork, judgeNetwork, type NetworkEvidence } from "./network.ts";
import { given, originOf, proxyNames, withoutProxy, writeAddress } from "./options.ts";
import { type Answerer, panelAmong, PanelCalls } from "./panel_calls.ts";
import { gatherTls, judgeTls, type TlsEvidence } from "./tls.ts";
import {
  addressOf,
  causeOf,
  failureText,
  hopOf,
  seenWay,
  usualAddresses,
  type Way,
} from "./way.ts";

/** For the calls that find out what answers. */
const CALLS_MS = 7_000;
const MAX_ROUND_TRIP_MS = 1_000;
/** More than fits into one packet, as reports with many values are. */
const LARGE_REQUEST_BYTES = 4_000;

/** All that is gathered of the way to a panel, up to the link that has failed. */
export interface PanelEvidence {
  network?: NetworkEvidence | undefined;
  /** Absent for an address. */
  name?: NameEvidence;
  connection?: ConnectionEvidence;
  /** `"plain"` without TLS. */
  tls?: TlsEvidence | "plain";
  answer?: AnswerEvidence;
  /** How long each link took. */
  readonly ms: Record<string, number>;
}

/** What answers behind a connection. */
export interface AnswerEvidence {
  readonly error?: string;
  readonly isLate?: boolean;
  readonly found?: Answerer;
  readonly version?: string | undefined;
  /** Where else on this host a panel answers. */
  readonly panelAt?: string | undefined;
  /** What its own address answers to a browser. */
  readonly page?: HttpResponse | undefined;
  readonly clockErrorMs?: number | undefined;
  readonly tokenPlace?: "query" | "header" | undefined;
  /** The answers to a small call, to a large one and to the request for a WebSocket, or why there are none. */
  readonly roundTripMs?: number;
  readonly large?: HttpResponse | string;
  readonly upgrade?: HttpResponse | string;
}

/** Gathers what is seen of the way to a panel, link by link; it ends at the first that fails. */
export async function gatherPanel(
  way: Way,
  evidence: PanelEvidence,
  signal: AbortSignal,
): Promise<void> {
  const timed = async <T>(link: string, gather: () => Promise<T>): Promise<T> => {
    const startedAtMs = performance.now();
    try {
      return await gather();
    } finally {
      evidence.ms[link] = Math.round(performance.now() - startedAtMs);
    }
  };
  evidence.network = gatherNetwork();
  if (ipFamily(hopOf(way).host) === undefined) {
    evidence.name = await timed("dns", () => gatherName(way, signal));
    way.addresses = evidence.name.addresses;
    if (way.addresses.length === 0) return;
  }
  evidence.connection = await timed("connect", () => gatherConnection(way, signal));
  if (evidence.connection.error !== undefined) return;
  const tls = await timed("tls", () => gatherTls(way, signal));
  evidence.tls = tls ?? "plain";
  if (tls?.error !== undefined) return;
  evidence.answer = await timed("panel", () => gatherAnswer(way, signal));
}

async function gatherAnswer(way: Way, signal: AbortSignal): Promise<AnswerEvidence> {
  const calls = new PanelCalls(way);
  const among = (addresses: readonly string[]) => panelAmong(addresses, { calls, signal });
  const usual = usualAddresses(way.url).map(({ address }) => address);
  try {
    const ask = (signal: AbortSignal) => calls.identify(signal);
    const found = await withTimeout(ask, { timeoutMs: CALLS_MS, signal });
    const { answer, protocol } = found;
    if (protocol === undefined) {
      const isSite = [200, 404, 405].includes(answer.status);
      const moved = movedAddress(answer, seenWay(way));
      const places = [
        ...moved === undefined ? [] : [moved],
        way.url.pathname === "/" ? `${way.url.origin}/komari` : way.url.origin,
        ...isSite ? usual : [],
      ];
      // Others say by themselves what is wrong.
      const isPassed = [200, 301, 302, 303, 307, 308, 400, 403, 404, 405].includes(answer.status);
      const [version, page] = await Promise.all([
        isPassed ? calls.version(signal) : undefined,
        isSite && answer.status !== 200 ? calls.page(signal) : undefined,
      ]);
      const panelAt = isPassed && version === undefined ? await among(places) : undefined;
      return { found, version, page, panelAt };
    }
    const version = await calls.version(signal);
    const startedAtMs = performance.now();
    await calls.unknownMethod(signal);
    const roundTripMs = performance.now() - startedAtMs;
    const orFailure = (call: Promise<HttpResponse>) =>
      call.catch((error) => {
        signal.throwIfAborted();
        return failureText(error);
      });
    const large = await orFailure(calls.unknownMethod(signal, LARGE_REQUEST_BYTES));
    const upgrade = await orFailure(calls.upgrade(signal));
    const { clockErrorMs, tokenPlace } = calls;
    return { found, version, clockErrorMs, tokenPlace, roundTripMs, large, upgrade };
  } catch (error) {
    signal.throwIfAborted();
    const isLate = isTimeout(error);
    return { error: failureText(error), isLate, panelAt: isLate ? undefined : await among(usual) };
  }
}

/** The checks of the way to a panel, by what was gathered. Those behind one that has failed were not made. */
export function judgePanel(evidence: PanelEvidence, way: Omit<Way, "dialer">): Check[] {
  const { network, name, connection, tls, answer } = evidence;
  const { host } = hopOf(way);
  const source = name === undefined ? "" : sourceText(name);
  const known = { way, network, source };
  const isReached = connection !== undefined && connection.error === undefined;
  const failures = [connection?.error, ...name?.answers.map(({ code }) => code) ?? []].join();
  const isUnreachable = /network is unreachable|may not send to it/.test(failures);
  const links: readonly (readonly [id: string, title: string, judge: () => Finding | undefined])[] =
    [
      ["network", "Network", () => judgeNetwork(network, { host, isReached, isUnreachable })],
      [
        "dns",
        "Name resolution",
        () =>
          name === undefined
            ? ipFamily(host) === undefined ? undefined : ok(`${host} is an address`)
            : judgeName(name, way),
      ],
      ["connect", "TCP connection", () => connection && judgeConnection(connection, known)],
      ["tls", "TLS", () => tls && judgeTls(tls === "plain" ? undefined : tls, way, source)],
      ["panel", "Panel", () => answer && judgeAnswer(answer, way, source)],
      ["clock", "Clock", () => answer && judgeClock(answer.clockErrorMs)],
      ["round_trip", "Round trip", () => answer && judgeRoundTrip(answer, way)],
      ["token", "Token", () => answer && judgeToken(answer, way)],
      ["websocket", "WebSocket", () => answer && judgeUpgrade(answer, way)],
    ];
  let broken: string | undefined;
  const checks = links.map(([id, title, judge]) => {
    const ms = evidence.ms[id] ?? 0;
    if (broken !== undefined) return { id, title, ms, ...skipped("not checked"), follows: broken };
    const found = judge() ?? skipped("not checked: there was no time for it");
    if (found.status === "failed") broken = id;
    return { id, title, ms, ...found };
  });
  // How a panel is reached comes before by what.
  return checks.map((it): Check =>
    it.id === "tls" && it.status === "warning" && tls === "plain" && broken !== undefined
      ? { ...it, status: "skipped", advice: [] }
      : it
  );
}

function judgeAnswer(evidence: AnswerEvidence, way: Omit<Way, "dialer">, source: string): Finding {
  const { found, error, isLate, version, panelAt, page } = evidence;
  const { url } = way;
  const elsewhere = panelAt === undefined ? "" : `; a Komari panel answers at ${panelAt}`;
  const write = panelAt !== undefined && writeAddress(panelAt, way);
  const origin = source === "" ? "" : ` (${addressOf(way)}, ${source})`;
  if (found === undefined) {
    const curl = `curl --http1.1 -v ${url.href}`;
    return failed(
      `${error}, once connected${origin}${elsewhere}`,
      write,
      isLate
        ? `see on the panel's machine whether the panel hangs, and the load, memory and disk there; it is slow rather ` +
          `than hung if an answer comes later: ${curl}`
        : `see what answers there, and whether it knows the name ${url.hostname} (nginx: server_name): ${curl}`,
      isLate && "see in the log of a proxy in front of the panel whom it waits for",
    );
  }
  const { answer, protocol } = found;
  if (protocol !== undefined) {
    return ok(`Komari${version === undefined ? "" : ` ${version}`}, protocol version ${protocol}`);
  }
  const read = readAnswer(answer, way);
  if (version !== undefined) {
    return failed(
      `a Komari panel answers here (${version}), and its calls are refused: status ${answer.status}` +
        reasonOf(answer.text) + serverOf(answer),
      "let /api/clients/ pass in what is in front of the panel, by POST as by GET",
    );
  }
  // What is there tells more than the refusal of a call.
  const shown = page?.status === 200 ? readAnswer(page, way) : read;
  const what = shown === read
    ? read.reason
    : `GET ${url.href}: ${shown.reason}; an agent's call: status ${answer.status}`;
  return panelAt === undefined
    ? failed(`${what}${origin}`, ...shown.advice)
    : failed(`${what}${origin}${elsewhere}`, write, ...shown.advice.slice(0, 1));
}

/** The cause that an answer in place of the panel's has. */
function readAnswer(answer: HttpResponse, way: Omit<Way, "dialer">): ReturnType<typeof causeOf> {
  return causeOf({ stage: "answer", error: "", answer }, way);
}

function serverOf({ headers }: HttpResponse): string {
  const server = headers.get("server");
  return server === undefined ? "" : `, by "${truncate(server, 40)}"`;
}

function judgeRoundTrip(
  { roundTripMs = 0, large }: AnswerEvidence,
  way: Omit<Way, "dialer">,
): Finding {
  const text = `${roundMs(roundTripMs)} ms`;
  const both = `a small request is answered in ${text}, and one of ${LARGE_REQUEST_BYTES} bytes`;
  const address = addressOf(way);
  if (typeof large === "string") {
    return failed(
      `${both} is not: ${large}`,
      `see whether large packets are lost on the way: ping -c 3 -M do -s 1472 ${address}; then a smaller MTU helps: ip ` +
        "link set dev INTERFACE mtu 1280",
      "see in the log of a proxy in front of the panel what it makes of larger requests",
    );
  }
  if (large !== undefined && ![200, 400, 401].includes(large.status)) {
    const read = readAnswer(large, way);
    // Calls that are limited go on later.
    const make = large.status === 429 || large.status === 503 ? warning : failed;
    return make(`${both}: ${read.reason}`, ...read.advice);
  }
  return roundTripMs <= MAX_ROUND_TRIP_MS ? ok(text) : warning(
    text,
    `see whether the way is slow: ping -c 5 ${address}`,
    "see on the panel's machine whether it is overloaded: top",
  );
}

const REGISTERS_ITSELF = skipped("not checked: this node registers itself");

function registersItself({ config }: Omit<Way, "dialer">): boolean {
  return config.token === "" && config.autoDiscoveryKey !== "";
}

function judgeToken({ found, tokenPlace }: AnswerEvidence, way: Omit<Way, "dialer">): Finding {
  const { token, unknownVariables, furtherPanels, endpoint } = way.config;
  if (registersItself(way)) return REGISTERS_ITSELF;
  if (token === "") {
    return failed(
      ["no token is configured", ...unknownVariables].join("; "),
      unknownVariables.length > 0
        ? "set the variable by this name: AGENT_TOKEN"
        : `give it: ${given(way, "--token-file FILE")}`,
    );
  }
  if (found?.isAccepted) return ok(tokenPlace === "header" ? "accepted in a header" : "accepted");
  const isFirst = furtherPanels.every((panel) => panel.endpoint !== endpoint);
  const keys = isFirst ? ["token", "token_file", "panels"] : ["panels"];
  const place = originOf(way, ...keys) || "this node's registration";
  const refused = `the panel does not know this token (${place})${
    reasonOf(found?.answer.text ?? "")
  }`;
  const seen = causeOf({ stage: "token", error: refused }, way);
  if (seen.cause === "variable for a token" || seen.cause === "odd token") {
    return failed(seen.reason, ...seen.advice);
  }
  return failed(
    seen.reason,
    token.length !== TOKEN_LENGTH && seen.action,
    "see on the panel's page whether this node is still there; if not, add one, and give its token: " +
      (isFirst && !place.includes(" in ")
        ? given(way, "--token-file FILE")
        : `write it into ${place}`),
    `compare the one there with ${place}`,
  );
}

function judgeUpgrade(
  { found, upgrade }: AnswerEvidence,
  way: Omit<Way, "dialer">,
): Finding {
  if (way.config.transport === "http") return skipped("not used: --transport http");
  if (found?.protocol === 1) return skipped("not used on panels of version 1");
  if (registersItself(way)) return REGISTERS_ITSELF;
  const pass = causeOf({ stage: "websocket", error: "" }, way).action;
  if (typeof upgrade === "object") {
    if (upgrade.headers.has("sec-websocket-version")) return ok("upgrade requests reach the panel");
    if (!upgrade.text.includes("Require WebSocket upgrade")) {
      const { reason: text, advice } = readAnswer(upgrade, way);
      const isRefused = [401, 403, 429, 503].includes(upgrade.status);
      return warning(
        `the request for one is refused: ${text}; reports can only go by HTTP then`,
        ...isRefused ? advice : [pass],
      );
    }
  }
  const isForwarded = way.proxy?.kind === "http" && way.url.protocol === "http:";
  const reason = typeof upgrade === "object" ? "the Upgrade header is removed on the way" : upgrade;
  return warning(
    `blocked: ${reason}; reports can only go by HTTP then`,
    isForwarded &&
      `see whether the proxy of ${proxyNames(way)} passes WebSockets, and leave it out if not: ${
        withoutProxy(way)
      }`,
    pass,
  );
}
