/**
 * The metrics of node_exporter that are each made of one text of `/proc`, with its names and
 * choice of fields.
 *
 * @module
 */

import { countArpEntries } from "../parse/arp.ts";
import { parseCount } from "../parse/count.ts";
import { parseFileNr } from "../parse/file_nr.ts";
import type { OnMalformed } from "../parse/lines.ts";
import { parseLoadavg } from "../parse/loadavg.ts";
import { parseMeminfoFields } from "../parse/meminfo.ts";
import { type InterfaceColumns, parseNetDevColumns } from "../parse/net_dev.ts";
import { parseNetstat, parseSnmp6 } from "../parse/netstat.ts";
import { parsePressure } from "../parse/pressure.ts";
import { parseKernelStat } from "../parse/proc_stat.ts";
import { type CoreSchedule, parseSchedstat } from "../parse/schedstat.ts";
import { parseSockstatFields } from "../parse/sockstat.ts";
import { parseSoftnetStat, type SoftnetCounters } from "../parse/softnet_stat.ts";
import { parseVmstat } from "../parse/vmstat.ts";
import {
  type Column,
  counter,
  familiesOf,
  gauge,
  type MetricFamily,
  one,
  type Table,
} from "./openmetrics.ts";

/** Devices, interfaces or cores of one source that are shown; no machine of one kernel has more. */
export const MAX_ROWS = 1_024;

/** Ticks of the kernel's clock in a second, in all that it tells programs. */
export const TICKS_PER_SECOND = 100;

/** Makes families of a file's text. */
export type ReadFamilies = (text: string, onMalformed: OnMalformed) => MetricFamily[];

const MODES = ["user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal"] as const;
const GUEST_MODES = ["user", "nice"] as const;
const IDLE = 3;
/** An idle time that falls by more is that of a core which was offline meanwhile. */
const HOTPLUG_TICKS = 3 * TICKS_PER_SECOND;

/** Reads `/proc/stat`. Times of a core never fall, but by a core that returns: idle times jitter. */
export class StatReader {
  #last = new Map<string, readonly (number | undefined)[]>();

  /** Times of each core, and the kernel's counters. */
  read(text: string): MetricFamily[] {
    const { cores, counters } = parseKernelStat(text);
    const present = [...cores].slice(0, MAX_ROWS);
    const times = present.map(([core, ticks]) => [core, this.#withoutJitter(core, ticks)] as const);
    this.#last = new Map(times);
    const samples = (modes: readonly string[], from: number) =>
      times.flatMap(([cpu, ticks]) =>
        modes.map((mode, index) => {
          const value = ticks[from + index];
          return one(value && value / TICKS_PER_SECOND, { cpu, mode });
        })
      );
    return [
      counter(
        "node_cpu_seconds",
        "Time of each processor by what it did, in seconds.",
        samples(MODES, 0),
      ),
      counter(
        "node_cpu_guest_seconds",
        "Time of each processor in virtual machines, in seconds; user and nice include it.",
        samples(GUEST_MODES, MODES.length),
      ),
      counter("node_intr", "Interrupts since boot.", counters.get("intr")),
      counter("node_context_switches", "Context switches since boot.", counters.get("ctxt")),
      counter("node_forks", "Processes and threads started since boot.", counters.get("processes")),
      gauge(
        "node_boot_time_seconds",
        "When the machine was started, in seconds since 1970.",
        counters.get("btime"),
      ),
      gauge(
        "node_procs_running",
        "Processes that run or wait for a processor.",
        counters.get("procs_running"),
      ),
      gauge(
        "node_procs_blocked",
        "Processes that wait for a disk.",
        counters.get("procs_blocked"),
      ),
    ];
  }

  #withoutJitter(
    core: string,
    ticks: readonly (number | undefined)[],
  ): readonly (number | undefined)[] {
    const last = this.#last.get(core) ?? [];
    const wasOffline = (last[IDLE] ?? 0) - (ticks[IDLE] ?? 0) >= HOTPLUG_TICKS;
    if (wasOffline) return ticks;
    return ticks.map((value, column) =>
      value === undefined ? undefined : Math.max(value, last[column] ?? 0)
    );
  }
}

/** Reads `/proc/loadavg`. */
export function loadMetrics(text: string): MetricFamily[] {
  const { oneMinute, fiveMinutes, fifteenMinutes } = parseLoadavg(text);
  return [
    gauge("node_load1", "Load over one minute.", oneMinute),
    gauge("node_load5", "Load over five minutes.", fiveMinutes),
    gauge("node_load15", "Load over fifteen minutes.", fifteenMinutes),
  ];
}

/** Reads `/proc/meminfo`. */
export function memoryMetrics(text: string): MetricFamily[] {
  return Array.from(
    parseMeminfoFields(text),
    ([field, value]) => gauge(`node_memory_${field}`, `${field} of /proc/meminfo.`, value),
  );
}

/** Reads `/proc/vmstat`. */
export function vmstatMetrics(text: string): MetricFamily[] {
  const chosen = [...parseVmstat(text)].filter(([field]) =>
    /^(oom_kill|pgpg|pswp|pg.*fault)/.test(field)
  );
  return chosen.map(([field, value]) =>
    untyped(`node_vmstat_${field}`, `${field} of /proc/vmstat.`, value)
  );
}

/** The fields that node_exporter chooses, and two of its later versions. */
const NETSTAT_FIELDS = new RegExp(
  "^(.*_(InErrors|InErrs)|Ip_Forwarding|Ip(6|Ext)_(InOctets|OutOctets)|Icmp6?_(InMsgs|OutMsgs)|" +
    "TcpExt_(Listen.*|Syncookies.*|TCPSynRetrans|TCPTimeouts|TCPOFOQueue|TCPRcvQDrop)|" +
    "Tcp_(ActiveOpens|InSegs|OutSegs|OutRsts|PassiveOpens|RetransSegs|CurrEstab)|" +
    "Udp6?_(InDatagrams|OutDatagrams|NoPorts|RcvbufErrors|SndbufErrors))$",
);

/** Reads `/proc/net/netstat` or `/proc/net/snmp`. */
export function netstatMetrics(text: string, onMalformed: OnMalformed): MetricFamily[] {
  return netstatFamilies(parseNetstat(text, onMalformed));
}

/** Reads `/proc/net/snmp6`. */
export function snmp6Metrics(text: string): MetricFamily[] {
  return netstatFamilies(parseSnmp6(text));
}

function netstatFamilies(fields: ReadonlyMap<string, number>): MetricFamily[] {
  return [...fields].filter(([field]) => NETSTAT_FIELDS.test(field)).map(([field, value]) =>
    untyped(`node_netstat_${field}`, `${field.replace("_", " ")}, as the kernel counts it.`, value)
  );
}

/** Reads `/proc/net/sockstat` or `/proc/net/sockstat6`; `pageBytes` is the size of a page. */
export function sockstatMetrics(text: string, pageBytes: number | undefined): MetricFamily[] {
  return [...parseSockstatFields(text)].flatMap(([field, value]) => {
    const [protocol = "", state = ""] = field.split("_");
    const help = protocol === "sockets"
      ? "IPv4 sockets that are open."
      : `${protocol} sockets: ${state}.`;
    const family = gauge(`node_sockstat_${field}`, help, value);
    if (state !== "mem" || pageBytes === undefined) return [family];
    const bytes = `${protocol} sockets: mem_bytes.`;
    return [family, gauge(`node_sockstat_${field}_bytes`, bytes, value * pageBytes)];
  });
}

const RECEIVED = ["bytes", "packets", "errs", "drop", "fifo", "frame", "compressed", "multicast"];
const SENT = ["bytes", "packets", "errs", "drop", "fifo", "colls", "carrier", "compressed"];

const NETWORK: Table<InterfaceColumns> = {
  prefix: "node_network_",
  type: "counter",
  labels: ({ name }) => ({ device: name }),
  columns: [
    ...RECEIVED.map((name, at) => networkColumn(`receive_${name}`, ({ received }) => received[at])),
    ...SENT.map((name, at) => networkColumn(`transmit_${name}`, ({ sent }) => sent[at])),
  ],
};

function networkColumn(
  name: string,
  value: (row: InterfaceColumns) => number | undefined,
): Column<InterfaceColumns> {
  return [name, `${name} of each network interface.`, value];
}

/** Reads `/proc/net/dev`; the loopback interface is left out, as Debian's package does. */
export function networkMetrics(text: string, onMalformed: OnMalformed): MetricFamily[] {
  const rows = new Map(parseNetDevColumns(text, onMalformed).map((row) => [row.name, row]));
  rows.delete("lo");
  return familiesOf(NETWORK, [...rows.values()].slice(0, MAX_ROWS));
}

const SOFTNET: Table<SoftnetCounters> = {
  prefix: "node_softnet_",
  type: "counter",
  labels: ({ cpu }) => ({ cpu: String(cpu) }),
  columns: [
    ["processed", "Packets that this processor has handled.", (row) => row.processed],
    ["dropped", "Packets dropped because this processor's queue was full.", (row) => row.dropped],
    [
      "times_squeezed",
      "Times that packets were left over when the time for them ended.",
      (row) => row.timesSqueezed,
    ],
    [
      "received_rps",
      "Times that another processor woke up this one for packets.",
      (row) => row.receivedRps,
    ],
    [
      "flow_limit_count",
      "Times that one connection's packets met the limit.",
      (row) => row.flowLimitCount,
    ],
  ],
};

/** Reads `/proc/net/softnet_stat`. */
export function softnetMetrics(text: string, onMalformed: OnMalformed): MetricFamily[] {
  return familiesOf(SOFTNET, parseSoftnetStat(text, onMalformed).slice(0, MAX_ROWS));
}

const SCHEDULE: Table<CoreSchedule> = {
  prefix: "node_schedstat_",
  type: "counter",
  labels: ({ cpu }) => ({ cpu }),
  columns: [
    [
      "running_seconds",
      "Time in which this processor ran processes, in seconds.",
      ({ runningNs }) => runningNs / 1e9,
    ],
    [
      "waiting_seconds",
      "Time for which processes waited for this processor, in seconds.",
      ({ waitingNs }) => waitingNs / 1e9,
    ],
    ["timeslices", "Times that this processor took up a process.", (row) => row.timeslices],
  ],
};

/** Reads `/proc/schedstat`. */
export function schedstatMetrics(text: string): MetricFamily[] {
  return familiesOf(SCHEDULE, parseSchedstat(text).slice(0, MAX_ROWS));
}

/** Reads `/proc/net/arp`. */
export function arpMetrics(text: string): MetricFamily[] {
  const entries = [...countArpEntries(text)].slice(0, MAX_ROWS);
  const samples = entries.map(([device, value]) => one(value, { device }));
  return [gauge("node_arp_entries", "Neighbours in the ARP table, by interface.", samples)];
}

/** Reads `/proc/sys/fs/file-nr`. */
export function fileHandleMetrics(text: string): MetricFamily[] {
  return Object.entries(parseFileNr(text)).map(([name, value]) =>
    gauge(`node_filefd_${name}`, `Open files of the whole machine: ${name}.`, value)
  );
}

/** Makes a reader of a text that is one number. */
export function numberMetric(
  name: string,
  help: string,
  type: "gauge" | "counter" = "gauge",
): ReadFamilies {
  return (text) => {
    const value = parseCount(text.trim());
    if (value === undefined) throw new SyntaxError(`Cannot parse ${name}: it is no number`);
    return [{ name, help, type, samples: [{ value }] }];
  };
}

/** File below `/proc`, which of its totals, name after `node_pressure_`, and help. */
const PRESSURES = [
  ["pressure/cpu", "someUs", "cpu_waiting", "some process waited for a processor"],
  ["pressure/io", "someUs", "io_waiting", "some process waited for a disk"],
  ["pressure/io", "fullUs", "io_stalled", "every process waited for a disk"],
  ["pressure/memory", "someUs", "memory_waiting", "some process waited for memory"],
  ["pressure/memory", "fullUs", "memory_stalled", "every process waited for memory"],
  ["pressure/irq", "fullUs", "irq_stalled", "interrupts held up every process"],
] as const;

/** The files of pressures that are shown, below `/proc`. */
export const PRESSURE_FILES: readonly string[] = [...new Set(PRESSURES.map(([file]) => file))];

/** Makes a reader of one of them. */
export function pressureMetrics(file: string): ReadFamilies {
  return (text) => {
    const pressure = parsePressure(text);
    return PRESSURES.filter(([of]) => of === file).map(([, total, name, what]) => {
      const us = pressure[total];
      const help = `Time in which ${what}, in seconds.`;
      return counter(`node_pressure_${name}_seconds`, help, us && us / 1e6);
    });
  };
}

function untyped(name: string, help: string, value: number): MetricFamily {
  return { name, type: "untyped", help, samples: [{ value }] };
}
