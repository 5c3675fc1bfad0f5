import { assertEquals } from "@std/assert";
import { filterDarwinMounts } from "../../lib/metrics/disk_darwin.ts";
import type { DarwinMount } from "../../lib/parse/mounts_darwin.ts";

function mount(source: string, mountPoint: string, rest: Partial<DarwinMount> = {}): DarwinMount {
  return { source, mountPoint, type: "apfs", local: true, readOnly: false, ...rest };
}

/** The rules by mount point. */
function rules(mounts: DarwinMount[], include: string[] = []): Record<string, string> {
  return Object.fromEntries(
    filterDarwinMounts(mounts, include).map(({ mountPoint, counted, rule }) => [
      mountPoint,
      `${counted ? "+" : "-"} ${rule}`,
    ]),
  );
}

const ROOT = mount("/dev/disk3s1s1", "/", { readOnly: true });
const DATA = mount("/dev/disk3s5", "/System/Volumes/Data");

Deno.test("filterDarwinMounts() lets the root speak for its container, wherever it is listed", () => {
  assertEquals(rules([DATA, ROOT]), {
    "/": "+ the root",
    "/System/Volumes/Data": "- shares the space of /",
  });
});

Deno.test("filterDarwinMounts() tells containers apart whose numbers begin alike", () => {
  assertEquals(
    rules([ROOT, mount("/dev/disk30s1", "/Volumes/a"), mount("/dev/disk30s2", "/Volumes/b")]),
    {
      "/": "+ the root",
      "/Volumes/a": "+ disk: apfs",
      "/Volumes/b": "- shares the space of /Volumes/a",
    },
  );
});

Deno.test("filterDarwinMounts() counts partitions of another kind each for itself", () => {
  const exfat = { type: "exfat" };
  assertEquals(
    rules([
      ROOT,
      mount("/dev/disk4s1", "/Volumes/a", exfat),
      mount("/dev/disk4s2", "/Volumes/b", exfat),
      mount("/dev/disk4s2", "/Volumes/again", exfat),
    ]),
    {
      "/": "+ the root",
      "/Volumes/a": "+ disk: exfat",
      "/Volumes/b": "+ disk: exfat",
      "/Volumes/again": "- shares the space of /Volumes/b",
    },
  );
});

Deno.test("filterDarwinMounts() leaves out what is no disk, an image, a snapshot or the system's own", () => {
  assertEquals(
    rules([
      ROOT,
      mount("devfs", "/dev", { type: "devfs" }),
      mount("map auto_home", "/home", { type: "autofs", local: false }),
      mount("//me@nas/share", "/Volumes/share", { type: "smbfs", local: false }),
      mount("sshfs@macfuse0", "/Volumes/far", { type: "macfuse", local: false }),
      mount("com.apple.TimeMachine.2024.local@/dev/disk3s5", "/Volumes/.tm", { readOnly: true }),
      mount("/dev/disk9s1", "/Volumes/Image", { type: "hfs", readOnly: true }),
      mount("/dev/disk1s3", "/System/Volumes/Hardware"),
      mount("/dev/disk6s1", "/System/VolumesToo"),
    ]),
    {
      "/": "+ the root",
      "/dev": "- no disk of this machine: devfs",
      "/home": "- mounted on demand: autofs",
      "/Volumes/share": "- no disk of this machine: smbfs",
      "/Volumes/far": "- no disk of this machine: macfuse",
      "/Volumes/.tm": "- snapshot",
      "/Volumes/Image": "- read-only: hfs",
      "/System/Volumes/Hardware": "- part of /System/Volumes",
      "/System/VolumesToo": "+ disk: apfs",
    },
  );
});

Deno.test("filterDarwinMounts() counts what the user names, once, and says what is not there", () => {
  const share = mount("//me@nas/share", "/Volumes/share", { type: "smbfs", local: false });
  assertEquals(rules([ROOT, DATA, share], ["/System/Volumes/Data/", "/Volumes/share", "/gone"]), {
    "/": "- not in --include-mountpoint",
    "/System/Volumes/Data": "+ included by --include-mountpoint",
    "/Volumes/share": "+ included by --include-mountpoint",
    "/gone": "- nothing is mounted there",
  });
  assertEquals(
    rules([ROOT, DATA], ["/", "/System/Volumes/Data"])["/System/Volumes/Data"],
    "- shares the space of /",
  );
});

Deno.test("filterDarwinMounts() never lets the process wait for another machine", () => {
  const far = mount("//me@nas/share", "/Volumes/share", { type: "smbfs", local: false });
  assertEquals(filterDarwinMounts([ROOT, far], []).map(({ mayHang }) => mayHang), [false, true]);
});

Deno.test("filterDarwinMounts() takes the later of two mounts of one place", () => {
  const over = mount("/dev/disk8s1", "/Volumes/a", { type: "hfs" });
  assertEquals(
    filterDarwinMounts([ROOT, mount("/dev/disk4s1", "/Volumes/a"), over], []).map(({ source }) =>
      source
    ),
    ["/dev/disk3s1s1", "/dev/disk8s1"],
  );
});
