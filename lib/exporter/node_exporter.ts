/**
 * The metrics of node_exporter, read at a scrape and never for a report. Everything is opened before
 * the process is sealed.
 *
 * @module
 */

import type { Host } from "../host/host.ts";
import { networkFolder, OWN_PROC } from "../host/interface_traits.ts";
import { getLogger } from "../log/log.ts";
import { parseLimits } from "../parse/limits.ts";
import { parseMeminfoFields } from "../parse/meminfo.ts";
import { parseKernelStat } from "../parse/proc_stat.ts";
import { parseProcessUse } from "../parse/process_stat.ts";
import { parseVmstat } from "../parse/vmstat.ts";
import type { Shell } from "../sandbox/shell.ts";
import { DiskReader } from "./disks.ts";
import { FileSystemReader } from "./file_systems.ts";
import * as files from "./kernel_files.ts";
import { LinkReader } from "./links.ts";
import { counter, gauge, info, type MetricFamily, one } from "./openmetrics.ts";
import { SensorReader } from "./sensors.ts";

/** A part of a scrape; one that fails does not stop the others. */
interface Part {
  /** Its name in `komari_scrape_failed`. */
  readonly source: string;
  /** Calls `onGap` for what it leaves out. */
  read(onGap: () => void): MetricFamily[] | Promise<MetricFamily[]>;
}

/** Series of one source; as many interfaces or disks as are shown have fewer. */
const MAX_SERIES = 20_000;

/** Reads all of it at each scrape. */
export class NodeExporter {
  readonly #parts: readonly Part[];
  readonly #links: LinkReader;
  readonly #log = getLogger("agent");
  /** The sources that failed at the last scrape. */
  #failed = "";
  #shell: Pick<Shell, "countDescriptors"> | undefined;

  /** Opens all sources; `includeMountPoints` are shown whatever they are. */
  constructor(host: Host, { includeMountPoints }: { includeMountPoints: readonly string[] }) {
    const { proc } = host.roots;
    const net = networkFolder(proc);
    const stat = new files.StatReader();
    const disks = new DiskReader(host);
    const fileSystems = new FileSystemReader(host, includeMountPoints);
    const sensors = new SensorReader(host);
    this.#links = new LinkReader(host, net);
    const ofFile = (source: string, path: string, read: files.ReadFamilies): Part => {
      const file = host.open(path, { hasLongLines: true });
      return {
        source,
        read(onGap) {
          const text = file.read();
          return text === undefined ? [] : read(text, onGap);
        },
      };
    };
    const number = (path: string, ...metric: Parameters<typeof files.numberMetric>) =>
      ofFile(path, `${proc}/sys/${path}`, files.numberMetric(...metric));
    const pageBytes = pageSize(host);
    const sockets = (text: string) => files.sockstatMetrics(text, pageBytes);
    this.#parts = [
      ofFile("stat", `${proc}/stat`, (text) => stat.read(text)),
      ofFile("loadavg", `${proc}/loadavg`, files.loadMetrics),
      ofFile("meminfo", `${proc}/meminfo`, files.memoryMetrics),
      ofFile("vmstat", `${proc}/vmstat`, files.vmstatMetrics),
      ofFile("schedstat", `${proc}/schedstat`, files.schedstatMetrics),
      // A kernel that measures none may have these files and refuse to read them.
      ...files.PRESSURE_FILES.filter((source) => host.readText(`${proc}/${source}`) !== undefined)
        .map((source) => ofFile(source, `${proc}/${source}`, files.pressureMetrics(source))),
      ofFile("net/dev", `${net}/dev`, files.networkMetrics),
      ofFile("net/sockstat", `${net}/sockstat`, sockets),
      ofFile("net/sockstat6", `${net}/sockstat6`, sockets),
      ofFile("net/netstat", `${net}/netstat`, files.netstatMetrics),
      ofFile("net/snmp", `${net}/snmp`, files.netstatMetrics),
      ofFile("net/snmp6", `${net}/snmp6`, files.snmp6Metrics),
      ofFile("net/softnet_stat", `${net}/softnet_stat`, files.softnetMetrics),
      ofFile("net/arp", `${net}/arp`, files.arpMetrics),
      ofFile("fs/file-nr", `${proc}/sys/fs/file-nr`, files.fileHandleMetrics),
      number(
        "kernel/random/entropy_avail",
        "node_entropy_available_bits",
        "Bits of randomness that the kernel has gathered.",
      ),
      number(
        "kernel/random/poolsize",
        "node_entropy_pool_size_bits",
        "Bits of randomness that the kernel can gather.",
      ),
      number(
        "net/netfilter/nf_conntrack_count",
        "node_nf_conntrack_entries",
        "Connections that the firewall follows.",
      ),
      number(
        "net/netfilter/nf_conntrack_max",
        "node_nf_conntrack_entries_limit",
        "Connections that the firewall can follow.",
      ),
      number(
        "kernel/pid_max",
        "node_processes_max_processes",
        "Processes that the kernel can number.",
      ),
      number(
        "kernel/threads-max",
        "node_processes_max_threads",
        "Threads that the machine may have.",
      ),
      number(
        "kernel/hung_task_detect_count",
        "node_kernel_hung_tasks",
        "Tasks that the kernel has found hanging since boot.",
        "counter",
      ),
      { source: "diskstats", read: (onGap) => disks.read(onGap) },
      { source: "mounts", read: (onGap) => fileSystems.read(onGap) },
      { source: "class/net", read: (onGap) => this.#links.read(onGap) },
      { source: "class/hwmon", read: () => sensors.read() },
      { source: "uname", read: openUname(host) },
      { source: "time", read: readTime },
      { source: "self", read: this.#openOwnProcess(host, pageBytes) },
    ];
  }

  /** Asks this shell for what can't be read any more, once the process is sealed. */
  useShell(shell: Pick<Shell, "countDescriptors" | "link"> | undefined): void {
    this.#shell = shell;
    this.#links.useShell(shell);
  }

  /** Reads everything. Where two sources give the same name, the first one counts. */
  async families(): Promise<MetricFamily[]> {
    const families = new Map<string, MetricFamily>();
    const failed = new Set<string>();
    for (const { source, read } of this.#parts) {
      try {
        let series = 0;
        for (const family of await read(() => failed.add(source))) {
          series += family.samples.length;
          if (series > MAX_SERIES) throw new RangeError(`more than ${MAX_SERIES} series`);
          if (!families.has(family.name)) families.set(family.name, family);
        }
      } catch {
        failed.add(source);
      }
    }
    this.#logFailures([...failed].join(", "));
    const failures = [...failed].map((source) => one(1, { source }));
    const help = "1 for each source that this scrape could not read, or not all of.";
    return [...families.values(), gauge("komari_scrape_failed", help, failures)];
  }

  /** When that changes. */
  #logFailures(sources: string): void {
    if (sources === this.#failed) return;
    this.#failed = sources;
    if (sources === "") this.#log.info("All sources of metrics can be read again");
    else this.#log.warning("Cannot read all metrics for Prometheus from {sources}", { sources });
  }

  #openOwnProcess(host: Host, pageBytes: number | undefined): () => Promise<MetricFamily[]> {
    const stat = host.open(`${OWN_PROC}/self/stat`);
    const limits = parseLimits(host.readText(`${OWN_PROC}/self/limits`) ?? "");
    // Since Linux 6.2 it is their number; the shell of root's sealed agent can't list them.
    const openDescriptors = host.openSize?.(`${OWN_PROC}/self/fd`);
    const bootedAt = parseKernelStat(host.readText(`${OWN_PROC}/stat`) ?? "").counters.get("btime");
    return async () => {
      const use = parseProcessUse(stat.read() ?? "");
      const descriptors = await this.#shell?.countDescriptors();
      const { openFiles, addressSpaceBytes } = limits;
      return [
        counter(
          "process_cpu_seconds",
          "CPU time of the agent, in seconds.",
          use.cpuTicks / files.TICKS_PER_SECOND,
        ),
        gauge(
          "process_open_fds",
          "Files and sockets that the agent has open.",
          descriptors || openDescriptors?.() || undefined,
        ),
        gauge("process_max_fds", "Files and sockets that the agent may have open.", openFiles),
        gauge(
          "process_resident_memory_bytes",
          "Memory of the agent that is in RAM, in bytes.",
          pageBytes && use.residentPages * pageBytes,
        ),
        gauge(
          "process_virtual_memory_bytes",
          "Address space of the agent, in bytes.",
          use.virtualMemoryBytes,
        ),
        gauge(
          "process_virtual_memory_max_bytes",
          "Address space that the agent may have, in bytes.",
          // No limit is the largest number of 64 bits.
          addressSpaceBytes && Math.min(addressSpaceBytes, 2 ** 64),
        ),
        gauge(
          "process_start_time_seconds",
          "When the agent was started, in seconds since 1970.",
          bootedAt && bootedAt + use.startTicks / files.TICKS_PER_SECOND,
        ),
      ];
    };
  }
}

/** Size of a page of memory, by which two of the kernel's files tell the same. */
function pageSize(host: Pick<Host, "roots" | "readText">): number | undefined {
  const { proc } = host.roots;
  const pages = parseVmstat(host.readText(`${proc}/vmstat`) ?? "").get("nr_page_table_pages");
  const bytes = parseMeminfoFields(host.readText(`${proc}/meminfo`) ?? "").get("PageTables_bytes");
  if (!pages || !bytes) return undefined;
  return 2 ** Math.round(Math.log2(bytes / pages));
}

function readTime(): MetricFamily[] {
  return [
    gauge("node_time_seconds", "The machine's clock, in seconds since 1970.", Date.now() / 1000),
  ];
}

/** The names of kernel and machine; the machine's may change. */
function openUname(host: Host): () => MetricFamily[] {
  const folder = `${host.roots.proc}/sys/kernel`;
  const sources = Object.entries({
    ...{ sysname: "ostype", release: "osrelease", version: "version" },
    ...{ nodename: "hostname", domainname: "domainname" },
  }).map(([label, name]) => [label, host.open(`${folder}/${name}`)] as const);
  return () => {
    const labels = sources.map(([label, source]) => [label, source.read()?.trimEnd() ?? ""]);
    const help = "Names of the kernel, its version and the machine; always 1.";
    return [info("node_uname", help, { ...Object.fromEntries(labels), machine: host.arch })];
  };
}
