import { assertEquals } from "@std/assert";
import { darwinMountFilter } from "../../lib/metrics/disk_darwin.ts";
import { throwMalformed } from "../../lib/parse/bounded_text.ts";
import { cases } from "../cases.ts";

const MOUNTS = `/dev/disk3s1s1 on / (apfs, sealed, local, read-only)
/dev/disk3s5 on /System/Volumes/Data (apfs, local)
/dev/disk4s1 on /Volumes/Stick (exfat, local)
`;
const SHARE = "//me@nas/share on /Volumes/share (smbfs)\n";

const OTHERS = `devfs on /dev (devfs, local)
map auto_home on /home (autofs, automounted)
sshfs@macfuse0 on /Volumes/far (macfuse)
com.apple.TimeMachine.2024.local@/dev/disk3s5 on /Volumes/.tm (apfs, local, read-only)
/dev/disk9s1 on /Volumes/Image (hfs, local, read-only)
/dev/disk1s3 on /System/Volumes/Hardware (apfs, local)
/dev/disk6s1 on /System/VolumesToo (apfs, local)
/dev/disk30s1 on /Volumes/a (apfs, local)
/dev/disk30s2 on /Volumes/b (apfs, local)
/dev/disk4s2 on /Volumes/other (exfat, local)
/dev/disk4s2 on /Volumes/again (exfat, local)
`;
const RULES = cases(`
  / → + root file system
  /System/Volumes/Data → - shares the space of /
  /Volumes/Stick → + disk: exfat
  /Volumes/share → - not a local disk: smbfs
  /dev → - not a local disk: devfs
  /home → - mounted on demand: autofs
  /Volumes/far → - not a local disk: macfuse
  /Volumes/.tm → - snapshot
  /Volumes/Image → - read-only: hfs
  /System/Volumes/Hardware → - part of /System/Volumes
  /System/VolumesToo → + disk: apfs
  /Volumes/a → + disk: apfs
  /Volumes/b → - shares the space of /Volumes/a
  /Volumes/other → + disk: exfat
  /Volumes/again → - shares the space of /Volumes/other
`);

function decisions(text: string, include: string[] = []) {
  return darwinMountFilter(include)(text, throwMalformed);
}

function rules(text: string, include: string[] = []): Record<string, string> {
  const sign = (counted: boolean) => counted ? "+" : "-";
  const found = decisions(text, include);
  return Object.fromEntries(found.map((it) => [it.mountPoint, `${sign(it.counted)} ${it.rule}`]));
}

Deno.test("darwinMountFilter() counts each container and partition once, the root for its own", () => {
  const text = MOUNTS + SHARE + OTHERS;
  assertEquals(rules(text), Object.fromEntries(RULES));
  const [root = "", data = ""] = text.split("\n");
  assertEquals(Object.values(rules(`${data}\n${root}\n`))[0], "+ root file system", "in any order");
});

Deno.test("darwinMountFilter() counts included mount points once, and reports missing ones", () => {
  const include = ["/System/Volumes/Data/", "/Volumes/share", "/gone"];
  assertEquals(rules(MOUNTS + SHARE, include), {
    "/": "- not in --include-mountpoint",
    "/System/Volumes/Data": "+ included by --include-mountpoint",
    "/Volumes/Stick": "- not in --include-mountpoint",
    "/Volumes/share": "+ included by --include-mountpoint",
    "/gone": "- nothing is mounted there",
  });
  const both = rules(MOUNTS, ["/", "/System/Volumes/Data"]);
  assertEquals(both["/System/Volumes/Data"], "- shares the space of /");
  const hanging = decisions(MOUNTS + SHARE, ["/", "/Volumes/share"])
    .filter((it) => it.counted && it.mayHang).map(({ mountPoint }) => mountPoint);
  assertEquals(hanging, ["/Volumes/share"]);
});
