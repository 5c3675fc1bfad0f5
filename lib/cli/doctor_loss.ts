/**
 * Lost packets on the way to a panel, by pings and connections that are tried several times.
 *
 * @module
 */

import { attempt } from "../attempt.ts";
import { isTimeout, withTimeout } from "../async/timeout.ts";
import type { Config } from "../config/config.ts";
import { hostRoots } from "../metrics/open_machine.ts";
import { connectAbortable } from "../net/happy_eyeballs.ts";
import { IcmpProbe } from "../probe/icmp.ts";
import { startShell } from "../sandbox/shell.ts";

/** A connection that takes longer is a finding: the kernel has tried it again, after 1 s at first. */
export const SLOW_CONNECT_MS = 1_000;
/** Connections that are tried at once, to tell lost packets from a slow way. */
export const FURTHER_CONNECTIONS = 10;
/** Fewer than firewalls let pass at once that limit them. */
export const PINGS = 5;
const PING_MS = 1_500;

/** How to see where packets to an address are lost. */
export function lossAdvice(address: string): string {
  return `see where packets are lost: mtr -rn -c 20 ${address}; if from its first lines on, look at this ` +
    `machine's own line (its Wi-Fi, its host), and if later, ask its provider`;
}

/** Why an address takes no connection in time; `undefined` where it does. */
export async function connectError(
  address: string,
  { port, timeoutMs, signal }: { port: number; timeoutMs: number; signal: AbortSignal },
): Promise<unknown> {
  try {
    const connect = (signal: AbortSignal) => connectAbortable(address, { port, signal });
    (await withTimeout(connect, { timeoutMs, signal })).close();
    return undefined;
  } catch (error) {
    signal.throwIfAborted();
    return error;
  }
}

/** How many of several connections to an address take as long as a lost packet costs. */
export async function slowConnections(
  hostname: string,
  { port, signal }: { port: number; signal: AbortSignal },
): Promise<number> {
  const options = { port, timeoutMs: SLOW_CONNECT_MS, signal };
  const all = await Promise.all(
    Array.from({ length: FURTHER_CONNECTIONS }, () => connectError(hostname, options)),
  );
  return all.filter(isTimeout).length;
}

/** The sum of some of the kernel's own counts on this machine, by their names in `nstat`. */
export function kernelCount(...names: readonly string[]): number {
  const text = ["netstat", "snmp", "snmp6"]
    .map((file) => attempt(() => Deno.readTextFileSync(`/proc/net/${file}`)) ?? "").join("");
  const lines = text.split("\n").map((line) => line.split(/\s+/));
  return names.reduce((sum, name) => {
    // In pairs of lines, with the names above the numbers, or for IPv6 beside them.
    const at = lines.findIndex((words) => words.includes(name));
    const column = lines[at]?.indexOf(name) ?? 0;
    return sum + Number((column === 0 ? lines[at]?.[1] : lines[at + 1]?.[column]) ?? 0);
  }, 0);
}

/** Packets of TCP that this machine has sent again so far, for want of an answer. */
export function sentAgain(): number {
  return kernelCount("TCPSynRetrans", "TCPTimeouts", "TCPLossProbes");
}

/** How many of {@linkcode PINGS} to an address are lost; `undefined` where it answers none, or none can be sent. */
export async function lostPings(
  address: string,
  options: { config: Config; signal: AbortSignal },
): Promise<number | undefined> {
  const { answered } = await ping(address, { ...options, count: PINGS });
  return answered === 0 ? undefined : PINGS - answered;
}

/** Whether an address answers pings; `undefined` where none can be sent. */
export async function answersPing(
  address: string,
  options: { config: Config; signal: AbortSignal },
): Promise<boolean | undefined> {
  const { answered, isUsable } = await ping(address, { ...options, count: 1 });
  return answered > 0 ? true : isUsable ? false : undefined;
}

async function ping(
  address: string,
  { config, signal, count }: { config: Config; signal: AbortSignal; count: number },
): Promise<{ answered: number; isUsable: boolean }> {
  const shell = startShell({ ...hostRoots(config.hostProc), os: Deno.build.os });
  const probe = new IcmpProbe(shell);
  try {
    const send = (signal: AbortSignal) => probe.probe([address], { signal });
    const all = await Promise.allSettled(
      Array.from({ length: count }, () => withTimeout(send, { timeoutMs: PING_MS, signal })),
    );
    signal.throwIfAborted();
    const answered = all.filter(({ status }) => status === "fulfilled").length;
    return { answered, isUsable: answered > 0 || await probe.isUsable({ signal }) };
  } finally {
    await shell?.close();
  }
}
