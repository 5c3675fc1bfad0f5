/**
 * The connection to a panel, or to the proxy on the way.
 *
 * @module
 */

import { attemptWithin, isTimeout, withTimeout } from "../async/timeout.ts";
import { isInContainer } from "../host/this_program.ts";
import { hostRoots } from "../metrics/open_machine.ts";
import { DialError, type DialStage } from "../net/errors.ts";
import { ipFamily, isLoopbackHost } from "../parse/ip_address.ts";
import { IcmpProbe } from "../probe/icmp.ts";
import { startShell } from "../sandbox/shell.ts";
import { failed, type Finding, ok } from "./check.ts";
import type { NetworkEvidence } from "./network.ts";
import { panelAmong, PanelCalls } from "./panel_calls.ts";
import {
  addressOf,
  causeOf,
  failureText,
  hopOf,
  type OpenWay,
  usualAddresses,
  type Way,
  withAddress,
  writeAddress,
} from "./way.ts";

const CONNECT_MS = 5_000;
const PING_MS = 1_500;

export interface ConnectionEvidence {
  /** The address that has connected. */
  readonly address?: string;
  readonly error?: string;
  readonly stage?: DialStage;
  /** Whether it answers a ping; `undefined` where none can be sent. */
  readonly isPinged?: boolean | undefined;
  /** Where else on its host a panel answers. */
  readonly panelAt?: string | undefined;
  readonly isContained?: boolean;
}

/** Opens a connection; where that fails, looks what else answers there. */
export async function gatherConnection(
  way: OpenWay,
  signal: AbortSignal,
): Promise<ConnectionEvidence> {
  try {
    const connect = (signal: AbortSignal) => way.dialer.connect(way.url, { signal });
    const { connection } = await withTimeout(connect, { timeoutMs: CONNECT_MS, signal });
    const { hostname: address } = connection.remoteAddr;
    connection.close();
    return { address };
  } catch (error) {
    signal.throwIfAborted();
    const isLate = isTimeout(error);
    const { text, port } = hopOf(way);
    const where = way.addresses.length === 0 ? "" : ` (${addressOf(way)})`;
    const places = way.proxy === undefined ? usualAddresses(way.url) : [];
    const [isPinged, panelAt] = await Promise.all([
      isLate ? answersPing(addressOf(way), way, signal) : undefined,
      panelAmong(places, { calls: new PanelCalls(way), signal }),
    ]);
    return {
      ...{ isPinged, panelAt, isContained: isInContainer() },
      error: isLate
        ? `Cannot connect to ${text} port ${port}${where}: ${failureText(error)}`
        : failureText(error),
      stage: error instanceof DialError ? error.stage : "connect",
    };
  }
}

async function answersPing(
  address: string,
  { config }: Way,
  signal: AbortSignal,
): Promise<boolean | undefined> {
  const shell = startShell({ ...hostRoots(config.hostProc), os: Deno.build.os });
  const probe = new IcmpProbe(shell);
  try {
    const send = (signal: AbortSignal) => probe.probe([address], { signal });
    const ms = await attemptWithin(send, { timeoutMs: PING_MS, signal });
    return ms !== undefined || (await probe.isUsable({ signal }) ? false : undefined);
  } finally {
    await shell?.close();
  }
}

/** Judges the try to connect; `source` says who has given the address, and is empty for a configured one. */
export function judgeConnection(
  evidence: ConnectionEvidence,
  { way, network, source }: {
    way: Way;
    network: NetworkEvidence | undefined;
    source: string;
  },
): Finding {
  const { address = addressOf(way), error, stage = "connect", isPinged, panelAt } = evidence;
  const from = source === "" ? "" : ` (${source})`;
  if (error === undefined) {
    const through = way.proxy === undefined ? "connected to" : "connected through the proxy";
    return ok(`${through} ${address} port ${hopOf(way).port}${from}`);
  }
  // The kernel calls an address without its family unreachable.
  const family = ipFamily(address);
  const lacksFamily = way.proxy === undefined && /network is unreachable/.test(error) &&
    network?.interfaces.every(({ addresses }) => !addresses.some((it) => ipFamily(it) === family));
  const known = lacksFamily
    ? error.replace("network is unreachable", "this machine has no address of that family")
    : error;
  const { reason, advice } = causeOf({ stage, error: known }, way);
  const text = [
    // The title says what it is about.
    `${reason.replace(/^no connection to /, "")}${from}`,
    ...isPinged === undefined ? [] : [isPinged ? "it answers pings" : "nor does it answer pings"],
    ...panelAt === undefined ? [] : [`a Komari panel answers at ${panelAt}`],
  ].join("; ");
  const [, line] = /^from line (\d+) of /.exec(source) ?? [];
  const isHere = way.proxy === undefined && isLoopbackHost(address);
  const more = [
    isHere && evidence.isContained &&
    "in a container this address is the container itself: give the panel's name, or start it with --network host",
    panelAt === undefined && line !== undefined &&
    `correct or remove line ${line} of /etc/hosts, unless ${address} is still the right address`,
    isHere && source !== "" && line === undefined &&
    `if the panel is on another machine, correct its address: it is ${source}`,
    ...advice,
    !isHere && source !== "" && line === undefined &&
    `see whether ${address} is the panel's address: it is ${source}`,
  ];
  // Where nothing listens, the panel is elsewhere; else it may be a firewall's doing.
  return /refused/.test(error)
    ? failed(text, writeAddress(panelAt, way), ...more)
    : failed(text, ...withAddress(panelAt, way, more));
}
