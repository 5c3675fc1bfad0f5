/**
 * What is known, for `doctor`, of this machine's own firewall, by its rules, which root alone may read.
 *
 * @module
 */

import { attempt } from "../attempt.ts";
import { toolPath, ToolRunner, type Tools } from "../host/tool_runner.ts";
import { type CompletedCheck, linesOf, withLines } from "./checks.ts";
import { OWN_FIREWALL } from "./doctor_way.ts";

const RULES_MS = 1_000;

/** Whether rules of this machine may drop or refuse what it sends; `undefined` where that is not known. */
async function refusesSome(tools: Tools, signal: AbortSignal): Promise<boolean | undefined> {
  // Those of the older kind are none of nft's.
  const older = ["ip_tables_names", "ip6_tables_names"]
    .map((file) => attempt(() => Deno.readTextFileSync(`/proc/net/${file}`)) ?? "").join("");
  if (older !== "") return undefined;
  const command = { tool: "nft", args: ["list", "ruleset"] };
  const { code, output } = await tools.run(command, { signal, timeoutMs: RULES_MS });
  if (code !== 0) return undefined;
  const refuses = /\b(?:drop|reject)\b/i;
  if (!refuses.test(output)) return false;
  const chains = output.split(/\n\s*chain /);
  return chains.some((chain) => /hook output/.test(chain) && refuses.test(chain)) || undefined;
}

/** Checks whose look at this machine's own firewall comes first where that may be the cause, and goes where not. */
export async function withFirewall(
  checks: readonly CompletedCheck[],
  { signal, tools = new ToolRunner({ PATH: toolPath() }) }: { signal: AbortSignal; tools?: Tools },
): Promise<readonly CompletedCheck[]> {
  const isAsked = ({ causes }: CompletedCheck) => causes?.includes(OWN_FIREWALL) === true;
  if (!checks.some(isAsked)) return checks;
  const refuses = await refusesSome(tools, signal);
  if (refuses === undefined) return checks;
  return checks.map((it) => {
    if (!isAsked(it)) return it;
    const others = linesOf(it).filter((line) => line !== OWN_FIREWALL);
    const text = refuses
      ? `${it.text}; a firewall of this machine has rules for what it sends`
      : `${it.text}; no firewall of this machine drops anything`;
    return withLines({ ...it, text }, refuses ? [OWN_FIREWALL, ...others] : others);
  });
}
