import { type RawPeer, RawServer } from "../net/raw_server.ts";
import { SystemResolver } from "../../lib/net/dns.ts";
import { ProbePolicy } from "../../lib/probe/policy.ts";

/** A resolver of names that the test knows. */
export function fakeResolver(
  lookUp: (host: string) => readonly string[] | Promise<readonly string[]>,
): SystemResolver {
  return new SystemResolver({
    lookUp: async (host) => await lookUp(host),
    lookUpHosts: () => Promise.resolve([]),
  });
}

/** A policy of a machine without addresses; it allows loopback unless it is told otherwise. */
export function policyOf(resolver: SystemResolver, { allowLocal = true } = {}): ProbePolicy {
  return new ProbePolicy(resolver, { machine: { interfaceAddresses: () => [] }, allowLocal });
}

/** A policy that allows loopback, and under which each name leads to its address, or to 127.0.0.1. */
export function fakePolicy(addresses: Readonly<Record<string, string>> = {}): ProbePolicy {
  return policyOf(fakeResolver((host) => [addresses[host] ?? "127.0.0.1"]));
}

type ProbedServer = RawServer & { readonly requests: readonly string[] };

/**
 * A server that answers by the path of a request, well-formed or not, and remembers what it was sent;
 * afterwards it hangs up, unless the answer is "keep".
 */
export function answering(
  answer: (path: string, peer: RawPeer) => Promise<unknown>,
  options: { hostname?: string } = {},
): ProbedServer {
  const requests: string[] = [];
  const server = new RawServer(async (peer) => {
    const head = new TextDecoder().decode(await peer.readSome());
    requests.push(head);
    if (await answer(head.split(" ")[1] ?? "", peer) === "keep") await peer.ended();
  }, options);
  return Object.assign(server, { requests });
}

/** A server that says this to whatever is asked. */
export function saying(text: string, options: { hostname?: string } = {}): ProbedServer {
  return answering((_, peer) => peer.write(text), options);
}
