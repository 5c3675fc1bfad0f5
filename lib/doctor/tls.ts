/**
 * TLS to a panel, and the panel's certificate.
 *
 * @module
 */

import { attemptWithin, isTimeout, withTimeout } from "../async/timeout.ts";
import { AUTHORITY_FOLDERS, readSystemAuthorities } from "../host/system_authorities.ts";
import { type Certificate, readCertificate } from "../net/certificate.ts";
import { dirname } from "../parse/path.ts";
import { isLoopbackHost } from "../parse/ip_address.ts";
import { urlHost } from "../parse/probe_target.ts";
import { failed, type Finding, type Line, ok, warning } from "./check.ts";
import { clockDifference, setClock } from "./clock.ts";
import { endpointPlace, given, reinstall, writeAddress } from "./options.ts";
import { panelAmong, PanelCalls } from "./panel_calls.ts";
import { portOf } from "../diagnosis/diagnose.ts";
import { causeOf, failureText, usualAddresses, type Way } from "./way.ts";

const HANDSHAKE_MS = 5_000;
const READ_MS = 3_000;
const MIN_CERTIFICATE_DAYS = 14;
const DAY_MS = 24 * 60 * 60_000;
/** Names of a certificate that are shown. */
const MAX_NAMES = 4;
/** A name that nobody has a reason to cut, and no panel has. */
const OTHER_NAME = "example.com";

export interface TlsEvidence {
  readonly error?: string;
  readonly isLate?: boolean;
  /** That of the server, trusted or not. */
  readonly certificate?: Certificate | undefined;
  /** Whether it answers where it is asked for another name. */
  readonly answersOther?: boolean;
  /** Where a panel answers on this host, if this port has no TLS. */
  readonly panelAt?: string | undefined;
}

/** Starts TLS; `undefined` for a panel that is called without it. */
export async function gatherTls(way: Way, signal: AbortSignal): Promise<TlsEvidence | undefined> {
  if (way.url.protocol !== "https:") return undefined;
  try {
    const dial = (signal: AbortSignal) => way.dialer.dial(way.url, { signal });
    (await withTimeout(dial, { timeoutMs: HANDSHAKE_MS, signal })).stream.close();
    return { certificate: await certificateOf(way, signal) };
  } catch (error) {
    signal.throwIfAborted();
    const isLate = isTimeout(error);
    const text = failureText(error);
    const isCut = isLate || /connection reset|closed the connection/.test(text);
    const plain = `http://${way.url.host}${way.url.pathname.replace(/\/$/, "")}`;
    const places = [...usualAddresses(way.url).map(({ address }) => address), plain];
    const [certificate, other, panelAt] = await Promise.all([
      certificateOf(way, signal, { asksDate: OF_DATE.test(text) }),
      isCut ? certificateOf(way, signal, { name: OTHER_NAME }) : undefined,
      /does not speak TLS/.test(text)
        ? panelAmong(places, { calls: new PanelCalls(way), signal })
        : undefined,
    ]);
    const answersOther = certificate === undefined && other !== undefined;
    return { error: text, isLate, certificate, answersOther, panelAt };
  }
}

async function certificateOf(
  { url, dialer }: Way,
  signal: AbortSignal,
  { asksDate = false, name = urlHost(url) }: { asksDate?: boolean; name?: string } = {},
): Promise<Certificate | undefined> {
  return await attemptWithin(async (signal) => {
    const { connection } = await dialer.connect(url, { signal });
    return await readCertificate(connection, { host: name, signal, asksDate });
  }, { timeoutMs: READ_MS, signal });
}

/** Judges the handshake; `source` says who has given the address. */
export function judgeTls(
  evidence: TlsEvidence | undefined,
  way: Omit<Way, "dialer">,
  source: string,
): Finding {
  const { url, config } = way;
  const host = urlHost(url);
  if (evidence === undefined) {
    return isLoopbackHost(host)
      ? ok("not needed: the panel is on this machine")
      : warning("not used: everything goes unencrypted", "use an https:// address, if it has one");
  }
  const { error, isLate, certificate, answersOther, panelAt } = evidence;
  if (error !== undefined) {
    const said = isLate
      ? `Cannot start TLS with ${host}${source && ` (${source})`}: ${error}`
      : error;
    const text = [
      certificate === undefined ? said : `${said} (${certificateText(certificate)})`,
      ...answersOther ? [`asked for ${OTHER_NAME}, it answers`] : [],
      ...panelAt === undefined ? [] : [`a Komari panel answers at ${panelAt}`],
    ].join("; ");
    return failed(text, ...tlsAdvice(evidence, way, source));
  }
  const details = certificate === undefined
    ? "until when the certificate is valid can't be read"
    : certificateText(certificate);
  if (config.anyCertificate) {
    return warning(
      `any certificate is trusted (${details})`,
      "--ca-cert FILE trusts only your own certificate",
    );
  }
  return certificate === undefined || daysLeft(certificate) >= MIN_CERTIFICATE_DAYS
    ? ok(details)
    : warning(details, "renew the panel's certificate");
}

const OF_DATE = /expired|not valid (yet|at this time)/;

/** What to do about a handshake that has failed. */
function tlsAdvice(evidence: TlsEvidence, way: Omit<Way, "dialer">, source: string): Line[] {
  const { error = "", certificate, answersOther, panelAt } = evidence;
  const { url, config } = way;
  const [host, port, place] = [urlHost(url), portOf(url), endpointPlace(way)];
  const show = `openssl s_client -connect ${host}:${port} -servername ${host} </dev/null`;
  const isPanels = source !== "" && `see whether the name has the panel's address (${source})`;
  const seen = causeOf({ stage: "tls", error }, way);
  if (/does not speak TLS/.test(error)) {
    return [
      panelAt !== undefined &&
      `if the panel speaks TLS at another port, give that; else ${writeAddress(panelAt, way)}`,
      panelAt === undefined && `correct the port in ${place}, if it is another one than ${port}`,
    ];
  }
  if (OF_DATE.test(error)) return dateAdvice(error, certificate);
  if (seen.cause === "other name") return [...seen.advice, isPanels];
  const folder = config.isConfigInstalled ? dirname(config.configPath ?? "") : "";
  const file = folder === "" ? "FILE" : `${folder}/panel.crt`;
  if (/self-signed/.test(error)) {
    return [
      `if it is the panel's own, trust it: ${show} | openssl x509 >${file}, compare it there, and ` +
      given(way, `--ca-cert ${file}`),
    ];
  }
  if (/issuer is unknown/.test(error)) {
    const add = `install -D -m 644 FILE ${AUTHORITY_FOLDERS[0]}/panel.crt && ${reinstall(config)}`;
    const chain =
      "give the panel's server the full chain (fullchain.pem): it sends its own certificate alone";
    // Authorities that say where their own certificate is are well-known, or below one.
    if (certificate?.isAlone && certificate.namesIssuersFile) return [chain];
    const [left] = readSystemAuthorities().ignored;
    return [
      left && `${left.file} was added to this system, and is left out: ${left.reason}`,
      `if the authority is your own, give its certificate: ${
        config.isConfigInstalled ? add : "--ca-cert FILE"
      }`,
      certificate?.isAlone && chain,
      `see from another machine whether the issuer is the same; if not, something on the way answers: ${show}`,
    ];
  }
  // That has no names is told by the certificate alone.
  const isOdd = certificate?.names.length === 0;
  if (seen.cause !== "TLS") {
    return [...isOdd ? causeOf({ stage: "tls", error: "not supported" }, way).advice : seen.advice];
  }
  const proxy = given(way, "HTTPS_PROXY=http://HOST:PORT");
  if (answersOther) {
    return [
      `something on the way blocks ${host} by its name: give the panel another name, have a CDN stand before it, or ` +
      `go by a proxy: ${proxy}`,
    ];
  }
  return [
    ...seen.advice,
    `if it answers on that machine itself, something on the way cuts it: try another port, a smaller MTU (ip link ` +
    `set dev INTERFACE mtu 1280), or a proxy: ${proxy}`,
  ];
}

/** A certificate whose time is over, or has not begun: it, or this machine's clock, by that of the server. */
function dateAdvice(error: string, certificate: Certificate | undefined): Line[] {
  const renew =
    "renew the certificate on the panel's server, or have it load the new one (systemctl reload nginx)";
  const { validFromMs = NaN, validUntilMs = NaN, serverDateMs = NaN } = certificate ?? {};
  const isIn = (ms: number) => validFromMs <= ms && ms <= validUntilMs;
  if (isIn(serverDateMs) && !isIn(Date.now())) return [`set this machine's clock: ${setClock()}`];
  if (isIn(Date.now()) && /expired/.test(error)) {
    return [
      "the certificate itself is valid, and one of its issuers' has expired: give the panel's server the issuers' " +
      "new ones (fullchain.pem)",
    ];
  }
  // That of the server stands for a third one.
  const isSameClock = Math.abs(serverDateMs - Date.now()) < 60 * 60_000;
  return [
    !isSameClock && `compare the date here: date; if it is wrong, set it: ${setClock()}`,
    validFromMs > Date.now()
      ? "have the certificate made anew: the clock of the machine that made it was ahead"
      : renew,
  ];
}

function daysLeft({ validUntilMs }: Certificate): number {
  return Math.floor((validUntilMs - Date.now()) / DAY_MS);
}

/** Version, issuer, validity and names of a certificate. */
export function certificateText(certificate: Certificate): string {
  const { tlsVersion, issuer, names, isSelfSigned, validFromMs, validUntilMs, serverDateMs } =
    certificate;
  const minute = (ms: number) => `${new Date(ms).toISOString().slice(0, 16).replace("T", " ")} UTC`;
  const nowMs = Date.now();
  const validity = validUntilMs < nowMs
    ? `expired ${clockDifference(nowMs - validUntilMs)} before ${minute(nowMs)}, the date here`
    : validFromMs > nowMs
    ? `valid from ${minute(validFromMs)}, and the date here is ${minute(nowMs)}`
    : `valid for ${daysLeft(certificate)} days more`;
  const server = serverDateMs === undefined
    ? ""
    : `; by the clock of that server it is ${minute(serverDateMs)}`;
  const more = names.length > MAX_NAMES ? "…" : "";
  const whose = names.length === 0 ? "no name" : `${names.slice(0, MAX_NAMES).join(", ")}${more}`;
  const by = isSelfSigned ? "self-signed by" : "issued by";
  return `${tlsVersion}, ${by} ${issuer}, ${validity}, for ${whose}${server}`;
}
