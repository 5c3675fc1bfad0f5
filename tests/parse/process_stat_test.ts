import { assertEquals, assertThrows } from "@std/assert";
import { parseProcessStat } from "../../lib/parse/process_stat.ts";
import { onlySyntaxErrors } from "./only_syntax_errors.ts";

const REST = "2147221247 0 0 1 0 0 17 0 0 0 0 0 0 9388 9387 9389 140 141 142 143 0";
const LINE =
  `18093 (script) S 18087 18090 18091 0 -1 4194560 193 0 2 0 0 0 0 0 20 0 1 0 114777 ${REST}\n`;

Deno.test("parseProcessStat() reads parent, group and session", () => {
  assertEquals(parseProcessStat(LINE), {
    ...{ pid: 18093, hasExited: false, parentPid: 18087 },
    ...{ processGroupId: 18090, sessionId: 18091, startTicks: 114777 },
  });
});

Deno.test("parseProcessStat() ignores digits and parentheses in a process's name, and recognizes a zombie and a dead process, by its state alone", () => {
  const named = LINE.replace("(script)", "(a) Z 1 1 (b\n) c)");
  assertEquals(parseProcessStat(named), parseProcessStat(LINE));
  const exited = [..."RSDTtIZXxKWP"].filter((state) =>
    parseProcessStat(LINE.replace(" S ", ` ${state} `)).hasExited
  );
  assertEquals(exited, ["Z", "X"]);
});

Deno.test("parseProcessStat() throws when the line is truncated or a number is malformed, and gives numbers or a SyntaxError for any text", () => {
  for (const text of ["", "1", "1 (a)", "1 (a) S 1 2 3", LINE.replace("18087", "-1")]) {
    assertThrows(() => parseProcessStat(text), SyntaxError, "Cannot parse a process's stat");
  }
  onlySyntaxErrors(parseProcessStat, [LINE]);
});
