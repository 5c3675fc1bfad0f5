import { assertEquals } from "@std/assert";
import { parseSchedstat } from "../../lib/parse/schedstat.ts";
import { onlySyntaxErrors } from "./only_syntax_errors.ts";

const TEXT = `version 15
timestamp 4294937297
cpu0 0 0 3 4 5 6 700 800 9
domain0 3 0 0 0 0 0 0 0 0 0 0 0 0
cpu12 0 0 3 4 5 6 1 2 3
cpux 0 0 3 4 5 6 1 2 3
cpu2 0 0 3 4 5 6 1 2
`;

Deno.test("parseSchedstat() reads the lines of cores, and leaves out others", () => {
  assertEquals(parseSchedstat(TEXT), [
    { cpu: "0", runningNs: 700, waitingNs: 800, timeslices: 9 },
    { cpu: "12", runningNs: 1, waitingNs: 2, timeslices: 3 },
  ]);
  onlySyntaxErrors(parseSchedstat, [TEXT]);
});
