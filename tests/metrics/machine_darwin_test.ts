import { assertEquals } from "@std/assert";
import { delay } from "@std/async/delay";
import type { DarwinQuestion } from "../../lib/host/shell_darwin.ts";
import type { Machine, MachineOptions } from "../../lib/metrics/machine.ts";
import { openDarwinMachine } from "../../lib/metrics/machine_darwin.ts";
import { takeSnapshot } from "../../lib/metrics/snapshot.ts";
import { toWireBasicInfo, toWireReport } from "../../lib/panel/protocol.ts";
import type { Snapshot } from "../../lib/types.ts";
import { FakeMac } from "./fake_mac.ts";

const NOTHING_WANTED = {
  includeNics: [],
  excludeNics: [],
  includeMountPoints: [],
  memoryMode: "htop",
} as const;

async function open(mac: FakeMac, options: Partial<MachineOptions> = {}): Promise<Machine> {
  const { arch } = mac.sheet;
  return await openDarwinMachine(mac.host, mac.shell, { ...NOTHING_WANTED, arch, ...options });
}

function basicInfo(machine: Machine, snapshot: Snapshot) {
  return toWireBasicInfo({
    facts: machine.readFacts(),
    snapshot,
    addresses: {},
    version: "1.2.3",
    withoutNewColumns: false,
  });
}

for (const name of ["macbook-arm64", "mac-mini-amd64"]) {
  Deno.test(`openDarwinMachine() measures ${name} as it should`, async () => {
    await using mac = new FakeMac(name);
    const machine = await open(mac);
    const { collectors } = machine;
    const first = takeSnapshot(collectors);
    mac.later(4);
    await machine.refresh?.();
    const later = takeSnapshot(collectors);
    assertEquals(
      {
        basicInfo: basicInfo(machine, first),
        report: toWireReport(first),
        laterReport: toWireReport(later),
        interfaces: collectors.traffic.interfaces(),
        mountPoints: collectors.disk.mounts(),
      },
      JSON.parse(
        Deno.readTextFileSync(new URL(`../fixtures/${name}/expected.json`, import.meta.url)),
      ),
    );
  });
}

/** What a snapshot lacks, and the failures that it names. */
function gaps(snapshot: Snapshot): { missing: string[]; failures: string[] } {
  const all = [
    "cpuPercent",
    "memory",
    "swap",
    "disk",
    "load",
    "traffic",
    "connections",
    "processes",
  ];
  return { missing: all.filter((name) => !(name in snapshot)), failures: snapshot.failures };
}

Deno.test("openDarwinMachine() measures the rest when commands are missing", async () => {
  await using mac = new FakeMac("macbook-arm64");
  for (const name of ["netstat", "mount", "sysctl"]) mac.command(name, undefined);
  const machine = await open(mac);
  assertEquals(gaps(takeSnapshot(machine.collectors)), {
    missing: ["disk", "traffic", "connections"],
    failures: [
      "cannot measure disk space",
      "cannot measure network traffic",
      "cannot measure connections",
    ],
  });
  assertEquals(machine.readFacts(), { arch: "arm64", osName: "macOS", logicalCores: 8 });
});

Deno.test("openDarwinMachine() measures the rest when outputs make no sense", async () => {
  await using mac = new FakeMac("macbook-arm64");
  for (const name of ["netstat", "mount", "sysctl", "vm_stat"]) mac.command(name, "echo nonsense");
  mac.command("ps", ":");
  const machine = await open(mac);
  assertEquals(gaps(takeSnapshot(machine.collectors)), {
    missing: ["memory", "swap", "disk", "traffic", "connections", "processes"],
    failures: [
      "cannot measure memory",
      "cannot measure disk space",
      "cannot measure network traffic",
      "cannot measure connections",
      "cannot measure process count",
    ],
  });
});

Deno.test("openDarwinMachine() goes on without a command that hangs, and with it when it answers", async () => {
  await using mac = new FakeMac("macbook-arm64", { answerWithinMs: 100 });
  // It stands still until somebody opens the pipe for writing.
  mac.command("netstat", ': <"$0.pipe"');
  await new Deno.Command("mkfifo", { args: [`${mac.folder}/netstat.pipe`] }).output();
  const machine = await open(mac);
  assertEquals(gaps(takeSnapshot(machine.collectors)), {
    missing: ["traffic"],
    failures: ["cannot measure network traffic"],
  });
  mac.later(4);
  await Deno.writeTextFile(`${mac.folder}/netstat.pipe`, "");
  for (let failed = 1; failed > 0;) {
    await machine.refresh?.();
    failed = takeSnapshot(machine.collectors).failures.length;
  }
  assertEquals(gaps(takeSnapshot(machine.collectors)), { missing: [], failures: [] });
});

Deno.test("openDarwinMachine() asks beside the reports, and each has the answers of the one before", async () => {
  await using mac = new FakeMac("macbook-arm64");
  const { collectors } = await open(mac);
  const first = takeSnapshot(collectors).traffic;
  mac.later(4);
  assertEquals(takeSnapshot(collectors).traffic, first, "nobody waits for a command");
  let traffic = collectors.traffic.collect();
  while (traffic?.receivedBytes === first?.receivedBytes) {
    await delay(5);
    traffic = collectors.traffic.collect();
  }
  assertEquals(traffic, {
    receivedBytes: 12345978901,
    sentBytes: 2345738901,
    receivedBytesPerSecond: 75000,
    sentBytesPerSecond: 15000,
  });
});

Deno.test("openDarwinMachine() asks each question once per report, and the slow ones at their own pace", async () => {
  await using mac = new FakeMac("macbook-arm64");
  const asked: Partial<Record<DarwinQuestion, number>> = {};
  const machine = await openDarwinMachine(mac.host, {
    ask(question) {
      asked[question] = (asked[question] ?? 0) + 1;
      return Promise.resolve("1");
    },
  }, { ...NOTHING_WANTED, memoryMode: "available", arch: "aarch64" });
  const once = { interfaces: 1, sockets: 1, processes: 1, mounts: 1, facts: 1 };
  takeSnapshot(machine.collectors);
  assertEquals(asked, once, "the first report comes at once, and has the answers of the start");
  for (let report = 0; report < 21; report++) {
    mac.nowMs += 3_000;
    takeSnapshot(machine.collectors);
    // Joins what is under way, and asks nothing more.
    const before = { ...asked };
    takeSnapshot(machine.collectors);
    assertEquals(asked, before);
    await delay(0);
  }
  assertEquals(asked, { interfaces: 22, sockets: 22, processes: 6, mounts: 2, facts: 1 });
});

Deno.test("openDarwinMachine() follows the user's lists and mode", async () => {
  await using mac = new FakeMac("macbook-arm64");
  const machine = await open(mac, {
    excludeNics: ["en1"],
    includeMountPoints: ["/Volumes/Photos"],
    memoryMode: "all",
  });
  const snapshot = takeSnapshot(machine.collectors);
  assertEquals(machine.bootId, "0b4c7e6a-5d1f-4c55-9e2b-3a1d2c4b5e6f");
  assertEquals(snapshot.disk?.totalBytes, 1_000_000_000_000);
  assertEquals(snapshot.memory?.usedBytes, 17179869184 - 77217792);
  assertEquals(
    machine.collectors.traffic.interfaces().filter(({ counted }) => counted).map(({ name }) =>
      name
    ),
    ["en0"],
  );
});

Deno.test("a Mac is measured on when the process is sealed", async () => {
  const program = `
import { openDarwinMachine } from "${new URL(
    "../../lib/metrics/machine_darwin.ts",
    import.meta.url,
  )}";
import { openDarwinHost } from "${new URL("../../lib/host/host_darwin.ts", import.meta.url)}";
import { seal } from "${new URL("../../lib/host/sandbox.ts", import.meta.url)}";
import { takeSnapshot } from "${new URL("../../lib/metrics/snapshot.ts", import.meta.url)}";
import { FakeMac } from "${new URL("fake_mac.ts", import.meta.url)}";
const mac = new FakeMac("macbook-arm64");
const machine = await openDarwinMachine(mac.host, mac.shell, {
  includeNics: [], excludeNics: [], includeMountPoints: [], memoryMode: "htop", arch: "aarch64",
});
const host = await openDarwinHost();
seal();
const told = [host.cores().length, host.memory().total, host.load().length, host.uptime()];
told.push(host.statfs("/").blocks, (await host.statfsAsync("/")).blocks);
mac.later(4);
await machine.refresh();
const { traffic, failures } = takeSnapshot(machine.collectors);
console.log(JSON.stringify({
  received: traffic.receivedBytes,
  failures,
  told: told.every((number) => number > 0),
}));
await mac[Symbol.asyncDispose]();
Deno.exit();
`;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-prompt", "--no-check", "--ext=ts", "-"],
    stdin: "piped",
    stdout: "piped",
    cwd: new URL("../..", import.meta.url).pathname,
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(program));
  await writer.close();
  const { stdout } = await child.output();
  assertEquals(JSON.parse(new TextDecoder().decode(stdout)), {
    received: 12345978901,
    failures: [],
    told: true,
  });
});
