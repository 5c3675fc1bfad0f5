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
