import { isLoopbackHost } from "../../lib/parse/ip_address.ts";
import { assertEquals, assertStringIncludes } from "@std/assert";
import {
  answerAdvice,
  NOT_WHILE_ANSWERED,
  proxyVariableNames,
  refusingProxyAdvice,
} from "../../lib/cli/doctor_advice.ts";
import { clockAdvice, clockDifference } from "../../lib/cli/doctor_clock.ts";
import { networkLogCommand, setClockCommand } from "../../lib/cli/doctor_commands.ts";
import { connectAdvice } from "../../lib/cli/doctor_connect_advice.ts";
import { fullTable } from "../../lib/cli/doctor_unconnected.ts";
import { tlsAdvice } from "../../lib/cli/doctor_tls_advice.ts";
import { failureText, originText, type Way, wayTo as wayOf } from "../../lib/cli/doctor_way.ts";
import { unitAdvice } from "../../lib/cli/doctor_unit_network.ts";
import { translate } from "../../lib/cli/translate.ts";
import { DialError } from "../../lib/net/errors.ts";
import type { Certificate } from "../../lib/net/certificate.ts";
import type { HttpResponse } from "../../lib/net/http_client.ts";
import { inContainerImage } from "./container_image.ts";
import { ofUserManager } from "../../lib/cli/doctor_unit_settings.ts";
import { configOf } from "./fake_context.ts";

function wayTo(url: string, proxy?: string): Way {
  const env: Record<string, string> = proxy === undefined ? {} : { ALL_PROXY: proxy };
  return wayOf(configOf(["doctor", "-e", url, "-t", "x"], env), []);
}

Deno.test("isLoopbackHost() knows the names and addresses of this machine", () => {
  for (const host of ["localhost", "::1", "127.0.0.1", "127.1.2.3"]) {
    assertEquals(isLoopbackHost(host), true);
  }
  for (const host of ["127.example", "::2", "128.0.0.1", "localhost.example", "1127.0.0.1"]) {
    assertEquals(isLoopbackHost(host), false, host);
  }
});

Deno.test("answerAdvice() knows nginx's limit by its page, where a panel may be down behind others", () => {
  const way = wayTo("https://p.example");
  const of = (text: string) =>
    answerAdvice({ status: 503, text, headers: new Map() }, way).map((line) => line.slice(0, 33));
  const page = "<h1>503 Service Temporarily Unavailable</h1><hr><center>nginx/1.22.1</center>";
  const maintenance = "see whether the server in front of";
  assertEquals(of(page), ["something there limits requests: ", maintenance.slice(0, 33)]);
  assertEquals(of("no available server")[0], "see on the panel's machine whethe");
  const [limit, ...ruledOut] = answerAdvice({ status: 503, text: page, headers: new Map() }, way);
  assertEquals(NOT_WHILE_ANSWERED.includes(limit ?? ""), false);
  assertEquals(ruledOut.every((line) => NOT_WHILE_ANSWERED.includes(line)), true);
});

Deno.test("failureText() is a dial error's message alone, and any other error with its causes", () => {
  const cause = new Error("inner");
  assertEquals(failureText(new DialError("outer", { stage: "connect", cause })), "outer");
  assertEquals(failureText(new Error("outer", { cause })), "outer: inner");
});

Deno.test("ofUserManager() has commands about the service ask the user's systemd, and no others", () => {
  const table: [advice: string, asked: string][] = [
    [
      "systemctl daemon-reload && systemctl restart x",
      "systemctl --user daemon-reload && systemctl --user restart x",
    ],
    [
      "journalctl -u x -n 20; systemctl cat x.service",
      "journalctl --user -u x -n 20; systemctl --user cat x.service",
    ],
    ["systemctl --user restart x", "systemctl --user restart x"],
    ["systemctl list-jobs --after", "systemctl --user list-jobs --after"],
    ["systemctl enable --now systemd-resolved", "systemctl enable --now systemd-resolved"],
    ["journalctl -u systemd-networkd", "journalctl -u systemd-networkd"],
  ];
  for (const [advice, asked] of table) assertEquals(ofUserManager(advice, "x"), asked);
});

Deno.test("unitAdvice() names the setting that takes the network, and its file", () => {
  const way = wayTo("http://p.example");
  const setting = (name: string, value: string) => ({ name, value, file: `/x/${name}.conf` });
  const of = (...unit: Way["unit"]) => unitAdvice({ ...way, unit });
  assertStringIncludes(of(setting("PrivateNetwork", "yes")) ?? "", "in /x/PrivateNetwork.conf");
  assertStringIncludes(of(setting("IPAddressDeny", "any")) ?? "", "remove IPAddressDeny=any in");
  const private10 = setting("IPAddressDeny", "10.0.0.0/8 localhost");
  const at = (address: string, ...unit: Way["unit"]) =>
    unitAdvice({ ...way, unit, addresses: [address] }) !== undefined;
  assertEquals(at("10.1.2.3", private10), true);
  assertEquals(at("127.0.0.1", private10), true);
  assertEquals(at("192.0.2.7", private10), false, "it is let through");
  const any = setting("IPAddressDeny", "any");
  assertEquals(at("192.0.2.7", any, setting("IPAddressAllow", "192.0.2.0/24")), false);
  assertEquals(at("192.0.2.7", any, setting("IPAddressDeny", "")), false, "it is taken back");
  const undone = [setting("PrivateNetwork", "yes"), setting("PrivateNetwork", "no")];
  const expected = [undefined, undefined, undefined];
  assertEquals([of(), of(...undone), of(setting("LimitAS", "1"))], expected);
});

Deno.test("connectAdvice() is about the proxy where there is one", () => {
  const [look, names] = connectAdvice(
    "refused",
    wayTo("https://p.example", "http://127.0.0.1:3128"),
  );
  assertEquals(look, "see whether the proxy listens: nc -vz 127.0.0.1 3128");
  assertStringIncludes(names ?? "", "correct HTTPS_PROXY/ALL_PROXY");
  const plain = connectAdvice("refused", wayTo("http://p.example", "http://127.0.0.1:3128"));
  assertStringIncludes(plain.join(), "correct HTTP_PROXY/ALL_PROXY, which names it,or reach");
});

Deno.test("connectAdvice() goes by the cause, with the port of the address", () => {
  const named = (url: string, addresses: string[], answeredBy: string): Way => ({
    ...wayTo(url),
    addresses,
    answeredBy,
  });
  const table: [message: string, way: Way, lines: number, advice: string][] = [
    ["connection refused", wayTo("https://p.example"), 3, "listens on port 443, and not at"],
    ["connection refused", wayTo("http://p.example:81"), 3, "if it is another one than 81"],
    [
      "connection refused",
      wayTo("http://[::1]:81"),
      3,
      "if the panel is on this machine, start it",
    ],
    [
      "connection refused",
      named("http://p.example", ["127.0.0.1"], "found in line 3 of /etc/hosts"),
      2,
      "if the panel is on another machine, remove p.example from /etc/hosts",
    ],
    [
      "network is unreachable",
      wayTo("http://p.example"),
      2,
      "ip route get p.example; if it has, a router on the way has none",
    ],
    ["no answer within 5 s", wayTo("http://p.example:81"), 4, "lets port 81 pass"],
    [
      "no answer within 5 s",
      named("http://p.example", ["192.0.2.7"], "answered by 192.0.2.1"),
      5,
      "whether 192.0.2.7 is the panel's address (answered by 192.0.2.1)",
    ],
  ];
  const byHosts = named("http://p.example", ["192.0.2.7"], "found in line 3 of /etc/hosts");
  const [first] = connectAdvice("host is unreachable", byHosts);
  assertStringIncludes(first ?? "", "whether 192.0.2.7 is the panel's address (found in line 3");
  for (const message of ["connection refused", "network is unreachable"]) {
    assertEquals(connectAdvice(message, byHosts)[0], first);
    const doubted = { ...byHosts, doubts: ["correct or remove line 3"] };
    assertEquals(connectAdvice(message, doubted).includes(first ?? ""), false);
  }
  const pinged = { isPinged: true };
  for (const message of ["host is unreachable", "no answer within 5 s"]) {
    const way = named("http://p.example:81", ["192.0.2.7"], "answered by 192.0.2.1");
    const [own, there, elsewhere, ...others] = connectAdvice(message, way, pinged);
    assertStringIncludes(own ?? "", "a firewall here");
    assertStringIncludes(there ?? "", "drops port 81, or this machine's address alone");
    assertStringIncludes(
      elsewhere ?? "",
      "see from another machine, or in your browser, whether it answers: curl",
    );
    assertStringIncludes(others[0] ?? "", "whether 192.0.2.7 is the panel's");
    const found = connectAdvice(message, way, { ...pinged, panel: "http://p.example" });
    assertEquals([found[0], found.length], ["write http://p.example into -e", 2]);
  }
  const refusing = (panel: string) =>
    connectAdvice("connection refused", wayTo("https://p.example:8443"), { panel })
      .map((line) => line.slice(0, 12));
  assertEquals(refusing("https://p.example"), ["write https:", "see on the p", "see whether "]);
  assertEquals(refusing("http://p.example"), ["see on the p", "see whether ", "else write h"]);
  const byName = named("http://p.example", ["192.0.2.7"], "answered by 192.0.2.1");
  for (const [message, at] of [["no answer within 5 s", 1], ["connection refused", 2]] as const) {
    const found = connectAdvice(message, byName);
    const words = "whether 192.0.2.7 is the panel's address";
    assertStringIncludes(found[at] ?? "", words, "it is short");
  }
  for (const [message, way, lines, advice] of table) {
    const found = connectAdvice(message, way, { isContained: false });
    assertEquals(found.length, lines, found.join("\n"));
    assertStringIncludes(found.join("\n"), advice);
  }
  const looks = (isPinged?: boolean) =>
    connectAdvice("no answer within 5 s", wayTo("http://192.0.2.7"), { isPinged })
      .map((line) => /ping|traceroute|fail2ban|curl|nft|firewall lets/.exec(line)?.[0]);
  assertEquals(looks(), ["ping", "traceroute", "nft", "firewall lets"]);
  assertEquals(looks(false), ["curl", "traceroute", "nft"]);
  assertEquals(looks(true), ["nft", "fail2ban", "curl", "traceroute"], "what answers pings is up");
  const silent = connectAdvice("no answer within 5 s", byName, { isPinged: false });
  assertStringIncludes(silent[0] ?? "", "if not, it is down, or not at 192.0.2.7");
  assertStringIncludes(silent[1] ?? "", "whether 192.0.2.7 is the panel's address");
  assertEquals(silent.length, 4);
  const unit = [{ name: "IPAddressDeny", value: "any", file: "/x" }];
  const way = { ...wayTo("http://p.example"), unit };
  assertEquals(connectAdvice("no answer within 5 s", way).length, 1);
  assertEquals(connectAdvice("connection refused", way).length, 3, "a refusal is an answer");
});

Deno.test("originText() says whose address it is, where a name was resolved", () => {
  const way = { ...wayTo("http://p.example"), addresses: ["192.0.2.7"] };
  assertEquals(originText(way), "");
  const expected = " (192.0.2.7, answered by 192.0.2.1)";
  assertEquals(originText({ ...way, answeredBy: "answered by 192.0.2.1" }), expected);
});

Deno.test("refusingProxyAdvice() goes by the answer of a proxy that opens no way", () => {
  const way = wayTo("https://p.example", "http://127.0.0.1:3128");
  const table: [message: string, lines: number, advice: string][] = [
    ["status 407", 1, "put the proxy's user and password into HTTPS_PROXY/ALL_PROXY"],
    ["the proxy answers that user or password is wrong", 1, "put the proxy's user and password"],
    ["status 403", 1, "have the proxy allow p.example"],
    ["the proxy answers that its rules forbid the connection", 1, "have the proxy allow p.example"],
    ["status 502", 2, "the proxy was reached, and does not reach p.example"],
    ["status 503", 2, "curl -v https://p.example"],
    ["the proxy answers that the host is unreachable", 2, "does not reach p.example"],
    ["the proxy answers that the connection was refused", 2, "NO_PROXY=p.example"],
    ["status 500", 1, "a web server rather than a proxy"],
    ["the proxy closed the connection", 2, "a proxy of another kind, and name that in HTTPS_PROXY"],
    ["the proxy closed the connection", 2, "socks5h://HOST:PORT"],
  ];
  for (const [message, lines, advice] of table) {
    const found = refusingProxyAdvice(message, way);
    assertEquals(found.length, lines, message);
    assertStringIncludes(found.join("\n"), advice, message);
  }
  const socks = wayTo("https://p.example", "socks5://127.0.0.1:1080");
  assertStringIncludes(
    refusingProxyAdvice("the proxy requires another authentication method", socks).join(),
    "HTTPS_PROXY/ALL_PROXY: HTTPS_PROXY=socks5://USER:PASSWORD@HOST:PORT",
  );
  const words = "HTTPS_PROXY/ALL_PROXY: http://HOST:PORT";
  assertStringIncludes(refusingProxyAdvice("the proxy closed the connection", socks).join(), words);
  const setting = (value: string) => ({ name: "Environment", value, file: "/x/drop-in.conf" });
  const login = wayTo("https://p.example", "http://ops:old-secret@192.0.2.1:3128");
  for (const answer of ["the proxy answers 401 Unauthorized", "status 407"]) {
    assertEquals(refusingProxyAdvice(answer, login), [
      "the proxy does not accept this user and password: correct them in HTTPS_PROXY/ALL_PROXY",
    ]);
  }
  const [of407 = ""] = refusingProxyAdvice("status 407", {
    ...way,
    unit: [setting("HTTP_PROXY= https_proxy=")],
  });
  assertStringIncludes(of407, "user and password into https_proxy (/x/drop-in.conf): ");
  const expected = "HTTPS_PROXY/ALL_PROXY";
  assertEquals(proxyVariableNames({ ...way, unit: [setting("NO_PROXY=")] }), expected);
});

const CERTIFICATE: Certificate = {
  ...{ tlsVersion: "TLSv1.3", issuer: "An Authority", names: ["p.example"], isSelfSigned: false },
  ...{ isAlone: false, namesIssuersFile: false },
  ...{ validFromMs: 0, validUntilMs: Date.UTC(2100, 1) },
};

Deno.test("tlsAdvice() goes by the cause", () => {
  const chain = { ...CERTIFICATE, isAlone: true, namesIssuersFile: true };
  const table: [message: string, shown: Certificate | undefined, lines: number, advice: string][] =
    [
      ["it is for another name", undefined, 2, "use a certificate for p.example"],
      ["it has expired", { ...CERTIFICATE, validUntilMs: 0 }, 2, "renew the certificate"],
      ["it is not valid yet", CERTIFICATE, 2, "set it: timedatectl set-ntp true"],
      ["it is not valid yet", CERTIFICATE, 2, "else make it anew"],
      [
        "it has expired",
        { ...CERTIFICATE, validUntilMs: 1, serverDateMs: Date.now() },
        1,
        "or have it load the one that was renewed (systemctl reload nginx)",
      ],
      [
        "it is not valid yet",
        { ...CERTIFICATE, validFromMs: Date.now() + 9e9, serverDateMs: Date.now() + 10e9 },
        1,
        "set this machine's clock",
      ],
      [
        "it has expired",
        CERTIFICATE,
        2,
        "the certificate itself is valid, and one of its issuers'",
      ],
      ["its purposes leave out that of a server", CERTIFICATE, 1, "extendedKeyUsage=serverAuth"],
      [
        "its authority may not make certificates for that name",
        CERTIFICATE,
        1,
        "or another authority",
      ],
      ["of a kind that is not supported (x)", CERTIFICATE, 1, "signed with SHA-256"],
      [
        "the server has no site of that name",
        undefined,
        2,
        "have the panel's server know p.example",
      ],
      ["it is for another name", { ...CERTIFICATE, names: [] }, 1, "subjectAltName=DNS:p.example"],
      ["the server speaks no HTTP/1.1 there", undefined, 1, "protocols h1 h2"],
      ["the server wants a certificate of its clients", undefined, 2, "ssl_verify_client optional"],
      ["have no cipher in common", undefined, 1, "ssl_ciphers"],
      ["the server itself has failed", undefined, 1, "read the log of the server"],
      ["it is of X.509 version 1, which", CERTIFICATE, 1, "subjectAltName=DNS:p.example"],
      ["it has no TLS 1.2 or 1.3", undefined, 1, "ssl_protocols"],
      ["it is self-signed", CERTIFICATE, 1, "openssl s_client -connect p.example:444 </dev/null"],
      ["its issuer is unknown", CERTIFICATE, 2, "give its certificate: --ca-cert FILE"],
      ["its issuer is unknown", CERTIFICATE, 2, "something on the way answers in its place"],
      ["its issuer is unknown", chain, 1, "fullchain.pem"],
      ["its issuer is unknown", { ...chain, issuer: "CloudFlare, Inc." }, 2, "(DNS, Proxied)"],
      ["its issuer is unknown", { ...CERTIFICATE, isAlone: true }, 3, "fullchain.pem"],
      ["its issuer is unknown", undefined, 4, "openssl s_client -connect p.example:444 </dev/null"],
      ["no answer within 5 s", undefined, 4, "smaller MTU"],
      ["no answer within 5 s", undefined, 4, "or go by a proxy: HTTPS_PROXY=http://HOST:PORT"],
      ["connection reset", undefined, 2, "something on the way cuts connections: give the panel"],
      ["a fatal alert", undefined, 1, "see what the server says"],
    ];
  for (const [message, certificate, lines, advice] of table) {
    const found = tlsAdvice(message, wayTo("https://p.example:444/x/"), { certificate });
    assertEquals(found.length, lines, `${message}: ${found.join("\n")}`);
    assertStringIncludes(found.join("\n"), advice);
  }
  const firstWords = (url: string) =>
    tlsAdvice("it is for another name", wayTo(url), { certificate: CERTIFICATE, isOfPanel: true })
      .map((line) => line.split(" ", 1)[0]);
  assertEquals([firstWords("https://p.example"), firstWords("https://192.0.2.7")], [
    ["have", "use"],
    ["use", "have"],
  ]);
  const proxied = wayTo("https://p.example", "http://127.0.0.1:3128");
  assertStringIncludes(
    tlsAdvice("its issuer is unknown", proxied, { certificate: CERTIFICATE }).join(),
    "the proxy answers in its place, by an authority of its own",
  );
  const [first] = tlsAdvice("its issuer is unknown", wayTo("https://p.example"), {
    certificate: { ...CERTIFICATE, issuer: "Office Web Filter CA" },
  });
  assertStringIncludes(first ?? "", "something on the way answers in its place");
  const kin = (name: string) =>
    `-----BEGIN CERTIFICATE-----\n${btoa(name)}\n-----END CERTIFICATE-----\n`;
  const lone = (caCerts: string[] = [], issuer = "Fang R3") => {
    const way = wayTo("https://p.example");
    const certificate = { ...CERTIFICATE, isAlone: true, issuer };
    const config = { ...way.config, caCerts };
    return tlsAdvice("its issuer is unknown", { ...way, config }, { certificate })[0] ?? "";
  };
  assertStringIncludes(lone(), "if the authority is your own");
  assertStringIncludes(
    lone([kin("Other")]),
    "if the authority is your own",
    "another one is trusted",
  );
  assertStringIncludes(lone([kin("Fang Root")]), "the full chain", "of one's own authority");
  assertStringIncludes(lone([], "R13"), "the full chain", "of a public one");
  const ignored = [
    { file: "/usr/local/share/ca-certificates/a.crt", reason: "it can't be read" },
    { file: "/usr/local/share/ca-certificates/b.crt", reason: "odd" },
  ];
  const [unread, odd] = tlsAdvice(
    "its issuer is unknown",
    wayTo("https://p.example"),
    { certificate: CERTIFICATE, ignored },
  );
  assertStringIncludes(unread ?? "", "chmod a+r /usr/local/share/ca-certificates/a.crt");
  const words = "ca-certificates/b.crt, which was added to this system, and is left";
  assertStringIncludes(odd ?? "", words);
  const installed = wayTo("https://p.example");
  const { config } = installed;
  const configPath = "/etc/komari-agent-deno/config.json";
  assertStringIncludes(
    tlsAdvice("its issuer is unknown", {
      ...installed,
      config: { ...config, isConfigInstalled: true },
    }).join(),
    "install -D -m 644 FILE /usr/local/share/ca-certificates/panel.crt && komari-agent-deno install",
  );
  assertStringIncludes(
    tlsAdvice("self-signed", {
      ...installed,
      config: { ...config, configPath, isConfigInstalled: true },
    }).join(),
    "and komari-agent-deno install --ca-cert /etc/komari-agent-deno/panel.crt",
  );
  const named = {
    ...wayTo("https://p.example"),
    addresses: ["192.0.2.7"],
    answeredBy: "answered by 192.0.2.1",
  };
  for (
    const message of ["its issuer is unknown", "no site of that name", "it is for another name"]
  ) {
    assertStringIncludes(
      tlsAdvice(message, named, { certificate: CERTIFICATE }).join("\n"),
      "see whether 192.0.2.7 is the panel's address (answered by 192.0.2.1)",
    );
  }
  const [moved] = tlsAdvice("it is for another name", named, { isOfPanel: false });
  assertStringIncludes(moved ?? "", "another server answers at 192.0.2.7 (answered by 192.0.2.1)");
  const [made] = tlsAdvice("it is for another name", named, { isOfPanel: true });
  assertStringIncludes(made ?? "", "use a certificate for p.example");
  assertStringIncludes(
    tlsAdvice("self-signed", wayTo("https://p.example")).join(),
    "p.example:443 ",
  );
});

Deno.test("clockAdvice() names what sets a clock", () => {
  assertStringIncludes(clockAdvice().join("\n"), "timedatectl set-ntp true");
});

Deno.test("in the container image advice is about the container", async () => {
  await inContainerImage(() => {
    assertStringIncludes(clockAdvice().join(), "the machine that runs the container");
    const own = connectAdvice("connection refused", wayTo("http://127.0.0.1"));
    assertEquals([own.length, own[0]?.includes("--network host")], [1, true]);
  });
});

Deno.test("commands are those of this machine's own service manager", () => {
  assertStringIncludes(setClockCommand(true), "rc-service chronyd start");
  assertStringIncludes(setClockCommand(false), "timedatectl set-ntp true");
  assertStringIncludes(networkLogCommand(true), "/var/log/messages");
  assertStringIncludes(networkLogCommand(false), "journalctl -u systemd-networkd");
});

Deno.test("clockDifference() rounds to a unit that people use", () => {
  const table: [ms: number, en: string, zh: string][] = [
    [42_400, "42 s", "42 秒"],
    [-300_000, "300 s", "300 秒"],
    [15 * 60_000, "15 min", "15 分钟"],
    [-3 * 3_600_000, "3 h", "3 小时"],
    [400 * 86_400_000, "400 days", "400 天"],
  ];
  for (const [ms, en, zh] of table) {
    assertEquals(clockDifference(ms), en);
    const expected = `比面板慢 ${zh}`;
    assertEquals(translate(`${clockDifference(ms)} behind the panel's`, "zh"), expected);
  }
});

function responseOf(status: number, text = "", headers: Record<string, string> = {}): HttpResponse {
  return { status, text, headers: new Map(Object.entries(headers)) };
}

Deno.test("answerAdvice() goes by the status, and by the proxy that may have given it", () => {
  const panel = "correct the address and its path in -e";
  const down = "the proxy in front of the panel works, and gets no answer from the panel";
  const unsure = "see whether the proxy in front of it answers so by itself";
  const refuses = "see from another machine whether it is refused there, too";
  const larger = "let the proxy in front of the panel take larger requests";
  const limited = "something there limits requests";
  const failed = "the server itself has failed: read the panel's own log";
  const noProxy = "what HTTP_PROXY/ALL_PROXY names is a web server rather than a proxy";
  const table: [status: number, direct: string, proxied: string][] = [
    [200, panel, noProxy],
    [302, panel, noProxy],
    [403, refuses, refuses],
    [403, refuses, "have the proxy allow p.example"],
    [407, panel, "put the proxy's user and password into HTTP_PROXY/ALL_PROXY"],
    [404, panel, noProxy],
    [405, panel, noProxy],
    [413, larger, noProxy],
    [429, limited, limited],
    [499, panel, noProxy],
    [500, failed, failed],
    [501, panel, panel],
    [502, down, down],
    [503, unsure, "the proxy was reached, and does not reach p.example"],
    [503, unsure, unsure],
    [504, down, down],
    [520, "or answers no HTTP", "or answers no HTTP"],
    [521, "refuses Cloudflare's connections", "refuses Cloudflare's connections"],
    [522, "drops Cloudflare's addresses", "drops Cloudflare's addresses"],
    [523, "no way leads to it", "no way leads to it"],
    [524, "does not answer within 100 s", "does not answer within 100 s"],
    [525, "speaks TLS on port 443", "speaks TLS on port 443"],
    [530, "Cloudflare can't resolve it", "Cloudflare can't resolve it"],
    [526, "does not accept the certificate", "does not accept the certificate"],
    [527, panel, panel],
  ];
  const way = wayTo("http://p.example");
  const proxied = wayTo("http://p.example", "http://127.0.0.1:3128");
  for (const [status, ofPanel, ofProxy] of table) {
    const of = (way: Way) => answerAdvice(responseOf(status), way).join("\n");
    assertStringIncludes(of(way), ofPanel, String(status));
    assertStringIncludes(of(proxied), ofProxy, String(status));
  }
});

Deno.test("answerAdvice() names a tunnel of Cloudflare's that is not connected", () => {
  for (const [code, start] of [["1010", "switch"], ["1020", "correct"], ["1007", "let this"]]) {
    const refusal = responseOf(403, `error code: ${code}`);
    const [advice] = answerAdvice(refusal, wayTo("https://p.example"));
    assertEquals(advice?.startsWith(start ?? ""), true, code);
  }
  const answer = responseOf(530, "<title>Argo Tunnel error</title> error code: 1033");
  const words = "start cloudflared";
  assertStringIncludes(answerAdvice(answer, wayTo("https://p.example")).join(), words);
});

Deno.test("answerAdvice() says of a client's certificate that agents have none", () => {
  const answer = responseOf(400, "<h1>400 No required SSL certificate was sent</h1>");
  const [pass, cdn] = answerAdvice(answer, wayTo("https://p.example"));
  assertStringIncludes(pass ?? "", "let /api/clients/ pass without a client's certificate");
  assertStringIncludes(cdn ?? "", "the name that goes through the CDN");
});

Deno.test("tlsAdvice() says that a certificate nobody trusts is for another name, too", () => {
  const way = wayTo("https://panel.p.example");
  const of = (...names: string[]) =>
    tlsAdvice("its issuer is unknown", way, { certificate: { ...CERTIFICATE, names } })[0]
      ?.includes(
        "its name is wrong",
      );
  assertEquals(of("other.example"), true);
  for (const name of ["panel.p.example", "*.p.example", "PANEL.P.EXAMPLE"]) {
    assertEquals(of(name), false);
  }
  assertEquals(of("*.example"), true, "a wildcard is one label");
});

Deno.test("connectAdvice() tells a machine without free ports from one without a family", () => {
  const of = (words: string) => connectAdvice(words, wayTo("http://[2001:db8::1]")).join();
  const none = "this machine has no address of that family, or no free port";
  const noPort = "this machine has no free port for it";
  assertStringIncludes(of(noPort), "sysctl -w net.ipv4.ip_local_port_range=");
  assertStringIncludes(of(none), "tentative, dadfailed or deprecated");
});

Deno.test("connectAdvice() doubts a name server that gives this machine for a panel's name", () => {
  const way = { ...wayTo("http://p.example"), addresses: ["127.0.0.1"] };
  const answered = { ...way, answeredBy: "answered by 192.0.2.1" };
  const isContained = false;
  const [first, ...more] = connectAdvice("connection refused", answered, { isContained });
  assertStringIncludes(first ?? "", "its name server is wrong about p.example");
  assertEquals(more.length, 2);
  const local = wayTo("http://127.0.0.1");
  const localhost = { ...wayTo("http://localhost"), addresses: ["127.0.0.1"] };
  for (const way of [local, { ...localhost, answeredBy: "address from line 1 of /etc/hosts" }]) {
    const lines = connectAdvice("connection refused", way, { isContained });
    assertEquals(lines.length, 3);
    assertStringIncludes(lines[1] ?? "", `${way.url.hostname} is this machine itself: if the`);
  }
  const [own, ...here] = connectAdvice("connection refused", local, { isContained: true });
  assertStringIncludes(own ?? "", "within a container this address is the container itself");
  assertEquals(here.length, 2);
});

Deno.test("answerAdvice() names the address that a redirect of a call leads to", () => {
  const adviceOf = (status: number, location: string) =>
    answerAdvice(responseOf(status, "", { location }), wayTo("http://p.example/x"));
  const moved = "https://p.example/y/api/clients/v2/rpc";
  for (const [status, isMoved] of [[299, false], [300, true], [399, true], [400, false]] as const) {
    const [first = "", ...more] = adviceOf(status, moved);
    const isOnly =
      first === "the panel's address is another one: write https://p.example/y into -e";
    assertEquals([isOnly, more.length === 0], [isMoved, isMoved], String(status));
  }
  for (const location of ["https://[", "/login", ""]) {
    assertStringIncludes(adviceOf(302, location).join(), "correct the address", location);
  }
  const loop = (server: string) =>
    answerAdvice(
      responseOf(301, "", { location: "/x/api/clients/v2/rpc", server }),
      wayTo("http://p.example/x"),
    ).join();
  assertStringIncludes(loop("nginx"), "have the server answer at http://p.example rather than");
  assertStringIncludes(loop("cloudflare"), "SSL/TLS mode to Full (strict)");
  const portal = adviceOf(302, "http://login.portal.example/x?token=s3cret");
  const words = "(a captive portal), and log in there: curl -v http://login";
  assertStringIncludes(portal[0] ?? "", words);
  assertEquals(portal.join().includes("s3cret"), false);
  const [long = ""] = adviceOf(302, `https://p.example/${"z".repeat(300)}/api/clients/v2/rpc`);
  assertEquals(long.split("write ")[1]?.length, 200 + " into -e".length);
});

Deno.test("clockDifference() goes on to the next unit at two of it, and to minutes at ten", () => {
  const table: [seconds: number, text: string][] = [
    [0.4, "0 s"],
    [599, "599 s"],
    [600, "10 min"],
    [7_199, "120 min"],
    [7_200, "2 h"],
    [172_799, "48 h"],
    [172_800, "2 days"],
  ];
  for (const [seconds, text] of table) {
    assertEquals([clockDifference(seconds * 1000), clockDifference(-seconds * 1000)], [text, text]);
  }
});

Deno.test("answerAdvice() knows a login of Cloudflare Access", () => {
  const way = wayTo("https://p.example");
  const location = "https://team.cloudflareaccess.com/cdn-cgi/access/login/p.example";
  const answers = [
    responseOf(302, "", { location }),
    responseOf(403, "<title>Forbidden ・ Cloudflare Access</title>"),
  ];
  for (const answer of answers) {
    const [only = "", ...more] = answerAdvice(answer, way);
    assertStringIncludes(only, "--cf-access-client-id and --cf-access-client-secret");
    assertEquals(more, []);
  }
});

Deno.test("fullTable() tells that the kernel's table of connections is full", () => {
  const { readTextFileSync } = Deno;
  const of = (count: string | undefined, max: string) => {
    Deno.readTextFileSync = (path) => {
      if (count === undefined) throw new Deno.errors.NotFound();
      return String(path).endsWith("count") ? count : max;
    };
    try {
      return fullTable()?.text;
    } finally {
      Deno.readTextFileSync = readTextFileSync;
    }
  };
  assertEquals(of("64\n", "64\n"), "the kernel's table of connections is full (64 of 64)");
  for (const [count, max] of [["63", "64"], ["0", "0"], [undefined, ""]] as const) {
    assertEquals(of(count, max), undefined);
  }
});
