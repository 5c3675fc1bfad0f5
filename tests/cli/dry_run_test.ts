import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import {
  collectedSources,
  type DryRun,
  dryRunTable,
  runDryRun,
  toDryRun,
} from "../../lib/cli/dry_run.ts";
import { trafficStateFile } from "../../lib/traffic/persistent_traffic.ts";
import { toWireBasicInfo, toWireReport } from "../../lib/panel/protocol.ts";
import type { Report } from "../../lib/types.ts";
import { runTrafficSet } from "../../lib/cli/traffic.ts";
import { openLinuxMachine } from "../../lib/metrics/machine.ts";
import { FakeTime, realTurn } from "../fake_time.ts";
import { FakeMachine } from "../metrics/fake_machine.ts";
import { collectedLog } from "../log/collected_log.ts";
import { configOf, FakeContext } from "./fake_context.ts";
import { displayWidth } from "../../lib/cli/layout.ts";
import { translate } from "../../lib/cli/translate.ts";
import { inFolder } from "../temp_folder.ts";

function dryRunOf(snapshot: Report): DryRun {
  return {
    basicInfo: toWireBasicInfo({
      facts: { arch: "arm64", osName: "Debian" },
      snapshot,
      addresses: { ipv6: "2001:db8::1" },
      version: "1.2.3",
      withoutNewColumns: false,
    }),
    report: toWireReport(snapshot),
    secondsBetween: 5,
    sources: {
      ram: "/proc/meminfo, mode htop",
      addresses: "IPv6 of interface eth0",
    },
    interfaces: [
      { name: "eth0", counted: true, rule: "has a device" },
      { name: "docker0", counted: false, rule: "virtual: docker*" },
    ],
    mountPoints: [{ name: "/ (ext4 of /dev/vda)", counted: true, rule: "root file system" }],
  };
}

const FULL: Report = {
  cpuPercent: 12.34,
  memory: { totalBytes: 2 ** 31, usedBytes: 1536 },
  swap: { totalBytes: 4096, usedBytes: 1024 },
  disk: { totalBytes: 8192, usedBytes: 1024 },
  load: { oneMinute: 1, fiveMinutes: 5, fifteenMinutes: 15 },
  traffic: { sentBytes: 5, receivedBytes: 2 ** 40 },
  speeds: { sentBytesPerSecond: 1023, receivedBytesPerSecond: 7 },
  connections: { tcp: 3, udp: 4 },
  uptimeSeconds: 99,
  processes: 7,
  failures: ["cannot measure load"],
};

Deno.test("dryRunTable() shows every value as it is sent, its source, and each decision with its rule", () => {
  assertEquals(
    dryRunTable(dryRunOf(FULL)),
    `Basic info
  arch                arm64
  cpu_name            unknown
  cpu_cores           0
  gpu_name            None
  mem_total           2.0 GiB
  swap_total          4.0 KiB
  disk_total          8.0 KiB
  os                  Debian
  virtualization
  version             1.2.3
  cpu_physical_cores  0
  ipv6                2001:db8::1
  (addresses)         IPv6 of interface eth0

Report
  cpu          usage=12.34
  ram          total=2.0 GiB, used=1.5 KiB                          /proc/meminfo, mode htop
  swap         total=4.0 KiB, used=1.0 KiB
  load         load1=1, load5=5, load15=15
  disk         total=8.0 KiB, used=1.0 KiB
  network      up=1023 B, down=7 B, totalUp=5 B, totalDown=1.0 TiB
  connections  tcp=3, udp=4
  uptime       99
  process      7
  message      cannot measure load                                  failed measurements

Interfaces
  eth0     counted   has a device
  docker0  left out  virtual: docker*

Mount points
  / (ext4 of /dev/vda)  counted  root file system
`,
  );
});

Deno.test("dryRunTable() has columns in Chinese, too, by the width of what is shown", () => {
  const inLanguage = (english: string) => translate(english, "zh");
  const table = dryRunTable(dryRunOf(FULL), { inLanguage });
  assertMatch(table, /^ {2}eth0 {5}统计 /m);
  const rows = table.split("\n").filter((row) => /^ {2}(?:ram|message) /.test(row));
  const columns = rows.map((row) => displayWidth(/^ {2}\S+ +.*? {2,}/.exec(row)?.[0] ?? ""));
  assertEquals([columns.length, new Set(columns).size], [2, 1], rows.join("\n"));
});

Deno.test("dryRunTable() keeps a name with a line feed in its row", () => {
  const mountPoints = [{
    name: "/a\n  /b\x1b[2J",
    counted: false,
    rule: "hidden by the mount on /a\n",
  }];
  const table = dryRunTable({ ...dryRunOf(FULL), mountPoints });
  assertStringIncludes(table, "/a\\x0a  /b\\x1b[2J  left out  hidden by the mount on /a\\x0a\n");
});

Deno.test("runDryRun() measures twice, with the interval between, and says so to people", async () => {
  // It sends the log to standard error, which ends with this.
  await collectedLog(async () => {
    for (const [args, seconds] of [["--json --interval 2", 2], ["--interval 60", 5]] as const) {
      using time = new FakeTime();
      const errors: string[] = [];
      const printError = (line: string) => void errors.push(line);
      const context = Object.assign(new FakeContext(), { printError });
      const words = `--dry-run --ip-services off --include-nics lo ${args}`.split(" ");
      const running = runDryRun(configOf(words), context);
      let isSettled = false;
      running.finally(() => isSettled = true).catch(() => {});
      while (time.timers === 0 && !isSettled) await realTurn();
      const tookMs = await time.until(running, { withinMs: 6_000, stepMs: 100 });
      assert(tookMs >= seconds * 1_000, `it took ${tookMs} ms`);
      assertEquals(await running, 0);
      const isSaid = errors.includes(`Measuring twice, ${seconds} s apart …`);
      assertEquals(isSaid, seconds === 5, "not to programs");
      if (isSaid) assertMatch(context.printed, /^Basic info\n/);
      else assertEquals(JSON.parse(context.printed).secondsBetween, seconds);
    }
  });
});

Deno.test("dryRunTable() folds what one rule leaves out, unless everything is wanted", () => {
  const ignored = (name: string, rule: string) => ({ name, counted: false, rule });
  const root = { name: "/ (ext4 of /dev/vda)", counted: true, rule: "root file system" };
  const mountPoints = [
    ignored("/sys (sysfs of sysfs)", "kernel"),
    root,
    ignored("/proc (proc of proc)", "kernel"),
    ignored("/run (tmpfs of run)", "in memory"),
    ignored("/dev (devtmpfs of udev)", "kernel"),
  ];
  const dryRun = { ...dryRunOf(FULL), mountPoints };
  const folded = `Mount points
  /sys, /proc, … (3 in all)  left out  kernel
  / (ext4 of /dev/vda)       counted   root file system
  /run (tmpfs of run)        left out  in memory
`;
  assertStringIncludes(dryRunTable(dryRun), folded);
  assertMatch(dryRunTable(dryRun, { verbose: true }), /^ {2}\/dev \(devtmpfs of udev\) +left out/m);
});

Deno.test("collectedSources() says for a value that failed why, and for the others where from", () => {
  const collectors = [
    { subject: "load", collect: () => ({}), sources: () => ({ load: "/proc/loadavg" }) },
    { subject: "disks", collect: () => ({}), sources: () => ({ disk: "statfs", x: "y" }) },
  ];
  assertEquals(collectedSources(collectors, new Map([["disks", "it hangs"]])), {
    load: "/proc/loadavg",
    disk: "not measured: it hangs",
    x: "not measured: it hangs",
  });
});

Deno.test("toDryRun() names mounts by their type and source", () => {
  const machine = openLinuxMachine(new FakeMachine("debian-vm"), configOf([]));
  const mount = { mountPoint: "/", source: "/dev/vda", type: "ext4", counted: true, rule: "root" };
  const { interfaces: _, mountPoints: __, ...measured } = dryRunOf(FULL);
  const shown = toDryRun({
    ...machine,
    interfaces: () => [],
    mounts: () => [mount, { ...mount, mountPoint: "/nope", type: "", counted: false }],
  }, measured);
  assertEquals(shown.mountPoints, [
    { name: "/ (ext4 of /dev/vda)", counted: true, rule: "root" },
    { name: "/nope (not mounted)", counted: false, rule: "root" },
  ]);
});

inFolder.test("runDryRun() shows the month's traffic with --month-rotate, and changes nothing of it", async (folder) => {
  const month = ["--month-rotate", "1", "--state-dir", folder.path];
  const set = ["traffic", "set", "--up", "1TB", "--down", "2TB", "--include-nics", "lo"];
  await runTrafficSet(configOf([...set, ...month]), new FakeContext());
  const { path } = trafficStateFile(configOf(month));
  const before = Deno.readTextFileSync(path);
  await collectedLog(async () => {
    const context = new FakeContext();
    const more = ["--interval", "0.1", "--ip-services", "off", "--include-nics", "lo"];
    assertEquals(await runDryRun(configOf(["--dry-run", "--json", ...more, ...month]), context), 0);
    const { totalUp, totalDown } = JSON.parse(context.printed).report.network;
    assertEquals([Math.floor(totalUp / 1e12), Math.floor(totalDown / 1e12)], [1, 2]);
  });
  assertEquals(Deno.readTextFileSync(path), before);
});
