import { assertEquals } from "@std/assert";
import { hostileNames, SHELLS, takenName } from "../../sandbox/hostile_names.ts";

for (const shell of SHELLS) {
  Deno.test(`The helper shell's script under ${shell.join(" ")} refuses 20,000 hostile names`, async () => {
    assertEquals(await takenName(shell, hostileNames(20_000)), undefined);
  });
}
