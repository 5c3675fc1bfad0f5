import { assertEquals, assertRejects } from "@std/assert";
import type { FileSystemUse } from "../../lib/host/host.ts";
import { DarwinDiskCollector, filterDarwinMounts } from "../../lib/metrics/disk_darwin.ts";
import { PolledCommand } from "../../lib/metrics/polled_command.ts";
import { parseDarwinMounts } from "../../lib/parse/mounts_darwin.ts";
import { cases } from "../cases.ts";
import { FakeTime, timed } from "../fake_time.ts";

const MOUNTS = `/dev/disk3s1s1 on / (apfs, sealed, local, read-only)
/dev/disk3s5 on /System/Volumes/Data (apfs, local)
/dev/disk4s1 on /Volumes/Stick (exfat, local)
`;
const SHARE = "//me@nas/share on /Volumes/share (smbfs)\n";

const use = (
  blockSizeBytes: number,
  blocks: number,
  freeBlocks: number,
  availableBlocks: number,
) => {
  return { blockSizeBytes, blocks, freeBlocks, availableBlocks };
};
const STICK = use(1, 50, 30, 30);

/** A Mac whose mounts and disks change on the way. */
class Mac {
  mounts = MOUNTS + SHARE;
  readonly uses: Record<string, FileSystemUse> = {
    // A volume's own free part is more than what is left in its container.
    "/": use(10, 100, 95, 40),
    "/Volumes/Stick": STICK,
  };
  slow = Promise.withResolvers<FileSystemUse>();
  asked = 0;
  readonly #command = new PolledCommand(() => Promise.resolve(this.mounts), 60_000);
  readonly disk: DarwinDiskCollector;

  constructor(readonly time: FakeTime, include: string[] = []) {
    const statfs = (path: string) => {
      const found = this.uses[path];
      if (found === undefined) throw new Error(`Cannot ask ${path}`);
      return found;
    };
    const statfsAsync = () => (this.asked++, this.slow.promise);
    this.disk = new DarwinDiskCollector({ statfs, statfsAsync }, this.#command, include);
  }

  /** Used and total bytes after the next output of `mount`. */
  async minute(): Promise<[used: number, total: number] | undefined> {
    this.time.tick(60_000);
    // The first may join a run of the look before.
    for (let run = 0; run < 2; run++) await this.#command.refresh();
    return this.look();
  }

  look(): [used: number, total: number] | undefined {
    const usage = this.disk.collect();
    return usage && [usage.usedBytes, usage.totalBytes];
  }
}

timed.test("DarwinDiskCollector counts a container once, by its available space, and a removed disk not", async (time) => {
  const mac = new Mac(time);
  assertEquals([mac.look(), mac.disk.mounts()], [undefined, []], "there is no output of mount");
  assertEquals(await mac.minute(), [620, 1_050]);
  assertEquals(mac.asked, 0, "what is not counted is not asked");
  delete mac.uses["/Volumes/Stick"];
  assertEquals(mac.look(), [600, 1_000]);
  const rule = () => mac.disk.mounts().find((it) => it.mountPoint === "/Volumes/Stick")?.rule;
  assertEquals(rule(), "statfs failed");
  mac.uses["/Volumes/Stick"] = STICK;
  assertEquals(mac.look(), [600, 1_000], "until the next look");
  assertEquals(await mac.minute(), [620, 1_050]);
  assertEquals(rule(), "disk: exfat");
  mac.mounts = "nonsense\n";
  await assertRejects(() => mac.minute(), SyntaxError, "nonsense");
});

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

function rules(text: string, include: string[] = []): Record<string, string> {
  return Object.fromEntries(
    filterDarwinMounts(parseDarwinMounts(text), include).map(({ mountPoint, counted, rule }) => [
      mountPoint,
      `${counted ? "+" : "-"} ${rule}`,
    ]),
  );
}

Deno.test("filterDarwinMounts() counts each container and partition once, the root for its own", () => {
  const text = MOUNTS + SHARE + OTHERS;
  assertEquals(rules(text), Object.fromEntries(RULES));
  const [root = "", data = ""] = text.split("\n");
  assertEquals(Object.values(rules(`${data}\n${root}\n`))[0], "+ root file system", "in any order");
});

Deno.test("filterDarwinMounts() counts included mount points once, and reports missing ones", () => {
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
  const decisions = filterDarwinMounts(parseDarwinMounts(MOUNTS + SHARE), ["/", "/Volumes/share"]);
  const hanging = decisions.filter(({ mayHang }) => mayHang).map(({ mountPoint }) => mountPoint);
  assertEquals(hanging, ["/Volumes/share"]);
});
