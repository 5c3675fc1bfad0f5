/**
 * Advice of `doctor` on what Cloudflare, in front of a panel, answers in its place.
 *
 * @module
 */

import type { HttpResponse } from "../net/http_client.ts";

/** Whether Cloudflare asks for a proof that only a browser can give. */
export function isChallenge({ headers }: HttpResponse): boolean {
  return headers.get("cf-mitigated") === "challenge";
}

/** Whether headers have one of that name. */
export function sends(
  headers: readonly (readonly [name: string, value: string])[],
  name: string,
): boolean {
  return headers.some(([it]) => it.toLowerCase() === name);
}

/** Advice about an answer of Cloudflare's own, to these headers of the configuration; `undefined` for any other. */
export function cloudflareAdvice(
  answer: HttpResponse,
  sent: readonly (readonly [name: string, value: string])[] = [],
): string[] | undefined {
  const { status, text, headers } = answer;
  const location = headers.get("location") ?? "";
  if (/\.cloudflareaccess\.com\//.test(location) || /Cloudflare Access/i.test(text)) {
    if (sends(sent, "cf-access-client-id")) {
      return [
        "Cloudflare Access does not take the service token that is given: see there whether it has ended, and " +
        "whether a policy of the action Service Auth has it",
      ];
    }
    return [
      "Cloudflare Access asks for a login: give --cf-access-client-id and --cf-access-client-secret of " +
      "a service token, or let /api/clients/ pass there",
    ];
  }
  if (isChallenge(answer)) {
    return [
      "have Cloudflare let /api/clients/ pass: a rule of Security, WAF that skips for that path, and " +
      "Bot Fight Mode off, which knows no exceptions",
      "or give the panel a name that does not go through Cloudflare (DNS only)",
    ];
  }
  if (status === 530) return /1033|Tunnel/i.test(text) ? TUNNEL_ADVICE : ORIGIN_NAME_ADVICE;
  const [, code = ""] = /\berror code: (\d{4})\b/i.exec(text) ?? [];
  return OF_CODE[code] ?? OF_STATUS[status];
}

/** Cloudflare's own refusals, by the code that they name. */
const OF_CODE: Readonly<Record<string, string[]>> = {
  1000: [
    "correct the address of the panel's name in Cloudflare's DNS: it is one of Cloudflare's own",
  ],
  1003: ["give the panel's name rather than an address of Cloudflare's"],
  1010: ["switch Cloudflare's Browser Integrity Check off for /api/clients/: it refuses programs"],
  1015: ["raise Cloudflare's rate limit for /api/clients/: Security, WAF, Rate limiting rules"],
  1016: ["correct the name of the panel's own server in Cloudflare's DNS: it has no address"],
  1020: [
    "correct the rule of Cloudflare's WAF that refuses this machine: Security, Events names it",
  ],
  ...Object.fromEntries(["1006", "1007", "1008", "1009"].map((code) => [code, [
    "let this machine's address, or its country, pass in Cloudflare: Security, WAF, Tools",
  ]])),
};

const ORIGIN_NAME_ADVICE = [
  "correct the address of the panel's own server in Cloudflare's DNS: Cloudflare can't resolve it",
];
const TUNNEL_ADVICE = [
  "start cloudflared on the panel's machine: its tunnel is not connected to Cloudflare (systemctl status " +
  "cloudflared)",
];

/** Cloudflare's own answers about the server behind it. */
const OF_STATUS: Readonly<Record<number, string[]>> = {
  520: [
    "the panel's own server closes Cloudflare's connections, or answers no HTTP: read its log, and that of " +
    "the proxy on its machine",
  ],
  521: [
    "the panel's own server refuses Cloudflare's connections: see there whether the panel, or the proxy " +
    "before it, listens: ss -ltn",
    "see there whether a firewall refuses Cloudflare's addresses: nft list ruleset || iptables-save",
  ],
  522: [
    "Cloudflare gets no connection to the panel's own server: see there whether a firewall drops " +
    "Cloudflare's addresses: nft list ruleset || iptables-save",
    "see whether Cloudflare's DNS has the address of that server",
    "see whether that server is up, and not overloaded",
  ],
  523: ["correct the address of the panel's own server in Cloudflare's DNS: no way leads to it"],
  524: [
    "the panel's own server takes Cloudflare's connections, and does not answer within 100 s: see there " +
    "whether the panel hangs, or is overloaded",
  ],
  525: [
    "TLS between Cloudflare and the panel's own server can't be started: see whether that speaks TLS on " +
    "port 443 for this name: openssl s_client -connect SERVER:443 -servername NAME",
    "or set Cloudflare's SSL/TLS mode to Flexible, if it has no TLS",
  ],
  526: [
    "Cloudflare does not accept the certificate of the panel's own server: renew that, or correct " +
    "Cloudflare's SSL/TLS mode (Full accepts any certificate)",
  ],
};
