import { assertEquals, assertStringIncludes } from "@std/assert";
import type { CompletedCheck } from "../../lib/cli/checks.ts";
import { withFirewall } from "../../lib/cli/doctor_firewall.ts";
import { OWN_FIREWALL } from "../../lib/cli/doctor_way.ts";
import type { Tools } from "../../lib/host/tool_runner.ts";
import { replaced } from "../replaced.ts";

const CONNECT: CompletedCheck = {
  ...{ id: "connect", title: "TCP", status: "failed", text: "no answer", ms: 1 },
  causes: ["see there", OWN_FIREWALL],
  lost: { address: "192.0.2.7", port: 443, uid: 994 },
};

/** What becomes of a check on a machine whose `nft` answers so, with these tables of the older kind. */
async function checked(
  code: number,
  output: string,
  older = "",
  text = CONNECT.text,
  tools: Tools = { run: () => Promise.resolve({ code, output }) },
) {
  using _ = replaced(Deno, { readTextFileSync: () => older });
  const { signal } = new AbortController();
  const [found] = await withFirewall([{ ...CONNECT, text }], { tools, signal });
  return [found?.text, found?.causes ?? [found?.advice]];
}

Deno.test("withFirewall() leaves out what this machine does not have, and begins with what it has", async () => {
  const chain = (hook: string, rule: string) =>
    `table inet f {\n\tchain x {\n\t\ttype filter hook ${hook} priority filter; policy accept;\n\t\t${rule}\n`;
  assertEquals(await checked(0, ""), [
    "no answer; no firewall of this machine drops anything",
    ["see there"],
  ]);
  assertEquals((await checked(0, chain("output", "tcp dport 22 accept")))[1], ["see there"]);
  for (
    const rule of ["tcp dport 443 meta mark 1 drop", "ip daddr @x reject with icmp host-prohibited"]
  ) {
    assertEquals(await checked(0, chain("output", rule)), [
      "no answer; a firewall of this machine has rules for what it sends",
      [OWN_FIREWALL, "see there"],
    ]);
  }
  const elsewhere = "; a Komari panel answers at http://p.example:81";
  assertEquals(
    (await checked(0, chain("output", "tcp dport 443 drop"), "", `refused${elsewhere}`))[0],
    'refused; a rule of this machine\'s own firewall is why: "tcp dport 443 drop" in chain x of table ' +
      `inet f${elsewhere}`,
  );
  const same = [CONNECT.text, CONNECT.causes];
  assertEquals(await checked(0, chain("input", "tcp dport 22 drop")), same);
  const accepting = chain("input", "tcp dport 22 drop") + chain("output", "accept");
  assertEquals(await checked(0, accepting), same);
  assertEquals((await checked(0, chain("input", "drop")))[1], [
    "let it pass before that, here and in the file from which the rules are loaded: nft insert rule inet f x ct " +
    "state established,related accept",
  ]);
  assertEquals(await checked(1, "Operation not permitted"), same);
  assertEquals(await checked(1, "", "filter\n"), same, "iptables has tables of its own");
});

Deno.test("withFirewall() names the rule that drops it, and how it is removed", async () => {
  const type = "type filter hook output priority filter; policy accept;";
  const of = (table: string, chain: string, rule: string) =>
    checked(
      0,
      `table ${table} {\n\tchain ${chain} {\n\t\t${type}\n\t\t${rule} # handle 4\n\t}\n}\n`,
    );
  const table = [
    ["inet filter", "output", "nft delete rule inet filter output handle 4"],
    ["ip filter", "OUTPUT", "iptables -t filter -S OUTPUT"],
    ["ip6 filter", "OUTPUT", undefined],
    ["inet firewalld", "filter_OUTPUT", "firewall-cmd --list-all-policies"],
    ["ip filter", "ufw-user-output", "ufw allow out 443/tcp"],
  ] as const;
  for (const [name, chain, advice] of table) {
    const [text, [line = "", ...others] = []] = await of(name, chain, "tcp dport 443 drop");
    if (advice === undefined) {
      assertEquals(line, OWN_FIREWALL, "of the other family");
      continue;
    }
    const rule = `"tcp dport 443 drop" in chain ${chain} of table ${name}`;
    assertEquals(text, `no answer; a rule of this machine's own firewall is why: ${rule}`);
    assertEquals([others, line.includes(advice)], [[], true], line);
  }
});

Deno.test("withFirewall() has a connection pass before what drops everything", async () => {
  const of = async (name: string, chain: string, rule: string, policy = "accept", more = "") => {
    const type = `type filter hook output priority filter; policy ${policy};`;
    const rules = `table ${name} {\n\tchain ${chain} {\n\t\t${type}\n\t\t${rule}\n\t}\n}\n${more}`;
    const [, [line = ""] = []] = await checked(0, rules);
    return line.replace(/^let it pass.*?: /, "");
  };
  const passing = "iptables -I OUTPUT -p tcp --dport 443 -j ACCEPT";
  assertEquals(await of("ip filter", "OUTPUT", "tcp dport 22 accept", "drop"), passing);
  assertEquals(await of("ip filter", "OUTPUT", "counter reject # handle 4"), passing);
  const nft = "nft insert rule inet f output tcp dport 443 accept";
  assertEquals(await of("inet f", "output", "udp dport 53 accept", "drop"), nft);
  const ufw = "table ip filter {\n\tchain ufw-user-output {\n\t}\n}\n";
  const ofUfw = await of("ip filter", "OUTPUT", "", "drop", ufw);
  assertEquals(ofUfw.startsWith("ufw allow out 443/tcp;"), true, ofUfw);
  assertStringIncludes(
    await of("ip filter", "OUTPUT", "tcp dport 443 drop # handle 4", "accept", ufw),
    "iptables -t filter -S OUTPUT",
  );
});

Deno.test("withFirewall() reads the rules of the older iptables, where it has tables of its own", async () => {
  const saved = (...lines: string[]) =>
    ["*filter", ":INPUT ACCEPT [0:0]", ":OUTPUT ACCEPT [0:0]", ":my - [0:0]", ...lines, "COMMIT"]
      .join("\n") + "\n";
  const of = async (...lines: string[]) => (await checked(0, saved(...lines), "filter\n"))[0];
  const drop = "meta l4proto tcp tcp dport 443 drop";
  const found = "no answer; a rule of this machine's own firewall is why: ";
  assertEquals(
    await of('-A OUTPUT -p tcp -m tcp --dport 443 -m comment --comment "no 443" -j DROP'),
    `${found}"${drop}" in chain OUTPUT of table ip filter`,
  );
  assertEquals(
    await of(
      '-A OUTPUT -j LOG --log-prefix "x y "',
      "-A OUTPUT -d 192.0.2.0/24 ! -o lo -j my",
      "-A my -m multiport --dports 80,440:445 -p tcp -m owner --uid-owner 994 -j REJECT --reject-with tcp-reset",
    ),
    `${found}"tcp dport { 80, 440-445 } meta l4proto tcp skuid 994 reject with tcp-reset" in chain my of ` +
      "table ip filter",
  );
  assertEquals(
    await of("-A OUTPUT -g my", "-A my -m conntrack --ctstate NEW,RELATED -j REJECT"),
    `${found}"ct state { new, related } reject" in chain my of table ip filter`,
  );
  const [, [advice = ""] = []] = await checked(
    0,
    saved("-A OUTPUT -p tcp -m tcp --dport 443 -j DROP"),
    "filter\n",
  );
  assertStringIncludes(advice, "iptables-legacy -t filter -S OUTPUT");
  for (
    const before of [
      "-A OUTPUT -p tcp -m tcp --dport 443 -j ACCEPT",
      "-A OUTPUT -m limit --limit 3/min -j ACCEPT",
      "-A OUTPUT -p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN -j ACCEPT",
    ]
  ) {
    const text = await of(before, "-A OUTPUT -p tcp -m tcp --dport 443 -j DROP");
    assertEquals(text?.includes("is why"), false, before);
  }
  const withoutNft = (output: string) => {
    const run: Tools["run"] = ({ tool }) =>
      Promise.resolve(tool === "nft" ? { code: 127, output: "" } : { code: 0, output });
    return checked(0, "", "filter\n", CONNECT.text, { run });
  };
  assertEquals(await withoutNft(saved()), [CONNECT.text, CONNECT.causes], "nft may have others");
  const [text] = await withoutNft(saved("-A OUTPUT -p tcp -m tcp --dport 443 -j DROP"));
  assertEquals(text, `${found}"${drop}" in chain OUTPUT of table ip filter`);
});
