import { assertEquals } from "@std/assert";
import { unmatchedNotices } from "../../lib/config/notices.ts";

const NONE = { includeNics: [], excludeNics: [], includeMountPoints: [] };
const ROOT = { mountPoint: "/", type: "ext4", counted: true };
const ABSENT = { mountPoint: "/nope", type: "", counted: false };

Deno.test("unmatchedNotices() names the option whose list matches nothing", () => {
  const found = { interfaces: [{ name: "eth0", counted: false }], mountPoints: [ABSENT] };
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
  const interfaces = [{ name: "eth0", counted: true }];
  assertEquals(unmatchedNotices(lists, { interfaces, mountPoints: [ROOT, ABSENT] }), [
    "--include-nics w* matches no interface",
    "--include-mountpoint /nope is not mounted",
  ]);
});

Deno.test("unmatchedNotices() says nothing of a machine that the lists fit", () => {
  const interfaces = [{ name: "eth0", counted: true }, { name: "lo", counted: false }];
  const lists = { includeNics: [], excludeNics: ["lo"], includeMountPoints: ["/"] };
  assertEquals(unmatchedNotices(lists, { interfaces, mountPoints: [ROOT] }), []);
  assertEquals(unmatchedNotices(NONE, { interfaces: [], mountPoints: [] }), []);
  const all = { includeNics: ["eth0"], excludeNics: ["eth1"], includeMountPoints: ["/"] };
  assertEquals(unmatchedNotices(all, { interfaces: [], mountPoints: [] }), []);
  assertEquals(
    unmatchedNotices({ ...all, includeNics: [] }, { interfaces: [], mountPoints: [] }),
    [],
  );
});

Deno.test("unmatchedNotices() says where graphics cards can't be asked", () => {
  const found = { interfaces: [], mountPoints: [] };
  assertEquals(unmatchedNotices({ ...NONE, gpu: true }, { ...found, asksCards: false }), [
    "--gpu has no effect: graphics cards are queried on Linux only",
  ]);
  assertEquals(unmatchedNotices({ ...NONE, gpu: true }, { ...found, asksCards: true }), []);
  assertEquals(unmatchedNotices({ ...NONE, gpu: false }, { ...found, asksCards: false }), []);
});
