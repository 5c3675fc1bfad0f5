import { assertEquals, assertThrows } from "@std/assert";
import { parseArcstats } from "../../lib/parse/arcstats.ts";
import { onlySyntaxErrors } from "./only_syntax_errors.ts";

/** In the form of OpenZFS 2; lines of other counters left out. */
const ARCSTATS = `9 1 0x01 147 39984 7033712893 123456789012345
name                            type data
hits                            4    3456789
p                               4    8242135040
c                               4    16484270080
c_min                           4    1030266880
c_max                           4    16484270080
size                            4    12884901888
compressed_size                 4    10737418240
overhead_size                   4    1073741824
`;

Deno.test("parseArcstats() reads the size, and the least that ZFS keeps", () => {
  assertEquals(parseArcstats(ARCSTATS), { sizeBytes: 12884901888, minimumBytes: 1030266880 });
});

const table = [
  ["", `"size" in ""`],
  [ARCSTATS.replace("\nsize ", "\nsighs "), `"size"`],
  [ARCSTATS.replace("1030266880", "many"), "c_min                           4    many"],
  [ARCSTATS.replace("4    12884901888", "12884901888"), "12884901888"],
  [ARCSTATS.replace("12884901888", "99999999999999999999"), "99999999999999999999"],
] as const;
Deno.test("parseArcstats() throws a SyntaxError for any other text, and nothing else", () => {
  for (const [text, quoted] of table) assertThrows(() => parseArcstats(text), SyntaxError, quoted);
  onlySyntaxErrors(parseArcstats, [ARCSTATS]);
});
