import { assert, assertEquals } from "@std/assert";
import chinese from "../../lib/cli/chinese.json" with { type: "json" };
import { completions } from "../../lib/cli/completions.ts";
import { licensesText } from "../../lib/cli/licenses.ts";
import { translate } from "../../lib/cli/translate.ts";
import { sourceTexts, textsOf } from "./shown_texts.ts";

const zh = (text: string) => translate(text, "zh");

Deno.test("translate() leaves English as it is", () => {
  assertEquals(translate("permission denied", "en"), "permission denied");
});

Deno.test("translate() puts a template's values where its Chinese has them, translated too", () => {
  assertEquals(
    zh("Cannot use flag --intervall: there is none of that name; did you mean --interval?"),
    "无法使用选项 --intervall：没有这个选项；你是否想用 --interval？",
  );
  assertEquals(
    zh('Cannot use "x" for flag --interval: allowed is a number from 1 to 3600'),
    '无法把 "x" 用于选项 --interval：允许的是 1 到 3600 的数',
  );
  assertEquals(zh("Healthy: a report was accepted 2.1 s ago"), "正常：2.1 s 前有一次上报被接受");
});

Deno.test("translate() takes an error and its cause apart", () => {
  assertEquals(zh("Cannot read /x: permission denied"), "无法读取 /x：没有权限");
  assertEquals(zh("panel.example.com: permission denied"), "panel.example.com：没有权限");
  assertEquals(zh("上次失败：Cannot read /x: no such file"), "上次失败：无法读取 /x：没有这个文件");
});

Deno.test("translate() puts the English in a Chinese text into Chinese", () => {
  assertEquals(
    zh("3 min 前：Cannot read /x: permission denied（已重试）"),
    "3 min 前：无法读取 /x：没有权限（已重试）",
  );
});

Deno.test("translate() keeps indentation and columns", () => {
  assertEquals(zh("  Program        /opt/x"), "  程序           /opt/x");
  assertEquals(
    zh("Since       2026-01-01, next reset 2026-02-01\nState       none\n"),
    "起始        2026-01-01，下次重置 2026-02-01\n状态        无\n",
  );
});

Deno.test("translate() leaves what has no entry, and what is Chinese already", () => {
  assertEquals(
    zh("--include-nics none matches no interface, so no traffic is counted"),
    "--include-nics none 没有匹配任何网卡，因此不统计流量",
    "a name that is an entry, too",
  );
  for (const text of ["/usr/bin/x of eth0", "", "a=b: c"]) {
    assertEquals(zh(text), text);
  }
});

Deno.test("translate() does not touch scripts and licenses", () => {
  for (const shell of ["bash", "zsh", "fish"] as const) {
    assertEquals(zh(completions(shell, "en")), completions(shell, "en"));
  }
  const changed = licensesText().split("\n").filter((line) => zh(line) !== line);
  assertEquals(changed, [
    "The runtime contains V8 and other works; its repository names them and their licenses.",
    "MIT License, which all of the above have:",
  ]);
});

/** Rooms whose texts are for users; in the files that are left out, they are for other programs. */
const ROOMS = ["cli/", "config/", "service/"];
/** Rooms whose errors reach users through those. */
const ERROR_ROOMS = [
  ...[
    "agent/",
    "exporter/",
    "host/",
    "metrics/",
    "net/",
    "panel/",
    "probe/",
    "sandbox/",
    "state/",
    "traffic/",
  ],
  "update/",
];
const SCRIPTS = ["cli/completions.ts", "cli/man_page.ts"].concat(
  ["launchd", "openrc", "procd", "systemd", "update_service"].map((name) => `service/${name}.ts`),
);
/** Texts with words that no user reads as they stand here. */
const NOT_SHOWN = [
  // Commands, and kinds of steps and results.
  /^(?:config|traffic|completions) \w+(?: \[.*)?$|^traffic set --up|^sudo |^ --install-service-name/,
  /^remove (?:empty )?folder$/,
  /^(?:no mounts|no folder|new folder|not newer|failed before|not stable|rolled back|rolling back)$/,
  // Licenses.
  /Copyright |^Permission is hereby/,
  // What others write, and comments in files that the installation writes.
  /^Require WebSocket upgrade$|^Komari \{\}$|^# Komari Agent managed|^Komari agent$/,
  /^Written by `|^Part of a package;/,
  // Parts of which each whole has an entry.
  /^\{\} and \{\}$|^\{\}, by \{\}$|^Cannot \{\} without \{\}; \{\}$|\{\} \{\} it$/,
  /^Cannot resolve every option$|^is (?:not )?running$|^\{\} port \{\}$|^and (?:starts|does not start) at boot$/,
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

Deno.test("each text for users in lib/cli, lib/config and lib/service has its Chinese", () => {
  const missing = ROOMS.flatMap(sourceTexts).filter(({ file, text }) =>
    !SCRIPTS.includes(file) && !NOT_SHOWN.some((rule) => rule.test(text))
  ).flatMap(({ file, text }) =>
    text.split("\n").map((line) => line.trim())
      .filter((line) => isSentence(line) && !known.has(line)).map((line) => `${file}: ${line}`)
  );
  assertEquals(missing, [], "add each to lib/cli/chinese.json, with {name} for a value");
});

Deno.test("each error of the other rooms has its Chinese", () => {
  const missing = ERROR_ROOMS.flatMap(sourceTexts)
    .filter(({ text }) =>
      text.startsWith("Cannot ") && !known.has(withoutNames(text)) &&
      // Of the C library: the part before the colon has an entry with each call.
      text !== "Cannot {} {}: {}"
    )
    .map(({ file, text }) => `${file}: ${text}`);
  assertEquals(missing, [], "add each to lib/cli/chinese.json, with {name} for a value");
});

Deno.test("each line of the log from level info on has its Chinese", () => {
  const missing = sourceTexts("").filter(({ file, text, isLogged }) =>
    isLogged && !file.startsWith("demo/") && /[A-Za-z]{2,} [a-z]/.test(withoutNames(text)) &&
    !known.has(withoutNames(text))
  ).map(({ file, text }) => `${file}: ${text}`);
  assertEquals(missing, [], "add each to lib/cli/chinese.json");
});

Deno.test("textsOf() finds texts, joined, without those that have both languages", () => {
  const source = 'f("one " + `two ${three} four`); g({ en: "five six", zh: "七" }); h("a b");';
  assertEquals(textsOf("x.ts", source).map(({ text }) => text), ["one two {} four", "a b"]);
});

Deno.test("translate() finds each entry by its own template", () => {
  // Two that differ in a number only are told apart by it.
  const filled = (text: string) =>
    text.replaceAll(/\{#\w+\}/g, "7").replaceAll(/\{(\w+)\}/g, (_, name) => `value.${name}`);
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
  const namesIn = (text: string) => [...text.matchAll(/\{#?(\w+)\}/g)].map(([, name]) => name);
  for (const [english, text] of Object.entries(chinese)) {
    const names = namesIn(english);
    for (const name of namesIn(text)) assert(names.includes(name), `${english}: {${name}}`);
  }
});
