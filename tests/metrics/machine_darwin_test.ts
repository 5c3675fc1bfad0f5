import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { UsageError } from "../../lib/config/usage_error.ts";
import { type DarwinQuery, DarwinShell } from "../../lib/sandbox/shell_darwin.ts";
import type { Machine } from "../../lib/metrics/machine.ts";
import {
  DarwinCpuCollector,
  openDarwinMachine,
  parseDarwinConnections,
  parseDarwinProcessCount,
} from "../../lib/metrics/machine_darwin.ts";
import { openMachine } from "../../lib/metrics/open_machine.ts";
import { parseSource } from "../../lib/metrics/collector.ts";
import { Rates } from "../../lib/metrics/rates.ts";
import { Sampler, takeSnapshot } from "../../lib/metrics/snapshot.ts";
import { toWireBasicInfo, toWireReport } from "../../lib/panel/protocol.ts";
import type { Snapshot } from "../../lib/types.ts";
import { realTurn, timed } from "../fake_time.ts";
import { collectedLog } from "../log/collected_log.ts";
import { configOf } from "./config_of.ts";
import { fakeSource } from "./fake_host.ts";
import { FakeMac } from "./fake_mac.ts";
import { assertDataEquals } from "./assert_data.ts";
import { ratedCpu } from "./rated.ts";
import type { CoreTimes } from "../../lib/host/host_darwin.ts";
import { testsWith } from "../tests_with.ts";
import { denoOutput } from "../deno_output.ts";

function open(mac: FakeMac, ...args: string[]): Promise<Machine> {
  return openDarwinMachine(mac.host, mac.shell, configOf(args));
}

function basicInfo(machine: Machine, snapshot: Snapshot) {
  return toWireBasicInfo({
    facts: machine.facts(),
    snapshot,
    addresses: {},
    version: "1.2.3",
    withoutNewColumns: false,
  });
}

for (const name of ["macbook-arm64", "mac-mini-amd64"]) {
  timed.test(`openDarwinMachine() measures ${name} as recorded`, async (time) => {
    await using mac = new FakeMac(name);
    const machine = await open(mac);
    const { collectors } = machine;
    const first = takeSnapshot(collectors);
    time.tick(4_000);
    mac.later();
    await machine.refresh?.();
    const later = takeSnapshot(collectors);
    const rates = new Rates();
    assertDataEquals(
      {
        basicInfo: basicInfo(machine, first),
        report: toWireReport(rates.report(first)),
        laterReport: toWireReport(rates.report(later)),
        interfaces: machine.network.interfaces(),
        mountPoints: machine.mounts(),
      },
      JSON.parse(
        Deno.readTextFileSync(new URL(`../fixtures/${name}/expected.json`, import.meta.url)),
      ),
    );
  });
}

const FIELDS = [
  ...["cpuTime", "memory", "swap", "disk", "load"] as const,
  ...["traffic", "connections", "processes"] as const,
];

/** What a snapshot lacks, and the failures that it names. */
function gaps(snapshot: Snapshot): { missing: string[]; failures: string[] } {
  const missing = FIELDS.filter((field) => snapshot[field] === undefined);
  return { missing, failures: snapshot.failures };
}

const onMacBook = testsWith(() => new FakeMac("macbook-arm64"));

onMacBook.test("openDarwinMachine() measures the rest when commands are missing", async (mac) => {
  for (const name of ["netstat", "mount", "sysctl"]) mac.command(name, undefined);
  const machine = await open(mac);
  assertDataEquals(gaps(takeSnapshot(machine.collectors)), {
    missing: ["disk", "traffic", "connections"],
    failures: [
      "cannot measure disk space",
      "cannot measure network traffic",
      "cannot measure connections",
    ],
  });
  assertDataEquals(machine.facts(), { arch: "arm64", osName: "macOS", logicalCores: 8 });
});

onMacBook.test("openDarwinMachine() warns when it is told no facts", async (mac) => {
  const lines = await collectedLog(async () => {
    await openDarwinMachine(mac.host, {
      ask: (query) =>
        query === "facts" ? Promise.reject(new Error("Cannot run sysctl")) : Promise.resolve("1"),
      close: () => Promise.resolve(),
    }, configOf());
  });
  assertDataEquals(lines.map((line) => line.replace(/^\S+ /, "")), [
    "warning agent: Cannot run sysctl",
  ]);
});

onMacBook.test("openDarwinMachine() measures the rest when outputs are malformed", async (mac) => {
  for (const name of ["netstat", "mount", "sysctl", "vm_stat"]) mac.command(name, "echo nonsense");
  mac.command("ps", ":");
  const machine = await open(mac);
  assertDataEquals(gaps(takeSnapshot(machine.collectors)), {
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

timed.test("openDarwinMachine() continues without a hanging command, and uses it once it returns", async (time) => {
  await using mac = new FakeMac("macbook-arm64");
  // It stands still until somebody opens the pipe for writing.
  mac.command("netstat", ': <"$0.pipe"');
  await new Deno.Command("mkfifo", { args: [`${mac.folder}/netstat.pipe`] }).output();
  const opening = open(mac);
  assertDataEquals(await time.until(opening, { withinMs: 3_600_000 }), 2_000, "it waits no longer");
  const machine = await opening;
  const refreshing = machine.refresh?.() ?? Promise.resolve();
  await time.until(refreshing, { withinMs: 3_600_000 });
  // All others now have as long as they take.
  await machine.refresh?.();
  assertDataEquals(gaps(takeSnapshot(machine.collectors)), {
    missing: ["traffic"],
    failures: ["cannot measure network traffic"],
  });
  mac.later();
  await Deno.writeTextFile(`${mac.folder}/netstat.pipe`, "");
  for (let failed = 1; failed > 0;) {
    await machine.refresh?.();
    failed = takeSnapshot(machine.collectors).failures.length;
  }
  assertDataEquals(gaps(takeSnapshot(machine.collectors)), { missing: [], failures: [] });
});

timed.test("openDarwinMachine() runs each command once per report, and slow ones at their own interval", async (time) => {
  await using mac = new FakeMac("macbook-arm64");
  const asked: Partial<Record<DarwinQuery, number>> = {};
  let closed = 0;
  const machine = await openDarwinMachine(mac.host, {
    ask(question) {
      asked[question] = (asked[question] ?? 0) + 1;
      return Promise.resolve("1");
    },
    close: () => Promise.resolve(void closed++),
  }, configOf(["--memory-mode", "available"]));
  const once = { interfaces: 1, sockets: 1, processes: 1, mounts: 1, facts: 1 };
  takeSnapshot(machine.collectors);
  assertDataEquals(asked, once, "the first report comes at once, and has the answers of the start");
  for (let report = 0; report < 21; report++) {
    time.tick(3_000);
    takeSnapshot(machine.collectors);
    // Joins what is under way, and asks nothing more.
    const before = { ...asked };
    takeSnapshot(machine.collectors);
    assertDataEquals(asked, before);
    await realTurn();
  }
  assertDataEquals(asked, { interfaces: 22, sockets: 22, processes: 6, mounts: 2, facts: 1 });
  assertDataEquals(closed, 0);
  await machine.close?.();
  assertDataEquals(closed, 1);
});

timed.test("openDarwinMachine() looks at load and disks less often than at the rest", async (time) => {
  await using mac = new FakeMac("macbook-arm64");
  const looks: Record<"load" | "disk" | "uptime", number> = { load: 0, disk: 0, uptime: 0 };
  const { host } = mac;
  const counting: typeof host = {
    ...host,
    load: () => (looks.load++, host.load()),
    uptime: () => (looks.uptime++, host.uptime()),
    statfs(path) {
      if (path === "/") looks.disk++;
      return host.statfs(path);
    },
  };
  const { collectors } = await openDarwinMachine(counting, mac.shell, configOf());
  const sampler = new Sampler(collectors);
  for (let second = 0; second < 11; second++) {
    sampler.sample();
    time.tick(1_000);
  }
  assertDataEquals(looks, { load: 4, disk: 3, uptime: 11 });
});

onMacBook.test("openDarwinMachine() follows the configured lists and mode", async (mac) => {
  const machine = await open(
    mac,
    ...["--exclude-nics", "en1", "--include-mountpoint", "/Volumes/Photos"],
    ...["--memory-mode", "all"],
  );
  const snapshot = takeSnapshot(machine.collectors);
  assertDataEquals(machine.bootId(), "0b4c7e6a-5d1f-4c55-9e2b-3a1d2c4b5e6f");
  assertDataEquals(snapshot.disk?.totalBytes, 1_000_000_000_000);
  assertDataEquals(snapshot.memory?.usedBytes, 17179869184 - 77217792);
  assertDataEquals(
    machine.network.interfaces().filter(({ counted }) => counted).map(({ name }) => name),
    ["en0"],
  );
});

Deno.test("openMac() takes the usual HOST_PROC for none", async () => {
  const machine = await openMachine(configOf([], { HOST_PROC: "/proc" }), MAC);
  assertDataEquals(machine.roots.proc, "/proc");
  await machine.close?.();
});

Deno.test("openDarwinMachine() keeps measuring in a sealed process", async () => {
  const program = `
import { openDarwinMachine } from "${new URL(
    "../../lib/metrics/machine_darwin.ts",
    import.meta.url,
  )}";
import { openDarwinHost } from "${new URL("../../lib/host/host_darwin.ts", import.meta.url)}";
import { sealProcess } from "${new URL("../../lib/sandbox/seal.ts", import.meta.url)}";
import { takeSnapshot } from "${new URL("../../lib/metrics/snapshot.ts", import.meta.url)}";
import { FakeMac } from "${new URL("fake_mac.ts", import.meta.url)}";
import { configOf } from "${new URL("config_of.ts", import.meta.url)}";
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
console.log(JSON.stringify({
  received: traffic.receivedBytes,
  failures,
  told: told.every((number) => number > 0),
  folder: mac.folder,
}));
await mac.shell.close();
Deno.exit();
`;
  const options = { input: program, cwd: new URL("../..", import.meta.url) };
  const output = await denoOutput("run -A --no-prompt --no-check --ext=ts", ["-"], options);
  const { folder, ...measured } = JSON.parse(output);
  await Deno.remove(folder, { recursive: true });
  assertDataEquals(measured, { received: 12345978901, failures: [], told: true });
});

Deno.test("parseDarwinConnections() and parseDarwinProcessCount() throw a SyntaxError for other outputs", () => {
  const connections = [
    ...["", "net.inet.tcp.pcbcount: 214"],
    "net.inet.tcp.pcbcount: -1\nnet.inet.udp.pcbcount: 1",
  ];
  for (const text of connections) {
    const source = fakeSource(() => text);
    assertThrows(() => parseSource(source, parseDarwinConnections), SyntaxError, "pcbcount");
  }
  for (const text of ["0", "", "-3", "many", "1 2"]) {
    const source = fakeSource(() => text);
    assertThrows(() => parseSource(source, parseDarwinProcessCount), SyntaxError);
  }
});

const MAC = { os: "darwin" };

onMacBook.test("openDarwinMachine() has no load where the runtime has none", async (mac) => {
  const machine = await openDarwinMachine({ ...mac.host, load: () => [] }, mac.shell, configOf());
  const { load, failures } = takeSnapshot(machine.collectors);
  assertDataEquals([load, failures], [undefined, []]);
});

Deno.test("openMac() measures by the runtime where there is a shell", async () => {
  const machine = await openMachine(configOf(), MAC);
  const { uptimeSeconds, load } = takeSnapshot(machine.collectors);
  await machine.close?.();
  assertDataEquals([(uptimeSeconds ?? 0) > 0, load !== undefined], [true, true]);
});

Deno.test("openMac() closes its shell when it can't go on", async () => {
  const { prototype } = DarwinShell;
  const { close } = prototype;
  let closed = 0;
  prototype.close = function (): Promise<void> {
    closed++;
    return close.call(this);
  };
  const config = {
    ...configOf(),
    get includeMountPoints(): never {
      throw new Error("no list");
    },
  };
  try {
    await assertRejects(() => openMachine(config, MAC), Error, "no list");
  } finally {
    prototype.close = close;
  }
  assertDataEquals(closed, 1);
});

Deno.test("openMac() throws for options that only Linux supports", async () => {
  await assertRejects(
    () => openMachine(configOf(["--enable-remote-control"]), MAC),
    UsageError,
    "remote control",
  );
  await assertRejects(
    () => openMachine(configOf([], { HOST_PROC: "/host/proc" }), MAC),
    UsageError,
    "HOST_PROC",
  );
});

function core(user: number, idle: number, rest: Partial<CoreTimes> = {}): CoreTimes {
  return { user, nice: 0, sys: 0, idle, irq: 0, ...rest };
}

/** Shows one list of cores after the other, the last one for ever. */
function cpuOf(...looks: CoreTimes[][]): () => number | undefined {
  let next = 0;
  return ratedCpu(
    new DarwinCpuCollector({ cores: () => looks[Math.min(next++, looks.length - 1)] ?? [] }),
  );
}

Deno.test("DarwinCpuCollector.collect() counts since boot, then since the previous call", () => {
  type Row = [what: string, looks: CoreTimes[][], expected: (number | undefined)[]];
  const busy = ["user", "nice", "sys", "irq"].map((name): Row => {
    return [name, [[core(0, 75, { [name]: 25 })]], [25]];
  });
  const table: Row[] = [
    ["all cores", [
      [core(10, 90), core(30, 70)],
      [core(60, 90, { sys: 25, nice: 25 }), core(30, 170)],
    ], [20, 50]],
    ...busy,
    ["no time has passed", [[core(25, 75)], [core(25, 75)]], [25, 25]],
    ["no cores", [[]], [undefined]],
    ["one counter has wrapped", [
      [core(4_294_967_290, 100), core(100, 100)],
      [core(5, 200), core(150, 150)],
    ], [100, 25]],
  ];
  for (const [what, looks, expected] of table) {
    const cpu = cpuOf(...looks);
    assertEquals(looks.map(() => cpu()).map((it) => it && Math.round(it)), expected, what);
  }
});
