import { assert } from "@std/assert";
import { missingUserModeLinux, testInUserModeLinux } from "./user_mode_linux.ts";
import { onlyIf } from "../../only_on.ts";

const missing = missingUserModeLinux();
const needed = missing === undefined ? "" : ` (skipped: ${missing})`;

/**
 * The tests whose kinds of interfaces this machine's kernel may lack. The others would only prove the
 * same again, at a tenth of the speed.
 */
const NEEDING_KINDS = /bridge, its port|VLAN|bond/;

const here = onlyIf(needed === "");

here.test(`the tests of networks pass on a kernel that has bonds, VLANs and dummies${needed}`, async () => {
  const file = "tests/slow/live/network_test.ts";
  const { success, output } = await testInUserModeLinux(file, NEEDING_KINDS);
  console.log(output);
  assert(success, "tests failed on the other kernel");
  assert(/^ok \| 3 passed/m.test(output), "tests are missing on the other kernel");
  assert(!output.includes("... ignored ("), "tests were skipped on the other kernel");
  const lacks = /this kernel lacks (.*)/.exec(output)?.[1] ?? "";
  for (const kind of ["bond", "vlan", "dummy", "vrf", "team", "vti named as no pattern has it"]) {
    assert(!lacks.split(", ").includes(kind), kind);
  }
});
