import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { UsageError } from "../../lib/config/usage_error.ts";
import type { CoreTimes } from "../../lib/host/host_darwin.ts";
import type { Machine } from "../../lib/metrics/machine.ts";
import {
  darwinBootId,
  DarwinCpuCollector,
  darwinFacts,
  darwinMemory,
  openDarwinMachine,
  parseDarwinConnections,
  parseDarwinProcessCount,
} from "../../lib/metrics/machine_darwin.ts";
import { openMachine } from "../../lib/metrics/open_machine.ts";
import { Rates } from "../../lib/metrics/rates.ts";
import { takeSnapshot } from "../../lib/metrics/snapshot.ts";
import { toWireBasicInfo, toWireReport } from "../../lib/panel/protocol.ts";
import type { MemoryMode, Snapshot } from "../../lib/types.ts";
import { same } from "../cases.ts";
import { denoOutput } from "../deno_output.ts";
import { timed } from "../fake_time.ts";
import { collectedLog } from "../log/collected_log.ts";
import { testsWith } from "../tests_with.ts";
import { assertDataEquals } from "./assert_data.ts";
import { configOf } from "./config_of.ts";
import { fakeSource } from "./fake_host.ts";
import { FakeMac } from "./fake_mac.ts";
import { ratedCpu } from "./rated.ts";

const MAC = { os: "darwin" };
const onMacBook = testsWith(() => new FakeMac("macbook-arm64"));

function open(mac: FakeMac, ...args: string[]): Promise<Machine> {
  return openDarwinMachine(mac.host, mac.shell, configOf(args));
}

/** What a snapshot lacks, and the failures that it names. */
function gaps({ failures, ...snapshot }: Snapshot): [missing: string[], failures: string[]] {
  const fields = ["cpuTime", "memory", "swap", "disk", "load", "traffic", "connections"] as const;
  const missing = [...fields, "processes" as const].filter((it) => snapshot[it] === undefined);
  return [missing, failures.map((failure) => failure.replace("cannot measure ", ""))];
}

for (const name of ["macbook-arm64", "mac-mini-amd64"]) {
  timed.test(`openDarwinMachine() measures ${name} as recorded`, async (time) => {
    await using mac = new FakeMac(name);
    const machine = await open(mac);
    const first = takeSnapshot(machine.collectors);
    time.tick(4_000);
    mac.later();
    await machine.refresh?.();
    // Speeds are those between the outputs, whenever they are read.
    time.tick(700);
    const later = takeSnapshot(machine.collectors);
    const rates = new Rates();
    const about = { addresses: {}, version: "1.2.3", withoutNewColumns: false };
    const expected = new URL(`../fixtures/${name}/expected.json`, import.meta.url);
    assertDataEquals(
      {
        basicInfo: toWireBasicInfo({ facts: machine.facts(), snapshot: first, ...about }),
        report: toWireReport(rates.report(first)),
        laterReport: toWireReport(rates.report(later)),
        interfaces: machine.network.interfaces(),
        mountPoints: machine.mounts(),
      },
      JSON.parse(Deno.readTextFileSync(expected)),
    );
  });
}

onMacBook.test("openDarwinMachine() measures the rest when commands are missing or their outputs malformed", async (mac) => {
  for (const name of ["netstat", "mount", "sysctl"]) mac.command(name, undefined);
  let machine: Machine | undefined;
  const lines = await collectedLog(async () => {
    machine = await open(mac);
  });
  assertEquals(lines.length, 1, "the facts are missing");
  const snapshot = takeSnapshot(machine?.collectors ?? []);
  assertEquals(gaps(snapshot), [
    ["disk", "traffic", "connections"],
    ["disk space", "network traffic", "connections"],
  ]);
  assertDataEquals<unknown>(machine?.facts(), { arch: "arm64", osName: "macOS", logicalCores: 8 });
  for (const name of ["netstat", "mount", "sysctl", "vm_stat"]) mac.command(name, "echo nonsense");
  mac.command("ps", ":");
  const odd = await openDarwinMachine({ ...mac.host, load: () => [] }, mac.shell, configOf());
  assertEquals(gaps(takeSnapshot(odd.collectors)), [
    ["memory", "swap", "disk", "load", "traffic", "connections", "processes"],
    ["memory", "disk space", "network traffic", "connections", "process count"],
  ]);
});

timed.test("openDarwinMachine() continues without a hanging command, and uses it once it returns", async (time) => {
  await using mac = new FakeMac("macbook-arm64");
  // It stands still until somebody opens the pipe for writing.
  mac.command("netstat", ': <"$0.pipe"');
  await new Deno.Command("mkfifo", { args: [`${mac.folder}/netstat.pipe`] }).output();
  const opening = open(mac);
  assertEquals(await time.until(opening, { withinMs: 3_600_000 }), 2_000, "it waits no longer");
  const machine = await opening;
  const refreshing = machine.refresh?.() ?? Promise.resolve();
  await time.until(refreshing, { withinMs: 3_600_000 });
  // All others now have as long as they take.
  await machine.refresh?.();
  assertEquals(gaps(takeSnapshot(machine.collectors)), [["traffic"], ["network traffic"]]);
  mac.later();
  await Deno.writeTextFile(`${mac.folder}/netstat.pipe`, "");
  for (let failed = 1; failed > 0;) {
    await machine.refresh?.();
    failed = takeSnapshot(machine.collectors).failures.length;
  }
  assertEquals(gaps(takeSnapshot(machine.collectors)), [[], []]);
});

onMacBook.test("openDarwinMachine() follows the configured lists and mode", async (mac) => {
  const lists = ["--exclude-nics", "en1", "--include-mountpoint", "/Volumes/Photos"];
  const machine = await open(mac, ...lists, "--memory-mode", "all");
  const { disk, memory } = takeSnapshot(machine.collectors);
  const counted = machine.network.interfaces().filter((it) => it.counted).map(({ name }) => name);
  assertEquals([machine.bootId(), disk?.totalBytes, memory?.usedBytes, counted], [
    ...["0b4c7e6a-5d1f-4c55-9e2b-3a1d2c4b5e6f", 1_000_000_000_000, 17179869184 - 77217792],
    ["en0"],
  ]);
});

Deno.test("openDarwinMachine() keeps measuring in a sealed process", async () => {
  const lib = (path: string) => JSON.stringify(new URL(`../../lib/${path}`, import.meta.url));
  const here = (path: string) => JSON.stringify(new URL(path, import.meta.url));
  const program = `
import { openDarwinMachine } from ${lib("metrics/machine_darwin.ts")};
import { openDarwinHost } from ${lib("host/host_darwin.ts")};
import { sealProcess } from ${lib("sandbox/seal.ts")};
import { takeSnapshot } from ${lib("metrics/snapshot.ts")};
import { FakeMac } from ${here("fake_mac.ts")};
import { configOf } from ${here("config_of.ts")};
const mac = new FakeMac("macbook-arm64");
const machine = await openDarwinMachine(mac.host, mac.shell, configOf());
const host = await openDarwinHost();
// The Mac is of files, which the sealed process could not change.
mac.later();
// The runtime opens the pipe for signals with the first listener, and a sealed process may not.
Deno.addSignalListener("SIGTERM", () => Deno.exit(2));
await sealProcess({ readsFiles: "a Mac has no getent", asksSystem: true });
const told = [host.cores().length, host.memory().total, host.load().length, host.uptime()];
told.push(host.statfs("/").blocks, (await host.statfsAsync("/")).blocks);
await machine.refresh();
const { traffic, failures } = takeSnapshot(machine.collectors);
const told_all = told.every((number) => number > 0);
console.log(JSON.stringify([mac.folder, traffic.receivedBytes, failures, told_all]));
await mac.shell.close();
Deno.exit();
`;
  const options = { input: program, cwd: new URL("../..", import.meta.url) };
  const output = await denoOutput("run -A --no-prompt --no-check --ext=ts", ["-"], options);
  const [folder, ...measured] = JSON.parse(output);
  await Deno.remove(folder, { recursive: true });
  assertEquals(measured, [12345978901, [], true]);
});

Deno.test("openMac() measures by the runtime where there is a shell, and takes the usual HOST_PROC for none", async () => {
  const machine = await openMachine(configOf([], { HOST_PROC: "/proc" }), MAC);
  const { uptimeSeconds = 0, load } = takeSnapshot(machine.collectors);
  await machine.close?.();
  assertEquals([machine.roots.proc, uptimeSeconds > 0, load !== undefined], ["/proc", true, true]);
});

Deno.test("openMac() throws for options that only Linux supports", async () => {
  const refused = {
    "remote control": configOf(["--enable-remote-control"]),
    HOST_PROC: configOf([], { HOST_PROC: "/host/proc" }),
  };
  for (const [what, config] of Object.entries(refused)) {
    await assertRejects(() => openMachine(config, MAC), UsageError, what);
  }
});

Deno.test("parseDarwinConnections() and parseDarwinProcessCount() throw a SyntaxError for other outputs", () => {
  const tcp = "net.inet.tcp.pcbcount";
  for (const text of ["", `${tcp}: 214`, `${tcp}: -1\nnet.inet.udp.pcbcount: 1`]) {
    assertThrows(() => parseDarwinConnections(text), SyntaxError, "pcbcount");
  }
  for (const text of ["0", "", "-3", "many", "1 2"]) {
    assertThrows(() => parseDarwinProcessCount(text), SyntaxError);
  }
});

const core = (user: number, idle: number, rest: Partial<CoreTimes> = {}): CoreTimes => {
  return { user, nice: 0, sys: 0, idle, irq: 0, ...rest };
};

Deno.test("DarwinCpuCollector.collect() counts all cores since boot, then since the previous call", async () => {
  const all = { nice: 5, sys: 5, irq: 5 };
  await same((looks: CoreTimes[][]) => {
    let next = 0;
    const cpu = ratedCpu(new DarwinCpuCollector({ cores: () => looks[next++] ?? [] }));
    return looks.map(() => cpu()).map((it) => it && Math.round(it));
  }, [
    [[[core(10, 90), core(30, 70)], [core(60, 90), core(80, 170)]], [20, 50]],
    [[[core(10, 75, all)], [core(10, 75, all)]], [25, 25]],
    [[[]], [undefined]],
    // One counter has wrapped.
    [[[core(4_294_967_290, 100), core(100, 100)], [core(5, 200), core(150, 150)]], [100, 25]],
  ]);
});

Deno.test("darwinMemory() counts in mode htop as Activity Monitor does, and without vm_stat in others", () => {
  const vmStat = "Mach Virtual Memory Statistics: (page size of 1000 bytes)\n" +
    "Pages wired down: 120.\nPages purgeable: 10.\nAnonymous pages: 300.\n" +
    "Pages occupied by compressor: 40.\n";
  const info = { total: 1_000_000, free: 100_000, available: 400_000, swapTotal: 50, swapFree: 20 };
  const rows: [MemoryMode, string | undefined, changed: Partial<typeof info>, ...unknown[]][] = [
    ["htop", vmStat, {}, 450_000, 30],
    ["available", "vm_stat: no", {}, 600_000, 30],
    ["all", "vm_stat: no", {}, 900_000, 30],
    ["htop", undefined, {}, undefined, 30],
    ["htop", vmStat, { total: 1_000, swapFree: 60 }, 1_000, 0],
  ];
  const measure = (mode: MemoryMode, text: string | undefined, changed = {}) =>
    darwinMemory({ memory: () => ({ ...info, ...changed }) }, fakeSource(() => text), mode);
  for (const [mode, text, changed, ...used] of rows) {
    const { memory, swap } = measure(mode, text, changed);
    assertEquals([memory?.usedBytes, swap?.usedBytes], used, mode);
  }
  assertThrows(() => measure("htop", "vm_stat: no"), SyntaxError);
});

const facts = (sysctl: string, cores = [core(1, 1)]) =>
  darwinFacts({ arch: "aarch64", cores: () => cores }, sysctl);

Deno.test("darwinFacts() leaves out unknown facts, and falls back to node:os for cores", () => {
  const about = { arch: "arm64", osName: "macOS" };
  for (const text of ["", "hw.logicalcpu: many\nhw.physicalcpu: 0\nkern.osrelease: \n"]) {
    assertDataEquals(facts(text), { ...about, logicalCores: 1 });
  }
  assertDataEquals(facts("", []), about);
});

Deno.test("darwinFacts() knows the GPU of Apple silicon alone, and the hypervisor by the model", async () => {
  await same((name) => facts(`machdep.cpu.brand_string: ${name}\n`).gpuName, [
    ["Intel(R) Core(TM) i5-8500B CPU @ 3.00GHz", undefined],
    ["Apple processor", undefined],
    ["Apple M2 Max", "Apple M2 Max"],
  ]);
  const of = (model: string) => `hw.model: ${model.slice(2)}\nkern.hv_vmm_present: ${model[0]}\n`;
  await same((model) => facts(of(model)).virtualization, [
    ["1 VirtualMac2,1", "apple"],
    ["1 iMacPro1,1", "vm-other"],
    ["0 VMware20,1", "none"],
  ]);
  const prefix = "kern.bootsessionuuid: ";
  await same((text) => darwinBootId(text), [
    [`${prefix}0B4C7E6A-5D1F\n`, "0b4c7e6a-5d1f"],
    ["", ""],
    [`${prefix}../x\n`, ""],
  ]);
});
