/**
 * The check of `doctor` of TLS to a panel, and of the panel's certificate.
 *
 * @module
 */

import { isLoopbackHost } from "../parse/ip_address.ts";
import { isTimeout, withTimeout } from "../async/timeout.ts";
import { type Certificate, readCertificate } from "../net/certificate.ts";
import {
  AUTHORITY_FOLDERS,
  readSystemAuthorities,
  type SystemAuthorities,
  UNREADABLE,
} from "../host/system_authorities.ts";
import { dirname } from "../parse/path.ts";
import { urlHost } from "../parse/probe_target.ts";
import { type CheckResult, result } from "./checks.ts";
import { setClockCommand } from "./doctor_commands.ts";
import { deviceTo, largestPing } from "./doctor_route.ts";
import { clockDifference } from "./doctor_clock.ts";
import { counted } from "./help.ts";
import {
  endpointPlace,
  failureText,
  originText,
  portOf,
  reinstall,
  type Way,
} from "./doctor_way.ts";

const HANDSHAKE_MS = 5_000;
const READ_MS = 3_000;
const DAY_MS = 24 * 60 * 60_000;
/** Clocks that differ by less are both right, for a certificate. */
const SAME_CLOCK_MS = 60 * 60_000;
const MIN_CERTIFICATE_DAYS = 14;
/** Names of a certificate that are shown. */
const MAX_NAMES = 4;
/** Of a certificate that is checked but not shown: it is read over a connection of its own. */
const UNREAD = "until when the certificate is valid can't be read";

/** How a certificate is refused whose time is over, or has not begun. */
const OF_DATE = /expired|not valid (yet|at this time)/;

/** Checks TLS to a panel that can be connected to: whether it is used and trusted, and until when. */
export async function checkTls(way: Way, signal: AbortSignal): Promise<CheckResult> {
  const { url, dialer, config } = way;
  if (url.protocol !== "https:") {
    return isLoopbackHost(urlHost(url))
      ? result("ok", "not needed: the panel is on this machine")
      : result(
        "warning",
        "not used: everything goes unencrypted",
        "use an https:// address, if it has one",
      );
  }
  try {
    const dial = (signal: AbortSignal) => dialer.dial(url, { signal });
    (await withTimeout(dial, { timeoutMs: HANDSHAKE_MS, signal })).stream.close();
  } catch (error) {
    signal.throwIfAborted();
    if (isTimeout(error)) {
      const reason = `Cannot start TLS with ${urlHost(url)}${originText(way)}: ${error.message}`;
      return result("failed", reason, ...tlsAdvice(reason, way));
    }
    const reason = failureText(error);
    const certificate = await certificateOf(way, signal, { asksDate: OF_DATE.test(reason) });
    const details = certificate && ` (${certificateText(certificate)})`;
    return result(
      "failed",
      `${reason}${details ?? ""}`,
      ...tlsAdvice(reason, way, certificate, readSystemAuthorities().ignored),
    );
  }
  const certificate = await certificateOf(way, signal);
  const details = certificate === undefined ? UNREAD : certificateText(certificate);
  if (config.anyCertificate) {
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
  { url, dialer }: Way,
  signal: AbortSignal,
  { asksDate = false }: { asksDate?: boolean } = {},
): Promise<Certificate | undefined> {
  try {
    return await withTimeout(async (signal) => {
      const { connection } = await dialer.connect(url, { signal });
      return await readCertificate(connection, { host: urlHost(url), signal, asksDate });
    }, { timeoutMs: READ_MS, signal });
  } catch {
    signal.throwIfAborted();
    return undefined;
  }
}

/**
 * What to do about a certificate, or about a server that speaks no TLS.
 *
 * @param ignored Authorities that were added to this system, and are not used.
 */
export function tlsAdvice(
  message: string,
  way: Pick<Way, "url" | "answeredBy" | "addresses" | "config" | "unit">,
  certificate?: Certificate,
  ignored: SystemAuthorities["ignored"] = [],
): string[] {
  const { url, answeredBy, addresses } = way;
  const isPanels = answeredBy === ""
    ? []
    : [`see whether ${addresses[0]} is the panel's address (${answeredBy})`];
  const host = urlHost(url);
  const port = portOf(url);
  const plain = `http://${url.host}${url.pathname.replace(/\/$/, "")}`;
  const show = `openssl s_client -connect ${host}:${port} </dev/null`;
  const byName =
    `see whether something on the way cuts connections by their name, and lets another one ` +
    `pass: openssl s_client -connect ${
      addresses[0] ?? host
    }:${port} -servername example.com </dev/null`;
  if (/does not speak TLS/.test(message)) {
    return [
      `if the panel has no TLS, write ${plain} into ${
        endpointPlace(way)
      }; else give the port that ` +
      "speaks TLS",
    ];
  }
  if (/another name/.test(message)) {
    return [
      `use one of the certificate's names in ${endpointPlace(way)}, if one is the panel's`,
      `have the panel's server use a certificate for ${host}`,
      ...isPanels,
    ];
  }
  if (/no site of that name/.test(message)) {
    return [
      `correct the name in ${endpointPlace(way)}, if the panel has another one than ${host}`,
      ...isPanels,
      `have the panel's server know ${host}, with a certificate of it (nginx: server_name)`,
    ];
  }
  if (/wants a certificate/.test(message)) return CLIENT_CERTIFICATE_ADVICE;
  if (/no cipher in common/.test(message)) {
    return [
      "have the panel's server offer TLS 1.3, or ECDHE with AES-GCM (nginx: ssl_ciphers HIGH)",
    ];
  }
  if (/server itself has failed/.test(message)) {
    return ["read the log of the server that ends TLS for the panel"];
  }
  if (OF_DATE.test(message)) return dateAdvice(message, certificate);
  if (/X\.509 version 1/.test(message)) {
    return [
      `make a new certificate of version 3, with the name in it: openssl req -x509 -addext ` +
      `subjectAltName=DNS:${host} …`,
    ];
  }
  if (/purposes leave out/.test(message)) {
    return [
      "make a new certificate for servers: openssl req -addext extendedKeyUsage=serverAuth …",
    ];
  }
  if (/may not make certificates/.test(message)) {
    return [
      `use a name that its authority may make certificates for, or another authority: ${show} -showcerts | ` +
      "openssl x509 -noout -text",
    ];
  }
  if (/of a kind that is not supported/.test(message)) {
    return [
      "make a new certificate, with a key of RSA (2048 bits at least) or P-256, signed with SHA-256",
    ];
  }
  if (/no TLS 1\.2/.test(message)) {
    return ["have the panel's server speak TLS 1.2 or 1.3 (nginx: ssl_protocols TLSv1.2 TLSv1.3)"];
  }
  const misnamed = certificate !== undefined && !isFor(certificate, host)
    ? [
      `its name is wrong, too, so that trusting it is not enough: use a name of the certificate in ` +
      `${endpointPlace(way)}, or have a certificate made for ${host}`,
    ]
    : [];
  if (/self-signed/.test(message)) {
    const { isConfigInstalled, configPath = "" } = way.config;
    // A place that the service may read.
    const file = isConfigInstalled ? `${dirname(configPath)}/panel.crt` : "FILE";
    return [
      ...misnamed,
      `if it is the panel's own, trust it: ${show} | openssl x509 >${file}, compare it there, and ` +
      (isConfigInstalled ? `komari-agent-deno install --ca-cert ${file}` : `--ca-cert ${file}`),
    ];
  }
  if (/issuer is unknown/.test(message)) {
    const isAlone = certificate?.isAlone === true && certificate.namesIssuersFile;
    const other =
      `if the panel's certificate is by another issuer, something on the way answers in ` +
      `its place; compare from another machine: ${show}`;
    const left = ignored.map(({ file, reason }) =>
      reason === UNREADABLE
        ? `let everybody read ${file}, which was added to this system: ${
          used(`chmod a+r ${file}`, way)
        }`
        : `see ${file}, which was added to this system, and is left out: ${reason}`
    );
    return [
      ...left,
      ...misnamed,
      ...issuerAdvice(show, { certificate, way }),
      ...isAlone ? [] : [other, ...isPanels],
    ];
  }
  if (/no answer within/.test(message)) {
    return [
      `see whether anything speaks TLS there: ${show}`,
      `see whether large packets are lost on the way: ${
        largestPing(addresses[0] ?? host)
      } ${host}; then a ` +
      `smaller MTU helps: ip link set dev ${deviceTo(addresses[0] ?? host)} mtu 1280`,
      byName,
    ];
  }
  if (/connection reset|closed the connection/.test(message)) {
    return [`see what the server says: ${show}`, byName];
  }
  return [`see what the server says: ${show}`];
}

/** A server that asks its clients for a certificate, which agents have none of. */
export const CLIENT_CERTIFICATE_ADVICE = [
  "let /api/clients/ pass without a client's certificate (nginx: ssl_verify_client optional)",
  "if only a CDN in front of the panel has one, use the name that goes through the CDN",
];

function dateAdvice(message: string, certificate: Certificate | undefined): string[] {
  const renew =
    "renew the certificate on the panel's server, or have it load the one that was renewed " +
    "(systemctl reload nginx)";
  const clock = `if this machine's date is wrong, set it: ${setClockCommand()}`;
  if (certificate === undefined) return [`${clock}; date shows it`, renew];
  // A clock is rarely wrong by little, and a certificate that was not renewed is.
  const isValid = certificate.validFromMs <= Date.now() && daysLeft(certificate) >= 0;
  if (/expired/.test(message) && isValid) {
    return [
      "the certificate itself is valid, and one of its issuers' has expired: give the panel's server " +
      "the issuers' new ones (fullchain.pem)",
      `compare the date here: date; ${clock}`,
    ];
  }
  const { serverDateMs = NaN } = certificate;
  const isRight = Math.abs(serverDateMs - Date.now()) < SAME_CLOCK_MS;
  if (isRight && certificate.validUntilMs < Date.now()) return [renew];
  if (certificate.validFromMs < serverDateMs && serverDateMs < certificate.validUntilMs) {
    return [`set this machine's clock: ${setClockCommand()}`];
  }
  const compare = `compare the date here: date; ${clock}`;
  return daysLeft(certificate) < 0
    ? [compare, renew]
    : [compare, "else make it anew: the clock of the machine that made it was ahead"];
}

/** Whether a certificate is for a host; a wildcard stands for one label. */
function isFor({ names }: Certificate, host: string): boolean {
  const [, ...parent] = host.toLowerCase().split(".");
  return names.map((name) => name.toLowerCase()).some((name) =>
    name === host.toLowerCase() || name === `*.${parent.join(".")}`
  );
}

/** A command that changes what an agent reads at its start, and for the installed one that start. */
function used(command: string, { config }: Pick<Way, "config">): string {
  return config.isConfigInstalled ? `${command} && ${reinstall(config)}` : command;
}

function issuerAdvice(
  show: string,
  { certificate, way }: { certificate: Certificate | undefined; way: Pick<Way, "config"> },
): string[] {
  // The service may not read where the file lies now.
  const added = `install -D -m 644 FILE ${AUTHORITY_FOLDERS[0]}/panel.crt`;
  const trust = `if the authority is your own, give its certificate: ${
    way.config.isConfigInstalled ? used(added, way) : "--ca-cert FILE"
  }`;
  const chain = "give the panel's server the full chain (fullchain.pem): it sends its own " +
    "certificate alone";
  if (certificate === undefined) return [`see who issued it: ${show}`, trust, chain];
  if (!certificate.isAlone) return [trust];
  return certificate.namesIssuersFile ? [chain] : [trust, `${chain}; see: ${show} -showcerts`];
}

function daysLeft({ validUntilMs }: Certificate): number {
  return Math.floor((validUntilMs - Date.now()) / DAY_MS);
}

/** Version, issuer, end and names of a certificate. */
export function certificateText(certificate: Certificate): string {
  const { tlsVersion, issuer, names, isSelfSigned, validFromMs, serverDateMs } = certificate;
  const nowMs = Date.now();
  const days = daysLeft(certificate);
  const dateOf = (ms: number) => new Date(ms).toISOString().slice(0, 10);
  const isSameDay = dateOf(nowMs) === dateOf(validFromMs);
  const shown = (ms: number) =>
    isSameDay ? `${new Date(ms).toISOString().slice(0, 16).replace("T", " ")} UTC` : dateOf(ms);
  const [today, first] = [shown(nowMs), shown(validFromMs)];
  const validity = days < 0
    ? `expired ${clockDifference(nowMs - certificate.validUntilMs)} before ${today}, the date here`
    : validFromMs > nowMs
    ? `valid from ${first}, and the date here is ${today}`
    : `valid for ${counted(days, "day")} more`;
  const server = serverDateMs === undefined
    ? ""
    : `; by the clock of that server it is ${
      new Date(serverDateMs).toISOString().slice(0, 16).replace("T", " ")
    } UTC`;
  const by = isSelfSigned ? "self-signed by" : "issued by";
  const more = names.length > MAX_NAMES ? "…" : "";
  const whose = names.length === 0
    ? "for no name"
    : `for ${names.slice(0, MAX_NAMES).join(", ")}${more}`;
  return `${tlsVersion}, ${by} ${issuer}, ${validity}, ${whose}${server}`;
}
