import { assertEquals } from "@std/assert";
import { parseVmstat } from "../../lib/parse/vmstat.ts";
import { onlySyntaxErrors } from "./only_syntax_errors.ts";

const captured = Deno.readTextFileSync("tests/fixtures/debian-vm/proc/vmstat");

Deno.test("parseVmstat() reads every field of a captured file, and leaves out lines of another form, and keeps the others", () => {
  const fields = parseVmstat(captured);
  assertEquals(fields.size, captured.trim().split("\n").length);
  assertEquals(fields.get("pgpgin"), Number(/^pgpgin (\d+)$/m.exec(captured)?.[1]));
  const text = "pgfault 1\npgmajfault -2\nbad name 3\nx{y 4\noom_kill 5\npgfree 6 7\n";
  assertEquals([...parseVmstat(text)], [["pgfault", 1], ["oom_kill", 5]]);
  onlySyntaxErrors(parseVmstat, [captured]);
});
