import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { OPTION_PAGES, writeOptionTables } from "../build/options_page.ts";
import { namedTests, unknownStatements } from "./promises.ts";
import { sourceTexts } from "./cli/shown_texts.ts";
import { languageOfPage, PLACEHOLDER, stampedFiles, stampRepository } from "../build/pages.ts";

/** A part of a page; the text of a table is its rows, a line each. */
interface Block {
  readonly kind: "heading" | "code" | "table" | "item" | "comment" | "paragraph";
  readonly text: string;
}

/** A page in both languages, each by its path within the repository. */
interface Page {
  readonly english: string;
  readonly chinese: string;
}

/** Largest size of a README, so that it can be read at once. */
const README_MAX_BYTES = 10 * 1024;

const root = new URL("../", import.meta.url);
const english = namesIn("docs/");
const pages: readonly Page[] = [
  { english: "README.md", chinese: "README.zh-CN.md" },
  ...english.map((name) => ({ english: `docs/${name}`, chinese: `docs/zh-CN/${name}` })),
];
const paths = pages.flatMap((page) => [page.english, page.chinese]);
const readmes = paths.filter((path) => path.startsWith("README"));
const texts = new Map(paths.map((path) => [path, Deno.readTextFileSync(new URL(path, root))]));
const blocks = new Map([...texts].map(([path, text]) => [path, blocksOf(text)]));

Deno.test("docs/ has the same pages in both languages", () => {
  assert(english.length > 0);
  assertEquals(namesIn("docs/zh-CN/"), english);
});

for (const path of readmes) {
  Deno.test(`${path} has at most 10 KB, and leads to every page of its language`, () => {
    const { size } = Deno.statSync(new URL(path, root));
    assert(size <= README_MAX_BYTES, `${size} bytes`);
    const folder = path === "README.md" ? "docs/" : "docs/zh-CN/";
    const links = linksOf(path);
    for (const name of english) assert(links.includes(folder + name), `no link to ${name}`);
  });
}

for (const { path, language } of OPTION_PAGES) {
  Deno.test(`${path} has the option table as \`deno task docs\` writes it`, () => {
    const page = textOf(path);
    assertEquals(unpadded(page), unpadded(writeOptionTables(page, path, language)));
  });
}

/** Markdown without line breaks and the padding of tables, which `deno fmt` adds. */
function unpadded(markdown: string): string {
  return markdown.replaceAll(/(?<=\| )-{2,}(?= \|)/g, "---").replaceAll(/\s+/g, " ");
}

Deno.test("CI runs every test task of deno.json once, and both READMEs name the two for users", () => {
  const { tasks }: { tasks: Record<string, string> } = readManifest();
  const names = Object.keys(tasks).filter((name) => /^test\b/.test(name));
  const parts = names.filter((name) => !tasks[name]?.includes("deno task"));
  assertEquals(tasks["test:all"], parts.map((name) => `deno task ${name}`).join(" && "));
  const ci = Deno.readTextFileSync(new URL(".ci/run", root));
  const run = Array.from(ci.matchAll(/^run (test\S*) /gm), ([, name]) => name);
  assertEquals(run, parts);
  for (const name of ["test", "test:all"]) {
    for (const path of readmes) {
      assertMatch(textOf(path), new RegExp(`npx --yes deno@2\\.9\\.6 task ${name}(?![\\w:])`));
    }
  }
});

Deno.test("the pages name the repository of deno.json as `deno task docs` writes it", () => {
  const { repository }: { repository: string } = readManifest();
  for (const path of readmes) {
    const named = `https://github.com/${repository || PLACEHOLDER}/releases/latest`;
    assertStringIncludes(textOf(path), named);
  }
  for (const path of stampedFiles()) {
    const text = Deno.readTextFileSync(new URL(path, root));
    const stamped = stampRepository(text, repository, languageOfPage(path));
    assertEquals(unpadded(stamped), unpadded(text), path);
    if (repository !== "") assert(!text.includes(PLACEHOLDER), path);
  }
});

for (const [path, all] of blocks) {
  Deno.test(`${path} quotes only what the program says`, () => {
    assertEquals(quotesIn(all).filter((quote) => !isOfProgram(quote)), []);
  });
}

Deno.test("each statement about security is in .github/PROMISES.md, and names a test that is there", () => {
  assertEquals(unknownStatements(), []);
  const { all, lost } = namedTests();
  assertEquals(lost, []);
  assert(all.length > 80, `${all.length} tests`);
});

for (const page of pages) {
  Deno.test(`${page.english} says the same as ${page.chinese}: blocks, code, tables, options and links`, () => {
    const [chinese, english] = [blocksIn(page.chinese), blocksIn(page.english)];
    for (const look of [outline, commands, codeInTables, optionsInText]) {
      assertEquals<unknown>(look(chinese), look(english), look.name);
    }
    assertEquals(targets(page.chinese), targets(page.english));
  });
}

for (const path of paths) {
  Deno.test(`every link of ${path} within the repository leads somewhere`, () => {
    const headings = textsOf(blocksIn(path), "heading");
    assertEquals(new Set(headings.map(anchor)).size, headings.length, "two headings are alike");
    const links = linksOf(path);
    assert(links.includes(otherLanguage(path)), "no link to the other language");
    for (const link of links) {
      if (isOutside(link)) continue;
      const [file = "", fragment] = link.split("#");
      const target = file === "" ? path : resolve(file, path);
      Deno.statSync(new URL(target, root));
      if (fragment === undefined) continue;
      const text = Deno.readTextFileSync(new URL(target, root));
      const anchors = textsOf(blocksOf(text), "heading").map(anchor);
      assert(anchors.includes(fragment), `no heading for ${link}`);
    }
  });
}

function readManifest() {
  return JSON.parse(Deno.readTextFileSync(new URL("deno.json", root)));
}

function namesIn(folder: string): string[] {
  const entries = [...Deno.readDirSync(new URL(folder, root))];
  return entries.map(({ name }) => name).filter((name) => name.endsWith(".md")).sort();
}

function textOf(path: string): string {
  const text = texts.get(path);
  assert(text !== undefined, `${path} is no page`);
  return text;
}

function blocksIn(path: string): readonly Block[] {
  const found = blocks.get(path);
  assert(found !== undefined, `${path} is no page`);
  return found;
}

/** Takes Markdown apart, as `deno fmt` writes it. */
function blocksOf(markdown: string): Block[] {
  const found: Block[] = [];
  let block: { kind: Block["kind"]; lines: string[] } | undefined;
  const end = () => {
    if (block) found.push({ kind: block.kind, text: block.lines.join("\n") });
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
  return found;
}

function kindOf(line: string): Block["kind"] | "blank" {
  if (line === "") return "blank";
  if (line.startsWith("```")) return "code";
  if (/^#+ /.test(line)) return "heading";
  if (line.startsWith("|")) return "table";
  if (line.startsWith("<!--")) return "comment";
  return /^(?:-|\d+\.) /.test(line) ? "item" : "paragraph";
}

function textsOf(all: readonly Block[], kind: Block["kind"]): string[] {
  return all.filter((block) => block.kind === kind).map(({ text }) => text);
}

function outline(all: readonly Block[]): string[] {
  return all.map(({ kind, text }) => {
    if (kind === "heading") return text.replace(/ .*/, "");
    return kind === "comment" ? text : kind;
  });
}

function commands(all: readonly Block[]): string[] {
  return textsOf(all, "code").map((text) => text.replaceAll(/(^|\s+)#.*$/gm, ""));
}

function codeInTables(all: readonly Block[]): string[][] {
  return textsOf(all, "table").map((text) =>
    text.split("\n").map((row) =>
      row.split(/(?<!\\)\|/).map((cell) => codeIn(cell).sort().join(" ")).join(" | ")
    )
  );
}

/** The flags and variables that each item and paragraph names. */
function optionsInText(all: readonly Block[]): string[] {
  return all.filter(({ kind }) => kind === "item" || kind === "paragraph").map(({ text }) =>
    [...new Set(codeIn(text).flatMap((code) => code.match(/--[a-z-]+|\b[A-Z]+_[A-Z_]+/g) ?? []))]
      .sort().join(" ")
  );
}

function codeIn(text: string): string[] {
  return text.replaceAll(/\s*\n\s*/g, " ").match(/`[^`]+`/g) ?? [];
}

function linksOf(path: string): string[] {
  return blocksIn(path).filter(({ kind }) => kind !== "code").flatMap(({ text }) =>
    [...text.matchAll(/\]\(([^)\s]+)\)/g)].map(([, link = ""]) => link)
  );
}

/** An address of its own, or a page that GitHub makes. */
function isOutside(link: string): boolean {
  return /^https?:|^(?:\.\.\/)+releases\//.test(link);
}

/** The path within the repository of a link on a page. */
function resolve(link: string, path: string): string {
  return new URL(link, new URL(path, "file:///")).pathname.slice(1);
}

function otherLanguage(path: string): string {
  if (readmes.includes(path)) return path === "README.md" ? "README.zh-CN.md" : "README.md";
  return path.startsWith("docs/zh-CN/")
    ? path.replace("docs/zh-CN/", "../")
    : path.replace("docs/", "zh-CN/");
}

/** The pages that a page links to in their English form, without its link to itself. */
function targets(path: string): string[] {
  return linksOf(path).filter((link) => link !== otherLanguage(path)).map((link) => {
    if (isOutside(link)) return link.replace(/^(?:\.\.\/)+/, "../");
    const [file = ""] = link.split("#");
    if (file === "") return "#";
    return resolve(file, path).replace("docs/zh-CN/", "docs/").replace(".zh-CN.md", ".md");
  }).sort();
}

/** Texts of the program, with `…` for each value in them. */
const programTexts = sourceTexts("").map(({ text }) => text.replaceAll(/\{\w*\}/g, "…"));
/** What a panel says, and commands. */
const NOT_OF_PROGRAM = /^Not found in install mode$|^(?:sudo )?(?:apk|apt|dnf|systemctl|deno) /;

/** Whether a quotation with `…` for values is the program's, part by part: an error has causes. */
function isOfProgram(quote: string): boolean {
  return quote.split(/…|: /).map((part) => part.trim()).filter((part) => part !== "")
    .every(isPartOfProgram);
}

/** Whether a text stands in the program, or in one of its texts with another for the value at its end. */
function isPartOfProgram(part: string): boolean {
  if (programTexts.some((text) => text.includes(part))) return true;
  return Array.from(part.matchAll(/ /g), ({ index }) => index).some((at) =>
    programTexts.some((text) => text.includes(`${part.slice(0, at)} …`)) &&
    programTexts.some((text) => text.startsWith(part.slice(at + 1)))
  );
}

/** The texts in code that are English sentences: three words, one after the other. */
function quotesIn(all: readonly Block[]): string[] {
  return all.filter(({ kind }) => kind !== "code").flatMap(({ text }) => codeIn(text))
    .map((code) => code.slice(1, -1))
    .filter((text) => /^[…: ]*[A-Za-z]+ [a-z]+ [a-z(…]/.test(text) || /^…/.test(text))
    .filter((text) => !/ --?[a-z]| [A-Z]+\b|[/=]/.test(text.replace("http://", "")))
    .filter((text) => !NOT_OF_PROGRAM.test(text));
}

/** The anchor that GitHub gives to a heading that is like no other. */
function anchor(heading: string): string {
  return heading.replace(/^#+ /, "").toLowerCase().replaceAll(/[^\p{L}\p{M}\p{N}_ -]/gu, "")
    .replaceAll(" ", "-");
}
