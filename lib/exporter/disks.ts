import { attempt } from "../attempt.ts";
import type { Host, Source } from "../host/host.ts";
import { type DiskCounters, parseDiskstats } from "../parse/diskstats.ts";
import type { OnMalformed } from "../parse/lines.ts";
import { parseUdevData } from "../parse/udev_data.ts";
import { MAX_ROWS } from "./kernel_files.ts";
import { type Column, familiesOf, info, type MetricFamily, type Table } from "./openmetrics.ts";

/** Left out by default in node_exporter: partitions, and what is no disk. */
const EXCLUDED = /^(ram|loop|fd|(h|s|v|xv)d[a-z]|nvme\d+n\d+p)\d+$/;

/** The kernel's units in one of the metric. */
const SECTORS_PER_BYTE = 1 / 512;
const MS_PER_SECOND = 1_000;

/** Name, help and unit of each counter in the kernel's order. */
const COUNTERS: readonly (readonly [name: string, help: string, unit: number])[] = [
  ["reads_completed", "Reads that were completed.", 1],
  ["reads_merged", "Reads that were joined with others.", 1],
  ["read_bytes", "Bytes that were read.", SECTORS_PER_BYTE],
  ["read_time_seconds", "Time that all reads took together, in seconds.", MS_PER_SECOND],
  ["writes_completed", "Writes that were completed.", 1],
  ["writes_merged", "Writes that were joined with others.", 1],
  ["written_bytes", "Bytes that were written.", SECTORS_PER_BYTE],
  ["write_time_seconds", "Time that all writes took together, in seconds.", MS_PER_SECOND],
  ["io_now", "Requests in flight.", 1],
  ["io_time_seconds", "Time with at least one request in flight, in seconds.", MS_PER_SECOND],
  [
    "io_time_weighted_seconds",
    "Time that all requests were in flight, added up, in seconds.",
    MS_PER_SECOND,
  ],
  ["discards_completed", "Discards that were completed.", 1],
  ["discards_merged", "Discards that were joined with others.", 1],
  ["discarded_sectors", "Sectors that were discarded.", 1],
  ["discard_time_seconds", "Time that all discards took together, in seconds.", MS_PER_SECOND],
  ["flush_requests", "Flushes of the disk's cache that were completed.", 1],
  [
    "flush_requests_time_seconds",
    "Time that all flushes took together, in seconds.",
    MS_PER_SECOND,
  ],
];

const DISKS: Table<DiskCounters> = {
  prefix: "node_disk_",
  type: "counter",
  labels: ({ device }) => ({ device }),
  columns: COUNTERS.map(([name, help, unit], at): Column<DiskCounters> => {
    const value = ({ counters }: DiskCounters) => counters[at] && counters[at] / unit;
    return [name, help, value, name === "io_now" ? "gauge" : "counter"];
  }),
};

/** Properties of udev by the labels of their metric. */
const INFO = {
  ...{ path: "ID_PATH", wwn: "ID_WWN", model: "ID_MODEL" },
  ...{ serial: "ID_SERIAL_SHORT", revision: "ID_REVISION" },
} as const;
/** Metrics of some disks only: name, help, the property that such a disk has, and labels. */
const PARTS = [
  ["node_disk_filesystem", "The file system on a disk.", "ID_FS_TYPE", {
    ...{ type: "ID_FS_TYPE", usage: "ID_FS_USAGE", uuid: "ID_FS_UUID", version: "ID_FS_VERSION" },
  }],
  ["node_disk_device_mapper", "What the device mapper calls a disk.", "DM_NAME", {
    ...{ name: "DM_NAME", uuid: "DM_UUID", vg_name: "DM_VG_NAME", lv_name: "DM_LV_NAME" },
    lv_layer: "DM_LV_LAYER",
  }],
] as const;
const ATA: readonly (readonly [name: string, help: string, property: string])[] = [
  ["write_cache", "Whether an ATA disk can cache writes.", "ID_ATA_WRITE_CACHE"],
  ["write_cache_enabled", "Whether an ATA disk does cache writes.", "ID_ATA_WRITE_CACHE_ENABLED"],
  [
    "rotation_rate_rpm",
    "Turns of an ATA disk a minute; 0 of one that has no parts that turn.",
    "ID_ATA_ROTATION_RATE_RPM",
  ],
];

interface KnownDisk extends DiskCounters {
  readonly properties: Properties;
}

const ATA_DISKS: Table<KnownDisk> = {
  prefix: "node_disk_ata_",
  type: "gauge",
  labels: ({ device }) => ({ device }),
  columns: ATA.map(([name, help, property]) => [name, help, ({ properties }) => {
    const text = properties.has("ID_ATA") ? properties.get(property) ?? "" : "";
    return /^\d{1,9}$/.test(text) ? Number(text) : undefined;
  }]),
};

type Properties = ReadonlyMap<string, string>;

/** Reads `/proc/diskstats`, and once what udev knows of the disks that are there. */
export class DiskReader {
  readonly #diskstats: Source;
  /** By device and number; a disk that comes later has none. */
  readonly #properties = new Map<string, Properties>();

  constructor(host: Pick<Host, "roots" | "open" | "readText">) {
    const { proc, root } = host.roots;
    this.#diskstats = host.open(`${proc}/diskstats`);
    const folder = `${root}/run/udev/data`;
    for (const disk of attempt(() => this.#disks(() => {})) ?? []) {
      const text = host.readText(`${folder}/b${disk.major}:${disk.minor}`) ?? "";
      this.#properties.set(keyOf(disk), parseUdevData(text));
    }
  }

  /**
   * Reads all counters; calls `onGap` for a malformed line, and for a disk that came later, of which it
   * has no description.
   *
   * @throws {Error} When the counters can't be read.
   */
  read(onGap: () => void): MetricFamily[] {
    const disks = this.#disks(onGap);
    const known = disks.flatMap((disk): KnownDisk[] => {
      const properties = this.#properties.get(keyOf(disk));
      return properties === undefined ? [] : [{ ...disk, properties }];
    });
    if (known.length < disks.length) onGap();
    const numbered = known.map(({ device, major, minor, properties }) => ({
      ...{ device, major: String(major), minor: String(minor) },
      ...pick(properties, INFO),
    }));
    return [
      ...familiesOf(DISKS, disks),
      info("node_disk", "Names and numbers of each disk.", ...numbered),
      ...PARTS.map(([name, help, property, labels]) => {
        const having = known.filter(({ properties }) => properties.get(property));
        const described = having.map(({ device, properties }) => ({
          device,
          ...pick(properties, labels),
        }));
        return info(name, help, ...described);
      }),
      ...familiesOf(ATA_DISKS, known),
    ];
  }

  #disks(onMalformed: OnMalformed): DiskCounters[] {
    const disks = parseDiskstats(this.#diskstats.read() ?? "", onMalformed);
    const shown = disks.filter(({ device }) => !EXCLUDED.test(device));
    return [...new Map(shown.map((disk) => [disk.device, disk])).values()].slice(0, MAX_ROWS);
  }
}

function keyOf({ device, major, minor }: DiskCounters): string {
  return `${device} ${major}:${minor}`;
}

/** Labels of properties; one that udev does not know is empty. */
function pick(
  properties: Properties,
  keys: Readonly<Record<string, string>>,
): Record<string, string> {
  const labels = Object.entries(keys).map(([label, key]) => [label, properties.get(key) ?? ""]);
  return Object.fromEntries(labels);
}
