import { assert } from "@std/assert";
import { missingUserModeLinux, testInUserModeLinux } from "./user_mode_linux.ts";

const missing = missingUserModeLinux();
const needed = missing === undefined ? "" : ` (skipped: ${missing})`;

// The kernel of the machine that tests may lack them.
Deno.test({
  name: `the tests of networks pass on a kernel that has bonds, VLANs and dummies${needed}`,
  ignore: needed !== "",
  async fn() {
    const { success, output } = await testInUserModeLinux("tests/slow/live/network_test.ts");
    console.log(output);
    assert(success, "tests failed on the other kernel");
    assert(!output.includes("... ignored ("), "tests were skipped on the other kernel");
    const lacks = /this kernel lacks (.*)/.exec(output)?.[1] ?? "";
    for (const kind of ["bond", "vlan", "dummy", "vrf", "team", "vti named as no pattern has it"]) {
      assert(!lacks.split(", ").includes(kind), kind);
    }
  },
});
