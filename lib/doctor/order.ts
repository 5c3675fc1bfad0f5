/**
 * The order of checks: the cause first, and what only follows from it folded below it.
 *
 * @module
 */

import type { Check } from "./check.ts";

/** The links between this machine and an accepted report, in the order in which they need each other. */
const WAY: readonly string[] = ["network", "dns", "connect", "tls", "panel", "token"];
const CHAIN: readonly string[] = [
  ...["config", ...WAY, "clock", "websocket", "service", "agent", "agents", "connections"],
];

/** What a failure shows again: the checks that have failed, those that follow, and by which text of theirs. */
const CONSEQUENCES: readonly (readonly [
  links: readonly string[],
  follow: readonly string[],
  text?: RegExp,
])[] = [
  [WAY, ["agent", "connections"]],
  [["network", "dns", "connect"], ["probes", "version"]],
  [["config"], ["service", "agent"]],
  [["panel", "token"], ["service"], /Cannot (?:report without|read --config)/],
  [["service"], ["agent"]],
  [["agents"], ["agent", "connections"]],
  [["network"], ["interfaces", "ping"]],
  [["ping"], ["probes"]],
];

/** A process that a signal has stopped follows from nothing else. */
const OWN_CAUSE = /was stopped by a signal/;

/** Nothing is lost by it today: all other problems stand before it. */
const HINT = /every user of this machine can read its token$|everything goes unencrypted$/;

/** Orders checks by what they need, and marks those that only show the failure of another one. */
export function inOrder(checks: readonly Check[]): Check[] {
  const rank = ({ status, text }: Check) =>
    status === "failed" ? 0 : status !== "warning" ? 3 : HINT.test(text) ? 2 : 1;
  const place = ({ id }: Check) => CHAIN.indexOf(id) + 1 || CHAIN.length + 1;
  const ordered = checks.toSorted((one, other) =>
    rank(one) - rank(other) || place(one) - place(other)
  );
  const causeOf = (it: Check): string | undefined => {
    if (it.follows !== undefined || rank(it) > 2 || OWN_CAUSE.test(it.text)) return it.follows;
    const cause = ordered.find((link) =>
      link !== it && link.status === "failed" && link.follows === undefined &&
      CONSEQUENCES.some(([links, follow, text]) =>
        links.includes(link.id) && follow.includes(it.id) && (text?.test(it.text) ?? true)
      )
    );
    return cause && (causeOf(cause) ?? cause.id);
  };
  return ordered.map((it) => ({ ...it, follows: causeOf(it) }));
}
