import { assertEquals } from "@std/assert";
import chinese from "../../lib/cli/chinese.json" with { type: "json" };
import { brokenRules } from "./chinese_style.ts";
import { chineseTexts } from "./shown_texts.ts";

const ROOT = new URL("../../", import.meta.url);

/** A text with Chinese, and where it stands. */
interface Found {
  readonly where: string;
  readonly text: string;
}

function offences(all: readonly Found[]): string[] {
  return all.flatMap(({ where, text }) =>
    brokenRules(text).map((rule) => `${where}: ${rule}: ${text}`)
  );
}

Deno.test("the Chinese texts of the program have Chinese punctuation", () => {
  const ofCatalogue = Object.entries(chinese).map(([english, text]) => ({
    where: english,
    // A value may be Chinese, and then has no blanks beside it.
    text: text.replaceAll(/\{#?\w+、?\}/g, "x"),
  }));
  // Patterns of what others say in Chinese are none of the program's texts.
  const inSources = chineseTexts("").filter(({ text }) => !text.includes("(?:")).map(ofSource);
  assertEquals(offences([...ofCatalogue, ...inSources]), []);
});

function ofSource({ file: where, text }: { file: string; text: string }): Found {
  return { where, text: text.replaceAll("{}", "x") };
}

Deno.test("the Chinese pages have Chinese punctuation", () => {
  const pages = [
    "README.zh-CN.md",
    ...Array.from(
      Deno.readDirSync(new URL("docs/zh-CN/", ROOT)),
      ({ name }) => `docs/zh-CN/${name}`,
    ),
  ];
  const found = pages.flatMap((where) =>
    paragraphsOf(Deno.readTextFileSync(new URL(where, ROOT))).map((text) => ({ where, text }))
  );
  assertEquals(offences(found), []);
});

/** Paragraphs and cells of tables in one line each, without code. */
function paragraphsOf(markdown: string): string[] {
  const text = markdown.replaceAll(/^```[^]*?^```/gm, "").replaceAll(/^<!--.*$/gm, "");
  return text.split(/\n\n+|\n(?=[-|#]|\d+\. )/).flatMap((block) =>
    block.startsWith("|") ? block.split(/(?<!\\)\|/) : [block]
  ).map((part) =>
    part.replaceAll(/\s*\n\s*/g, "\n").replaceAll(/`[^`]*`/g, "x").replaceAll(/\]\([^)]*\)/g, "]")
      .trim()
      // A line that ends with Chinese is continued without a blank.
      .replaceAll(
        new RegExp(
          `(?<=[\\u3000-\\u9fff\\uff00-\\uffef])\\n|\\n(?=[\\u3000-\\u9fff\\uff00-\\uffef])`,
          "g",
        ),
        "",
      ).replaceAll("\n", " ")
  );
}

Deno.test("offences() finds each kind of wrong punctuation", () => {
  for (const text of ["见下， 然后", "版本 x: 坏了", "目录 (只读)", "没有 空格", "沙盒"]) {
    assertEquals(offences([{ where: "", text }]).length > 0, true, text);
  }
  assertEquals(offences([{ where: "", text: "见 [安装](install.md)，用 `x: y` 即可。" }]), []);
});
