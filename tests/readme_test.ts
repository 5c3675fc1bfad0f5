import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { Option } from "../lib/config/option.ts";
import { OPTIONS } from "../lib/config/options.ts";

/** A part of a README; the text of a table is its rows, a line each. */
interface Block {
  readonly kind: "heading" | "code" | "table" | "item" | "paragraph";
  readonly text: string;
}

const root = new URL("../", import.meta.url);
const readme = Deno.readTextFileSync(new URL("README.md", root));
const english = blocksOf(readme);
const chinese = blocksOf(Deno.readTextFileSync(new URL("README.zh-CN.md", root)));

Deno.test("the README has every option by its names", () => {
  const options: readonly Option<unknown>[] = Object.values(OPTIONS);
  for (const { flag, variable, key } of options) {
    if (flag !== undefined) assertStringIncludes(readme, `--${flag}`);
    if (variable !== undefined) assertStringIncludes(readme, variable);
    if (key !== undefined) assertStringIncludes(readme, `\`${key}\``);
  }
});

Deno.test("CI runs the README's test command", () => {
  const run = Deno.readTextFileSync(new URL(".ci/run", root));
  const command = "npx --yes deno@2.9.6 task test";
  assertStringIncludes(readme, command);
  assertStringIncludes(run, command);
});

Deno.test("both READMEs have the same headings, and below each the same kinds of blocks", () => {
  assertEquals(outline(chinese), outline(english));
});

Deno.test("both READMEs have the same code blocks but for comments", () => {
  assertEquals(commands(chinese), commands(english));
});

Deno.test("both READMEs have the same rows in each table, with the same code in each cell", () => {
  assertEquals(codeInTables(chinese), codeInTables(english));
});

for (const [name, blocks] of Object.entries({ "README.md": english, "README.zh-CN.md": chinese })) {
  Deno.test(`every link of ${name} within the repository leads somewhere`, () => {
    const headings = textsOf(blocks, "heading");
    const anchors = new Set(headings.map(anchor));
    assertEquals(anchors.size, headings.length, "two headings are alike");
    const links = blocks.filter(({ kind }) => kind !== "code").flatMap(({ text }) => linksIn(text));
    assert(links.some((link) => link.startsWith("#")));
    assert(links.some((link) => link.startsWith("README")), "no link to the other language");
    for (const link of links) {
      // An address of its own, or a page that GitHub makes.
      if (/^(https?:|\.\.\/)/.test(link)) continue;
      if (link.startsWith("#")) assert(anchors.has(link.slice(1)), `no heading for ${link}`);
      else Deno.statSync(new URL(link, root));
    }
  });
}

/** Takes Markdown apart, as `deno fmt` writes it. */
function blocksOf(markdown: string): Block[] {
  const blocks: Block[] = [];
  let block: { kind: Block["kind"]; lines: string[] } | undefined;
  const end = () => {
    if (block) blocks.push({ kind: block.kind, text: block.lines.join("\n") });
    block = undefined;
  };
  for (const line of markdown.split("\n")) {
    if (block?.kind === "code") {
      block.lines.push(line);
      if (line === "```") end();
      continue;
    }
    const kind = kindOf(line);
    if (kind === "blank" || kind === "code" || kind === "item" || kind === "heading") end();
    if (kind === "blank") continue;
    block ??= { kind, lines: [] };
    block.lines.push(line);
  }
  end();
  return blocks;
}

function kindOf(line: string): Block["kind"] | "blank" {
  if (line === "") return "blank";
  if (line.startsWith("```")) return "code";
  if (/^#+ /.test(line)) return "heading";
  if (line.startsWith("|")) return "table";
  return line.startsWith("- ") ? "item" : "paragraph";
}

function textsOf(blocks: readonly Block[], kind: Block["kind"]): string[] {
  return blocks.filter((block) => block.kind === kind).map(({ text }) => text);
}

function outline(blocks: readonly Block[]): string[] {
  return blocks.map(({ kind, text }) => kind === "heading" ? text.replace(/ .*/, "") : kind);
}

function commands(blocks: readonly Block[]): string[] {
  return textsOf(blocks, "code").map((text) => text.replaceAll(/(^|\s+)#.*$/gm, ""));
}

function codeInTables(blocks: readonly Block[]): string[][] {
  return textsOf(blocks, "table").map((text) =>
    text.split("\n").map((row) =>
      row.split(/(?<!\\)\|/).map((cell) => (cell.match(/`[^`]+`/g) ?? []).sort().join(" "))
        .join(" | ")
    )
  );
}

function linksIn(text: string): string[] {
  return [...text.matchAll(/\]\(([^)\s]+)\)/g)].map(([, link = ""]) => link);
}

/** What GitHub makes of a heading that is like no other. */
function anchor(heading: string): string {
  return heading.replace(/^#+ /, "").toLowerCase().replaceAll(/[^\p{L}\p{M}\p{N}_ -]/gu, "")
    .replaceAll(" ", "-");
}
