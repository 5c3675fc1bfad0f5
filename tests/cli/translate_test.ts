import { assert, assertEquals } from "@std/assert";
import chinese from "../../lib/cli/chinese.json" with { type: "json" };
import { licensesText } from "../../lib/cli/licenses.ts";
import { translate } from "../../lib/cli/translate.ts";
import { cases, same } from "../cases.ts";
import { sourceTexts, textsOf } from "./shown_texts.ts";

const zh = (text: string) => translate(text, "zh");

Deno.test("translate() leaves English as it is", () => {
  assertEquals(translate("permission denied", "en"), "permission denied");
});

Deno.test("translate() puts sentences, errors and columns together from their parts", async () => {
  await same(zh, cases(SENTENCES));
  await same(zh, [
    ["  Program        /opt/x", "  程序           /opt/x"],
    [
      "Since       2026-01-01, next reset 2026-02-01\nState       none\n",
      "起始        2026-01-01，下次重置 2026-02-01\n状态        无\n",
    ],
    ["", ""],
  ]);
});

const SENTENCES = `
5 (3 ICMP)
→ 5（3 ICMP）
5 (3 ICMP, 1 TCP, 1 HTTP), 42 in the last minute, 7 lost
→ 5（3 ICMP、1 TCP、1 HTTP），最近一分钟 42 次，丢失 7 次
5 (3 ICMP, 1 TCP, 1 HTTP)
→ 5（3 ICMP、1 TCP、1 HTTP）
5, 42 in the last minute, 7 lost
→ 5，最近一分钟 42 次，丢失 7 次
accepted 1.2 s ago (3 s)
→ 1.2 秒前被接受（3 秒）
60 s ago (3 since the last report): Cannot read /x: permission denied
→ 60 秒前（上次上报之后共 3 次）：无法读取 /x：没有权限
60 s ago: Cannot read /x: permission denied
→ 60 秒前：无法读取 /x：没有权限
version 1.2.3, process 7, running for 3 d
→ 版本 1.2.3，进程 7，已运行 3 天
x (systemd) is running, and starts at boot, but no agent of it is seen; the last error in its log: permission denied
→ x（systemd）正在运行，开机自动启动，但看不到它的 Agent；日志中最后的错误：没有权限
Unhealthy: x (systemd) is not running, and starts at boot: LimitAS=9 in /x.conf is not met, so it was not started
→ 不正常：x（systemd）没有运行，开机自动启动：/x.conf 中的 LimitAS=9 不满足，因此没有启动
x (systemd) has ended, and systemd starts it again in a moment: its runtime ended with code 1 (LimitAS=9 in /x.conf)
→ x（systemd）已退出，systemd 稍后会重新启动它：它的运行时以退出码 1 结束（/x.conf 中的 LimitAS=9）
version 1.2.3, process 7: a report was accepted 2.1 s ago; graphics cards can't be measured: permission denied
→ 版本 1.2.3，进程 7：2.1 秒前有一次上报被接受；无法采集显卡数据：没有权限
another agent runs with the same token: agent (process 30), deno (process 31)
→ 另一个 Agent 正在使用同一个令牌：agent（进程 30）、deno（进程 31）
p.example is 192.0.2.1, 192.0.2.2, found in line 3 of /etc/hosts
→ p.example 的地址是 192.0.2.1、192.0.2.2（来自 /etc/hosts 第 3 行）
the proxy p.example is 192.0.2.1, answered by 9.9.9.9
→ 代理 p.example 的地址是 192.0.2.1（由 9.9.9.9 回答）
TLSv1.3, issued by an authority, valid for 80 days more, for a.example, b.example…
→ TLSv1.3，签发者 an authority，还有 80 天有效，用于 a.example、b.example…
Cannot read /x: permission denied (TLSv1.3, self-signed by p, expired 3 days before 2026-01-01, the date here, for no name)
→ 无法读取 /x：没有权限（TLSv1.3，自签名者 p，到本机日期 2026-01-01 已过期 3 天，没有名称）
this shell with the service's proxies, and not as the service runs (user komari): openrc can't do that
→ 当前 shell（使用服务的代理），而不是服务的运行环境（用户 komari）：openrc 不支持
the service, as this user with its variables and limits; this shell alone has NO_PROXY, which is not used; the service alone has HTTP_PROXY
→ 服务：以当前用户的身份，使用它的环境变量和限制；只有当前 shell 设置了 NO_PROXY，检查时不使用；只有服务设置了 HTTP_PROXY
/x/config.json, of the installed service: --pin is set
→ /x/config.json，已安装的服务：已设置 --pin
Cannot connect to p.example port 443: host is unreachable; the gateway 192.0.2.1 of eth0 does not answer: eth0 has no carrier
→ 无法连接 p.example 端口 443：主机不可达；eth0 的网关 192.0.2.1 没有响应：eth0 没有载波
2 failed, 1 warning.
→ 2 项失败，1 项警告。
Note: --token-file /x can be read by all users of this machine; run chmod o= on it
→ 注意：--token-file /x 可被本机的所有用户读取；请对它执行 chmod o=
IPv4 absent: no service answered, IPv6 absent: no interface has a public address
→ IPv4：无（没有查询服务应答）；IPv6：无（没有网卡有公网地址）
/sys, /a/b, … (17 in all)
→ /sys、/a/b 等（共 17 个）
x (systemd), as user y
→ x（systemd），以用户 y 的身份运行
60 s ago (3 so far): permission denied
→ 60 秒前（共 3 次）：没有权限
Cannot connect to p.example port 443 (192.0.2.7): connection refused (address from 192.0.2.1); a firewall of this machine refuses it (by ICMP)
→ 无法连接 p.example 端口 443（192.0.2.7）：连接被拒绝（地址来自 192.0.2.1）；本机的防火墙拒绝了它（通过 ICMP）
Cannot connect to 192.0.2.7 port 80: no answer within 5 s; nor does it answer pings; no firewall of this machine drops anything
→ 无法连接 192.0.2.7 端口 80：5 秒内没有应答；它也不回应 ping；本机的防火墙没有丢弃任何数据包
see from another machine, or in your browser, whether it answers: curl -m 10 -I https://p.example; if it does, that server, its provider, or something on the way drops what this machine sends (fail2ban, ufw deny, security group); if not, it is down, or not at 192.0.2.7
→ 从另一台机器或在浏览器中查看它是否应答：curl -m 10 -I https://p.example；如果应答，则是那台服务器、其服务商或途中的设备丢弃本机发出的数据包（fail2ban、ufw deny、安全组）；否则它已停机，或不在 192.0.2.7
Cannot connect to p.example port 443 (192.0.2.7): connection refused; a rule of this machine's own firewall is why: "drop" in chain x of table inet f; a Komari panel answers at http://p.example:81
→ 无法连接 p.example 端口 443（192.0.2.7）：连接被拒绝；原因是本机自己的防火墙的规则“drop”，位于链 x、表 inet f；在 http://p.example:81 有 Komari 面板应答
p.example is 192.0.2.1, answered by 9.9.9.9, and the system has no answer within 4.0 s (9.9.9.9: NOERROR (2 ms), and no answer to 3 of 6 questions; 8.8.8.8: NOERROR (3 ms))
→ p.example 的地址是 192.0.2.1（由 9.9.9.9 回答），而系统在 4.0 秒内没有得到回答（9.9.9.9：NOERROR（2 毫秒），6 个查询中有 3 个没有回答；8.8.8.8：NOERROR（3 毫秒））
x (systemd) has ended, and systemd starts it again in a moment: /bin/false of ExecStartPre= in /x.conf ended with code 1
→ x（systemd）已退出，systemd 稍后会重新启动它：/x.conf 中 ExecStartPre= 的 /bin/false 以代码 1 结束
the answer is status 502 and a page of HTML, "502: x", not a Komari panel's, by "nginx"
→ 应答是状态码 502，内容是 HTML 页面“502: x”，不是 Komari 面板的应答（由“nginx”应答）
the panel does not know this token (AGENT_TOKEN in /x.conf), "Unauthorized."
→ 面板不认识 /x.conf 中的 AGENT_TOKEN 给出的令牌（“Unauthorized.”）
the service's unit takes that right from it: remove A= in /x.conf, B= in /y.conf, and then: true
→ 服务的单元剥夺了这项权限：删除 /x.conf 中的 A=、/y.conf 中的 B=，然后：true
network traffic: Cannot read /x: Too many open files; uptime: Cannot read /y: no such file
→ 网络流量：无法读取 /x：打开的文件太多；运行时间：无法读取 /y：没有这个文件
12; always lost: 8.8.8.8 (icmp), 1.1.1.1:80 (tcp)
→ 12；总是丢失：8.8.8.8（icmp）、1.1.1.1:80（tcp）
the answer is status 500, "full (13)", not a Komari panel's (192.0.2.1, address from 9.9.9.9)
→ 应答是状态码 500，“full (13)”，不是 Komari 面板的应答（192.0.2.1，地址来自 9.9.9.9）
Cannot connect to p.example port 443 (192.0.2.7): connection refused (address from 192.0.2.1)
→ 无法连接 p.example 端口 443（192.0.2.7）：连接被拒绝（地址来自 192.0.2.1）
blocked: the Upgrade header is removed on the way, by "nginx" (192.0.2.7, address from 192.0.2.1); reports can only go by HTTP then
→ 被拦截：Upgrade 请求头在途中被去掉（由“nginx”应答，192.0.2.7，地址来自 192.0.2.1）；此时只能改用 HTTP 上报
Cannot use flag --intervall: there is none of that name; did you mean --interval?
→ 无法使用选项 --intervall：没有这个选项；你是否想用 --interval？
Cannot use "x" for flag --interval: allowed is a number from 1 to 3600
→ 无法把 "x" 用于选项 --interval：允许的是 1 到 3600 的数
Healthy: a report was accepted 2.1 s ago → 正常：2.1 秒前有一次上报被接受
permission denied; there is no default route of IPv4: permission denied
→ 没有权限；没有 IPv4 的默认路由：没有权限
Cannot read /x: permission denied → 无法读取 /x：没有权限
panel.example.com: permission denied → panel.example.com：没有权限
上次失败：Cannot read /x: no such file → 上次失败：无法读取 /x：没有这个文件
3 min 前：Cannot read /x: permission denied（已重试） → 3 min 前：无法读取 /x：没有权限（已重试）
--include-nics none matches no interface, so no traffic is counted
→ --include-nics none 没有匹配任何网卡，因此不统计流量
/usr/bin/x of eth0 → /usr/bin/x of eth0
a=b: c → a=b: c
`;

Deno.test("translate() knows a number with each unit that the program prints, and no others", async () => {
  const units: Record<string, string> = { ms: "毫秒", s: "秒", min: "分钟", h: "小时", d: "天" };
  const ago = (value: string) => zh(`a report was accepted ${value} ago`);
  for (const unit of ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB", ...Object.keys(units)]) {
    const [chinese, gap] = unit in units ? [`7 ${units[unit]}`, ""] : [`7 ${unit}`, " "];
    assertEquals([zh(`7 ${unit}`), ago(`7 ${unit}`)], [
      chinese,
      `${chinese}${gap}前有一次上报被接受`,
    ]);
  }
  await same(ago, ["7", "-7", "1.5", "10,000"].map((it) => [it, `${it} 前有一次上报被接受`]));
  const others = ["seven", "7 weeks", "7s", "7 s s"];
  await same(ago, others.map((it) => [it, `a report was accepted ${it} ago`]));
});

Deno.test("translate() takes what stands before any text for no part of that", () => {
  const english = Object.keys(chinese);
  const inner = english.filter((it) => it.startsWith("{"))
    .map((it) => it.replace(/\{#\w+\}/g, "7 s").replace(/\{\w+\}/g, "X0"));
  for (const head of english.filter((it) => /^[A-Z][^{:]*: \{\w+\}$/.test(it))) {
    const [own = ""] = head.split(":");
    const left = inner.filter((it) => zh(head.replace(/\{.*/, it)).includes(own));
    assertEquals(left, [], head);
  }
});

Deno.test("translate() does not touch licenses", () => {
  const changed = licensesText().split("\n").filter((line) => zh(line) !== line);
  assertEquals(changed, [
    "The runtime contains V8 and other works; its repository names them and their licenses.",
    "MIT License, which all of the above have:",
  ]);
});

/** Rooms whose texts are for users; in the files that are left out, they are for other programs. */
const ROOMS = ["cli/", "config/", "service/"];
/** Rooms whose errors reach users through those. */
const ERROR_ROOMS =
  "agent exporter host metrics net panel parse probe remote sandbox state traffic update"
    .split(" ").map((room) => `${room}/`);
const SCRIPTS = ["launchd", "openrc", "systemd", "service_files"]
  .map((name) => `service/${name}.ts`);
/** Texts with words that no user reads as they stand here. */
const NOT_SHOWN = [
  // Commands, and kinds of steps and results.
  /^(?:config|traffic) \w+(?: (?:\[|--).*)?$|^help report$|^--ip-services |^sudo |^kill \{\}$|^systemctl (?:stop|unmask|add-wants) |^(?:docker|podman|install) [^:]*\{\}$|^rm \{\}$|^chmod |^chgrp |^(?:komari-agent-deno install )?--ca-cert |^--prefer-ip-version |^install -D |^nft insert rule |^ct state |^-p \{\} |^\{\} dport |^komari-agent-deno install(?:\{\}| --replace| -e URL --token-file -)$|^ --install-service-name/,
  /^remove (?:empty )?folder$/,
  /^(?:no mounts|no folder|new folder|not newer|failed before|not stable|rolled back|rolling back)$/,
  // Licenses.
  /Copyright |^Permission is hereby/,
  // What others write, and comments in files that the installation writes.
  /^Require WebSocket upgrade$|^Komari \{\}$|^# Komari Agent managed|^Komari agent$/,
  /^Written by `|^Part of a package;/,
  // Parts of which each whole has an entry.
  /^\{\} and \{\}$|^\{\}, by \{\}$|^Cannot \{\} without \{\}; \{\}$|\{\} \{\} it$/,
  /^Cannot resolve every option$|^is (?:not )?running$|^\{\} port \{\}$|^and (?:starts|does not start) at boot$|^and may start at boot or not$/,
  /^(?:self-signed|issued) by$|^for (?:no name|\{\}\{\})$/,
];

/** Whether a text has two words of English, one after the other. */
function isSentence(text: string): boolean {
  return /[A-Za-z]{2,},? (?:[a-z({]|\(?\{)/.test(text);
}

/** The templates that have an entry, with `{}` for each value. */
const known = new Set(Object.keys(chinese).map((english) => withoutNames(english).trim()));

function withoutNames(template: string): string {
  return template.replaceAll(/\{#?\w+\}/g, "{}");
}

/** Asserts that each line of these texts has an entry. */
function assertKnown(texts: readonly { file: string; text: string }[]): void {
  const missing = texts.flatMap(({ file, text }) =>
    text.split("\n").filter((line) => !known.has(withoutNames(line.trim())))
      .map((line) => `${file}: ${line}`)
  );
  assertEquals(missing, [], "add each to lib/cli/chinese.json, with {name} for a value");
}

Deno.test("each text for users in lib/cli, lib/config and lib/service has its Chinese", () => {
  const shown = ROOMS.flatMap(sourceTexts).filter(({ file, text }) =>
    !SCRIPTS.includes(file) && !NOT_SHOWN.some((rule) => rule.test(text))
  );
  assertKnown(
    shown.filter(({ text }) => !known.has(text)).flatMap(({ file, text }) =>
      text.split("\n").filter((line) => isSentence(line.trim())).map((text) => ({ file, text }))
    ),
  );
});

Deno.test("each error of the other rooms has its Chinese", () => {
  // That of the C library: the part before the colon has an entry with each call.
  assertKnown(
    ERROR_ROOMS.flatMap(sourceTexts).filter(({ text }) =>
      text.startsWith("Cannot ") && text !== "Cannot {} {}: {}"
    ),
  );
});

Deno.test("each line of the log from level info on has its Chinese", () => {
  assertKnown(
    sourceTexts("").filter(({ file, text, isLogged }) =>
      isLogged && !file.startsWith("demo/") && /[A-Za-z]{2,} [a-z]/.test(withoutNames(text))
    ),
  );
});

Deno.test("textsOf() finds texts, joined, without those that have both languages", () => {
  const source = 'f("one " + `two ${three} four`); g({ en: "five six", zh: "七" }); h("a b");';
  assertEquals(textsOf("x.ts", source).map(({ text }) => text), ["one two {} four", "a b"]);
});

Deno.test("translate() finds each entry by its own template", () => {
  // Two that differ in a number only are told apart by it.
  const filled = (text: string) =>
    text.replaceAll(/\{#\w+\}/g, "7").replaceAll(/\{(\w+)、?\}/g, (_, name) => `value.${name}`);
  for (const [english, text] of Object.entries(chinese)) {
    let expected = text;
    for (const [, name] of english.matchAll(/\{#(\w+)\}/g)) {
      expected = expected.replaceAll(`{${name}}`, "7");
    }
    // Cells of a line are separate texts.
    if (!english.startsWith(" ")) assertEquals(zh(filled(english)), filled(expected), english);
  }
});

Deno.test("each entry of the Chinese names only values of its English", () => {
  const namesIn = (text: string) => [...text.matchAll(/\{#?(\w+)、?\}/g)].map(([, name]) => name);
  for (const [english, text] of Object.entries(chinese)) {
    const names = namesIn(english);
    for (const name of namesIn(text)) assert(names.includes(name), `${english}: {${name}}`);
  }
});
