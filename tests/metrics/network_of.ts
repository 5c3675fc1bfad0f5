import { type LookupTraits, NetworkCollector } from "../../lib/metrics/network.ts";

type Links = NonNullable<ConstructorParameters<typeof NetworkCollector>[2]["links"]>;

/** A collector of all interfaces of a text, whose links know nothing but what is given. */
export function networkOf(
  read: () => string | undefined,
  traits: LookupTraits,
  links: Partial<Links> = {},
): NetworkCollector {
  const none = { find: () => undefined, counters: () => undefined, kind: () => undefined };
  return new NetworkCollector({ read }, traits, {
    globs: { include: [], exclude: [] },
    links: { hasChanged: () => false, ...none, ...links },
  });
}
