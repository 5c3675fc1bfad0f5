/**
 * Parser of what `iptables-save` prints: puts its rules into the words of `nft list ruleset`.
 *
 * @module
 */

/** Conditions by their options; another one stays as it is, and so is none that is known. */
const CONDITIONS: Readonly<Record<string, string>> = {
  ...{ "-p": "meta l4proto", "-d": "ip daddr", "-o": "oifname", "--uid-owner": "skuid" },
  ...{
    "--dport": "tcp dport",
    "--dports": "tcp dport",
    "--ctstate": "ct state",
    "--state": "ct state",
  },
};
/** Targets that decide about a packet; others but `LOG` are chains. */
const VERDICTS = ["DROP", "REJECT", "ACCEPT", "RETURN"];

/** The rules that `iptables-save`, or `ip6tables-save` of that family, has printed. */
export function nftRuleset(saved: string, family: "ip" | "ip6"): string {
  return saved.split(/^\*/m).slice(1).map((text) => {
    const [table = ""] = text.split("\n", 1);
    const chains = [...text.matchAll(/^:(\S+) (\S+)/gm)].map(([, name = "", policy = "-"]) => {
      const type = table === "nat" ? "nat" : "filter";
      const hook = `type ${type} hook ${name} priority 0; policy ${policy};`.toLowerCase();
      const rules = [...text.matchAll(/^-A (\S+)(.*)/gm)].filter(([, of]) => of === name)
        .map(([, , rule = ""]) => nftRule(rule));
      const lines = policy === "-" ? rules : [hook, ...rules];
      return [`\tchain ${name} {`, ...lines.map((line) => `\t\t${line}`), "\t}"].join("\n");
    });
    return [`table ${family} ${table} {`, ...chains, "}"].join("\n");
  }).join("\n");
}

function nftRule(rule: string): string {
  const [, given = rule, kind, target = "", more = ""] = /^(.*) -([jg]) (\S+)(.*)$/.exec(rule) ??
    [];
  const words = given.match(/"[^"]*"|\S+/g) ?? [];
  const parts: string[] = [];
  while (words.length > 0) {
    const not = words[0] === "!" ? ["!="] : [];
    const [name = "", value = ""] = words.splice(not.length, 2);
    words.splice(0, not.length);
    // Modules are named before their conditions.
    if (name === "-m" || name === "--comment") continue;
    const list = value.toLowerCase().replaceAll(":", "-").replaceAll(",", ", ");
    const isList = /^--(?:dport|(?:ct)?state)/.test(name);
    const shown = !isList ? value : list.includes(",") ? `{ ${list} }` : list;
    parts.push(CONDITIONS[name] ?? name, ...not, shown);
  }
  if (VERDICTS.includes(target)) {
    parts.push(target.toLowerCase(), more.replace(" --reject-with ", "with "));
  } else if (kind !== undefined && target !== "LOG") {
    parts.push(kind === "j" ? "jump" : "goto", target);
  }
  return parts.join(" ").trim();
}
