import { assert, assertEquals, assertMatch } from "@std/assert";
import { NodeExporter } from "../../lib/exporter/node_exporter.ts";
import { formatMetrics } from "../../lib/exporter/openmetrics.ts";
import type { Host } from "../../lib/host/host.ts";
import { collectedLog } from "../log/collected_log.ts";
import { FakeTime } from "../fake_time.ts";
import { FakeMachine } from "../metrics/fake_machine.ts";
import { fakeSource } from "../metrics/fake_host.ts";
import { LINK_FILES } from "../../lib/sandbox/shell.ts";
import { parseExposition } from "./exposition.ts";

const INCLUDE = { includeMountPoints: [] };

function fail(): never {
  throw new Error("Cannot read it");
}

async function scrape(exporter: NodeExporter): Promise<string> {
  return formatMetrics(await exporter.families(), "text");
}

/** A machine with other files, or more of them; `undefined` is one that it lacks. */
function withFiles(
  files: Readonly<Record<string, string | undefined | (() => string)>>,
): Host {
  const machine = new FakeMachine("debian-vm");
  const [open, readText] = [machine.open.bind(machine), machine.readText.bind(machine)];
  const textOf = (path: string) => {
    const file = files[path];
    return typeof file === "function" ? file() : file;
  };
  return Object.assign(machine, {
    open: (path: string) => path in files ? fakeSource(() => textOf(path)) : open(path),
    readText: (path: string) => textOf(path) ?? readText(path),
  });
}

/** What is shown of the machine with these files. */
function scrapeWith(files: Parameters<typeof withFiles>[0]): Promise<string> {
  return scrape(new NodeExporter(withFiles(files), INCLUDE));
}

Deno.test("NodeExporter.families() gives exactly what is recorded of a machine", async () => {
  using _time = new FakeTime({ now: 1795622120500 });
  const recorded = new URL("../fixtures/debian-vm/scrape.txt", import.meta.url);
  const text = await scrape(new NodeExporter(new FakeMachine("debian-vm"), INCLUDE));
  const samples = text.split("\n").filter((line) => !line.startsWith("#"));
  assertEquals(samples, Deno.readTextFileSync(recorded).split("\n"));
});

Deno.test("NodeExporter.families() gives what only some kernels and a shell tell", async () => {
  const exporter = new NodeExporter(
    withFiles({
      "/proc/pressure/irq": "full avg10=0.00 avg60=0.00 avg300=0.00 total=2500000\n",
      "/proc/sys/kernel/pid_max": "4194304\n",
      "/proc/sys/kernel/threads-max": "61877\n",
      "/proc/sys/kernel/hung_task_detect_count": "2\n",
      "/proc/meminfo": "PageTables: 160 kB\n",
      "/proc/vmstat": "nr_page_table_pages 10\n",
      "/proc/net/sockstat": "TCP: inuse 2 mem 3\n",
    }),
    INCLUDE,
  );
  exporter.useShell({
    countDescriptors: () => Promise.resolve(17),
    link: () => Promise.resolve(LINK_FILES.map((file) => file === "operstate" ? "up" : "9")),
  });
  const metrics = parseExposition(await scrape(exporter));
  const value = (name: string, labels = "") => metrics.get(name)?.samples.get(labels);
  assertEquals(value("node_pressure_irq_stalled_seconds_total"), 2.5);
  assertEquals(value("node_processes_max_processes"), 4194304);
  assertEquals(value("node_processes_max_threads"), 61877);
  assertEquals(value("node_kernel_hung_tasks_total"), 2);
  assertEquals(value("node_sockstat_TCP_mem_bytes"), 3 * 16384);
  assertEquals(value("process_resident_memory_bytes"), 1019 * 16384);
  assertEquals(value("process_open_fds"), 17);
  assertEquals(value("node_network_mtu_bytes", 'device="eth0"'), 9);
});

Deno.test("NodeExporter opens each file as one whose lines may be long, and mounts as one of paths", () => {
  const machine = new FakeMachine("debian-vm");
  const opened = new Map<string, unknown>();
  const open = machine.open.bind(machine);
  Object.assign(machine, {
    open(path: string, options: unknown) {
      opened.set(path, options);
      return open(path);
    },
  });
  new NodeExporter(machine, INCLUDE);
  for (const file of ["stat", "net/netstat", "net/snmp", "vmstat"]) {
    assertEquals(opened.get(`/proc/${file}`), { hasLongLines: true });
  }
  assertEquals(opened.get("/proc/1/mounts"), { hasLongLines: true, hasPaths: true });
});

Deno.test("NodeExporter.families() names what it can't read, and gives the rest", async () => {
  const text = await scrapeWith({ "/proc/loadavg": fail });
  assertMatch(text, /^komari_scrape_failed\{source="loadavg"\} 1$/m);
  assertEquals(/^node_load1 /m.test(text), false);
  assertMatch(text, /^node_memory_MemTotal_bytes \d+$/m);
});

Deno.test("NodeExporter.families() logs what it can't read when that changes", async () => {
  let isBroken = true;
  const loadavg = () => isBroken ? fail() : "1.00 2.00 3.00 1/1 1\n";
  const exporter = new NodeExporter(withFiles({ "/proc/loadavg": loadavg }), INCLUDE);
  const lines = await collectedLog(async (lines) => {
    await scrape(exporter);
    await scrape(exporter);
    assertEquals(lines.length, 1);
    isBroken = false;
    await scrape(exporter);
    await scrape(exporter);
  });
  assertEquals(lines.map((line) => line.replace(/^\S+ /, "")), [
    "warning agent: Cannot read all metrics for Prometheus from loadavg",
    "info    agent: All sources of metrics can be read again",
  ]);
});

Deno.test("NodeExporter.families() counts other disks when a line is odd, and says so", async () => {
  const disk = "8 0 sda 1 2 3 4 5 6 7 8 9 10 11\n";
  const text = await scrapeWith({ "/proc/diskstats": `${disk}8 16 sdb odd\n` });
  assertMatch(text, /^node_disk_io_now\{device="sda"\} 9$/m);
  assertMatch(text, /^komari_scrape_failed\{source="diskstats"\} 1$/m);
});

Deno.test("NodeExporter.families() has nothing of a file that the machine lacks", async () => {
  const text = await scrapeWith({ "/proc/net/arp": undefined });
  assertEquals(/node_arp|komari_scrape_failed/.test(text), false);
});

Deno.test("NodeExporter.families() gives no name twice, whatever the kernel's texts say", async () => {
  const evil = 'MemTotal: 1 kB\nMemTotal: 2 kB\nA"} 1\nx{: 5 kB\n"y: 1\n';
  const text = await scrapeWith({ "/proc/meminfo": evil });
  const types = [...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name);
  assertEquals(new Set(types).size, types.length);
  const memory = text.split("\n").filter((line) => line.startsWith("node_memory"));
  assertEquals(memory, ["node_memory_MemTotal_bytes 2048"]);
});

Deno.test("NodeExporter.families() guesses no size of pages where a count of them is missing or 0", async () => {
  const memory = "PageTables: 160 kB\n";
  const sizes = [
    [memory, ""],
    [memory, "nr_page_table_pages 0\n"],
    ["PageTables: 0 kB\n", "nr_page_table_pages 10\n"],
  ];
  for (const [meminfo = "", vmstat = ""] of sizes) {
    const files = { "/proc/meminfo": meminfo, "/proc/vmstat": vmstat };
    const text = await scrapeWith({ ...files, "/proc/net/sockstat": "TCP: inuse 2 mem 3\n" });
    assertMatch(text, /^node_sockstat_TCP_mem 3$/m);
    assertEquals(/mem_bytes|process_resident/.test(text), false, vmstat);
  }
});

Deno.test("NodeExporter.families() takes the first of two sources that give the same name", async () => {
  const text = await scrapeWith({
    "/proc/net/sockstat": "TCP: inuse 2\n",
    "/proc/net/sockstat6": "TCP: inuse 9\n",
  });
  assertEquals(text.match(/^node_sockstat_TCP_inuse .*$/gm), ["node_sockstat_TCP_inuse 2"]);
});

Deno.test("NodeExporter.families() misses no pressures that the kernel does not measure", async () => {
  const machine = new FakeMachine("debian-vm");
  const [open, readText] = [machine.open.bind(machine), machine.readText.bind(machine)];
  const refused = () => {
    throw new Error("Cannot read: operation not supported");
  };
  Object.assign(machine, {
    open: (path: string) => path.includes("/pressure/") ? fakeSource(refused) : open(path),
    readText: (path: string) => path.includes("/pressure/") ? undefined : readText(path),
  });
  const text = await scrape(new NodeExporter(machine, INCLUDE));
  assertEquals(/node_pressure|komari_scrape_failed/.test(text), false);
});

Deno.test("NodeExporter.families() gives at most 20,000 series of a source, and the others", async () => {
  const long = Array.from({ length: 30_000 }, (_, index) => `Field${index}: 1 kB\n`).join("");
  const text = await scrapeWith({ "/proc/meminfo": long });
  assertMatch(text, /^komari_scrape_failed\{source="meminfo"\} 1$/m);
  assertEquals([...text.matchAll(/^node_memory_/gm)].length, 20_000);
  assertMatch(text, /^node_time_seconds \d/m);
});

const FIXTURES = new URL("../fixtures/", import.meta.url);
const machines = [...Deno.readDirSync(FIXTURES)].map(({ name }) => name).filter((name) => {
  try {
    return Deno.statSync(new URL(`${name}/machine.json`, FIXTURES)).isFile;
  } catch {
    return false;
  }
});
assert(machines.length >= 14, `only ${machines.length} machines`);

for (const name of machines) {
  Deno.test(`NodeExporter.families() reads all that there is of ${name}`, async () => {
    const metrics = parseExposition(await scrape(new NodeExporter(new FakeMachine(name), INCLUDE)));
    // The agent's own process is on none of them but one, and 270 interfaces are too many to ask for.
    const known = ['source="self"', ...name === "many-cores" ? ['source="class/net"'] : []];
    const failed = [...metrics.get("komari_scrape_failed")?.samples.keys() ?? []];
    assertEquals(failed.filter((source) => !known.includes(source)), []);
    assertEquals(metrics.has("node_load1") && metrics.has("node_memory_MemTotal_bytes"), true);
    assertEquals(metrics.has("node_cpu_seconds_total"), true);
  });
}
