import { parseCertificates } from "./certificates.ts";
import type { Find, PickValue } from "./found.ts";
import { type Header, withHeaders } from "./headers.ts";
import { OPTIONS } from "./options.ts";
import { type Proxies, proxiesOf } from "./proxies.ts";
import { type ConfigSources, readOrRefuse } from "./sources.ts";
import type { NameServer } from "./values.ts";

/** What was asked for about the way to the panel. */
export interface ConnectionConfig {
  readonly transport: "auto" | "http";
  readonly protocolVersion: 1 | 2;
  readonly reconnectIntervalSeconds: number;
  readonly compression: boolean;
  /** For every request and upgrade; names are HTTP tokens, values printable ASCII. */
  readonly headers: readonly Header[];
  /** PEM texts of certificates to trust beside the well-known ones, one certificate each. */
  readonly caCerts: readonly string[];
  /** Any certificate is trusted. */
  readonly anyCertificate: boolean;
  readonly preferFamily: 4 | 6 | undefined;
  /** `undefined` when the system's are meant. */
  readonly nameServer: NameServer | undefined;
  readonly proxies: Proxies;
}

/**
 * Picks what is about the way to the panel. The stand-in panel is on this machine, where no proxy
 * leads.
 *
 * @throws {UsageError} When a value can't be used.
 */
export function pickConnection(
  { find, pick }: { find: Find; pick: PickValue },
  sources: ConfigSources & { readonly usesProxies: boolean },
): ConnectionConfig {
  const family = pick(OPTIONS.preferIpVersion);
  return {
    transport: pick(OPTIONS.transport),
    protocolVersion: pick(OPTIONS.protocolVersion) === "1" ? 1 : 2,
    reconnectIntervalSeconds: pick(OPTIONS.reconnectInterval),
    compression: !pick(OPTIONS.disableCompression),
    headers: withHeaders(pick(OPTIONS.header), [
      ["CF-Access-Client-Id", pick(OPTIONS.cfAccessClientId)],
      ["CF-Access-Client-Secret", pick(OPTIONS.cfAccessClientSecret)],
    ]),
    caCerts: caCerts(find, sources),
    anyCertificate: pick(OPTIONS.ignoreUnsafeCert),
    preferFamily: family === "" ? undefined : family === "4" ? 4 : 6,
    nameServer: pick(OPTIONS.customDns),
    proxies: sources.usesProxies ? proxiesOf(sources.env) : {},
  };
}

function caCerts(find: Find, { readText }: ConfigSources): readonly string[] {
  const found = find(OPTIONS.caCert);
  if (found === undefined || found.text === "") return [];
  const text = readOrRefuse(found.name, found.text, readText);
  return parseCertificates(text, `${found.name} ${found.text}`);
}
