/**
 * What is known, for `doctor`, of this machine's own firewall, by its rules, which root alone may read.
 *
 * @module
 */

import { attempt } from "../attempt.ts";
import { toolPath, ToolRunner, type Tools } from "../host/tool_runner.ts";
import { nftRuleset } from "../parse/iptables_rules.ts";
import { type CompletedCheck, linesOf, type LostPacket, withLines } from "./checks.ts";
import { type DroppingRule, droppingRule } from "./doctor_firewall_rules.ts";
import { OWN_FIREWALL } from "./doctor_way.ts";

const RULES_MS = 2_000;

/** The rules of this machine that can be read, and whether these are all. */
async function readRules(
  tools: Tools,
  signal: AbortSignal,
): Promise<{ rules: string; areAll: boolean }> {
  const run = async (tool: string, ...args: readonly string[]) => {
    const { code, output } = await tools.run({ tool, args }, { signal, timeoutMs: RULES_MS });
    return code === 0 ? output : undefined;
  };
  const newer = await run("nft", "-a", "list", "ruleset");
  // Those of the older kind are none of nft's.
  const families = (["ip", "ip6"] as const).filter((family) =>
    (attempt(() => Deno.readTextFileSync(`/proc/net/${family}_tables_names`)) ?? "") !== ""
  );
  const older = await Promise.all(families.map(async (family) => {
    const saved = await run(`${family}tables-legacy-save`) ?? await run(`${family}tables-save`);
    return saved && nftRuleset(saved, family);
  }));
  const read = [newer, ...older];
  return { rules: read.join("\n"), areAll: !read.includes(undefined) };
}

/** Whether rules of this machine may drop or refuse what it sends; `undefined` where that is not known. */
function refusesSome(rules: string): boolean | undefined {
  const refuses = /\b(?:drop|reject)\b/i;
  if (!refuses.test(rules)) return false;
  const chains = rules.split(/\n\s*chain /);
  return chains.some((chain) => /hook output/.test(chain) && refuses.test(chain)) || undefined;
}

/** Checks whose look at this machine's own firewall comes first where that may be the cause, and goes where not. */
export async function withFirewall(
  checks: readonly CompletedCheck[],
  { signal, tools = new ToolRunner({ PATH: toolPath() }) }: { signal: AbortSignal; tools?: Tools },
): Promise<readonly CompletedCheck[]> {
  const isAsked = (it: CompletedCheck) =>
    it.lost !== undefined &&
    linesOf(it).some((line) => /nft list ruleset/.test(line));
  if (!checks.some(isAsked)) return checks;
  const { rules, areAll } = await readRules(tools, signal);
  // A rule that drops is certain; that there is none takes all of them.
  const refuses = areAll ? refusesSome(rules) : undefined;
  return checks.map((it) => {
    if (!isAsked(it) || it.lost === undefined) return it;
    const rule = droppingRule(rules, it.lost);
    if (rule !== undefined) {
      const { text, table, chain } = rule;
      const why =
        `a rule of this machine's own firewall is why: "${text}" in chain ${chain} of table ${table}`;
      return withLines({ ...it, text: withCause(it.text, why) }, [
        ruleAdvice(rule, { ...it.lost, rules }),
      ]);
    }
    if (refuses === undefined || it.causes?.includes(OWN_FIREWALL) !== true) return it;
    const others = linesOf(it).filter((line) => line !== OWN_FIREWALL);
    const known = refuses
      ? "a firewall of this machine has rules for what it sends"
      : "no firewall of this machine drops anything";
    const text = withCause(it.text, known);
    return withLines({ ...it, text }, refuses ? [OWN_FIREWALL, ...others] : others);
  });
}

/** A finding with a cause, which stands before what else answers. */
function withCause(text: string, cause: string): string {
  return text.replace(/(?=; (?:a Komari panel answers at|it connects for) )|$/, () => `; ${cause}`);
}

/** How to see and remove a rule, by the program that has made it. */
function ruleAdvice(
  { text, table, chain, handle, isOfAnswer }: DroppingRule,
  { port, address, isUdp = false, rules }: LostPacket & { rules: string },
): string {
  const protocol = isUdp ? "udp" : "tcp";
  // Tables of iptables have chains in capitals.
  const isOfIptables = chain === chain.toUpperCase() && !table.startsWith("inet ");
  const isOfUfw = /\bufw6?-/.test(text.startsWith("policy ") ? rules : chain);
  // A rule for that address, port or user is removed; what drops everything is there for a reason.
  if (!/\b(?:[sd]port|[sd]addr|skuid)\b/.test(text) && (isOfAnswer || !isOfUfw)) {
    const [passing, words] = isOfAnswer
      ? ["ct state established,related", "-m conntrack --ctstate ESTABLISHED,RELATED"]
      : [`${protocol} dport ${port}`, `-p ${protocol} --dport ${port}`];
    const command = isOfIptables
      ? `${table.split(" ", 1)}tables -I ${chain} ${words} -j ACCEPT`
      : `nft insert rule ${table} ${chain} ${passing} accept`;
    return `let it pass before that, here and in the file from which the rules are loaded: ${command}`;
  }
  if (isOfUfw) {
    return `let it pass: ufw allow out ${port}/${protocol}; ufw status numbered shows the rule that refuses it`;
  }
  if (table.endsWith(" firewalld")) {
    return "remove it where firewalld has it: firewall-cmd --list-all-policies; firewall-cmd --direct " +
      "--get-all-rules";
  }
  const [family, name = ""] = table.split(" ");
  if (isOfIptables) {
    // nft numbers all rules of its own.
    const iptables = `${family}tables${handle === undefined ? "-legacy" : ""}`;
    return `remove it, and from the file that it is restored from: ${iptables} -t ${name} -S ${chain}, ` +
      `and with -D in place of -A; or let port ${port} of ${address} pass before it`;
  }
  return handle === undefined
    ? `let port ${port} of ${address} pass there, such as in /etc/nftables.conf: nft -a list chain ${table} ${chain}`
    : `remove it, and from the file that it is loaded from, such as /etc/nftables.conf: nft -a list ` +
      `chain ${table} ${chain}; nft delete rule ${table} ${chain} handle ${handle}`;
}
