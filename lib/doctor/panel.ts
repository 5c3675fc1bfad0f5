/**
 * The way to one panel, link by link: what is gathered of it, and what that says.
 *
 * @module
 */

import { isTimeout, withTimeout } from "../async/timeout.ts";
import { movedAddress } from "../diagnosis/diagnose.ts";
import { reasonOf } from "../diagnosis/page.ts";
import { roundMs } from "../log/log.ts";
import type { HttpResponse } from "../net/http_client.ts";
import { ipFamily } from "../parse/ip_address.ts";
import { type Check, failed, type Finding, ok, skipped, warning } from "./check.ts";
import { type ConnectionEvidence, gatherConnection, judgeConnection } from "./connection.ts";
import { gatherName, judgeName, type NameEvidence, sourceText } from "./name.ts";
import { gatherNetwork, judgeNetwork, type NetworkEvidence } from "./network.ts";
import { given, originOf, proxyNames, withoutProxy } from "./options.ts";
import { type Answerer, panelAmong, PanelCalls } from "./panel_calls.ts";
import { gatherTls, judgeClock, judgeNoTls, judgeTls, type TlsEvidence } from "./tls.ts";
import {
  addressOf,
  causeOf,
  failureText,
  hopOf,
  type OpenWay,
  seenWay,
  usualAddresses,
  type Way,
  withAddress,
} from "./way.ts";

/** For the calls that find out what answers. */
const CALLS_MS = 7_000;
const MAX_ROUND_TRIP_MS = 1_000;

/** All that is gathered of the way to a panel, up to the link that has failed. */
export interface PanelEvidence {
  network?: NetworkEvidence | undefined;
  /** Absent for an address. */
  name?: NameEvidence;
  connection?: ConnectionEvidence;
  /** Absent without TLS. */
  tls?: TlsEvidence | undefined;
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
  readonly roundTripMs?: number;
  /** The answer to the request for a WebSocket, or why there is none. */
  readonly upgrade?: HttpResponse | string;
}

/** Gathers what is seen of the way to a panel, link by link; it ends at the first that fails. */
export async function gatherPanel(
  way: OpenWay,
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
  evidence.tls = await timed("tls", () => gatherTls(way, signal));
  if (evidence.tls?.error !== undefined) return;
  evidence.answer = await timed("panel", () => gatherAnswer(way, signal));
}

/** Causes by which a Komari panel answers. */
const KOMARI = /^(?:not set up|komari page)/;

async function gatherAnswer(way: OpenWay, signal: AbortSignal): Promise<AnswerEvidence> {
  const calls = new PanelCalls(way);
  const among = (addresses: readonly string[]) => panelAmong(addresses, { calls, signal });
  const usual = usualAddresses(way.url);
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
      ];
      // Others say by themselves what is wrong.
      const isPassed = isSite || [301, 302, 303, 307, 308, 400, 403].includes(answer.status);
      const [version, page] = await Promise.all([
        isPassed ? calls.version(signal) : undefined,
        isSite && answer.status !== 200 ? calls.page(signal) : undefined,
      ]);
      // A token belongs to the panel that was named, and not to another one on its host.
      const isPanel = [answer, page].some((it) =>
        it !== undefined &&
        KOMARI.test(causeOf({ stage: "answer", error: "", answer: it }, way).cause)
      );
      const all = isSite && !isPanel ? [...places, ...usual] : places;
      const panelAt = isPassed && version === undefined ? await among(all) : undefined;
      return { found, version, page, panelAt };
    }
    const version = await calls.version(signal);
    const startedAtMs = performance.now();
    await calls.unknownMethod(signal);
    const roundTripMs = performance.now() - startedAtMs;
    const upgrade = await calls.upgrade(signal).catch((error) => {
      signal.throwIfAborted();
      return failureText(error);
    });
    const { clockErrorMs, tokenPlace } = calls;
    return { found, version, clockErrorMs, tokenPlace, roundTripMs, upgrade };
  } catch (error) {
    signal.throwIfAborted();
    const isLate = isTimeout(error);
    return { error: failureText(error), isLate, panelAt: isLate ? undefined : await among(usual) };
  }
}

/** The checks of the way to a panel, by what was gathered. Those behind one that has failed were not made. */
export function judgePanel(evidence: PanelEvidence, way: Way): Check[] {
  const { network, name, connection, tls, answer } = evidence;
  const { host } = hopOf(way);
  const source = name === undefined ? "" : sourceText(name);
  const isPlain = way.url.protocol === "http:";
  const isReached = connection !== undefined && connection.error === undefined;
  // Where there is an address, as of /etc/hosts, name servers stand in nobody's way.
  const servers = name?.addresses.length === 0 ? name.answers : [];
  const failures = [connection?.error, ...servers.map(({ code }) => code)].join();
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
      [
        "connect",
        "TCP connection",
        () => connection && judgeConnection(connection, { way, network, source }),
      ],
      ...isPlain ? [] : [["tls", "TLS", () => tls && judgeTls(tls, way, source)] as const],
      ["panel", "Panel", () => answer && judgeAnswer(answer, way, source)],
      ["clock", "Clock", () => answer && judgeClock(answer.clockErrorMs)],
      ["token", "Token", () => answer && judgeToken(answer, way)],
      ["websocket", "WebSocket", () => answer && judgeUpgrade(answer, way)],
      // How a panel is reached comes before by what.
      ...isPlain ? [["encryption", "Encryption", () => judgeNoTls(way)] as const] : [],
    ];
  let broken: string | undefined;
  return links.map(([id, title, judge]) => {
    const ms = evidence.ms[id] ?? 0;
    if (broken !== undefined) return { id, title, ms, ...skipped("not checked"), follows: broken };
    const found = judge() ?? skipped("not checked: there was no time for it");
    if (found.status === "failed") broken = id;
    return { id, title, ms, ...found };
  });
}

function judgeAnswer(evidence: AnswerEvidence, way: Way, source: string): Finding {
  const { found, error = "", isLate, version, panelAt, page, roundTripMs = 0 } = evidence;
  const elsewhere = panelAt === undefined ? "" : `; a Komari panel answers at ${panelAt}`;
  const origin = source === "" ? "" : ` (${addressOf(way)}, ${source})`;
  if (found === undefined) {
    const { reason, advice } = causeOf({ stage: isLate ? "silent" : "closed", error }, way);
    return failed(`${reason}${origin}${elsewhere}`, ...withAddress(panelAt, way, advice));
  }
  const { answer, protocol } = found;
  if (protocol !== undefined) {
    const text = `Komari${version === undefined ? "" : ` ${version}`}, protocol version ` +
      `${protocol}, answers in ${roundMs(roundTripMs)} ms`;
    return roundTripMs <= MAX_ROUND_TRIP_MS ? ok(text) : warning(
      text,
      `see whether the way is slow (ping -c 5 ${addressOf(way)}), or the panel's machine (top)`,
    );
  }
  const read = causeOf({ stage: "answer", error: "", answer }, way);
  if (version !== undefined) {
    return failed(
      `a Komari panel answers here (${version}), and refuses an agent's calls: status ` +
        answer.status + reasonOf(answer.text),
      "have the server in front of the panel let /api/clients/ pass, for POST and GET",
    );
  }
  // What is there tells more than the refusal of a call.
  const shown = page?.status === 200
    ? causeOf({ stage: "answer", error: "", answer: page }, way)
    : read;
  return failed(`${shown.reason}${origin}${elsewhere}`, ...withAddress(panelAt, way, shown.advice));
}

const REGISTERS_ITSELF = skipped("not checked: this node registers itself");

function registersItself({ config }: Way): boolean {
  return config.token === "" && config.autoDiscoveryKey !== "";
}

function judgeToken({ found, tokenPlace }: AnswerEvidence, way: Way): Finding {
  const { token, furtherPanels, endpoint } = way.config;
  if (registersItself(way)) return REGISTERS_ITSELF;
  if (token === "") {
    return failed("no token is configured", `give it: ${given(way, "--token-file FILE")}`);
  }
  if (found?.isAccepted) return ok(tokenPlace === "header" ? "accepted in a header" : "accepted");
  const isFirst = furtherPanels.every((panel) => panel.endpoint !== endpoint);
  const keys = isFirst ? ["token", "token_file", "panels"] : ["panels"];
  const place = originOf(way, ...keys) || "this node's registration";
  const error = `the panel does not know this token (${place})${
    reasonOf(found?.answer.text ?? "")
  }`;
  const { reason, advice } = causeOf({ stage: "token", error }, way);
  return failed(reason, ...advice);
}

function judgeUpgrade({ found, upgrade }: AnswerEvidence, way: Way): Finding {
  if (way.config.transport === "http") return skipped("not used: --transport http");
  if (found?.protocol === 1) return skipped("not used on panels of version 1");
  if (registersItself(way)) return REGISTERS_ITSELF;
  const answer = typeof upgrade === "object" ? upgrade : undefined;
  if (answer?.headers.has("sec-websocket-version")) return ok("upgrade requests reach the panel");
  const error = typeof upgrade === "string" ? upgrade : "";
  const { reason, advice } = causeOf({ stage: "websocket", error, answer }, way);
  const isForwarded = way.proxy?.kind === "http" && way.url.protocol === "http:";
  return warning(
    `${reason}; reports go by POST then`,
    isForwarded &&
      `see whether the proxy of ${proxyNames(way)} passes WebSockets, and leave it out if not: ${
        withoutProxy(way)
      }`,
    ...advice,
  );
}
