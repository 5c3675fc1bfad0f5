import { TempFolder } from "../../temp_folder.ts";
import { assert, assertEquals } from "@std/assert";
import { delay } from "@std/async/delay";
import { AgentProcess } from "../../end_to_end/agent_process.ts";
import { DiskReader } from "../../../lib/exporter/disks.ts";
import { formatMetrics } from "../../../lib/exporter/openmetrics.ts";
import { SensorReader } from "../../../lib/exporter/sensors.ts";
import { LocalHost } from "../../../lib/host/local_host.ts";
import { type ExposedMetric, parseExposition } from "../../exporter/exposition.ts";
import { NetworkNamespace } from "./network_namespace.ts";
import { patience } from "../../patience.ts";
import { realDeadline } from "../../real_deadline.ts";
import { startTestPanel } from "../../test_panel/test_panel.ts";

/** Others work on this machine too: what moves between two looks is looked at again, this often. */
const MOST_LOOKS = 40;
/** Names that both give of themselves. */
const OWN = /^(process_|go_|promhttp_|node_scrape_|node_exporter_)/;
/** Sums of floating-point numbers end in other digits. */
const SLACK = 1e-9;
/** Who looks has sockets and files open that the other one has not. */
const OWN_OPEN = new Map([["node_sockstat_sockets_used", 4], ["node_filefd_allocated", 64]]);

const program = Deno.build.os === "linux"
  ? ["prometheus-node-exporter", "node_exporter"].find(isHere)
  : undefined;
const hasPrometheus = program !== undefined && isHere("prometheus");

const SKIPPED = program === undefined
  ? " (skipped: it needs Debian's package prometheus-node-exporter)"
  : "";

/** Whether a program is here and runs. */
function isHere(name: string): boolean {
  try {
    return new Deno.Command(name, { args: ["--version"] }).outputSync().success;
  } catch {
    return false;
  }
}

/** A server of Prometheus, at a port of its own. */
class RealServer implements AsyncDisposable {
  readonly url: string;
  readonly #child: Deno.ChildProcess;

  private constructor(child: Deno.ChildProcess, url: string) {
    this.#child = child;
    this.url = url;
  }

  /** Starts it through a command, with these flags. */
  static async start(
    name: string,
    { through = [], flags = [] }: { through?: readonly string[]; flags?: readonly string[] } = {},
  ): Promise<RealServer> {
    const listen = "--web.listen-address=127.0.0.1:0";
    const [command = "", ...args] = [...through, name, listen, ...flags];
    const child = new Deno.Command(command, {
      args,
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    })
      .spawn();
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    const read = async () => {
      let log = "";
      const decoder = new TextDecoder();
      for await (const chunk of child.stderr) {
        log += decoder.decode(chunk, { stream: true });
        const [, address] = /"Listening on" address=(\S+)/.exec(log) ?? [];
        if (address !== undefined) resolve(`http://${address}`);
      }
      reject(new Error(`Cannot start ${name}: ${log}`));
    };
    read();
    return new RealServer(child, await realDeadline(promise));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGTERM");
    await this.#child.status;
  }
}

/** What Debian's package leaves out by default, for a build of another's. */
const FILTERS = program === "prometheus-node-exporter" ? [] : [
  "--collector.netdev.device-exclude=^lo$",
  "--collector.filesystem.mount-points-exclude=" +
  "^/(dev|proc|run|sys|mnt|media|var/lib/docker/.+|var/lib/containers/storage/.+)($|/)",
];

/** Labels that later versions than that of Debian 12 have. */
const LATER_LABELS = ["adminstate", "rotational"];

function startExporter(
  { through, flags = FILTERS }: Parameters<typeof RealServer.start>[1] = {},
): Promise<RealServer> {
  return RealServer.start(program ?? "", { through, flags });
}

/**
 * Whether a series is of a mount in a folder that only some users may enter, or that has gone: an agent
 * that has given up root can't look at it. Containers of other tests have such mounts.
 */
function isClosed(labels: string): boolean {
  const [, place] = /mountpoint="([^"]*)"/.exec(labels) ?? [];
  if (place === undefined) return false;
  const folders = place.split("/").slice(0, -1).map((_, index, all) => all.slice(0, index + 1));
  return folders.some((words) => {
    try {
      return ((Deno.statSync(`${words.join("/")}/`).mode ?? 0) & 0o001) === 0;
    } catch {
      return true;
    }
  });
}

type Metrics = Map<string, ExposedMetric>;
type Scrape = (url: string) => Promise<Metrics>;

async function scrapeHere(url: string): Promise<Metrics> {
  const headers = { accept: "text/plain" };
  const response = await fetch(url, { headers, signal: patience() });
  return parseExposition(await response.text(), LATER_LABELS);
}

/** What stays different between two programs, over many looks. */
interface Comparison {
  /** Names that both give. */
  readonly names: readonly string[];
  /** Names that only the other one gives. */
  readonly missing: readonly string[];
  /** Number of series whose values lie between two of ours. */
  readonly alike: number;
  /** Types and label sets that differ, by name. */
  readonly shapes: Readonly<Record<string, string>>;
  /** Values that never were alike, by series. */
  readonly values: Readonly<Record<string, string>>;
}

/**
 * Compares a look of the other program with one of ours before and one after it, until each series
 * was once between them.
 */
async function compare(ours: string, theirs: string, scrape: Scrape): Promise<Comparison> {
  let before = await scrape(ours);
  const first = await scrape(theirs);
  const names = [...before.keys()].filter((name) => first.has(name) && !OWN.test(name));
  const missing = [...first.keys()].filter((name) => !before.has(name) && !OWN.test(name));
  const shapeOf = (of: Metrics, name: string) => {
    const { type, samples } = of.get(name) ?? { samples: new Map() };
    // Later versions leave out disks in memory.
    const labels = [...samples.keys()].filter((it) =>
      !/device="zram\d+"/.test(it) && !isClosed(it)
    );
    return JSON.stringify([type, labels.toSorted()]);
  };
  const alike = new Set<string>();
  for (let look = 0;; look++) {
    const real = await scrape(theirs);
    const after = await scrape(ours);
    const shapes: Record<string, string> = {};
    const values: Record<string, string> = {};
    for (const name of names) {
      const [one, other] = [shapeOf(after, name), shapeOf(real, name)];
      if (one !== other) shapes[name] = `ours ${one}, theirs ${other}`;
      for (const [label, value] of real.get(name)?.samples ?? []) {
        if (isClosed(label)) continue;
        const series = `${name}{${label}}`;
        const between = [before, after].map((it) => it.get(name)?.samples.get(label) ?? NaN);
        const slack = OWN_OPEN.get(name) ?? Math.abs(value) * SLACK;
        if (value >= Math.min(...between) - slack && value <= Math.max(...between) + slack) {
          alike.add(series);
        } else if (!alike.has(series)) values[series] = `${value} is not in ${between}`;
      }
    }
    const isAlike = Object.keys({ ...shapes, ...values }).length === 0;
    if (isAlike || look === MOST_LOOKS) {
      return { names, missing, alike: alike.size, shapes, values };
    }
    before = after;
  }
}

function urlOf({ output }: AgentProcess): string {
  return /Metrics for Prometheus: (\S+)/.exec(output)?.[1] ?? "";
}

Deno.test({
  name: "a sealed agent and node_exporter tell the same of this machine" + SKIPPED,
  ignore: program === undefined,
  async fn() {
    using panel = await startTestPanel({ token: "scr4ped" });
    const args = ["-e", panel.url, "-t", panel.token, "-i", "5"];
    await using agent = new AgentProcess([...args, "--metrics", "127.0.0.1:0"]);
    await agent.says("First report accepted");
    const theirs = await startExporter();
    await using _ = theirs;
    const found = await compare(urlOf(agent), `${theirs.url}/metrics`, scrapeHere);
    console.log(
      `${found.names.length} names and ${found.alike} series are alike; not given are ` +
        `${found.missing.length} names of node_exporter: ${found.missing.join(", ")}`,
    );
    assert(found.names.length >= 150, `only ${found.names.length} names are alike`);
    assertEquals([found.shapes, found.values], [{}, {}]);
  },
});

Deno.test({
  name: "a sealed agent tells of interfaces that come later, as node_exporter does" + SKIPPED,
  ignore: program === undefined || Deno.uid() !== 0,
  async fn() {
    using network = new NetworkNamespace();
    network.ip("link", "add", "first0", "type", "veth", "peer", "name", "first1");
    const scrape: Scrape = (url) =>
      Promise.resolve(parseExposition(network.run(`curl -sf ${url}`), LATER_LABELS));
    // No panel is in this network, and none is needed.
    const args = ["-e", "http://127.0.0.1:9", "-t", "scr4ped", "--metrics", "127.0.0.1:0"];
    await using agent = new AgentProcess(args, { through: network.enter });
    await agent.says("Metrics for Prometheus: ");
    const theirs = await startExporter({ through: network.enter });
    await using _ = theirs;
    const url = urlOf(agent);
    const devices = async () =>
      [...(await scrape(url)).get("node_network_up")?.samples.keys() ?? []].toSorted();
    const start = ['device="first0"', 'device="first1"', 'device="lo"'];
    assertEquals(await devices(), start);
    network.ip("link", "add", "late0", "type", "veth", "peer", "name", "late1");
    network.ip("link", "set", "late0", "mtu", "1400", "alias", 'a "late" one', "up");
    // The files that are open are those of an interface that has gone.
    network.ip("link", "del", "first0");
    network.ip("link", "add", "first0", "type", "veth", "peer", "name", "first1");
    network.ip("link", "set", "first0", "mtu", "1300", "up");
    assertEquals(
      await devices(),
      [...start.slice(0, 2), 'device="late0"', 'device="late1"', 'device="lo"']
        .toSorted(),
    );
    const { shapes, values } = await compare(url, `${theirs.url}/metrics`, scrape);
    assertEquals([shapes, values], [{}, {}]);
    const mtu = (await scrape(url)).get("node_network_mtu_bytes")?.samples;
    assertEquals([mtu?.get('device="late0"'), mtu?.get('device="first0"')], [1400, 1300]);
  },
});

/** A chip with its device, zones, and disks that udev knows; links begin with an arrow. */
const TREE: Readonly<Record<string, string>> = {
  "sys/class/hwmon/hwmon0": "-> ../../devices/platform/coretemp.0/hwmon/hwmon0",
  "sys/devices/platform/coretemp.0/hwmon/hwmon0/device": "-> ../../../coretemp.0",
  "sys/devices/platform/coretemp.0/hwmon/hwmon0/name": "coretemp",
  "sys/devices/platform/coretemp.0/hwmon/hwmon0/temp1_input": "45500",
  "sys/devices/platform/coretemp.0/hwmon/hwmon0/temp1_label": "Package id 0",
  "sys/devices/platform/coretemp.0/hwmon/hwmon0/temp1_max": "82000",
  "sys/devices/platform/coretemp.0/hwmon/hwmon0/temp1_crit": "100000",
  "sys/devices/platform/coretemp.0/hwmon/hwmon0/temp1_crit_alarm": "0",
  "sys/devices/platform/coretemp.0/hwmon/hwmon0/temp1_fault": "0",
  "sys/devices/platform/coretemp.0/hwmon/hwmon0/temp1_type": "3",
  "sys/devices/platform/coretemp.0/hwmon/hwmon0/temp2_input": "-5000",
  "sys/devices/platform/coretemp.0/hwmon/hwmon0/temp3_input": "hot",
  "sys/class/hwmon/hwmon1": "-> ../../devices/pci0000:00/0000:00:1d.0/nvme/nvme0/hwmon1",
  "sys/devices/pci0000:00/0000:00:1d.0/nvme/nvme0/hwmon1/device": "-> ../../nvme0",
  "sys/devices/pci0000:00/0000:00:1d.0/nvme/nvme0/hwmon1/name": "nvme",
  "sys/devices/pci0000:00/0000:00:1d.0/nvme/nvme0/hwmon1/temp1_input": "38850",
  "sys/devices/pci0000:00/0000:00:1d.0/nvme/nvme0/hwmon1/temp1_alarm": "1",
  "sys/class/hwmon/hwmon2": "-> ../../devices/platform/nct6775.656/hwmon/hwmon2",
  "sys/devices/platform/nct6775.656/hwmon/hwmon2/device": "-> ../../../nct6775.656",
  "sys/devices/platform/nct6775.656/hwmon/hwmon2/name": "nct6798",
  "sys/devices/platform/nct6775.656/hwmon/hwmon2/fan1_input": "1187",
  "sys/devices/platform/nct6775.656/hwmon/hwmon2/fan1_min": "0",
  "sys/devices/platform/nct6775.656/hwmon/hwmon2/fan1_target": "900",
  "sys/devices/platform/nct6775.656/hwmon/hwmon2/fan1_alarm": "1",
  "sys/devices/platform/nct6775.656/hwmon/hwmon2/fan1_beep": "0",
  "sys/devices/platform/nct6775.656/hwmon/hwmon2/fan1_pulses": "2",
  "sys/devices/platform/nct6775.656/hwmon/hwmon2/fan1_label": 'Back "left"',
  "sys/devices/platform/nct6775.656/hwmon/hwmon2/in0_label": "Vcore",
  "sys/devices/platform/nct6775.656/temp7_input": "31000",
  "sys/class/hwmon/hwmon3": "-> ../../devices/virtual/hwmon/hwmon3",
  "sys/devices/virtual/hwmon/hwmon3/name": "acpitz",
  "sys/devices/virtual/hwmon/hwmon3/temp1_input": "27800",
  "sys/class/thermal/thermal_zone0": "-> ../../devices/virtual/thermal/thermal_zone0",
  "sys/devices/virtual/thermal/thermal_zone0/type": "x86_pkg_temp",
  "sys/devices/virtual/thermal/thermal_zone0/policy": "step_wise",
  "sys/devices/virtual/thermal/thermal_zone0/temp": "51000",
  "sys/class/thermal/cooling_device3": "-> ../../devices/virtual/thermal/cooling_device3",
  "sys/devices/virtual/thermal/cooling_device3/type": "Processor",
  "sys/devices/virtual/thermal/cooling_device3/cur_state": "2",
  "sys/devices/virtual/thermal/cooling_device3/max_state": "10",
  "proc/diskstats": [
    "   8       0 sda 532 7 15202 39 665 558 831676 5841 0 976 6569 1 2 3 4 192 688",
    "   8       1 sda1 532 7 15202 39 665 558 831676 5841 0 976 6569 1 2 3 4 192 688",
    " 253       0 dm-0 532 7 15202 39 665 558 831676 5841 3 976 6569",
    " 259       0 nvme0n1 532 7 15202 39 665 558 831676 5841 0 976 6569 1 2 3 4",
  ].join("\n"),
  "run/udev/data/b8:0": [
    ...["E:ID_ATA=1", "E:ID_ATA_WRITE_CACHE=1", "E:ID_ATA_WRITE_CACHE_ENABLED=0"],
    ...["E:ID_ATA_ROTATION_RATE_RPM=7200", "E:ID_MODEL=Disk_A", "E:ID_SERIAL_SHORT=S1"],
    ...["E:ID_PATH=pci-0000:00:1f.2-ata-1", "E:ID_WWN=0x5000", "E:ID_REVISION=1.0", "S:disk/x"],
  ].join("\n"),
  "run/udev/data/b253:0": [
    ...["E:DM_NAME=vg-root", "E:DM_UUID=LVM-1", "E:DM_VG_NAME=vg", "E:DM_LV_NAME=root"],
    ...["E:ID_FS_TYPE=ext4", "E:ID_FS_USAGE=filesystem", "E:ID_FS_UUID=u-1", "E:ID_FS_VERSION=1.0"],
  ].join("\n"),
};

Deno.test({
  name: "sensors and disks of a made tree are named as by node_exporter" + SKIPPED,
  ignore: program === undefined,
  async fn() {
    using folder = new TempFolder();
    for (const [path, text] of Object.entries(TREE)) {
      const at = `${folder.path}/${path}`;
      await Deno.mkdir(at.replace(/\/[^/]*$/, ""), { recursive: true });
      if (text.startsWith("-> ")) await Deno.symlink(text.slice(3), at);
      else await Deno.writeTextFile(at, `${text}\n`);
    }
    const theirs = await startExporter({
      flags: [
        ...["--collector.disable-defaults", "--collector.hwmon", "--collector.thermal_zone"],
        ...[
          "--collector.diskstats",
          `--path.procfs=${folder.path}/proc`,
          `--path.sysfs=${folder.path}/sys`,
        ],
        `--path.udev.data=${folder.path}/run/udev/data`,
      ],
    });
    await using _ = theirs;
    const host = new LocalHost({
      proc: `${folder.path}/proc`,
      sys: `${folder.path}/sys`,
      root: folder.path,
    });
    const families = [
      ...await new SensorReader(host).read(),
      ...new DiskReader(host).read(() => {}),
    ];
    // Thousandths by multiplication end in other digits than those by division.
    const rounded = (samples: ReadonlyMap<string, number>) =>
      [...samples].toSorted().map(([labels, value]) => `${labels} ${value.toPrecision(12)}`);
    const of = (metrics: Metrics) =>
      Object.fromEntries(
        [...metrics].filter(([name]) => /^node_(hwmon|thermal|cooling|disk)/.test(name)).map((
          [name, { type, samples }],
        ) => [name, { type, samples: rounded(samples) }]),
      );
    assertEquals(
      of(parseExposition(formatMetrics(families, "text"))),
      of(await scrapeHere(`${theirs.url}/metrics`)),
    );
  },
});

/** Fetches a text, once the server is ready. */
async function fetchText(url: string): Promise<string> {
  for (const signal = patience();;) {
    const response = await fetch(url, { signal });
    const text = await response.text();
    if (response.status !== 503) return text;
  }
}

/** What a query of Prometheus' gives: a value by the label `job`. */
async function query(server: RealServer, promql: string): Promise<Record<string, number>> {
  const url = `${server.url}/api/v1/query?query=${encodeURIComponent(promql)}`;
  const { data: { result } }: {
    data: { result: { metric: { job: string }; value: [number, string] }[] };
  } = JSON.parse(await fetchText(url));
  return Object.fromEntries(result.map(({ metric, value }) => [metric.job, Number(value[1])]));
}

Deno.test({
  name: "Prometheus scrapes a sealed agent and node_exporter, and finds the same in both" +
    (hasPrometheus
      ? ""
      : " (skipped: it needs Debian's packages prometheus and prometheus-node-exporter)"),
  ignore: !hasPrometheus,
  async fn() {
    using panel = await startTestPanel({ token: "scr4ped" });
    using folder = new TempFolder();
    const args = ["-e", panel.url, "-t", panel.token, "-i", "5"];
    await using agent = new AgentProcess([...args, "--metrics", "127.0.0.1:0"]);
    await agent.says("First report accepted");
    const theirs = await startExporter();
    await using _theirs = theirs;
    const targets = { agent: new URL(urlOf(agent)).host, node: new URL(theirs.url).host };
    const jobs = Object.entries(targets).map(([job_name, target]) => ({
      ...{ job_name, scrape_interval: "1s", scrape_timeout: "1s" },
      static_configs: [{ targets: [target] }],
    }));
    // JSON is YAML, too.
    await Deno.writeTextFile(`${folder.path}/config.yml`, JSON.stringify({ scrape_configs: jobs }));
    const server = await RealServer.start("prometheus", {
      flags: [`--config.file=${folder.path}/config.yml`, `--storage.tsdb.path=${folder.path}/data`],
    });
    await using _server = server;
    let up: Record<string, number> = {};
    while (up.agent !== 1 || up.node !== 1) up = await query(server, "up");
    const samples = await query(server, "scrape_samples_scraped");
    console.log(
      `Prometheus has read ${samples.agent} samples of the agent, ${samples.node} of the other`,
    );
    assert((samples.agent ?? 0) > 250);
    for (
      const promql of [
        "sum by (job) (node_memory_MemTotal_bytes)",
        "sum by (job) (node_boot_time_seconds)",
        "count by (job) (node_cpu_seconds_total)",
        "count by (job) (node_network_info)",
        'count by (job) (node_disk_read_bytes_total{device!~"zram.*"})',
        'sum by (job) (node_filesystem_size_bytes{mountpoint="/"})',
        "sum by (job) (node_filefd_maximum)",
      ]
    ) {
      let found = await query(server, promql);
      // Between the two looks of a second others may have made an interface.
      for (let look = 0; found.agent !== found.node && look < MOST_LOOKS; look++) {
        await delay(500);
        found = await query(server, promql);
      }
      assertEquals(found.agent, found.node, promql);
      assert(found.agent !== undefined, promql);
    }
  },
});
