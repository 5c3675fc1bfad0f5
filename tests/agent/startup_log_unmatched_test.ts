import { assertEquals } from "@std/assert";
import { unmatchedNotices } from "../../lib/agent/startup_log.ts";

const NONE = { gpu: false, includeNics: [], excludeNics: [], includeMountPoints: [] };
const ROOT = { mountPoint: "/", type: "ext4", counted: true };
const ABSENT = { mountPoint: "/nope", type: "", counted: false };

function machineOf(
  interfaces: readonly { name: string; counted: boolean }[],
  mounts: readonly (typeof ROOT)[],
  gpu?: object,
) {
  return { interfaces: () => interfaces, mounts: () => mounts, gpu };
}

Deno.test("unmatchedNotices() names the option whose list matches nothing", () => {
  const found = machineOf([{ name: "eth0", counted: false }], [ABSENT]);
  assertEquals(
    unmatchedNotices({ ...NONE, includeNics: ["eth9"], includeMountPoints: ["/nope"] }, found),
    [
      "--include-nics eth9 matches no interface, so no traffic is counted",
      "--include-mountpoint /nope is not mounted, so no disk space is counted",
    ],
  );
  assertEquals(unmatchedNotices({ ...NONE, excludeNics: ["e*", "w*"] }, found), [
    "--exclude-nics e*,w* leaves no interface, so no traffic is counted",
  ]);
});

Deno.test("unmatchedNotices() names only what is missing where the rest counts", () => {
  const lists = { ...NONE, includeNics: ["e*", "w*"], includeMountPoints: ["/", "/nope"] };
  const found = machineOf([{ name: "eth0", counted: true }], [ROOT, ABSENT]);
  assertEquals(unmatchedNotices(lists, found), [
    "--include-nics w* matches no interface",
    "--include-mountpoint /nope is not mounted",
  ]);
});

Deno.test("unmatchedNotices() says nothing of a machine that the lists fit", () => {
  const interfaces = [{ name: "eth0", counted: true }, { name: "lo", counted: false }];
  const lists = { ...NONE, excludeNics: ["lo"], includeMountPoints: ["/"] };
  assertEquals(unmatchedNotices(lists, machineOf(interfaces, [ROOT])), []);
  const idle = machineOf([{ name: "lo", counted: false }], [ROOT]);
  assertEquals(unmatchedNotices(NONE, idle), [], "no option leaves it out");
  const unmeasured = machineOf([], []);
  assertEquals(unmatchedNotices(NONE, unmeasured), []);
  const all = { ...NONE, includeNics: ["eth0"], excludeNics: ["eth1"], includeMountPoints: ["/"] };
  assertEquals(unmatchedNotices(all, unmeasured), []);
  assertEquals(unmatchedNotices({ ...all, includeNics: [] }, unmeasured), []);
});

Deno.test("unmatchedNotices() says where graphics cards can't be asked", () => {
  const [without, withCards] = [machineOf([], []), machineOf([], [], {})];
  assertEquals(unmatchedNotices({ ...NONE, gpu: true }, without), [
    "--gpu has no effect: graphics cards are queried on Linux only",
  ]);
  assertEquals(unmatchedNotices({ ...NONE, gpu: true }, withCards), []);
  assertEquals(unmatchedNotices({ ...NONE, gpu: false }, without), []);
});
