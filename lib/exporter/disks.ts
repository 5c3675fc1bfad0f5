import { attempt } from "../attempt.ts";
import type { Host, Source } from "../host/host.ts";
import { type DiskCounters, parseDiskstats } from "../parse/diskstats.ts";
import type { OnMalformed } from "../parse/lines.ts";
import { parseUdevData } from "../parse/udev_data.ts";
import { MAX_ROWS } from "./kernel_files.ts";
import { type Column, familiesOf, gauge, info, type MetricFamily } from "./openmetrics.ts";

/** Left out by default in node_exporter: partitions, and what is no disk. */
const EXCLUDED = /^(ram|loop|fd|(h|s|v|xv)d[a-z]|nvme\d+n\d+p)\d+$/;

const SECTOR_BYTES = 512;
const MS = 1 / 1000;

interface Row extends DiskCounters {
  readonly labels: { readonly device: string };
}

/** Name, help, factor of each counter in the kernel's order. */
const COUNTERS: readonly (readonly [name: string, help: string, factor: number])[] = [
  ["reads_completed", "Reads that were completed.", 1],
  ["reads_merged", "Reads that were joined with others.", 1],
  ["read_bytes", "Bytes that were read.", SECTOR_BYTES],
  ["read_time_seconds", "Time that all reads took together, in seconds.", MS],
  ["writes_completed", "Writes that were completed.", 1],
  ["writes_merged", "Writes that were joined with others.", 1],
  ["written_bytes", "Bytes that were written.", SECTOR_BYTES],
  ["write_time_seconds", "Time that all writes took together, in seconds.", MS],
  ["io_now", "Requests in flight.", 1],
  ["io_time_seconds", "Time with at least one request in flight, in seconds.", MS],
  ["io_time_weighted_seconds", "Time that all requests were in flight, added up, in seconds.", MS],
  ["discards_completed", "Discards that were completed.", 1],
  ["discards_merged", "Discards that were joined with others.", 1],
  ["discarded_sectors", "Sectors that were discarded.", 1],
  ["discard_time_seconds", "Time that all discards took together, in seconds.", MS],
  ["flush_requests", "Flushes of the disk's cache that were completed.", 1],
  [
    "flush_requests_time_seconds",
    "Time that all flushes took together, in seconds.",
    MS,
  ],
];

const COLUMNS: readonly Column<Row>[] = COUNTERS.map(([name, help, factor], at) => ({
  name: `node_disk_${name}`,
  type: name === "io_now" ? "gauge" : "counter",
  help,
  value: ({ counters }) => scaled(counters[at], factor),
}));

/** Divided where that is exact: a thousandth is none. */
function scaled(value: number | undefined, factor: number): number | undefined {
  return value === undefined ? undefined : factor === MS ? value / 1000 : value * factor;
}

/** Properties of udev by the labels of their metric. */
const INFO = {
  ...{ path: "ID_PATH", wwn: "ID_WWN", model: "ID_MODEL" },
  ...{ serial: "ID_SERIAL_SHORT", revision: "ID_REVISION" },
} as const;
const FILE_SYSTEM = {
  ...{ type: "ID_FS_TYPE", usage: "ID_FS_USAGE", uuid: "ID_FS_UUID", version: "ID_FS_VERSION" },
} as const;
const DEVICE_MAPPER = {
  ...{ name: "DM_NAME", uuid: "DM_UUID", vg_name: "DM_VG_NAME", lv_name: "DM_LV_NAME" },
  lv_layer: "DM_LV_LAYER",
} as const;
const ATA = [
  ["write_cache", "Whether an ATA disk can cache writes.", "ID_ATA_WRITE_CACHE"],
  ["write_cache_enabled", "Whether an ATA disk does cache writes.", "ID_ATA_WRITE_CACHE_ENABLED"],
  [
    "rotation_rate_rpm",
    "Turns of an ATA disk a minute; 0 of one that has no parts that turn.",
    "ID_ATA_ROTATION_RATE_RPM",
  ],
] as const;

type Properties = ReadonlyMap<string, string>;

/** Reads `/proc/diskstats`, and once what udev knows of the disks that are there. */
export class DiskReader {
  readonly #diskstats: Source;
  /** By device and number; a disk that comes later has none. */
  readonly #properties = new Map<string, Properties>();

  constructor(host: Pick<Host, "roots" | "open" | "readText">) {
    const { proc, root } = host.roots;
    this.#diskstats = host.open(`${proc}/diskstats`);
    const folder = `${root === "/" ? "" : root}/run/udev/data`;
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
    if (disks.some((disk) => !this.#properties.has(keyOf(disk)))) onGap();
    const rows = disks.map((disk) => ({ ...disk, labels: { device: disk.device } }));
    return [...familiesOf(rows, COLUMNS), ...this.#describe(disks)];
  }

  #disks(onMalformed: OnMalformed): DiskCounters[] {
    const disks = parseDiskstats(this.#diskstats.read() ?? "", onMalformed);
    const shown = disks.filter(({ device }) => !EXCLUDED.test(device));
    return [...new Map(shown.map((disk) => [disk.device, disk])).values()].slice(0, MAX_ROWS);
  }

  #describe(disks: readonly DiskCounters[]): MetricFamily[] {
    const known = disks.flatMap((disk) => {
      const properties = this.#properties.get(keyOf(disk));
      return properties === undefined ? [] : [{ ...disk, properties }];
    });
    const numbers = (key: string) =>
      known.flatMap(({ device, properties }) => {
        const value = properties.get(key);
        return value !== undefined && /^\d{1,9}$/.test(value) && properties.has("ID_ATA")
          ? [{ labels: { device }, value: Number(value) }]
          : [];
      });
    const having = (key: string) => known.filter(({ properties }) => properties.get(key));
    return [
      info(
        "node_disk",
        "Names and numbers of each disk.",
        ...known.map(({ device, major, minor, properties }) => ({
          ...{ device, major: String(major), minor: String(minor) },
          ...pick(properties, INFO),
        })),
      ),
      info(
        "node_disk_filesystem",
        "The file system on a disk.",
        ...having("ID_FS_TYPE").map(({ device, properties }) => ({
          device,
          ...pick(properties, FILE_SYSTEM),
        })),
      ),
      info(
        "node_disk_device_mapper",
        "What the device mapper calls a disk.",
        ...having("DM_NAME").map(({ device, properties }) => ({
          device,
          ...pick(properties, DEVICE_MAPPER),
        })),
      ),
      ...ATA.map(([name, help, key]) => gauge(`node_disk_ata_${name}`, help, numbers(key))),
    ];
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
