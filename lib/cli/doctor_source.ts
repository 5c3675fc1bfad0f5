/**
 * Looks, for `doctor`, whether a machine that does not answer does so for another address of this one.
 *
 * @module
 */

import { attempt, errorCode } from "../attempt.ts";
import { settlesWithin } from "../async/timeout.ts";
import { addressScope, ipFamily } from "../parse/ip_address.ts";
import { ipFor, kernelRoutes, type RouteFinding } from "./doctor_route.ts";

/** Longer than an answer takes that comes. */
const ANSWER_MS = 1_500;
const MAX_SOURCES = 4;

/** A finding where a machine answers another address of this one than that of its route. */
export async function sourceFinding(
  address: string,
  { port, signal, askRoute = kernelRoutes() }: {
    port: number;
    signal: AbortSignal;
    askRoute?: ReturnType<typeof kernelRoutes>;
  },
): Promise<RouteFinding | undefined> {
  const route = askRoute(address);
  if (route === undefined || "kind" in route || route.source === undefined) return undefined;
  if (route.device === "lo") return undefined;
  const { source, device, gateway, network = "default" } = route;
  const others = (attempt(() => Deno.networkInterfaces()) ?? []).filter((it) =>
    it.address !== source && ipFamily(it.address) === ipFamily(source) &&
    !["loopback", "link-local"].includes(addressScope(it.address) ?? "")
  ).slice(0, MAX_SOURCES);
  if (others.length === 0) return undefined;
  const [isUsual, ...answered] = await Promise.all(
    [source, ...others.map((it) => it.address)]
      .map((from) => isAnswered(from, { address, port, signal })),
  );
  const other = others[answered.indexOf(true)];
  if (isUsual || other === undefined) return undefined;
  const ip = ipFor(address);
  const to = [network, ...gateway === undefined ? [] : ["via", gateway]].join(" ");
  const { name, address: from } = other;
  return {
    text:
      `what is sent from ${source}, as its route has it, gets no answer, and from ${from} it does`,
    advice: name === device
      ? [
        `have its route use ${from}, here and in the files of the network: ${ip} route replace ${to} dev ` +
        `${device} src ${from}`,
        `if ${source} is to be used, have the routers on the way let it pass`,
      ]
      : [
        `see why it is not sent by ${name}, which has that address: ${ip} rule; ${ip} route show table all`,
      ],
  };
}

/** Whether anything comes back to an address of this machine: a connection, or its refusal. */
async function isAnswered(
  localAddress: string,
  { address, port, signal }: { address: string; port: number; signal: AbortSignal },
): Promise<boolean> {
  const { connect } = await import("node:net");
  signal.throwIfAborted();
  const socket = connect({ host: address, port, localAddress });
  const answer = Promise.withResolvers<boolean>();
  socket.once("connect", () => answer.resolve(true));
  socket.once("error", (error) => answer.resolve(errorCode(error) === "ECONNREFUSED"));
  try {
    return await settlesWithin(answer.promise, ANSWER_MS, { signal }) && await answer.promise;
  } finally {
    socket.destroy();
  }
}
