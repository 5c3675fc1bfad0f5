/**
 * Options about the way to the panel.
 *
 * @module
 */

import { parseHeaders, parseHeaderValue } from "./headers.ts";
import { checked, choice, number, type Option, text, toggle } from "./option.ts";
import { type NameServer, parseNameServer } from "./values.ts";

/** Part of the option table, apart for its length only. */
export const CONNECTION_OPTIONS = {
  transport: choice({
    ...names("transport"),
    help: "The best that works, WebSocket before HTTP, or HTTP alone",
    initial: "auto",
    allowed: ["auto", "http"],
  }),
  protocolVersion: choice({
    ...names("protocol-version"),
    help: "The newest version of the panel's protocol to try; older panels are recognized",
    initial: "2",
    allowed: ["1", "2"],
  }),
  reconnectInterval: number({
    ...names("reconnect-interval"),
    short: "c",
    placeholder: "SECONDS",
    help: "The longest wait between two tries to connect, in the first minute",
    initial: 2,
    min: 0.1,
    max: 86_400,
  }),
  preferIpVersion: choice<"" | "4" | "6">({
    ...names("prefer-ip-version"),
    placeholder: "4|6",
    help: "Try the panel's addresses of this IP version first",
    initial: "",
    initialText: "both",
    allowed: ["4", "6"],
  }),
  customDns: checked<NameServer | undefined>({
    ...names("custom-dns"),
    placeholder: "HOST[:PORT]",
    help: "The name server that is asked for the panel's address; IPv6 in brackets",
    initial: undefined,
    initialText: "the system's",
    parse: parseNameServer,
  }),
  disableCompression: toggle({
    ...names("disable-compression"),
    help: "Send without compression",
  }),
  header: headers({
    flag: "header",
    variable: "AGENT_HEADERS",
    key: "headers",
    group: "Way to the panel",
    placeholder: "'NAME: VALUE'",
    secret: true,
    separator: "\n",
    repeats: true,
    help: "A header for everything that is sent to the panel; may be repeated, in the variable " +
      "one per line",
  }),
  cfAccessClientId: checked<string>({
    ...names("cf-access-client-id"),
    placeholder: "ID",
    secret: true,
    help: "For a panel behind Cloudflare Access: the header CF-Access-Client-Id",
    initial: "",
    parse: parseHeaderValue,
  }),
  cfAccessClientSecret: checked<string>({
    ...names("cf-access-client-secret"),
    placeholder: "SECRET",
    secret: true,
    help: "For a panel behind Cloudflare Access: the header CF-Access-Client-Secret",
    initial: "",
    parse: parseHeaderValue,
  }),
  caCert: text({
    ...names("ca-cert"),
    placeholder: "FILE",
    help: "A PEM file of certificates to trust beside the well-known ones",
    initialText: "none",
  }),
  ignoreUnsafeCert: toggle({
    ...names("ignore-unsafe-cert"),
    short: "u",
    help: "Trust any certificate: whoever sits in between can read the token",
  }),
} as const;

function headers(
  row: Omit<Option<ReturnType<typeof parseHeaders>>, "parse" | "initial">,
): Option<ReturnType<typeof parseHeaders>> {
  return { ...row, initial: [], initialText: "none", parse: parseHeaders };
}

function names(flag: string) {
  const key = flag.replaceAll("-", "_");
  const group = "Way to the panel" as const;
  return { flag, variable: `AGENT_${key.toUpperCase()}`, key, group };
}
