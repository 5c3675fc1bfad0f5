import { assertEquals, assertThrows } from "@std/assert";
import type { FileSystemUse } from "../../lib/host/host.ts";
import { DarwinDiskCollector } from "../../lib/metrics/disk_darwin.ts";
import { PolledCommand } from "../../lib/metrics/polled_command.ts";

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
    nowMs: 0,
    text: MOUNT,
    answers: { "/": APFS, "/Volumes/Stick": EXFAT } as const satisfies Record<
      string,
      FileSystemUse
    >,
    gone: new Set<string>(),
    slow: Promise.withResolvers<FileSystemUse>(),
    asked: 0,
  };
  const monotonicMs = () => state.nowMs;
  const mounts = new PolledCommand(() => Promise.resolve(state.text), {
    monotonicMs,
    intervalMs: 60_000,
  });
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
      monotonicMs,
    },
    mounts,
    { includeMountPoints: include },
  );
  return { disk, state, mounts };
}

Deno.test("DarwinDiskCollector.collect() counts a container once, by what can still be had of it", async () => {
  const { disk, state } = await diskOf();
  assertEquals(disk.collect(), { totalBytes: 1_050, usedBytes: 620 });
  assertEquals(state.asked, 0, "what is not counted is not asked");
});

Deno.test("DarwinDiskCollector.collect() leaves out a disk that was taken away, until it is mounted anew", async () => {
  const { disk, state, mounts } = await diskOf();
  state.gone.add("/Volumes/Stick");
  assertEquals(disk.collect(), { totalBytes: 1_000, usedBytes: 600 });
  const rule = () => disk.mounts().find(({ mountPoint }) => mountPoint === "/Volumes/Stick")?.rule;
  assertEquals(rule(), "its space can't be asked for");
  state.gone.clear();
  state.nowMs = 60_000;
  await mounts.refresh();
  assertEquals(disk.collect(), { totalBytes: 1_050, usedBytes: 620 });
  assertEquals(rule(), "disk: exfat");
});

Deno.test("DarwinDiskCollector.collect() does not wait for another machine", async () => {
  const { disk, state } = await diskOf(["/", "/Volumes/share"]);
  assertEquals(disk.collect(), { totalBytes: 1_000, usedBytes: 600 });
  assertEquals(disk.collect(), { totalBytes: 1_000, usedBytes: 600 });
  assertEquals(state.asked, 1, "one question is under way");
  state.slow.resolve(EXFAT);
  for (let turn = 0; turn < 5; turn++) await Promise.resolve();
  assertEquals(disk.collect(), { totalBytes: 1_050, usedBytes: 620 });
});

Deno.test("DarwinDiskCollector.collect() has nothing before mount has answered", () => {
  const mounts = new PolledCommand(() => new Promise(() => {}), { monotonicMs: () => 0 });
  const host = {
    statfs: () => APFS,
    statfsAsync: () => Promise.resolve(APFS),
    monotonicMs: () => 0,
  };
  const disk = new DarwinDiskCollector(host, mounts, { includeMountPoints: [] });
  assertEquals(disk.collect(), undefined);
  assertEquals(disk.mounts(), []);
});

Deno.test("DarwinDiskCollector.collect() throws when the output can't be read", async () => {
  const { disk, state, mounts } = await diskOf();
  state.text = "nonsense\n";
  state.nowMs = 60_000;
  await mounts.refresh();
  assertThrows(() => disk.collect(), SyntaxError, "nonsense");
});
