import { assert, assertEquals, assertLessOrEqual } from "@std/assert";
import chinese from "../../lib/cli/chinese.json" with { type: "json" };
import { licensesText } from "../../lib/cli/licenses.ts";
import { translate } from "../../lib/cli/translate.ts";
import { cases, same } from "../cases.ts";
import { replaced } from "../replaced.ts";
import { sourceTexts } from "./shown_texts.ts";

const zh = (text: string) => translate(text, "zh");

Deno.test("translate() puts sentences, errors and columns together from their parts, and leaves English", async () => {
  assertEquals(translate("permission denied", "en"), "permission denied");
  await same(zh, cases(SENTENCES));
  await same(zh, [
    [
      "2026-12-01T19:38:29.694Z warning panel: [p.example/x] Cannot report: no connection to " +
      "127.0.0.1 port 9: connection refused → run `komari-agent-deno doctor` to check each step",
      "2026-12-01T19:38:29.694Z warning panel：[p.example/x] 无法上报：无法连接 127.0.0.1 端口 9：" +
      "连接被拒绝 → 请运行 `komari-agent-deno doctor` 逐步检查",
    ],
    [
      "NOT REPORTING: no report was accepted yet → correct it",
      "未在上报：还没有上报被接受 → 请改正",
    ],
    [
      "The basic info works again after 3.1 s and 4 failed calls",
      "基础信息恢复正常，历时 3.1 秒，失败 4 次",
    ],
    ["  Program        /opt/x", "  程序           /opt/x"],
    [
      "Since       2026-01-01, next reset 2026-02-01\nState       none\n",
      "起始        2026-01-01，下次重置 2026-02-01\n状态        无\n",
    ],
    ["", ""],
  ]);
});

const SENTENCES = `
5 (3 ICMP, 1 TCP, 1 HTTP), 42 in the last minute, 7 lost
→ 5（3 ICMP、1 TCP、1 HTTP），最近一分钟 42 次，丢失 7 次
accepted 1.2 s ago (3 s)
→ 1.2 秒前被接受（3 秒）
60 s ago (3 since the last report): Cannot read /x: permission denied
→ 60 秒前（上次上报之后共 3 次）：无法读取 /x：没有权限
x (systemd) is running, and starts at boot, but its agent was not found; the last error in its log: permission denied
→ x（systemd）正在运行，开机自动启动，但看不到它的 Agent；日志中最后的错误：没有权限
version 1.2.3, process 7: a report was accepted 2.1 s ago; graphics cards can't be measured: permission denied
→ 版本 1.2.3，进程 7：2.1 秒前有一次上报被接受；无法采集显卡数据：没有权限
another agent runs with the same token: agent (process 30), deno (process 31)
→ 另一个 Agent 正在使用同一个令牌：agent（进程 30）、deno（进程 31）
the proxy p.example is 192.0.2.1, answered by 9.9.9.9
→ 代理 p.example 的地址是 192.0.2.1（由 9.9.9.9 回答）
TLSv1.3, issued by an authority, valid for 80 days more, for a.example, b.example…
→ TLSv1.3，签发者 an authority，还有 80 天有效，用于 a.example、b.example…
/x/config.json, of the installed service: --pin is set
→ /x/config.json，已安装的服务：已设置 --pin
Note: --token-file /x can be read by all users of this machine; run chmod o= on it
→ 注意：--token-file /x 可被本机的所有用户读取；请对它执行 chmod o=
IPv4 absent: no service answered, IPv6 absent: no interface has a public address
→ IPv4：无（没有查询服务响应）；IPv6：无（没有网卡有公网地址）
/sys, /a/b, … (17 in all)
→ /sys、/a/b 等（共 17 个）
network traffic: Cannot read /x: Too many open files; uptime: Cannot read /y: no such file
→ 网络流量：无法读取 /x：打开的文件太多；运行时间：无法读取 /y：没有这个文件
12; always lost: 8.8.8.8 (icmp), 1.1.1.1:80 (tcp)
→ 12；总是丢失：8.8.8.8（icmp）、1.1.1.1:80（tcp）
Cannot use flag --intervall: no such flag; did you mean --interval?
→ 无法使用选项 --intervall：没有这个选项；你是否想用 --interval？
Cannot use "x" for flag --interval: expected a number from 1 to 3600
→ 无法把 "x" 用于选项 --interval：应为 1 到 3600 的数
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
  const heads = english.filter((it) => /^[A-Z][^{:]*: \{\w+\}$/.test(it));
  assert(heads.length > 0 && inner.length > heads.length);
  // Each text behind one of them: all heads are treated alike.
  for (const [at, text] of inner.entries()) {
    const head = heads[at % heads.length] ?? "";
    const [own = ""] = head.split(":");
    assertEquals(zh(head.replace(/\{.*/, text)).includes(own), false, `${head} ${text}`);
  }
});

Deno.test("translate() bounds its work on a text of somebody else's, whatever its marks", () => {
  // Parts of parts would be tried 3^8 times; the last was found by a search for what takes most.
  const found =
    'Ca；nn）ot s： "endwh（ole numbe, r： anothe: r a: )ge）nt r）uns with the same token: ' +
    "A：7 s：i；7 s：i：7 s：i；s：i：7 s：i；7： s：i；ts pr: ocess wkint A：7 s：i；7 s：i；ts proc：i；" +
    "7 s：i；ts proc：ieued (job 7) Re：pe：p）or; ";
  const repeated = ["a b; ", "A b: ", "not used; ", "Cannot x, y; "].map((it) => it.repeat(8));
  for (const words of [...repeated, found]) {
    let looks = 0;
    const { exec } = RegExp.prototype;
    using _counted = replaced(RegExp.prototype, {
      exec(this: RegExp, text: string) {
        looks++;
        return exec.call(this, text);
      },
    });
    zh(words);
    assertLessOrEqual(looks, 120_000, words);
  }
  const long = "a b; ".repeat(50);
  assertEquals(zh(long), long);
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
  /^(?:config|traffic) \w+(?: (?:\[|--).*)?$|^help report$|^--ip-services |^sudo |^(?:kill|chown) [^ ]*(?: \{\})*$|^kill -CONT |^systemctl (?:stop|unmask|add-wants) |^(?:docker|podman|install) [^:]*\{\}$|^rm \{\}$|^chmod |^chgrp |^(?:komari-agent-deno install )?--ca-cert |^--prefer-ip-version |^install -D |^nft insert rule |^ct state |^-p \{\} |^\{\} dport |^komari-agent-deno install(?:\{\}| --replace| -e URL --token-file -)$|^ --install-service-name/,
  /^remove (?:empty )?folder$/,
  /^(?:no mounts|no folder|new folder|not newer|failed before|not stable|rolled back|rolling back)$/,
  // Licenses.
  /Copyright |^Permission is hereby/,
  // What others write, and comments in files that the installation writes.
  /^Require WebSocket upgrade$|^Komari \{\}$|^# Komari Agent managed|^Komari agent$/,
  /^Written by `|^Part of a package;/,
  // Parts of which each whole has an entry.
  /^\{\} and \{\}$|^\{\}, by \{\}$|^Cannot \{\} without \{\}; \{\}$|\{\} \{\} it$/,
  /^Cannot resolve every option$|^is (?:not )?running$|^\{\} port \{\}$|^and (?:starts|does not start) at boot$|^and may or may not start at boot$/,
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

/** Whether a text has an entry, by itself or with the reason and the action behind it. */
function isKnown(text: string): boolean {
  const plain = text.replace(/^[,;] | ?\((.*)\)$/g, "$1").replaceAll("{}{}", "{}");
  return [text, plain, `${text}: {} → {}`, text.replace(/\{\}$/, "{} → {}")]
    .some((it) => known.has(it)) || known.has(plain.replace(/ s$/, ""));
}

/** Asserts that each line of these texts has an entry. */
function assertKnown(texts: readonly { file: string; text: string }[]): void {
  const missing = texts.flatMap(({ file, text }) =>
    text.split("\n").filter((line) => !isKnown(withoutNames(line.trim())))
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

Deno.test("each rule by which an interface or a mount point counts has its Chinese", () => {
  const files = ["interface_filter", "mount_filter"].map((name) => `metrics/${name}.ts`);
  const rules = sourceTexts("metrics/").filter(({ file, text }) =>
    files.includes(file) && isSentence(text)
  );
  assert(rules.length > 20, `${rules.length}`);
  const hiders = ["another mount there", "the mount on {}"];
  assertKnown(rules.filter(({ text }) => ![...hiders, "hidden by {}"].includes(text)));
  assertKnown(hiders.map((text) => ({ file: "", text: `hidden by ${text}` })));
});

Deno.test("each line of the log from level info on has its Chinese", () => {
  assertKnown(
    sourceTexts("").filter(({ file, text, isLogged }) =>
      isLogged && !file.startsWith("demo/") && /[A-Za-z]{2,} [a-z]/.test(withoutNames(text))
    ),
  );
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

/** Entries of what the system and the runtime say, or that the code puts together from words. */
const COMPOSED = `
Address already in use | Address family not supported by protocol | Broken pipe
Cannot assign requested address | Cannot measure connections | Cannot measure load
Cannot measure memory | Cannot measure uptime | Cannot report without {missing}; {hint}
Cannot start /bin/sh | Connection refused | Connection reset by peer | Connection timed out
Device or resource busy | Directory not empty | Disk quota exceeded | File exists
Input/output error | Interfaces, by {source} | Invalid argument | Is a directory
Komari, protocol version {#version}, answers in {#time} ms | Mount points, by {source}
NOT REPORTING for {#age}: {reason} → {action}
NOT REPORTING to {panel} for {#age}: {reason} → {action} | Network is unreachable
No route to host | No space left on device | No such file or directory | Not a directory
Operation not permitted | Out of memory | Permission denied | Read-only file system
Resource temporarily unavailable | Signal timed out. | Stale file handle | Text file busy
The report works again after {#seconds} s and {#failures} failed {calls}
The signal has been aborted
Cannot set no_new_privs: {reason}
The {call} works again after {#seconds} s and {#failures} failed {calls} | Too many open files
accepted {#age} ago, interval {#seconds} | address already in use | cannot measure connections
cannot measure load | cannot measure memory | cannot measure uptime
for {#duration} and 1 call: {reason} | its runtime ended by itself ({setting})
sudo komari-agent-deno install | this needs Deno 2.9 or newer, named by $DENO or on the path
{#count} days behind the panel's | {#count} warnings | {#days} {unit} behind the panel's
{#time} behind the panel's
{host} is {addresses}, from line {#line} of /etc/hosts, after {#time} ({answers})
{path} is damaged: it has {#size} of {#bytes} bytes
{text}; systemd has started it again {#count} time
{text}; systemd has started it again {#count} time: before, {cause}
{text}; systemd has started it again {#count} times
{text}; systemd has started it again {#count} times: before, {cause}
{tls}, issued by {issuer}, {validity}, for no name
{tls}, self-signed by {issuer}, {validity}, for no name
`;

Deno.test("no entry of the Chinese is for a text that is gone", () => {
  const sources = sourceTexts("").map(({ text }) => text.replaceAll("{}", " ")).join("\n");
  const isThere = (words: readonly string[]) => sources.includes(words.join(" "));
  const dead = Object.keys(chinese).filter((english) =>
    english.split(/\{#?\w+\}|\n/).map((part) => part.replace(/^[ ;:,.()]+|[ ;:,.()]+$/g, ""))
      .filter((part) => /[A-Za-z]{3}/.test(part)).map((part) => part.split(" "))
      .some((words) => !isThere(words.slice(0, 3)) && !isThere(words.slice(-3)))
  );
  const composed = COMPOSED.trim().split(/ \| |\n/);
  assertEquals(dead.filter((english) => !composed.includes(english)), []);
});
