/**
 * Finds the cause of a failure in the table of causes. The log, `status` and `doctor` all print its
 * texts. Pure.
 *
 * @module
 */

import { codePoint, withoutArrows } from "../parse/bounded_text.ts";
import { ipFamily, isLoopbackHost } from "../parse/ip_address.ts";
import { dirname } from "../parse/path.ts";
import { urlHost } from "../parse/probe_target.ts";
import { duration } from "../parse/quantity.ts";
import {
  ANSWER_TESTS,
  type Answered,
  answered,
  answerText,
  cloudflareAdvice,
  movedTo,
  panelAddress,
  proxyRefusal,
} from "./answers.ts";
import type {
  Diagnosis,
  OwnStage,
  Places,
  Row,
  Seen,
  SeenAnswer,
  SeenWay,
  Stage,
  TokenShape,
} from "./cause.ts";
import { readCauses } from "./table.ts";

/** Characters of the tokens that panels make; an owner may choose others. */
export const TOKEN_LENGTH = 22;

/** What to do where no cause was seen. */
export const LOOK = "run `komari-agent-deno doctor` to check each step";

/** Most of Cloudflare's addresses for sites, and the ports that it forwards. */
const CLOUDFLARE_ADDRESSES =
  /^(?:104\.(?:1[6-9]|2[0-7])|172\.(?:6[4-9]|7[01])|188\.114|162\.159|2606:4700)[.:]/;
const FORWARDED_PORTS: ReadonlySet<number> = new Set(
  [80, 443, 2052, 2053, 2082, 2083, 2086, 2087, 2095, 2096, 8080, 8443, 8880],
);

/** A failure, and what is known of its way. */
interface Failure {
  readonly seen: Seen;
  readonly way: SeenWay;
  /** The address that was tried first; else the host. */
  readonly address: string;
  readonly answer: Answered | undefined;
}

/** Finds the cause of a failure on the way to a panel. */
export function diagnoseFailure(seen: Seen, way: SeenWay): Diagnosis {
  const answer = seen.answer && answered(seen.answer, way);
  const refusal = seen.stage === "answer" && answer ? proxyRefusal(answer) : undefined;
  if (refusal !== undefined) {
    return diagnoseFailure({ stage: "proxy", error: `Cannot connect: ${refusal}` }, way);
  }
  const [, first] = /\(([0-9a-f.:]+)(?: and \d+ more)?\)/.exec(seen.error) ?? [];
  const failure = { seen, way, answer, address: first ?? hopOf(way).host };
  const causes = readCauses();
  const find = (stage: Stage) => causes.get(stage)?.find((row) => fits(row, failure));
  const row = find(seen.stage) ?? (answer && find("answer"));
  return filled(
    row,
    seen,
    (name) => name.startsWith("--") ? way.places.given(name) : VALUES[name]?.(failure) ?? "",
  );
}

/**
 * Finds the cause of what does not work on this machine, by the words of the part that failed.
 *
 * @param folder That of the state, if the error names no file in it.
 */
export function diagnoseOwn(stage: OwnStage, error: string, folder?: string): Diagnosis {
  const [, path = "/"] = /(?:^| )(\/[^\s:]+)/.exec(error) ?? [];
  const values: Readonly<Record<string, string>> = {
    error,
    folder: folder ?? (dirname(path) || "/"),
  };
  const row = readCauses().get(stage)
    ?.find(({ conditions }) => conditions.every((it) => isIn(it, error)));
  return filled(row, { stage, error }, (name) => name.startsWith("--") ? name : values[name] ?? "");
}

/** Whether a row fits a failure. */
function fits({ conditions }: Row, failure: Failure): boolean {
  const { seen: { error }, answer } = failure;
  return conditions.every((condition) => {
    const name = condition.slice(1);
    if (condition.startsWith("/")) return isIn(condition, answer?.text ?? error);
    if (!condition.startsWith("@")) return condition.split(" ").includes(String(answer?.status));
    return TESTS[name]?.(failure) ?? (answer && ANSWER_TESTS[name]?.(answer)) ?? false;
  });
}

/** Whether a text has what a pattern of the table, between slashes, looks for. */
function isIn(pattern: string, text: string): boolean {
  return new RegExp(pattern.slice(1, -1)).test(text);
}

/** The tests of the table, but for those of an answer. */
const TESTS: Readonly<Record<string, (failure: Failure) => boolean>> = {
  proxy: ({ way }) => way.proxy !== undefined,
  "own authorities": ({ way }) => way.places.caCert !== "",
  "no login": ({ way }) => way.proxy?.login === undefined,
  loopback: ({ address }) => isLoopbackHost(address),
  plain: ({ way }) => way.url.protocol === "http:",
  // The addresses that proxies of this machine give in place of real ones.
  "fake address": ({ address }) => /^198\.1[89]\./.test(address),
  "not forwarded": ({ address, way }) =>
    CLOUDFLARE_ADDRESSES.test(address) && !FORWARDED_PORTS.has(portOf(way.url)),
  variable: ({ way }) => way.token.isVariable,
  odd: ({ way }) => way.token.odd !== undefined,
  UUID: ({ way }) => way.token.isUuid,
  long: ({ way }) => way.token.length > TOKEN_LENGTH,
  short: ({ way }) => way.token.length < TOKEN_LENGTH,
  "accepted before": ({ seen }) => seen.wasAccepted === true,
  pull: ({ seen }) => seen.isPull === true,
  "no answer": ({ answer }) => answer === undefined,
  // As a time limit does; a second agent comes back after about 3 s, or at random times.
  even: ({ seen: { shortLived } }) => {
    const { shortestMs = 0, longestMs = Infinity } = shortLived ?? {};
    return shortestMs > 4_000 && longestMs - shortestMs <= longestMs / 20;
  },
};

function filled(
  row: Row | undefined,
  { stage, error }: { stage: string; error: string },
  value: (name: string) => string,
): Diagnosis {
  const { id, reason, actions } = row ?? { id: stage, reason: error, actions: [] };
  const fill = (text: string) => text.replace(/\{([^{}]+)\}/g, (_, name: string) => value(name));
  const [action = LOOK, ...more] = actions.map(fill);
  return { cause: id, reason: row === undefined ? error : fill(reason), action, more };
}

/** Whom a connection goes to: the proxy, if there is one, else the panel. */
function hopOf({ url, proxy }: SeenWay): { host: string; port: number } {
  return proxy ?? { host: urlHost(url), port: portOf(url) };
}

/** The port of a URL, also where it does not name it. */
export function portOf(url: URL): number {
  return url.port === "" ? (url.protocol === "https:" ? 443 : 80) : Number(url.port);
}

/** The values of the table's templates. */
const VALUES: Readonly<Record<string, (failure: Failure) => string>> = {
  // `Cannot DO x: WHY`, and in a panel's own words.
  why: ({ seen }) => seen.error.replace(/^Cannot [^]*?: /, "").replace("the panel answered ", ""),
  peer: ({ seen, way }) =>
    /^Cannot connect to ([^]*?): /.exec(seen.error)?.[1] ??
      `${hopOf(way).host} port ${hopOf(way).port}`,
  server: (failure) => {
    const why = VALUES["why"]?.(failure) ?? "";
    return why.includes("name server") ? why : `the name server does not answer (${why})`;
  },
  host: ({ way }) => hopOf(way).host,
  port: ({ way }) => String(hopOf(way).port),
  hop: ({ way }) => way.proxy === undefined ? urlHost(way.url) : `the proxy ${way.proxy.host}`,
  hopPlace: ({ way: { proxy, places } }) => proxy === undefined ? places.endpoint : places.proxy,
  panel: ({ way }) => urlHost(way.url),
  address: ({ address }) => address,
  family: ({ address }) => ipFamily(address) === 6 ? "IPv6" : "IPv4",
  otherFamily: ({ address }) => ipFamily(address) === 6 ? "IPv4" : "IPv6",
  ip: ({ address }) => ipFamily(address) === 6 ? "ip -6" : "ip",
  origin: ({ way }) => way.url.origin,
  url: ({ way }) => panelAddress(way.url),
  plain: ({ way }) => panelAddress(way.url, "http:"),
  secure: ({ way }) => panelAddress(way.url, "https:"),
  path: ({ way }) => way.url.pathname,
  subject: ({ way }) => {
    const host = urlHost(way.url);
    return `${ipFamily(host) === undefined ? "DNS" : "IP"}:${host}`;
  },
  client: ({ way }) =>
    `openssl s_client -connect ${hopOf(way).host}:${hopOf(way).port} -servername ${
      urlHost(way.url)
    } </dev/null`,
  kind: ({ way }) => way.proxy?.kind ?? "http",
  endpoint: ({ way }) => way.places.endpoint,
  token: ({ way }) => way.places.token,
  proxy: ({ way }) => way.places.proxy,
  withoutProxy: ({ way }) => way.places.withoutProxy,
  odd: ({ way }) => way.token.odd ?? "",
  length: ({ way }) => String(way.token.length),
  count: ({ seen }) => String(seen.shortLived?.count ?? ""),
  shortest: ({ seen }) => duration(seen.shortLived?.shortestMs ?? 0),
  longest: ({ seen }) => duration(seen.shortLived?.longestMs ?? 0),
  answer: ({ seen, answer }) => answer ? answerText(answer) : seen.error,
  moved: ({ answer }) => answer && movedTo(answer) || "",
  cloudflare: ({ answer }) => answer && cloudflareAdvice(answer) || "",
};

/** The address that an answer names as the panel's; `undefined` where it names none. */
export function movedAddress(answer: SeenAnswer, way: SeenWay): string | undefined {
  return movedTo(answered(answer, way));
}

/** A diagnosis in one line, as it is logged and shown. */
export function diagnosisLine({ reason, action }: Pick<Diagnosis, "reason" | "action">): string {
  return `${withoutArrows(reason)} \u2192 ${action}`;
}

/** Looks at a token. */
export function shapeOf(token: string): TokenShape {
  const [odd] = /^["'`<[{]|[^!-~]|["'`>\]}]$/u.exec(token) ?? [];
  return {
    length: token.length,
    isUuid: /^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/i.test(token),
    isVariable: /^\$(?:\w+|\{\w+\})$/.test(token),
    odd: odd === undefined ? undefined : `U+${codePoint(odd)}`,
  };
}

/** A key of the configuration of the installed service, which reads it at its start: root's, or in a home. */
const INSTALLED_TOKEN = /^key token of \/(?:etc|.+\/\.config)\/komari-agent-deno\/config\.json$/;

/** Where the settings of an agent are written that knows no service, by the layers that they are from. */
export function placesOf(origins: ReadonlyMap<string, string>, url: URL): Places {
  const place = (keys: readonly string[], otherwise: string) => {
    const origin = keys.map((key) => origins.get(key)).find((it) => it !== undefined);
    return origin === undefined || origin.startsWith("flag ") ? otherwise : origin;
  };
  const token = place(["token", "token_file", "panels"], "--token-file FILE");
  return {
    endpoint: place(["endpoint", "panels"], "-e"),
    token: INSTALLED_TOKEN.test(token)
      ? "FILE, and run `komari-agent-deno install --token-file FILE`"
      : `${token}, and restart the agent`,
    caCert: origins.get("ca_cert") ?? "",
    proxy: url.protocol === "https:" ? "HTTPS_PROXY/ALL_PROXY" : "HTTP_PROXY/ALL_PROXY",
    given: (option) => option,
    withoutProxy: `NO_PROXY=${urlHost(url)}`,
  };
}
