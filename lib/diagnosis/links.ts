/**
 * The causes before a server answers, link by link: name, connection, proxy, TLS; and what it says
 * without words, such as a connection that it closes. The first row that fits is the cause.
 *
 * @module
 */

import { ipFamily, isLoopbackHost } from "../parse/ip_address.ts";
import { urlHost } from "../parse/probe_target.ts";
import type { Advice, Cause, Seen, SeenWay } from "./cause.ts";

/** Characters of the tokens that panels make; an owner may choose others. */
export const TOKEN_LENGTH = 22;

export const OWN_FIREWALL =
  "see whether a firewall here drops or refuses it: nft list ruleset || iptables-save";

/** Whom a connection goes to: the proxy, if there is one, else the panel. */
function hopOf({ url, proxy }: SeenWay): { host: string; port: number; text: string } {
  const port = url.port === "" ? (url.protocol === "https:" ? 443 : 80) : Number(url.port);
  const { host, port: at } = proxy ?? { host: urlHost(url), port };
  return { host, port: at, text: proxy === undefined ? host : `the proxy ${host}` };
}

/** The address that was tried first, as the error names it; else the host. */
function addressIn({ error }: Seen, way: SeenWay): string {
  const [, address] = /\(([0-9a-f.:]+)(?: and \d+ more)?\)/.exec(error) ?? [];
  return address ?? hopOf(way).host;
}

function clientCommand(way: SeenWay): string {
  const { host, port } = hopOf(way);
  return `openssl s_client -connect ${host}:${port} -servername ${host} </dev/null`;
}

/** The error without "Cannot …", which the line begins with. */
function notConnected({ error }: Seen): string {
  return error.replace(/^Cannot connect to /, "no connection to ")
    .replace(/^Cannot resolve /, "no address for ");
}

function notTrusted({ error }: Seen): string {
  return error.replace(
    /^Cannot trust the certificate of (.*?): /,
    "the certificate of $1 is not trusted: ",
  )
    .replace(/^Cannot start TLS with /, "no TLS with ").replace(/^Cannot connect to /, "");
}

function otherServer({ places }: SeenWay): string {
  return `or ask another name server: ${places.given("--custom-dns ADDRESS")}`;
}

/** A row of one stage, by the words of an error. */
function row(
  id: string,
  stage: Seen["stage"],
  pattern: RegExp | undefined,
  rest: Pick<Cause, "reason" | "actions">,
): Cause {
  const is = pattern && ((seen: Seen) => pattern.test(seen.error));
  return { id, stages: [stage], ...is && { is }, ...rest };
}

/** A row about a server, or a certificate, that says what to do in one sentence. */
function tls(id: string, pattern: RegExp | undefined, action: string | Cause["actions"]): Cause {
  const actions = typeof action === "string" ? () => [action] : action;
  return row(id, "tls", pattern, { reason: notTrusted, actions });
}

/** A proxy that was reached and opens no way to the panel. */
export function refusingProxy(message: string, { url, proxy, places }: SeenWay): Advice[] {
  const host = urlHost(url);
  if (/ 40[17]\b|user or password|authentication method/.test(message)) {
    return [
      proxy?.login === undefined
        ? `put the proxy's user and password into ${places.proxy}: ${
          proxy?.kind ?? "http"
        }://USER:PASSWORD@HOST:PORT`
        : `the proxy does not accept this user and password: correct them in ${places.proxy}`,
    ];
  }
  const without = `or reach ${host} without the proxy: ${places.withoutProxy}`;
  if (/ 403\b|rules forbid/.test(message)) return [`have the proxy allow ${host}`, without];
  if (/ 50[234]\b|unreachable|refused|general failure|TTL/.test(message)) {
    return [
      `see on the proxy's machine whether it reaches ${host}: curl -v ${url.origin}`,
      without,
    ];
  }
  return [
    `see whether ${places.proxy} names a proxy of that kind, and no web server (http://, socks5h://): curl -v -x ` +
    `${proxy?.kind ?? "http"}://${proxy?.host}:${proxy?.port} ${url.origin}`,
    without,
  ];
}

export const LINK_CAUSES: readonly Cause[] = [
  row("name server", "lookup", /name server|no answer within/, {
    reason: ({ error }, way) => {
      const words = error.replace(/^Cannot resolve [^:]*: /, "");
      return `no address for ${hopOf(way).text}: ${
        words.includes("name server") ? words : `the name server does not answer (${words})`
      }`;
    },
    actions: (_, way) => [
      `see whether this machine is online, and its name server right: cat /etc/resolv.conf; ${
        otherServer(way)
      }`,
    ],
  }),
  row("name", "lookup", /no such name/, {
    reason: (_, way) => `there is no such name: ${hopOf(way).host}`,
    actions: (_, way) => [
      way.proxy === undefined
        ? `correct the name in ${way.places.endpoint}, if it is not ${hopOf(way).host}`
        : `correct the proxy's name in ${way.places.proxy}, if it is not ${hopOf(way).host}`,
      `see whether the domain has a record of that name, at its DNS provider: dig +trace ${
        hopOf(way).host
      }`,
    ],
  }),
  row("lookup", "lookup", undefined, {
    reason: notConnected,
    actions: (_, way) => [
      `see what the system makes of the name: getent ahosts ${hopOf(way).host}`,
      otherServer(way),
    ],
  }),
  {
    id: "proxy not reached",
    stages: ["connect"],
    is: (_, way) => way.proxy !== undefined,
    reason: notConnected,
    actions: (_, way) => [
      `see whether the proxy listens: nc -vz ${hopOf(way).host} ${hopOf(way).port}`,
      `correct ${way.places.proxy}, which names it`,
      `or reach the panel without it: ${way.places.withoutProxy}`,
    ],
  },
  {
    id: "not on this machine",
    stages: ["connect"],
    is: (seen, way) => isLoopbackHost(addressIn(seen, way)),
    reason: notConnected,
    actions: (_, way) => [
      `if the panel is on this machine, start it: ss -ltn shows what listens; else correct ${way.places.endpoint}`,
    ],
  },
  row("refused", "connect", /refused/, {
    reason: notConnected,
    actions: (_, way) => [
      `see on the panel's machine whether it listens on port ${
        hopOf(way).port
      }, and not at 127.0.0.1 alone: ss -ltn`,
      `correct the port in ${way.places.endpoint}, if it is another one than ${hopOf(way).port}`,
      "see whether a firewall, here or there, answers in its place: nft list ruleset || iptables-save",
    ],
  }),
  row("own firewall", "connect", /does not let it through/, {
    reason: notConnected,
    actions: () => [
      OWN_FIREWALL,
      "see what else forbids it: journalctl -k | grep -i denied (SELinux, AppArmor)",
    ],
  }),
  row(
    "offline",
    "connect",
    /unreachable|leads nowhere|prohibited|no address of that family|is down/,
    {
      reason: notConnected,
      actions: (seen, way) => {
        const address = addressIn(seen, way);
        return [
          /no address of that family/.test(seen.error) &&
          "see whether an address here may be used, and is not tentative or dadfailed, and a port is free: ip addr; ss -s",
          /host is unreachable/.test(seen.error) &&
          `see who says so, and whether a machine is there: ping -c 3 ${address}; ip neigh show ${address}`,
          `see whether this machine has a route to it, or one that refuses it: ${
            ipFamily(address) === 6 ? "ip -6" : "ip"
          } route get ${address}`,
          OWN_FIREWALL,
        ];
      },
    },
  ),
  row("dropped", "connect", undefined, {
    reason: notConnected,
    actions: (seen, way) => [
      `see from another machine whether it answers: curl -m 10 -I ${way.url.origin}; if it does, a firewall here or ` +
      `on the way drops it: nft list ruleset || iptables-save; traceroute -n ${
        addressIn(seen, way)
      }`,
    ],
  }),
  row("proxy refuses", "proxy", undefined, {
    reason: notConnected,
    actions: ({ error }, way) => refusingProxy(error, way),
  }),
  tls(
    "old TLS",
    /no TLS 1\.2/,
    "have the panel's server speak TLS 1.2 or 1.3 (nginx: ssl_protocols TLSv1.2 TLSv1.3)",
  ),
  tls(
    "ciphers",
    /no cipher in common/,
    "have the panel's server offer TLS 1.3, or ECDHE with AES-GCM (nginx: ssl_ciphers HIGH)",
  ),
  tls(
    "no HTTP/1.1",
    /speaks no HTTP\/1\.1/,
    "have the panel's server speak HTTP/1.1 there, too, as agents do (Caddy: protocols h1 h2)",
  ),
  tls(
    "TLS server failed",
    /server itself has failed/,
    "read the log of the server that ends TLS for the panel",
  ),
  tls(
    "client certificate of TLS",
    /wants a certificate/,
    "let /api/clients/ pass without a client's certificate (nginx: ssl_verify_client optional)",
  ),
  tls("no TLS", /does not speak TLS/, (_, { url, places }) => [
    `correct the port in ${places.endpoint}, if it is another one; if the panel has no TLS, ${
      places.write(`http://${url.host}${url.pathname.replace(/\/$/, "")}`)
    }`,
  ]),
  tls("certificate's date", /expired|not valid (yet|at this time)/, () => [
    "compare the date here: date; if it is right, renew the certificate on the panel's server, or have it load the new " +
    "one (systemctl reload nginx)",
  ]),
  tls("kind of certificate", /X\.509 version 1|purposes|not supported/, (_, { url }) => [
    `make a new certificate for servers, of version 3, with the name in it: openssl req -x509 -addext subjectAltName=${
      ipFamily(urlHost(url)) === undefined ? "DNS" : "IP"
    }:${urlHost(url)} …`,
  ]),
  tls("other name", /another name|no site of that name/, (_, { url, places }) => [
    `correct the name in ${places.endpoint}, if the panel has another one, such as one of the certificate's`,
    `have the panel's server use a certificate for ${
      urlHost(url)
    } (nginx: server_name, ssl_certificate)`,
  ]),
  tls("self-signed", /self-signed/, (_, way) => [
    `if it is the panel's own, trust it: ${
      clientCommand(way)
    } | openssl x509 >FILE, compare it there, and ${way.places.given("--ca-cert FILE")}`,
  ]),
  tls("unknown issuer", /issuer is unknown/, (_, way) => [
    `if the authority is your own, give its certificate: ${
      way.places.given("--ca-cert FILE")
    }; else give the panel's ` +
    "server the full chain (fullchain.pem)",
    `see from another machine whether the issuer is the same; if not, something on the way answers: ${
      clientCommand(way)
    }`,
  ]),
  tls("TLS", undefined, (_, way) => [
    `see what answers there: ${clientCommand(way)}`,
    "see on the panel's machine whether the server that ends TLS hangs, and its error log",
  ]),
  row("hangs", "silent", undefined, {
    reason: ({ error }) => `connected, and ${error}`,
    actions: (_, { url }) => [
      `see on the panel's machine whether the panel hangs, and the load, memory and disk there; it is slow rather than ` +
      `hung if an answer comes later: curl -v ${url.href}`,
      "see in the log of a proxy in front of the panel whom it waits for",
    ],
  }),
  row("closes", "closed", undefined, {
    reason: ({ error }) => `connected, and ${error}`,
    actions: (_, { url }) => [
      `see what answers there, and whether it knows the name ${url.hostname} (nginx: server_name): curl --http1.1 -v ` +
      url.href,
    ],
  }),
  {
    id: "variable for a token",
    stages: ["token"],
    is: (_, { token }) => token.isVariable,
    reason: ({ error }) => `${error}: it is a variable, in whose place nothing puts a token`,
    actions: (_, { places }) => [`write the token itself: ${places.token}`],
  },
  {
    id: "odd token",
    stages: ["token"],
    is: (_, { token }) => token.odd !== undefined,
    reason: ({ error }, { token }) =>
      `${error}: it has the character ${token.odd}, which no token has`,
    actions: (_, { places }) => [`write the token without it: ${places.token}`],
  },
  {
    id: "token of another length",
    stages: ["token"],
    is: (_, { token }) => token.length !== TOKEN_LENGTH,
    reason: ({ error }, { token }) =>
      `${error}: panels make tokens of ${TOKEN_LENGTH} characters, and this one has ${token.length}`,
    actions: (_, { places, token }) => [
      `take the whole one from the node's line on the panel's page: ${places.token}` +
      (token.length > TOKEN_LENGTH
        ? "; the key of auto-discovery is given by --auto-discovery"
        : ""),
    ],
  },
  row("unknown token", "token", undefined, {
    actions: (_, { places }) => [
      `see on the panel's page whether this node is still there; if not, add one, and give its token: ${places.token}`,
    ],
  }),
  row("disconnected", "disconnected", /no answer within/, {
    reason: ({ error }) =>
      error.replace(/^Cannot keep the WebSocket: /, "the WebSocket was lost: "),
    actions: () => [
      "wait: it is opened again; if this repeats, see whether packets are lost on the way (mtr -rn), and whether a " +
      "proxy in front of the panel hangs",
    ],
  }),
  row("closed", "disconnected", undefined, {
    reason: ({ error }) =>
      error.replace(/^Cannot keep the WebSocket: /, "the WebSocket was lost: "),
    actions: () => [
      "wait: it is opened again; if this repeats, see in the log of the panel, and of the proxy in front of it, why " +
      "it closes connections (nginx: proxy_read_timeout)",
    ],
  }),
  {
    id: "WebSockets blocked",
    stages: ["websocket"],
    is: ({ answer }) => answer === undefined || answer.text.includes("Require WebSocket upgrade"),
    reason: ({ error, answer }) =>
      answer === undefined
        ? error.replace(/^Cannot [^:]*: /, "")
        : "the Upgrade header is removed on the way",
    actions: () => [
      "let the proxy in front of the panel pass WebSockets (nginx: proxy_http_version 1.1, and the headers Upgrade and " +
      "Connection; Cloudflare: Network, WebSockets)",
    ],
  },
];
