/**
 * Advice of `doctor` on a certificate, or on a server that speaks no TLS.
 *
 * @module
 */

import { attempt } from "../attempt.ts";
import {
  AUTHORITY_FOLDERS,
  type SystemAuthorities,
  UNREADABLE,
} from "../host/system_authorities.ts";
import type { Certificate } from "../net/certificate.ts";
import { dirname } from "../parse/path.ts";
import { ipFamily } from "../parse/ip_address.ts";
import { urlHost } from "../parse/probe_target.ts";
import { advised } from "./checks.ts";
import { setClockCommand } from "./doctor_commands.ts";
import { largePacketsLook } from "./doctor_mtu.ts";
import { endpointPlace, given, reinstall } from "./doctor_options.ts";
import { addressOf, originLook, portOf, type Way } from "./doctor_way.ts";

const DAY_MS = 24 * 60 * 60_000;

/** Clocks that differ by less are both right, for a certificate. */
const SAME_CLOCK_MS = 60 * 60_000;

/** Issuers that are named for what reads the connections of a network. */
const INTERCEPTOR =
  /proxy|inspect|firewall|filter|gateway|intercept|mitm|security|virus|forti|zscaler|sophos|palo ?alto|blue ?coat|netskope|umbrella|untangle|kaspersky|avast|bitdefender|\beset\b|squid|charles|burp|fiddler|check ?point|watchguard|barracuda/i;

/** Names as public authorities alone give to what issues for them: R13, WE1, "Let's Encrypt". */
const PUBLIC_ISSUER = /^(?:[A-Z]{1,2}\d{1,2}|Let.s .+)$/;

/** Shorter words are found in any certificate. */
const MIN_KIN_LENGTH = 3;

/** How a certificate is refused whose time is over, or has not begun. */
export const OF_DATE = /expired|not valid (yet|at this time)/;

/**
 * What to do about a certificate, or about a server that speaks no TLS.
 *
 * @param options `ignored` are authorities that were added to this system, and are not used; `isOfPanel` says
 * whether a panel answers behind that certificate, where it was asked.
 */
export function tlsAdvice(
  message: string,
  way: Pick<Way, "url" | "answeredBy" | "addresses" | "config" | "unit" | "proxy">,
  { certificate, ignored = [], isOfPanel }: {
    certificate?: Certificate | undefined;
    ignored?: SystemAuthorities["ignored"];
    isOfPanel?: boolean | undefined;
  } = {},
): string[] {
  const { url } = way;
  const host = urlHost(url);
  const port = portOf(url);
  const show = `openssl s_client -connect ${host}:${port} </dev/null`;
  const place = endpointPlace(way);
  const [, ofServer] = OF_SERVER.find(([reason]) => reason.test(message)) ?? [];
  if (ofServer !== undefined) return [ofServer];
  if (/another name/.test(message)) return otherNameAdvice(way, { certificate, isOfPanel });
  if (/wants a certificate/.test(message)) return CLIENT_CERTIFICATE_ADVICE;
  if (/X\.509 version 1/.test(message)) return [namelessAdvice(host)];
  if (/no site of that name/.test(message)) {
    return [
      `correct the name in ${place}, if the panel has another one than ${host}`,
      ...originLook(way),
      `have the panel's server know ${host}, with a certificate of it (nginx: server_name)`,
    ];
  }
  if (/may not make certificates/.test(message)) {
    return [
      `use a name that its authority may make certificates for, or another authority: ${show} -showcerts | ` +
      "openssl x509 -noout -text",
    ];
  }
  if (OF_DATE.test(message)) return dateAdvice(message, certificate);
  const misnamed = advised(
    certificate !== undefined && !isFor(certificate, host) &&
      `its name is wrong, too, so that trusting it is not enough: use a name of the certificate in ` +
        `${place}, or have a certificate made for ${host}`,
  );
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
    return unknownIssuerAdvice(show, { way, certificate, ignored, misnamed });
  }
  if (/no answer within/.test(message)) {
    return [
      `see whether anything speaks TLS there: ${show}`,
      "see on the panel's machine whether the server that ends TLS hangs, or is overloaded: its log; top",
      largePacketsLook(way),
      cutAdvice(way, { isOfName: false }),
    ];
  }
  if (/connection reset|closed the connection/.test(message)) {
    return [
      `see on the panel's machine whether it answers there: openssl s_client -connect 127.0.0.1:${port} ` +
      `-servername ${host} </dev/null; if not, the error log of that server says why`,
      cutAdvice(way, { isOfName: false }),
    ];
  }
  return [`see what the server says: ${show}`];
}

/** Advice on a server, or a certificate, of a kind that no agent takes. */
const OF_SERVER: readonly (readonly [reason: RegExp, advice: string])[] = [
  [
    /speaks no HTTP\/1\.1/,
    "have the panel's server speak HTTP/1.1 there, too, as agents do (Caddy: protocols h1 h2; HAProxy: alpn " +
    "h2,http/1.1)",
  ],
  [
    /no cipher in common/,
    "have the panel's server offer TLS 1.3, or ECDHE with AES-GCM (nginx: ssl_ciphers HIGH)",
  ],
  [/server itself has failed/, "read the log of the server that ends TLS for the panel"],
  [
    /purposes leave out/,
    "make a new certificate for servers: openssl req -addext extendedKeyUsage=serverAuth …",
  ],
  [
    /of a kind that is not supported/,
    "make a new certificate, with a key of RSA (2048 bits at least) or P-256, signed with SHA-256",
  ],
  [
    /no TLS 1\.2/,
    "have the panel's server speak TLS 1.2 or 1.3 (nginx: ssl_protocols TLSv1.2 TLSv1.3)",
  ],
];

/** Advice on a certificate that is for other names than the panel's. */
function otherNameAdvice(
  way: Parameters<typeof tlsAdvice>[1],
  { certificate, isOfPanel }: Exclude<Parameters<typeof tlsAdvice>[2], undefined>,
): string[] {
  const host = urlHost(way.url);
  const { names = [] } = certificate ?? {};
  if (certificate !== undefined && names.length === 0) return [namelessAdvice(host)];
  const named = `use one of the certificate's names in ${
    endpointPlace(way)
  }, if one is the panel's`;
  const moved = way.answeredBy !== "" &&
    `correct the address of ${host}, if the panel is elsewhere: another server answers at ${
        addressOf(way)
      } ` +
      `(${way.answeredBy})`;
  const parent = host.split(".").slice(1).join(".");
  const isDeeper = names.some((name) => /^\*\./.test(name) && parent.endsWith(name.slice(1)));
  const made = isDeeper
    ? `have the panel's server use a certificate for ${host}: the star in a name stands for one part alone`
    : `have the panel's server use a certificate for ${host}`;
  if (isOfPanel === false) return advised(moved, named, made);
  if (isOfPanel === undefined) return [named, made, ...originLook(way)];
  return ipFamily(host) === undefined ? [made, named] : [named, made];
}

function namelessAdvice(host: string): string {
  return "make a new certificate of version 3, with the name in it: openssl req -x509 -addext " +
    `subjectAltName=${ipFamily(host) === undefined ? "DNS" : "IP"}:${host} \u2026`;
}

/** Advice where something on the way ends connections, by the panel's name or whatever they ask for. */
export function cutAdvice(
  way: Pick<Way, "url" | "config">,
  { isOfName }: { isOfName: boolean },
): string {
  const host = urlHost(way.url);
  const proxy = given(way, "HTTPS_PROXY=http://HOST:PORT");
  return isOfName
    ? `where something on the way blocks ${host} by its name, give the panel another name or port, have a ` +
      `CDN stand before it, or go by a proxy: ${proxy}`
    : `if it answers on that machine itself, something on the way cuts connections: give the panel another port ` +
      `or address, have a CDN stand before it, or go by a proxy: ${proxy}`;
}

/** An origin certificate of Cloudflare's; their public ones have another spelling of that name. */
const CLOUDFLARE_ORIGIN_ADVICE = [
  "have the panel's name go through Cloudflare (DNS, Proxied), which alone trusts its origin certificates",
  "or have the panel's server use a certificate of a public authority, such as Let's Encrypt",
];

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

/** A certificate by an authority that this machine does not know: one's own, or that of something on the way. */
function unknownIssuerAdvice(
  show: string,
  { way, certificate, ignored, misnamed }: {
    way: Parameters<typeof tlsAdvice>[1];
    certificate: Certificate | undefined;
    ignored: SystemAuthorities["ignored"];
    misnamed: readonly string[];
  },
): string[] {
  if (certificate?.issuer === "CloudFlare, Inc.") return CLOUDFLARE_ORIGIN_ADVICE;
  const isAlone = certificate?.isAlone === true && certificate.namesIssuersFile;
  const other = way.proxy === undefined
    ? "if the panel's certificate is by another issuer, something on the way answers in its place; " +
      `compare from another machine: ${show}`
    : "if the panel's certificate is by another issuer, the proxy answers in its place, by an authority " +
      `of its own; compare from another machine: ${show}`;
  const readable = (file: string) => used(`chmod a+r ${file}`, way);
  const left = ignored.map(({ file, reason }) =>
    reason === UNREADABLE
      ? `let everybody read ${file}, which was added to this system: ${readable(file)}`
      : `see ${file}, which was added to this system, and is left out: ${reason}`
  );
  const others = isAlone ? [] : [other, ...originLook(way)];
  const own = issuerAdvice(show, { certificate, way });
  return INTERCEPTOR.test(certificate?.issuer ?? "")
    ? [...left, ...others, ...misnamed, ...own]
    : [...left, ...misnamed, ...own, ...others];
}

function issuerAdvice(
  show: string,
  { certificate, way }: { certificate: Certificate | undefined; way: Pick<Way, "config"> },
): string[] {
  // The service may not read where the file lies now.
  const added = used(`install -D -m 644 FILE ${AUTHORITY_FOLDERS[0]}/panel.crt`, way);
  const give = way.config.isConfigInstalled ? added : "--ca-cert FILE";
  const trust = `if the authority is your own, give its certificate: ${give}`;
  const chain = "give the panel's server the full chain (fullchain.pem): it sends its own " +
    "certificate alone";
  if (certificate === undefined) return [`see who issued it: ${show}`, trust, chain];
  if (!certificate.isAlone) return [trust];
  if (certificate.namesIssuersFile) return [chain];
  const looks = [trust, `${chain}; see: ${show} -showcerts`];
  const { issuer } = certificate;
  const isBelow = PUBLIC_ISSUER.test(issuer) || way.config.caCerts.some((it) => isKin(it, issuer));
  return isBelow ? looks.toReversed() : looks;
}

/** Whether an authority that is trusted has the first word of an issuer's name in its own certificate. */
function isKin(pem: string, issuer: string): boolean {
  const [word = ""] = issuer.split(" ");
  const [base64 = ""] = pem.replace(/-----BEGIN [^-]+-----|\s/g, "").split("-", 1);
  return word.length >= MIN_KIN_LENGTH && attempt(() => atob(base64).includes(word)) === true;
}

export function daysLeft({ validUntilMs }: Certificate): number {
  return Math.floor((validUntilMs - Date.now()) / DAY_MS);
}
