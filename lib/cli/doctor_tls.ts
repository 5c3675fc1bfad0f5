/**
 * The check of `doctor` of TLS to a panel, and of the panel's certificate.
 *
 * @module
 */

import { attemptWithin, isTimeout, withTimeout } from "../async/timeout.ts";
import { readSystemAuthorities } from "../host/system_authorities.ts";
import { type Certificate, readCertificate } from "../net/certificate.ts";
import { DialError } from "../net/errors.ts";
import { isLoopbackHost } from "../parse/ip_address.ts";
import { urlHost } from "../parse/probe_target.ts";
import { type CheckResult, failed, ok, warning } from "./checks.ts";
import { clockDifference } from "./doctor_clock.ts";
import { cutAdvice, daysLeft, OF_DATE, tlsAdvice } from "./doctor_tls_advice.ts";
import { connectError, SLOW_CONNECT_MS } from "./doctor_loss.ts";
import { largeAnswersLost, largePacketsLost } from "./doctor_mtu.ts";
import { panelAmong, PanelCalls, withElsewhere } from "./doctor_panel_calls.ts";
import type { RouteFinding } from "./doctor_route.ts";
import { endpointPlace, writeAddress } from "./doctor_options.ts";
import {
  addressOf,
  failureText,
  originText,
  portOf,
  usualAddresses,
  type Way,
  wayTo,
} from "./doctor_way.ts";
import { oldAddressAdvice, preferOther, strayAdvice, waysByAddress } from "./doctor_addresses.ts";
import { counted } from "./help.ts";

const HANDSHAKE_MS = 5_000;
const READ_MS = 3_000;
const MIN_CERTIFICATE_DAYS = 14;
/** Names of a certificate that are shown. */
const MAX_NAMES = 4;
/** How a server that knows nothing of the panel's name refuses it. */
const OF_NAME = /another name|no site of that name/;
/** A name that nobody has a reason to cut, and no panel has. */
const OTHER_NAME = "example.com";
/** How a load balancer begins that does not tell whose connection it is (PROXY protocol, version 1). */
const OF_LOAD_BALANCER = "PROXY UNKNOWN\r\n";
/** Of a certificate that is checked but not shown: it is read over a connection of its own. */
const UNREAD = "until when the certificate is valid can't be read";

/** Checks TLS to a panel that can be connected to: whether it is used and trusted, and until when. */
export async function checkTls(way: Way, signal: AbortSignal): Promise<CheckResult> {
  const { url, dialer, config } = way;
  if (url.protocol !== "https:") {
    if (isLoopbackHost(urlHost(url))) return ok("not needed: the panel is on this machine");
    const advice = "use an https:// address, if it has one";
    return { ...warning("not used: everything goes unencrypted", advice), kind: "unencrypted" };
  }
  try {
    const dial = (signal: AbortSignal) => dialer.dial(url, { signal });
    (await withTimeout(dial, { timeoutMs: HANDSHAKE_MS, signal })).stream.close();
  } catch (error) {
    signal.throwIfAborted();
    const found = await notStarted(error, way, signal);
    return isTimeout(error) ? { ...found, kind: "no_answer" } : found;
  }
  const certificate = await certificateOf(way, signal);
  const details = certificate === undefined ? UNREAD : certificateText(certificate);
  if (config.anyCertificate) {
    return warning(
      `any certificate is trusted (${details})`,
      "--ca-cert FILE trusts only your own certificate",
    );
  }
  const { bad, good } = await atEach(way, { signal });
  if (bad !== undefined) {
    const { reason } = bad;
    const { address } = bad.way;
    const other = await certificateOf(bad.way, signal, { asksDate: OF_DATE.test(reason) });
    const said = `${reason}${inBrackets(other)}`;
    const found = warning(
      `${details}; at ${address}, another address of the name: ${said}`,
      ...OF_NAME.test(reason) && good !== undefined
        ? strayAdvice(address, good.way.address, way)
        : [oldAddressAdvice(address, way), ...tlsAdvice(reason, bad.way, { certificate: other })],
    );
    return { ...found, kind: "other_server" };
  }
  const isLasting = certificate === undefined || daysLeft(certificate) >= MIN_CERTIFICATE_DAYS;
  return isLasting ? ok(details) : warning(details, "renew the panel's certificate");
}

/** Why TLS has not started, or the certificate is not trusted, and where else it is so. */
async function notStarted(error: unknown, way: Way, signal: AbortSignal): Promise<CheckResult> {
  const isLate = isTimeout(error);
  const reason = isLate
    ? `Cannot start TLS with ${urlHost(way.url)}${originText(way)}: ${error.message}`
    : failureText(error);
  const isCut = isLate || /connection reset|closed the connection/.test(reason);
  const address = addressOf(way);
  const [certificate, other, announced, large, { bad, good }] = await Promise.all([
    certificateOf(way, signal, { asksDate: OF_DATE.test(reason) }),
    isCut ? certificateOf(way, signal, { name: OTHER_NAME }) : undefined,
    isCut ? certificateOf(way, signal, { before: OF_LOAD_BALANCER }) : undefined,
    isLate ? largeLost(address, way, signal) : undefined,
    atEach(way, { isLate, signal }),
  ]);
  if (certificate === undefined && other !== undefined) {
    const text = `${reason}; asked for ${OTHER_NAME}, it answers`;
    return failed(text, cutAdvice(way, { isOfName: true }));
  }
  if (certificate === undefined && announced !== undefined) {
    return failed(
      `${reason}; behind a line of the PROXY protocol, as load balancers send it, it answers`,
      "have that server take connections without it (nginx: no proxy_protocol in its listen line), or give " +
        "the address of the load balancer",
    );
  }
  if (large !== undefined) return failed(`${reason}; ${large.text}`, ...large.advice);
  if (/does not speak TLS/.test(reason)) return await withoutTls(reason, way, signal);
  const isOfPanel = /another name/.test(reason) ? await isPanelThere(way, signal) : undefined;
  const said = `${reason}${inBrackets(certificate)}`;
  const text = isOfPanel === undefined
    ? said
    : isOfPanel
    ? `${said}; a Komari panel answers there`
    : `${said}; no Komari panel answers there`;
  const { ignored } = readSystemAuthorities();
  const advice = tlsAdvice(reason, way, { certificate, ignored, isOfPanel });
  if (bad === undefined || good === undefined) {
    const found = failed(text, ...advice);
    const here = { way, calls: new PanelCalls(way), signal };
    return isCut && !isLate ? await withElsewhere(found, here) : found;
  }
  return failed(
    `${text}; so it is at ${bad.way.address}, and not at ${good.way.address}, another address of the name`,
    ...OF_NAME.test(reason) ? strayAdvice(bad.way.address, good.way.address, way) : [
      oldAddressAdvice(bad.way.address, way),
      ...advice,
      preferOther(bad.way.address, good.way.address, way),
    ],
  );
}

/** A finding where large packets are lost, by pings or, where those get through, by TLS itself. */
async function largeLost(
  address: string,
  way: Way,
  signal: AbortSignal,
): Promise<RouteFinding | undefined> {
  const byTls = way.proxy === undefined ? largeAnswersLost(way, signal) : undefined;
  return await largePacketsLost(address, signal) ?? await byTls;
}

/** A port that does not speak TLS: says where on that host a panel answers. */
async function withoutTls(reason: string, way: Way, signal: AbortSignal): Promise<CheckResult> {
  const path = way.url.pathname.replace(/\/$/, "");
  const plain = `http://${way.url.host}${path}`;
  const usual = usualAddresses(way).filter(({ address }) => address.startsWith("https:"))
    .map(({ address }) => address + path);
  const calls = new PanelCalls(way);
  const [found, { response }] = await Promise.all([
    panelAmong([...usual, plain], { calls, signal }),
    calls.page(signal, plain),
  ]);
  const write = writeAddress(found ?? plain, way);
  if (found === undefined) {
    const correct = `correct the port in ${endpointPlace(way)}, if it is another one than ${
      portOf(way.url)
    }`;
    return response === undefined
      ? failed(`${reason}; nor does it speak HTTP`, correct)
      : failed(`${reason}; it speaks HTTP, and no Komari panel answers there`, correct, write);
  }
  return failed(
    `${reason}; a Komari panel answers at ${found}`,
    found === plain
      ? `if the panel speaks TLS at another port, give that; if it has none, ${write}`
      : write,
  );
}

/** Whether a panel answers there, whatever its certificate; nothing secret is sent to it. */
async function isPanelThere(way: Way, signal: AbortSignal): Promise<boolean> {
  const config = { ...way.config, anyCertificate: true, token: "", headers: [] };
  const other = wayTo(config, way.unit);
  other.addresses = way.addresses;
  const ask = (signal: AbortSignal) => new PanelCalls(other).version(signal);
  return await attemptWithin(ask, { timeoutMs: READ_MS, signal }) !== undefined;
}

/** The way by one address of the panel's name, and why TLS does not start there; empty where it does. */
interface TriedAddress {
  readonly way: ReturnType<typeof waysByAddress>[number];
  readonly reason: string;
}

/**
 * Tries TLS at each address of the name, where it has several: the first without it, and the first with it.
 * One that is late counts only where the first try was.
 */
async function atEach(
  way: Way,
  { isLate = false, signal }: { isLate?: boolean; signal: AbortSignal },
): Promise<{ bad?: TriedAddress | undefined; good?: TriedAddress | undefined }> {
  const tried = await Promise.all(
    waysByAddress(way).map(async (way) => {
      const dial = (signal: AbortSignal) => way.dialer.dial(way.url, { signal });
      try {
        (await withTimeout(dial, { timeoutMs: READ_MS, signal })).stream.close();
        return { way, reason: "" };
      } catch (error) {
        signal.throwIfAborted();
        // One that does not connect is the finding of another check.
        const { address, url } = way;
        const options = { port: portOf(url), timeoutMs: SLOW_CONNECT_MS, signal };
        const isOfTls = isTimeout(error)
          ? isLate && await connectError(address, options) === undefined
          : error instanceof DialError && error.stage === "tls";
        return isOfTls ? { way, reason: failureText(error) } : [];
      }
    }),
  );
  const all = tried.flat();
  return {
    bad: all.find(({ reason }) => reason !== ""),
    good: all.find(({ reason }) => reason === ""),
  };
}

async function certificateOf(
  { url, dialer }: Way,
  signal: AbortSignal,
  { asksDate = false, name = urlHost(url), before = "" }: {
    asksDate?: boolean;
    name?: string;
    /** What is sent before TLS. */
    before?: string;
  } = {},
): Promise<Certificate | undefined> {
  return await attemptWithin(async (signal) => {
    const { connection } = await dialer.connect(url, { signal });
    if (before !== "") await connection.write(new TextEncoder().encode(before));
    return await readCertificate(connection, { host: name, signal, asksDate });
  }, { timeoutMs: READ_MS, signal });
}

function inBrackets(certificate: Certificate | undefined): string {
  return certificate === undefined ? "" : ` (${certificateText(certificate)})`;
}

/** Version, issuer, end and names of a certificate. */
export function certificateText(certificate: Certificate): string {
  const { tlsVersion, issuer, names, isSelfSigned, validFromMs, serverDateMs } = certificate;
  const nowMs = Date.now();
  const days = daysLeft(certificate);
  const dateOf = (ms: number) => new Date(ms).toISOString().slice(0, 10);
  const isSameDay = dateOf(nowMs) === dateOf(validFromMs);
  const minuteOf = (ms: number) =>
    `${new Date(ms).toISOString().slice(0, 16).replace("T", " ")} UTC`;
  const shown = isSameDay ? minuteOf : dateOf;
  const [today, first] = [shown(nowMs), shown(validFromMs)];
  const validity = days < 0
    ? `expired ${clockDifference(nowMs - certificate.validUntilMs)} before ${today}, the date here`
    : validFromMs > nowMs
    ? `valid from ${first}, and the date here is ${today}`
    : `valid for ${counted(days, "day")} more`;
  const server = serverDateMs === undefined
    ? ""
    : `; by the clock of that server it is ${minuteOf(serverDateMs)}`;
  const by = isSelfSigned ? "self-signed by" : "issued by";
  const more = names.length > MAX_NAMES ? "…" : "";
  const whose = names.length === 0
    ? "for no name"
    : `for ${names.slice(0, MAX_NAMES).join(", ")}${more}`;
  return `${tlsVersion}, ${by} ${issuer}, ${validity}, ${whose}${server}`;
}
