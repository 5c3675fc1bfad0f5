import { type RawPeer, RawServer, type RawServerOptions } from "../net/raw_server.ts";
import { SystemResolver } from "../../lib/net/dns.ts";
import { ProbePolicy } from "../../lib/probe/policy.ts";

/** The addresses to which a name leads. */
export type LookUp = (host: string) => readonly string[] | Promise<readonly string[]>;

/** A resolver of names that the test knows. */
export function fakeResolver(lookUp: LookUp): SystemResolver {
  return new SystemResolver({
    lookUp: async (host) => await lookUp(host),
    lookUpHosts: () => Promise.resolve([]),
  });
}

/** A policy that allows loopback, and under which each name leads there if nothing else is said. */
export function fakePolicy(lookUp: LookUp = () => ["127.0.0.1"]): ProbePolicy {
  const machine = { interfaceAddresses: () => [] };
  return new ProbePolicy(fakeResolver(lookUp), { machine, allowLocal: true });
}

type ProbedServer = RawServer & { readonly requests: readonly string[] };

/**
 * A server that answers by the path of a request, well-formed or not, and remembers what it was sent;
 * afterwards it hangs up, unless the answer is "keep".
 */
export function answering(
  answer: (path: string, peer: RawPeer) => Promise<unknown>,
  options: RawServerOptions = {},
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
export function saying(text: string, options?: RawServerOptions): ProbedServer {
  return answering((_, peer) => peer.write(text), options);
}
