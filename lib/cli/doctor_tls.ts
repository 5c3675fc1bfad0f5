/**
 * The check of `doctor` of TLS to a panel, and of the panel's certificate.
 *
 * @module
 */

import { withTimeout } from "../async/timeout.ts";
import { type Certificate, readCertificate } from "../net/certificate.ts";
import type { NetDialer } from "../net/dialer.ts";
import { urlHost } from "../parse/probe_target.ts";
import { type CheckResult, result } from "./checks.ts";
import { failureText, isLoopback, tlsAdvice, type Way } from "./doctor_advice.ts";

const READ_TIMEOUT_MS = 10_000;
const DAY_MS = 24 * 60 * 60_000;
const MIN_CERTIFICATE_DAYS = 14;
/** Names of a certificate that are shown. */
const MAX_NAMES = 4;
/** Of a certificate that is checked but not shown: it is read over a connection of its own. */
const UNREAD = "until when the certificate is valid can't be read";

/** Checks TLS to a panel that can be connected to: whether it is used and trusted, and until when. */
export async function checkTls(
  way: Way,
  { dialer, anyCertificate, signal }: {
    dialer: NetDialer;
    anyCertificate: boolean;
    signal: AbortSignal;
  },
): Promise<CheckResult> {
  const { url } = way;
  if (url.protocol !== "https:") {
    return isLoopback(urlHost(url))
      ? result("ok", "not needed: the panel is on this machine")
      : result("warning", "not used: everything goes unencrypted", "use an https:// address");
  }
  const certificate = await certificateOf(url, dialer, signal);
  const details = certificate === undefined ? UNREAD : certificateText(certificate);
  try {
    const { stream } = await dialer.dial(url, { signal });
    stream.close();
  } catch (error) {
    signal.throwIfAborted();
    const reason = failureText(error);
    const text = certificate === undefined ? reason : `${reason} (${details})`;
    return result("failed", text, tlsAdvice(reason, way));
  }
  if (anyCertificate) {
    return result(
      "warning",
      `any certificate is trusted (${details})`,
      "--ca-cert FILE trusts only your own certificate",
    );
  }
  const isLasting = certificate === undefined || daysLeft(certificate) >= MIN_CERTIFICATE_DAYS;
  return isLasting
    ? result("ok", details)
    : result("warning", details, "renew the panel's certificate");
}

async function certificateOf(
  url: URL,
  dialer: NetDialer,
  signal: AbortSignal,
): Promise<Certificate | undefined> {
  try {
    const { connection } = await dialer.connect(url, { signal });
    return await withTimeout(
      (signal) => readCertificate(connection, { host: urlHost(url), signal }),
      { timeoutMs: READ_TIMEOUT_MS, signal },
    );
  } catch {
    signal.throwIfAborted();
    return undefined;
  }
}

function daysLeft({ validUntilMs }: Certificate): number {
  return Math.floor((validUntilMs - Date.now()) / DAY_MS);
}

/** Version, issuer, end and names of a certificate. */
export function certificateText(certificate: Certificate): string {
  const { tlsVersion, issuer, names, isSelfSigned, validFromMs } = certificate;
  const nowMs = Date.now();
  const days = daysLeft(certificate);
  const today = new Date(nowMs).toISOString().slice(0, 10);
  const first = new Date(validFromMs).toISOString().slice(0, 10);
  const validity = days < 0
    ? `expired ${-days} days before ${today}, the date here`
    : validFromMs > nowMs
    ? `valid from ${first}, and the date here is ${today}`
    : `valid for ${days} more days`;
  const by = isSelfSigned ? "self-signed by" : "issued by";
  const more = names.length > MAX_NAMES ? "…" : "";
  const whose = names.length === 0
    ? "for no name"
    : `for ${names.slice(0, MAX_NAMES).join(", ")}${more}`;
  return `${tlsVersion}, ${by} ${issuer}, ${validity}, ${whose}`;
}
