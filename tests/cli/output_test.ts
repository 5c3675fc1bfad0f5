import { assertEquals } from "@std/assert";
import { inCharacterSet, terminalColumns } from "../../lib/cli/output.ts";

Deno.test("inCharacterSet() keeps signs, unless the locale has only ASCII", () => {
  const table: [env: Record<string, string>, text: string][] = [
    [{}, "✓ ✗ → …"],
    [{ LANG: "de_DE.UTF-8" }, "✓ ✗ → …"],
    [{ LC_ALL: "C.utf8", LANG: "C" }, "✓ ✗ → …"],
    [{ LC_ALL: "C", LANG: "en_US.UTF-8" }, "+ x -> ..."],
    [{ LC_CTYPE: "POSIX" }, "+ x -> ..."],
    [{ LANG: "de_DE.ISO-8859-1" }, "+ x -> ..."],
  ];
  for (const [env, text] of table) assertEquals(inCharacterSet(env)("✓ ✗ → …"), text);
});

Deno.test({
  name: "terminalColumns() takes COLUMNS where the output is no terminal",
  ignore: Deno.stdout.isTerminal(),
  fn() {
    assertEquals(terminalColumns({ COLUMNS: "60" }), 60);
    for (const COLUMNS of ["", "0", "-1", "x", "1e3"]) {
      assertEquals(terminalColumns({ COLUMNS }), Infinity);
    }
    assertEquals(terminalColumns({}), Infinity);
  },
});
