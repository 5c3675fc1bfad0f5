import { assertEquals, assertThrows } from "@std/assert";
import type { FileSystemUse } from "../../lib/host/host.ts";
import { DarwinDiskCollector, filterDarwinMounts } from "../../lib/metrics/disk_darwin.ts";
import { PolledCommand } from "../../lib/metrics/polled_command.ts";
import type { DarwinMount } from "../../lib/parse/mounts_darwin.ts";
import { timed } from "../fake_time.ts";

const MOUNT = `/dev/disk3s1s1 on / (apfs, sealed, local, read-only)
/dev/disk3s5 on /System/Volumes/Data (apfs, local)
/dev/disk4s1 on /Volumes/Stick (exfat, local)
//me@nas/share on /Volumes/share (smbfs)
`;

/** A volume's own free part is more than what is left in its container. */
const APFS: FileSystemUse = {
  blockSizeBytes: 10,
  blocks: 100,
  freeBlocks: 95,
  availableBlocks: 40,
};
const EXFAT: FileSystemUse = { blockSizeBytes: 1, blocks: 50, freeBlocks: 30, availableBlocks: 30 };

/** A disk over texts and answers that can be changed on the way. */
async function diskOf(include: string[] = []) {
  const state = {
    text: MOUNT,
    answers: { "/": APFS, "/Volumes/Stick": EXFAT } as const satisfies Record<
      string,
      FileSystemUse
    >,
    gone: new Set<string>(),
    slow: Promise.withResolvers<FileSystemUse>(),
    asked: 0,
  };
  const mounts = new PolledCommand(() => Promise.resolve(state.text), 60_000);
  await mounts.refresh();
  const answers: Readonly<Record<string, FileSystemUse>> = state.answers;
  const disk = new DarwinDiskCollector(
    {
      statfs(path) {
        const use = answers[path];
        if (use === undefined || state.gone.has(path)) throw new Error(`Cannot ask ${path}`);
        return use;
      },
      statfsAsync() {
        state.asked++;
        return state.slow.promise;
      },
    },
    mounts,
    include,
  );
  return { disk, state, mounts };
}

Deno.test("DarwinDiskCollector.collect() counts a container once, by its available space", async () => {
  const { disk, state } = await diskOf();
  assertEquals(disk.collect(), { totalBytes: 1_050, usedBytes: 620 });
  assertEquals(state.asked, 0, "what is not counted is not asked");
});

timed.test("DarwinDiskCollector.collect() leaves out a removed disk until it is mounted again", async (time) => {
  const { disk, state, mounts } = await diskOf();
  state.gone.add("/Volumes/Stick");
  assertEquals(disk.collect(), { totalBytes: 1_000, usedBytes: 600 });
  const rule = () => disk.mounts().find(({ mountPoint }) => mountPoint === "/Volumes/Stick")?.rule;
  assertEquals(rule(), "statfs failed");
  state.gone.clear();
  assertEquals(disk.collect(), { totalBytes: 1_000, usedBytes: 600 }, "until the next look");
  time.tick(60_000);
  await mounts.refresh();
  assertEquals(disk.collect(), { totalBytes: 1_050, usedBytes: 620 });
  assertEquals(rule(), "disk: exfat");
});

timed.test("DarwinDiskCollector.collect() keeps another machine's answer over a look at the mounts", async (time) => {
  const { disk, state, mounts } = await diskOf(["/", "/Volumes/share"]);
  disk.collect();
  state.slow.resolve(EXFAT);
  for (let turn = 0; turn < 5; turn++) await Promise.resolve();
  state.slow = Promise.withResolvers();
  assertEquals(disk.collect()?.totalBytes, 1_050);
  time.tick(60_000);
  await mounts.refresh();
  assertEquals(disk.collect()?.totalBytes, 1_050);
  const share = /^.*\/Volumes\/share .*\n/m;
  const { text } = state;
  state.text = text.replace(share, "");
  time.tick(60_000);
  await mounts.refresh();
  assertEquals(disk.collect()?.totalBytes, 1_000);
  state.text = text;
  time.tick(60_000);
  await mounts.refresh();
  assertEquals(disk.collect()?.totalBytes, 1_000, "its old answer is forgotten");
});

Deno.test("DarwinDiskCollector.collect() has no data before the first output of mount", () => {
  const mounts = new PolledCommand(() => new Promise(() => {}));
  const host = { statfs: () => APFS, statfsAsync: () => Promise.resolve(APFS) };
  const disk = new DarwinDiskCollector(host, mounts, []);
  assertEquals(disk.collect(), undefined);
  assertEquals(disk.mounts(), []);
});

timed.test("DarwinDiskCollector.collect() throws when the output is malformed", async (time) => {
  const { disk, state, mounts } = await diskOf();
  state.text = "nonsense\n";
  time.tick(60_000);
  await mounts.refresh();
  assertThrows(() => disk.collect(), SyntaxError, "nonsense");
});

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

Deno.test("filterDarwinMounts() counts the root for its container, in any order", () => {
  assertEquals(rules([DATA, ROOT]), {
    "/": "+ root file system",
    "/System/Volumes/Data": "- shares the space of /",
  });
});

Deno.test("filterDarwinMounts() distinguishes containers with similar numbers", () => {
  assertEquals(
    rules([ROOT, mount("/dev/disk30s1", "/Volumes/a"), mount("/dev/disk30s2", "/Volumes/b")]),
    {
      "/": "+ root file system",
      "/Volumes/a": "+ disk: apfs",
      "/Volumes/b": "- shares the space of /Volumes/a",
    },
  );
});

Deno.test("filterDarwinMounts() counts partitions of other types separately", () => {
  const exfat = { type: "exfat" };
  assertEquals(
    rules([
      ROOT,
      mount("/dev/disk4s1", "/Volumes/a", exfat),
      mount("/dev/disk4s2", "/Volumes/b", exfat),
      mount("/dev/disk4s2", "/Volumes/again", exfat),
    ]),
    {
      "/": "+ root file system",
      "/Volumes/a": "+ disk: exfat",
      "/Volumes/b": "+ disk: exfat",
      "/Volumes/again": "- shares the space of /Volumes/b",
    },
  );
});

Deno.test("filterDarwinMounts() leaves out images, snapshots, system volumes and everything that is not a disk", () => {
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
      "/": "+ root file system",
      "/dev": "- not a local disk: devfs",
      "/home": "- mounted on demand: autofs",
      "/Volumes/share": "- not a local disk: smbfs",
      "/Volumes/far": "- not a local disk: macfuse",
      "/Volumes/.tm": "- snapshot",
      "/Volumes/Image": "- read-only: hfs",
      "/System/Volumes/Hardware": "- part of /System/Volumes",
      "/System/VolumesToo": "+ disk: apfs",
    },
  );
});

Deno.test("filterDarwinMounts() counts included mount points once, and reports missing ones", () => {
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

Deno.test("filterDarwinMounts() marks mounts of other machines as possibly hanging", () => {
  const far = mount("//me@nas/share", "/Volumes/share", { type: "smbfs", local: false });
  const decisions = filterDarwinMounts([ROOT, far], ["/", "/Volumes/share"]);
  assertEquals(decisions.map(({ mayHang }) => mayHang), [false, true]);
});
