import { assertEquals } from "@std/assert";
import { FileSystemReader } from "../../lib/exporter/file_systems.ts";
import type { FileSystemUse } from "../../lib/host/host.ts";
import { timed } from "../fake_time.ts";
import { fakeSource } from "../metrics/fake_host.ts";
import { samplesOf } from "./exposition.ts";

const USE: FileSystemUse = {
  ...{ blockSizeBytes: 4096, blocks: 10, freeBlocks: 5, availableBlocks: 4 },
  ...{ files: 100, freeFiles: 60 },
};

/** A machine whose mounts are this text, and whose file systems answer all the same. */
function open(
  mounts: string | (() => string),
  { root = "/", asked = [], include = [], answer }: {
    root?: string;
    asked?: string[];
    include?: readonly string[];
    /** What those answer that may hang. */
    answer?: () => Promise<FileSystemUse>;
  } = {},
): FileSystemReader {
  const statfs = (path: string) => {
    asked.push(path);
    if (path.endsWith("/gone")) throw new Error("gone");
    return USE;
  };
  const host = {
    exists: () => true,
    roots: { proc: "/proc", sys: "/sys", root },
    open: () => fakeSource(typeof mounts === "string" ? () => mounts : mounts),
    statfs,
    statfsAsync: answer ??
      ((path: string) =>
        path === "/hangs" ? new Promise<never>(() => {}) : Promise.try(() => statfs(path))),
  };
  return new FileSystemReader(host, include);
}

async function lines(reader: FileSystemReader): Promise<string[]> {
  return samplesOf(await reader.read(() => {}));
}

/** The mount points of all that is shown, or of all that fails. */
async function shown(reader: FileSystemReader, what = /./): Promise<(string | undefined)[]> {
  const states = (await lines(reader)).filter((it) =>
    it.startsWith("node_filesystem_device_error")
  );
  return states.filter((it) => what.test(it)).map((it) => /mountpoint="(.*?)"/.exec(it)?.[1]);
}

Deno.test("FileSystemReader.read() gives sizes, files and state of a file system", async () => {
  const labels = 'device="/dev/sda1",fstype="ext4",mountpoint="/"';
  assertEquals(await lines(open("/dev/sda1 / ext4 ro,relatime 0 0\n")), [
    `node_filesystem_size_bytes{${labels}} 40960`,
    `node_filesystem_free_bytes{${labels}} 20480`,
    `node_filesystem_avail_bytes{${labels}} 16384`,
    `node_filesystem_files{${labels}} 100`,
    `node_filesystem_files_free{${labels}} 60`,
    `node_filesystem_readonly{${labels}} 1`,
    `node_filesystem_device_error{${labels}} 0`,
  ]);
});

Deno.test("FileSystemReader.read() says of one that fails only that", async () => {
  assertEquals(await lines(open("/dev/sdb /gone ext4 rw 0 0\n")), [
    'node_filesystem_device_error{device="/dev/sdb",fstype="ext4",mountpoint="/gone"} 1',
  ]);
});

Deno.test("FileSystemReader.read() chooses as Debian's node_exporter does, and what was asked for", async () => {
  const mount = (path: string, type = "ext4") => `dev ${path} ${type} rw 0 0\n`;
  const paths = [
    "/",
    "/boot",
    "/runner",
    "/run",
    "/run/user/0",
    "/mnt/nas",
    "/media/x",
    "/dev/shm",
  ];
  const text =
    [...paths, "/var/lib/docker/a/b", "/var/lib/docker"].map((it) => mount(it)).join("") +
    mount("/merged", "overlay") + mount("/snap/x/1", "squashfs") + mount("/cgroup", "cgroup2") +
    mount("/boot");
  assertEquals(await shown(open(text)), ["/", "/boot", "/runner", "/var/lib/docker"]);
  const included = await shown(open(text, { include: ["/mnt/nas"] }));
  assertEquals(included.includes("/mnt/nas"), true);
});

Deno.test("FileSystemReader.read() leaves out what is no disk", async () => {
  const types = [
    ...["autofs", "binfmt_misc", "bpf", "cgroup", "cgroup2", "configfs", "debugfs", "devpts"],
    ...["devtmpfs", "fusectl", "hugetlbfs", "iso9660", "mqueue", "nsfs", "overlay", "proc"],
    ...["procfs", "pstore", "rpc_pipefs", "securityfs", "selinuxfs", "squashfs", "sysfs"],
    ...["tracefs", "ext4", "tmpfs"],
  ];
  const text = types.map((type) => `dev /a/${type} ${type} rw 0 0\n`).join("");
  assertEquals(await shown(open(text)), ["/a/ext4", "/a/tmpfs"]);
  const paths = ["/dev", "/proc/x", "/run", "/sys/x", "/mnt", "/media", "/var/lib/docker/x"];
  const folders = [...paths, "/var/lib/containers/storage/x", "/var/lib/containers", "/device"];
  const mounts = folders.map((path) => `dev ${path} ext4 rw 0 0\n`).join("");
  assertEquals(await shown(open(mounts)), ["/var/lib/containers", "/device"]);
});

Deno.test("FileSystemReader.read() asks below the root of another machine", async () => {
  const asked: string[] = [];
  assertEquals(
    await shown(open("a / ext4 rw 0 0\nb /data ext4 rw 0 0\n", { root: "/host", asked })),
    ["/", "/data"],
  );
  assertEquals(asked.toSorted(), ["/host", "/host/data"]);
});

timed.test("FileSystemReader.read() does not wait for one that hangs", async (time) => {
  const reader = open("nas:/x /hangs nfs4 rw 0 0\n/dev/sdb /data ext4 rw 0 0\n");
  let isOver = false;
  const reading = lines(reader).finally(() => isOver = true);
  await time.run(249);
  assertEquals(isOver, false);
  await time.run(1);
  const found = await reading;
  assertEquals(found.filter((line) => line.includes("/data")).length, 7);
  assertEquals(found.filter((line) => line.includes("/hangs")), [
    'node_filesystem_device_error{device="nas:/x",fstype="nfs4",mountpoint="/hangs"} 1',
  ]);
});

timed.test("FileSystemReader.read() shows no old size of one that has stopped to answer", async (time) => {
  let answer = Promise.resolve(USE);
  const reader = open("nas:/x /data nfs4 rw 0 0\n", { answer: () => answer });
  const scrape = async (): Promise<number> => {
    const reading = lines(reader);
    await time.run(250);
    return (await reading).length;
  };
  assertEquals(await scrape(), 7);
  answer = new Promise<never>(() => {});
  assertEquals(await scrape(), 7, "it may only be slow");
  await time.run(3_000);
  assertEquals(await scrape(), 1, "only that it fails");
});

timed.test("FileSystemReader.read() forgets what an unmounted file system had", async (time) => {
  let mounts = "nas:/x /data nfs4 rw 0 0\n";
  let answer = Promise.resolve(USE);
  const reader = open(() => mounts, { answer: () => answer });
  assertEquals((await lines(reader)).length, 7);
  mounts = "";
  assertEquals(await lines(reader), []);
  mounts = "nas:/y /data nfs4 rw 0 0\n";
  answer = new Promise<never>(() => {});
  const reading = lines(reader);
  await time.run(250);
  assertEquals(await reading, [
    'node_filesystem_device_error{device="nas:/y",fstype="nfs4",mountpoint="/data"} 1',
  ]);
});

Deno.test("FileSystemReader.read() shows at most 1,024 file systems", async () => {
  const text = Array.from({ length: 2_000 }, (_, index) => `dev /m${index} ext4 rw 0 0\n`).join("");
  assertEquals((await shown(open(text))).length, 1_024);
});

Deno.test("FileSystemReader reads its own mounts where those of the first process are hidden", () => {
  const opened: string[] = [];
  for (const isHidden of [false, true]) {
    new FileSystemReader({
      exists: () => !isHidden,
      roots: { proc: "/host/proc", sys: "/sys", root: "/host" },
      open: (path) => (opened.push(path), fakeSource(() => "")),
      statfs: () => USE,
      statfsAsync: () => Promise.resolve(USE),
    }, []);
  }
  assertEquals(opened, ["/host/proc/1/mounts", "/host/proc/self/mounts"]);
});

timed.test("FileSystemReader.read() says that the root can't be asked, or one not any more", async (time) => {
  let [isBroken, answer] = [false, Promise.resolve(USE)];
  const reader = new FileSystemReader({
    exists: () => true,
    roots: { proc: "/proc", sys: "/sys", root: "/" },
    open: () => fakeSource(() => "/dev/sda / ext4 rw 0 0\nnas:/x /data nfs4 rw 0 0\n"),
    statfs() {
      if (isBroken) throw new Error("I/O error");
      return USE;
    },
    statfsAsync: () => answer,
  }, []);
  const failed = async () => {
    const reading = shown(reader, / 1$/);
    await time.run(250);
    return await reading;
  };
  assertEquals(await failed(), []);
  [isBroken, answer] = [true, new Promise<never>(() => {})];
  assertEquals(await failed(), ["/"]);
  time.tick(3_000);
  assertEquals(await failed(), ["/", "/data"], "what it told is too old");
});
