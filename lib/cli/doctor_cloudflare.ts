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

/** What to do about an answer of Cloudflare's own; `undefined` for any other. */
export function cloudflareAdvice(answer: HttpResponse): string[] | undefined {
  const { status, text, headers } = answer;
  const location = headers.get("location") ?? "";
  if (/\.cloudflareaccess\.com\//.test(location) || /Cloudflare Access/i.test(text)) {
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
  if (status === 525 || status === 526) {
    return [
      "Cloudflare does not accept the certificate of the panel's own server: renew that, or correct " +
      "Cloudflare's SSL/TLS mode",
    ];
  }
  if (status >= 520 && status <= 524) {
    return [
      "Cloudflare gets no answer from the panel's own server: see there whether the panel runs",
      "see there whether a firewall lets Cloudflare's addresses pass",
    ];
  }
  return undefined;
}
