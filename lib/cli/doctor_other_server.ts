/**
 * Looks, for `doctor`, whether each address of a panel's name leads to that panel.
 *
 * @module
 */

import { isTimeout, withTimeout } from "../async/timeout.ts";
import { DialError } from "../net/errors.ts";
import { reasonOf } from "../panel/http_exchange.ts";
import { ipFamily } from "../parse/ip_address.ts";
import { type CheckResult, result } from "./checks.ts";
import { answererText } from "./doctor_advice.ts";
import { isChallenge } from "./doctor_cloudflare.ts";
import { PanelCalls } from "./doctor_panel_calls.ts";
import { webFirewall } from "./doctor_web_firewall.ts";
import { failureText, type Way } from "./doctor_way.ts";
import { oldAddressAdvice, preferOther, strayAdvice, waysByAddress } from "./doctor_addresses.ts";

/** For the calls at one address, at the same time as at the others. */
const ADDRESS_MS = 2_500;

/** The answer at one address of the name: of another server (0), of a panel (1), of this node's panel (2). */
interface Address {
  readonly address: string;
  readonly match: 0 | 1 | 2;
  readonly text: string;
}

/**
 * A finding where a panel answers at one address of the name, and something else, or a panel that does not
 * know the token, at another one. With `isLate` no answer came when all were tried: else one that is late at
 * one address alone is no other server's.
 */
export async function otherServer(
  way: Way,
  options: { isLate?: boolean; signal: AbortSignal },
): Promise<CheckResult | undefined> {
  const tried = await Promise.all(waysByAddress(way).map((it) => answererOf(it, options)));
  const all = tried.filter((it) => it !== undefined);
  const best = Math.max(...all.map(({ match }) => match));
  const good = all.find(({ match }) => match === best);
  const bad = all.find(({ match }) => match < best);
  if (good === undefined || bad === undefined) return undefined;
  // Those of one family are tried in no order.
  const isUsed = ipFamily(bad.address) === ipFamily(good.address) ||
    all.indexOf(bad) < all.indexOf(good);
  return {
    ...result(
      isUsed ? "failed" : "warning",
      `${good.text} at ${good.address}, and at ${bad.address}, another address of the name, ${bad.text}`,
      ...bad.match === 0
        ? strayAdvice(bad.address, good.address, way)
        : [oldAddressAdvice(bad.address, way), preferOther(bad.address, good.address, way)],
    ),
    kind: "other_server",
  };
}

async function answererOf(
  way: ReturnType<typeof waysByAddress>[number],
  { isLate = false, signal }: { isLate?: boolean; signal: AbortSignal },
): Promise<Address | undefined> {
  const { address } = way;
  const ask = (signal: AbortSignal) => new PanelCalls(way).identify(signal);
  try {
    const { protocol, token, answer } = await withTimeout(ask, { timeoutMs: ADDRESS_MS, signal });
    if (protocol !== undefined) {
      return token === "accepted"
        ? { address, match: 2, text: "the panel answers" }
        : { address, match: 1, text: "a Komari panel that does not know the token answers" };
    }
    const { status, text } = answer;
    // A limit or a firewall does not show which server is behind it.
    const isLimit = status === 429 || status === 503;
    if (isLimit || isChallenge(answer) || webFirewall(answer) !== undefined) return undefined;
    const server = answererText(answer, { ...way, answeredBy: "" });
    return { address, match: 0, text: `the answer is status ${status}${reasonOf(text)}${server}` };
  } catch (error) {
    signal.throwIfAborted();
    // Where no connection or no TLS is made is the finding of other checks.
    if (error instanceof DialError || isTimeout(error) && !isLate) return undefined;
    return { address, match: 0, text: `a call gets none: ${failureText(error)}` };
  }
}
