/**
 * Each promise of the security page and of the security policy names its test, in
 * `.github/PROMISES.md`.
 *
 * @module
 */

const ROOT = new URL("../", import.meta.url);
const read = (path: string) => Deno.readTextFileSync(new URL(path, ROOT));

/** Statements of a page: sentences, items and the rows of tables, without the heads of these. */
function statementsOf(markdown: string): string[] {
  const blocks = markdown.replaceAll(/^```.*?^```$/gms, "").split(/\n\s*\n/);
  return blocks.filter((block) => !/^[#[]/.test(block.trim())).flatMap((block) => {
    if (block.trim().startsWith("|")) {
      const [, , ...rows] = block.trim().split("\n");
      return rows.map((row) => row.replace(/^\| /, "").replaceAll(/\s+/g, " "));
    }
    const items = block.trim().split(/\n(?=- )/);
    return items.flatMap((item) =>
      item.replace(/^- /, "").replaceAll(/\s+/g, " ").split(/(?<=[.:;]) (?=[A-Z*`-])/)
    );
  });
}

/** The part of a page below a heading. */
function section(markdown: string, heading: string): string {
  const [, after = ""] = markdown.split(`\n## ${heading}\n`);
  return after.split("\n## ")[0] ?? "";
}

const STATEMENTS = [
  ...statementsOf(read("docs/security.md")),
  ...["What the seal promises", "Attacks that were tried", "Floods"].flatMap((heading) =>
    statementsOf(section(read(".github/SECURITY.md"), heading))
  ),
];

/** The rows of the table: how a statement begins, and its tests. */
const ROWS = read(".github/PROMISES.md").split("\n").filter((line) => / … +\| /.test(line))
  .map((line) => {
    const [, begin = "", tests = ""] = /^\| (.*?) … +\| (.*?) +\|$/.exec(line) ?? [];
    return { begin, tests: tests === "—" ? [] : tests.split("; ") };
  });

/** Statements that the table leaves out, and rows of statements that are no more. */
export function unknownStatements(): string[] {
  const missing = STATEMENTS.filter((it) => !ROWS.some(({ begin }) => it.startsWith(begin)));
  const stale = ROWS.filter(({ begin }) => !STATEMENTS.some((it) => it.startsWith(begin)));
  return [...missing, ...stale.map(({ begin }) => begin)];
}

/** The tests of all statements, and those of them that are not there. */
export function namedTests(): { all: string[]; lost: string[] } {
  const all = ROWS.flatMap(({ tests }) => tests);
  const lost = all.filter((test) => {
    const [, path, words] = /^`(\S+)`: (\S.*)$/.exec(test) ?? [];
    // Of a name, or of the key of an attack; a name may be written in parts.
    return path === undefined || words === undefined ||
      !read(path).replaceAll(/"\s*\+\s*"/g, "").includes(words);
  });
  return { all, lost };
}
