/**
 * TLS to a panel, the panel's certificate, and the clocks by which it is judged.
 *
 * @module
 */

import { attempt } from "../attempt.ts";
import { attemptWithin, isTimeout, withTimeout } from "../async/timeout.ts";
import { isInContainerImage } from "../host/this_program.ts";
import { type Certificate, readCertificate } from "../net/certificate.ts";
import { foreignWords } from "../parse/bounded_text.ts";
import { isLoopbackHost } from "../parse/ip_address.ts";
import { urlHost } from "../parse/probe_target.ts";
import { failed, type Finding, ok, skipped, warning } from "./check.ts";
import { panelAmong, PanelCalls } from "./panel_calls.ts";
import {
  causeOf,
  failureText,
  type OpenWay,
  usualAddresses,
  type Way,
  writeAddress,
} from "./way.ts";

const HANDSHAKE_MS = 5_000;
const READ_MS = 3_000;
const MIN_CERTIFICATE_DAYS = 14;
const [SECOND_MS, MINUTE_MS, HOUR_MS, DAY_MS] = [1_000, 60_000, 3_600_000, 86_400_000];
/** Names of a certificate that are shown. */
const MAX_NAMES = 4;
/** By more, certificates and panels may take this machine's date for wrong. */
const MAX_CLOCK_ERROR_MS = 30_000;

export interface TlsEvidence {
  readonly error?: string;
  /** That of the server, trusted or not. */
  readonly certificate?: Certificate | undefined;
  /** Where a panel answers on this host, if this port has no TLS. */
  readonly panelAt?: string | undefined;
}

/** Starts TLS; `undefined` for a panel that is called without it. */
export async function gatherTls(
  way: OpenWay,
  signal: AbortSignal,
): Promise<TlsEvidence | undefined> {
  const { url } = way;
  if (url.protocol !== "https:") return undefined;
  try {
    const dial = (signal: AbortSignal) => way.dialer.dial(url, { signal });
    (await withTimeout(dial, { timeoutMs: HANDSHAKE_MS, signal })).stream.close();
    return { certificate: await certificateOf(way, signal) };
  } catch (error) {
    signal.throwIfAborted();
    const text = isTimeout(error)
      ? `Cannot start TLS with ${urlHost(url)}: ${failureText(error)}`
      : failureText(error);
    const plain = `http://${url.host}${url.pathname.replace(/\/$/, "")}`;
    const places = /does not speak TLS/.test(text) ? [plain, ...usualAddresses(url)] : [];
    const [certificate, panelAt] = await Promise.all([
      certificateOf(way, signal, { asksDate: OF_DATE.test(text) }),
      panelAmong(places, { calls: new PanelCalls(way), signal }),
    ]);
    return { error: text, certificate, panelAt };
  }
}

async function certificateOf(
  { url, dialer }: OpenWay,
  signal: AbortSignal,
  { asksDate = false } = {},
): Promise<Certificate | undefined> {
  return await attemptWithin(async (signal) => {
    const { connection } = await dialer.connect(url, { signal });
    return await readCertificate(connection, { host: urlHost(url), signal, asksDate });
  }, { timeoutMs: READ_MS, signal });
}

const OF_DATE = /expired|not valid (yet|at this time)/;

/** Judges a panel that is called without TLS. */
export function judgeNoTls({ url }: Way): Finding {
  return isLoopbackHost(urlHost(url))
    ? ok("not needed: the panel is on this machine")
    : warning("not used: everything goes unencrypted", "use an https:// address, if it has one");
}

/** Judges the handshake; `source` says who has given the address. */
export function judgeTls(evidence: TlsEvidence, way: Way, source: string): Finding {
  const { error, certificate, panelAt } = evidence;
  if (error !== undefined) {
    const seen = causeOf({ stage: "tls", error }, way);
    // That it has no names is told by the certificate alone.
    const { reason, advice } = certificate?.names.length === 0 && seen.cause === "TLS"
      ? causeOf({ stage: "tls", error: `${error} (not supported)` }, way)
      : seen;
    const text = certificate === undefined ? reason : `${reason} (${certificateText(certificate)})`;
    if (OF_DATE.test(error)) return failed(text, dateAdvice(error, certificate) ?? advice[0]);
    if (panelAt !== undefined) {
      return failed(`${text}; a Komari panel answers at ${panelAt}`, writeAddress(panelAt, way));
    }
    const chain =
      "give the panel's server the full chain (fullchain.pem): it sends its own certificate alone";
    // Authorities that say where their own certificate is are well-known, or below one.
    const isAlone = certificate?.isAlone === true && certificate.namesIssuersFile;
    return failed(
      text,
      ...seen.cause === "unknown issuer" && isAlone ? [chain] : advice,
      seen.cause === "other name" && source !== "" &&
        `see whether the name has the panel's address: it is ${source}`,
    );
  }
  const details = certificate === undefined
    ? "until when the certificate is valid can't be read"
    : certificateText(certificate);
  if (way.config.anyCertificate) {
    return warning(
      `any certificate is trusted (${details})`,
      "--ca-cert FILE trusts only your own certificate",
    );
  }
  return certificate === undefined || daysLeft(certificate) >= MIN_CERTIFICATE_DAYS
    ? ok(details)
    : warning(details, "renew the panel's certificate");
}

/** Whether this machine's clock is wrong, by that of the server; `undefined` where both are the same. */
function dateAdvice(error: string, certificate: Certificate | undefined): string | undefined {
  const { validFromMs = NaN, validUntilMs = NaN, serverDateMs = NaN } = certificate ?? {};
  const isIn = (ms: number) => validFromMs <= ms && ms <= validUntilMs;
  const nowMs = Date.now();
  if (isIn(serverDateMs) && !isIn(nowMs)) return `set this machine's clock: ${setClock()}`;
  if (isIn(nowMs) && /expired/.test(error)) {
    return "the certificate itself is valid, and one of its issuers' has expired: give the panel's server the " +
      "issuers' new ones (fullchain.pem)";
  }
  if (!(Math.abs(serverDateMs - nowMs) < HOUR_MS)) return undefined;
  return validFromMs > nowMs
    ? "make a new certificate: the clock of the machine that made it was ahead"
    : "renew the certificate on the panel's server: certbot renew; systemctl reload nginx";
}

function daysLeft({ validUntilMs }: Certificate): number {
  return Math.floor((validUntilMs - Date.now()) / DAY_MS);
}

/** Version, issuer, validity and names of a certificate. */
function certificateText(certificate: Certificate): string {
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
  const words = `${foreignWords(issuer, 64)}, ${validity}, for ${foreignWords(whose, 200)}`;
  return `${tlsVersion}, ${by} ${words}${server}`;
}

/** A difference of clocks in words: `42 s`, `15 min`, `3 h`, `400 days`. */
function clockDifference(ms: number): string {
  const absolute = Math.abs(ms);
  if (absolute >= 2 * DAY_MS) return `${Math.round(absolute / DAY_MS)} days`;
  if (absolute >= 2 * HOUR_MS) return `${Math.round(absolute / HOUR_MS)} h`;
  if (absolute >= 10 * MINUTE_MS) return `${Math.round(absolute / MINUTE_MS)} min`;
  return `${Math.round(absolute / SECOND_MS)} s`;
}

/** The command that sets this machine's clock, from now on. */
function setClock(): string {
  if (isInContainerImage()) return "date, on the machine that runs the container";
  return attempt(() => Deno.statSync("/run/openrc").isDirectory)
    ? "rc-service chronyd start; rc-update add chronyd"
    : "timedatectl set-ntp true, which needs chrony or systemd-timesyncd";
}

/** Judges the difference between the panel's clock and ours, by the date of an answer. */
export function judgeClock(errorMs: number | undefined): Finding {
  if (errorMs === undefined) return skipped("the panel sends no date");
  // The header has whole seconds.
  if (Math.abs(errorMs) < 1_500) return ok("the same as the panel's");
  const text = `${clockDifference(errorMs)} ${errorMs > 0 ? "behind" : "ahead of"} the panel's`;
  return Math.abs(errorMs) <= MAX_CLOCK_ERROR_MS ? ok(text) : warning(
    text,
    `compare both with a third: date; if this machine's is wrong: ${setClock()}`,
    "if the panel's is wrong, set that",
  );
}
