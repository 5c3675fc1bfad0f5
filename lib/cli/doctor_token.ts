/**
 * The check of `doctor` of the token, by what a panel has answered.
 *
 * @module
 */

import { codePoint } from "../parse/bounded_text.ts";
import { urlHost } from "../parse/probe_target.ts";
import { variableFile } from "../service/loaded_unit.ts";
import { type CheckResult, failed, ok } from "./checks.ts";
import { given, overridden, reinstall } from "./doctor_options.ts";
import type { Way } from "./doctor_way.ts";

/** What a panel makes of the token; `dropped` is one that never gets to it in the query. */
export type TokenState = "accepted" | "refused" | "missing" | "dropped";

/** What is written around a token, and is none of it. */
const BRACKETS = ["\x22\x22", "''", "``", "\u201c\u201d", "\u2018\u2019", "<>", "[]", "{}"];

/** Characters of the tokens that panels make; an owner may choose others. */
const TOKEN_LENGTH = 22;

/** The result for the token; `refusal` is what the panel has said to refuse it. */
export function tokenResult(
  way: Way,
  { token, refusal, isInHeader }: { token: TokenState; refusal: string; isInHeader: boolean },
): CheckResult {
  const { config } = way;
  if (token === "missing") {
    const { unknownVariables } = config;
    return failed(
      ["no token is configured", ...unknownVariables].join("; "),
      unknownVariables.length > 0
        ? "set the variable by this name: AGENT_TOKEN"
        : config.isConfigInstalled
        ? "give it: komari-agent-deno install --token-file FILE"
        : "give --token-file FILE",
    );
  }
  if (token === "accepted") return ok(isInHeader ? "accepted in a header" : "accepted");
  if (token === "dropped") {
    return failed(
      "the panel takes this token in the body of a call, and never gets it in the query",
      "have the proxy in front of the panel pass the query of requests on (nginx: no URI behind " +
        "proxy_pass, or $is_args$args at its end)",
    );
  }
  const origin = tokenOrigin(way);
  const isOfSeveral = config.furtherPanels.length > 0;
  const unknown = `the panel does not know this token (${origin})`;
  const refused = unknown + refusal;
  const { token: text } = config;
  if (
    text !== text.trim() ||
    BRACKETS.some(([open = "", close = ""]) => text.startsWith(open) && text.endsWith(close))
  ) {
    return failed(
      `${refused}; it is within quotes, brackets or blanks`,
      `write the token without them: ${origin}`,
    );
  }
  if (/^\$(?:\w+|\{\w+\})$/.test(text)) {
    return failed(
      `${refused}; it is a variable, in whose place nothing puts a token there`,
      `write the token itself: ${origin}`,
    );
  }
  const [odd] = /[^!-~]/u.exec(text) ?? [];
  if (odd !== undefined) {
    return failed(
      `${refused}; it has the character U+${codePoint(odd)}, which no token has`,
      `copy the token again from the panel's page, without that: ${origin}`,
    );
  }
  const winning = overridden(way, "AGENT_TOKEN");
  return failed(
    refused,
    winning,
    /^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/i.test(text)
      ? "it has the form of a node's UUID: take the token in its place, from the node's line on the panel's page"
      : text.length !== TOKEN_LENGTH
      ? `panels make tokens of ${TOKEN_LENGTH} characters, and this one has ${text.length}: unless you have ` +
        "chosen it, take the whole one from the node's line on the panel's page"
      : undefined,
    text.length > TOKEN_LENGTH
      ? "or, where it is the key of auto-discovery, give it as that: " +
        given(way, `--auto-discovery KEY${config.isConfigInstalled ? " --unset=token" : ""}`)
      : undefined,
    "see on the panel's page whether this node is still there; if not, add one, and give its token: " +
      (isOfSeveral
        ? `write it into ${origin}, and then: ${reinstall(config)}`
        : given(way, "--token-file FILE")),
    winning === undefined ? `compare the one there with ${origin}` : undefined,
  );
}

/** Where the token was read: an option's place, with the unit's file that sets its variable. */
function tokenOrigin({ config, unit, url }: Way): string {
  const { origins, endpoint, furtherPanels } = config;
  const isFirst = furtherPanels.every((panel) => panel.endpoint !== endpoint);
  const origin = origins.get("token") ?? origins.get("token_file");
  const file = variableFile(unit, "AGENT_TOKEN");
  if (origin?.includes("AGENT_TOKEN") && file !== undefined) return `AGENT_TOKEN in ${file}`;
  const ofPanels = origins.get("panels");
  const entry = ofPanels && `${ofPanels} (${urlHost(url)})`;
  return (isFirst ? origin : undefined) ?? entry ?? "this node's registration";
}
