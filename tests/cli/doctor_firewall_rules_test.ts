import { assertEquals } from "@std/assert";
import type { LostPacket } from "../../lib/cli/checks.ts";
import { droppingRule } from "../../lib/cli/doctor_firewall_rules.ts";

const PACKET: LostPacket = { address: "192.0.2.7", port: 443, uid: 994 };

/** What `nft -a list ruleset` prints of one table. */
function table(name: string, chains: Readonly<Record<string, readonly string[]>>): string {
  const all = Object.entries(chains).map(([chain, lines], at) =>
    `\tchain ${chain} { # handle ${at + 1}\n${lines.map((line) => `\t\t${line}\n`).join("")}\t}\n`
  );
  return `table ${name} { # handle 1\n${all.join("\n")}}\n`;
}

const OUTPUT = "type filter hook output priority filter; policy accept;";

/** The rule that drops the packet, of a chain of these lines, as text and handle. */
function found(lines: readonly string[], packet = PACKET, name = "inet filter") {
  const rule = droppingRule(table(name, { output: [OUTPUT, ...lines] }), packet);
  return rule && `${rule.text} ${rule.handle}`;
}

Deno.test("droppingRule() names a rule whose conditions all hold for the packet", () => {
  const rules = [
    "tcp dport 443 drop",
    "tcp dport { 80, 440-450 } counter packets 3 bytes 180 drop",
    "meta l4proto tcp ip daddr 192.0.2.7 tcp dport { 80, 443 } skuid 994  counter packets 0 bytes 0 reject",
    "ip daddr { 198.51.100.7, 192.0.2.0/24 } reject with tcp reset",
    'ip protocol tcp ct state established,new log prefix "a drop " level warn drop comment "an accept"',
    "meta skuid 994 drop",
    "meta skuid != 0 tcp dport != 80 drop",
    "drop",
  ];
  for (const rule of rules) {
    const text = rule.replace(
      / counter packets \d+ bytes \d+| log prefix .* warn| comment .*/g,
      "",
    );
    const clean = text.replace(/ {2,}/g, " ");
    assertEquals(found([`${rule} # handle 7`]), `${clean} 7`, rule);
    const accepted = ["tcp dport 443 accept # handle 6", `${rule} # handle 7`];
    assertEquals(found(accepted), undefined, rule);
  }
  const others = [
    "tcp dport 80 drop",
    "udp dport 443 drop",
    "ip daddr 192.0.2.8 drop",
    "ip daddr 192.0.2.128/25 drop",
    "ip6 daddr 2001:db8::7 drop",
    "meta skuid 0 drop",
    "ct state invalid drop",
    'oifname "lo" drop',
    "ip daddr != 192.0.2.7 drop",
    'log prefix "drop"',
  ];
  for (const rule of others) {
    assertEquals(found([`${rule} # handle 7`]), undefined, rule);
    assertEquals(found([`${rule} # handle 7`, "drop # handle 8"]), "drop 8", rule);
  }
  const ipv6 = { ...PACKET, address: "2001:db8::7" };
  assertEquals(
    found(["ip6 daddr 2001:db8::/32 drop # handle 7"], ipv6),
    "ip6 daddr 2001:db8::/32 drop 7",
  );
  assertEquals(found(["drop # handle 7"], ipv6, "ip filter"), undefined);
});

Deno.test("droppingRule() names none where it depends on what is not known", () => {
  const unknown = [
    "ip daddr @blocked drop",
    'oifname "eth0" drop',
    'oifname "eth0" accept',
    "limit rate 3/minute accept",
    "tcp dport vmap { 80 : accept, 443 : drop }",
    "meta mark 0x1 accept",
    "jump gone",
    "queue to 1",
  ];
  for (const rule of unknown) {
    assertEquals(found([`${rule} # handle 7`, "drop # handle 8"]), undefined, rule);
  }
  const drop = table("ip filter", { OUTPUT: [OUTPUT, "drop # handle 7"] });
  const nat = OUTPUT.replace("filter", "nat");
  const of = (...rules: readonly string[]) =>
    droppingRule(drop + table("ip nat", { OUTPUT: [nat, ...rules] }), PACKET)?.text;
  assertEquals(of("dnat to 198.51.100.7 # handle 7"), undefined);
  assertEquals(of("tcp dport { 443 } redirect to :1080"), undefined);
  const ofDocker = {
    OUTPUT: [nat, "ip daddr != 127.0.0.0/8 fib daddr type local counter jump DOCKER"],
    DOCKER: [
      'iifname "docker0" counter return',
      'iifname != "docker0" tcp dport 8080 dnat to 172.17.0.2:80',
    ],
  };
  assertEquals(droppingRule(drop + table("ip nat", ofDocker), PACKET)?.text, "drop");
  for (const text of ["", "\tchain x {", "}", "table", "\t\tdrop"]) {
    assertEquals(droppingRule(text, PACKET), undefined);
  }
});

Deno.test("droppingRule() follows jumps, and takes the policy where no rule applies", () => {
  const policy = OUTPUT.replace("accept", "drop");
  const of = (chains: Record<string, readonly string[]>) => {
    const rule = droppingRule(table("ip filter", chains), PACKET);
    return rule && `${rule.chain}: ${rule.text}`;
  };
  const jump = "counter packets 0 bytes 0 jump ufw-user-output # handle 5";
  const rule = "tcp dport 443 ct state new counter packets 0 bytes 0 drop # handle 6";
  const drop = "ufw-user-output: tcp dport 443 ct state new drop";
  assertEquals(of({ OUTPUT: [OUTPUT, jump], "ufw-user-output": [rule] }), drop);
  assertEquals(of({ "ufw-user-output": [rule], OUTPUT: [OUTPUT] }), undefined);
  assertEquals(of({ OUTPUT: [policy, "tcp dport 80 accept"] }), "OUTPUT: policy drop");
  assertEquals(
    of({ OUTPUT: [policy, jump], "ufw-user-output": ["return"] }),
    "OUTPUT: policy drop",
  );
  assertEquals(of({ OUTPUT: [policy, jump], "ufw-user-output": ["accept"] }), undefined);
  assertEquals(of({ OUTPUT: [OUTPUT, "goto x"], x: ["tcp dport 80 drop"] }), undefined);
  assertEquals(of({ OUTPUT: [OUTPUT, "jump x"], x: ["jump x"] }), undefined, "a loop ends");
  const set =
    "\tset s {\n\t\ttype ipv4_addr\n\t\telements = { 192.0.2.1,\n\t\t\t     192.0.2.2 }\n\t}\n";
  const long = "tcp dport { 80,\n\t\t\t    443 } drop # handle 9";
  const text = table("ip filter", { OUTPUT: [OUTPUT, long] }).replace("\tchain", `${set}\n\tchain`);
  assertEquals(droppingRule(text, PACKET)?.text, "tcp dport { 80, 443 } drop");
});

Deno.test("droppingRule() knows the elements of sets", () => {
  const set = (name: string, ...lines: string[]) =>
    `\tset ${name} { # handle 2\n${lines.map((line) => `\t\t${line}\n`).join("")}\t}\n\n`;
  const sets = set("none", "type ipv4_addr", "flags timeout") +
    set(
      "bad",
      "type ipv4_addr",
      "elements = { 198.51.100.7, 192.0.2.0/24 timeout 1h expires 59m,\n\t\t\t     1.2.3.4 }",
    ) +
    set("ranges", "type ipv4_addr", "elements = { 10.0.0.1-10.0.0.9 }") +
    set("ports", "type inet_service", "elements = { 25, 443 }");
  const of = (rule: string) => {
    const text = table("inet f", { out: [OUTPUT, `${rule} # handle 7`] });
    return droppingRule(text.replace("\tchain", `${sets}\tchain`), PACKET)?.text;
  };
  for (const rule of ["ip daddr @bad drop", "ip daddr @bad tcp dport @ports reject"]) {
    assertEquals(of(rule), rule);
  }
  for (
    const rule of [
      ...[
        "ip daddr != @bad drop",
        "ip daddr @none drop",
        "ip daddr @ranges drop",
        "ip daddr @x drop",
      ],
      "tcp dport != @ports drop",
    ]
  ) assertEquals(of(rule), undefined, rule);
});

Deno.test("droppingRule() names the rule that drops the answer, where the packet gets out", () => {
  const input = "type filter hook input priority filter; policy drop;";
  const of = (packet: LostPacket, ...rules: readonly string[]) => {
    const rule = droppingRule(
      table("inet f", { in: [input, 'iif "lo" accept', ...rules] }),
      packet,
    );
    return rule && [rule.text, rule.isOfAnswer];
  };
  const dropped = ["policy drop", true];
  assertEquals(of(PACKET), dropped);
  assertEquals(of(PACKET, "tcp dport { 22, 443 } accept", "ct state new accept"), dropped);
  assertEquals(of(PACKET, "udp sport 53 accept", "ip saddr 192.0.2.8 accept"), dropped);
  for (
    const accepting of [
      "ct state established,related accept",
      "tcp sport 443 accept",
      "ip saddr 192.0.2.7 accept",
      "tcp dport 32768-60999 accept",
      "tcp dport >= 1024 accept",
      "tcp dport ssh accept",
      'iifname "eth0" accept',
    ]
  ) assertEquals(of(PACKET, accepting), undefined, accepting);
  const question = { ...PACKET, port: 53, isUdp: true };
  assertEquals(of(question, "tcp sport 53 accept"), dropped);
  assertEquals(of(question, "udp sport 53 accept"), undefined);
  assertEquals(found(["udp dport 53 drop # handle 7"], question), "udp dport 53 drop 7");
  assertEquals(found(["tcp dport 53 drop # handle 7"], question), undefined);
});
