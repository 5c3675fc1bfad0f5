import { attempt } from "../attempt.ts";
import type { FileSystemUse, Host, Source } from "../host/host.ts";
import { settlesWithin } from "../async/timeout.ts";
import { NonblockingStatfs } from "../metrics/nonblocking_statfs.ts";
import type { OnMalformed } from "../parse/lines.ts";
import { type MountLine, parseMounts } from "../parse/mounts.ts";
import { MAX_ROWS } from "./kernel_files.ts";
import { familiesOf, type MetricFamily, type Table } from "./openmetrics.ts";

/** Left out by default in Debian's package of node_exporter. */
const EXCLUDED_PATHS =
  /^\/(dev|proc|run|sys|mnt|media|var\/lib\/docker\/.+|var\/lib\/containers\/storage\/.+)($|\/)/;
const EXCLUDED_TYPES = new Set([
  ...["autofs", "binfmt_misc", "bpf", "cgroup", "cgroup2", "configfs", "debugfs", "devpts"],
  ...["devtmpfs", "fusectl", "hugetlbfs", "iso9660", "mqueue", "nsfs", "overlay", "proc", "procfs"],
  ...["pstore", "rpc_pipefs", "securityfs", "selinuxfs", "squashfs", "sysfs", "tracefs"],
]);

/** Time for all to answer; those of other machines take milliseconds. */
const ANSWERS_MS = 250;

interface Row extends MountLine {
  /** `undefined` when it can't be asked, or has not answered yet. */
  readonly use: FileSystemUse | undefined;
}

const FILE_SYSTEMS: Table<Row> = {
  prefix: "node_filesystem_",
  type: "gauge",
  labels: ({ device, type, mountPoint }) => ({ device, fstype: type, mountpoint: mountPoint }),
  columns: [
    [
      "size_bytes",
      "Size of the file system, in bytes.",
      ({ use }) => use && use.blocks * use.blockSizeBytes,
    ],
    [
      "free_bytes",
      "Bytes that nothing takes, those for root alone included.",
      ({ use }) => use && use.freeBlocks * use.blockSizeBytes,
    ],
    [
      "avail_bytes",
      "Bytes that ordinary users can still fill.",
      ({ use }) => use && use.availableBlocks * use.blockSizeBytes,
    ],
    ["files", "Files that the file system can hold.", ({ use }) => use?.files],
    ["files_free", "Files that can still be made.", ({ use }) => use?.freeFiles],
    [
      "readonly",
      "Whether it can't be written to.",
      ({ use, isReadOnly }) => use && Number(isReadOnly),
    ],
    ["device_error", "Whether its size could not be read.", ({ use }) => Number(use === undefined)],
  ],
};

/** The file systems of the machine's first process, as node_exporter chooses them. */
export class FileSystemReader {
  readonly #host: Pick<Host, "statfs" | "roots">;
  readonly #mounts: Source;
  readonly #statfs: NonblockingStatfs;
  readonly #included: ReadonlySet<string>;

  /** `includeMountPoints` are shown too where node_exporter leaves them out. */
  constructor(
    host: Pick<Host, "roots" | "exists" | "open" | "statfs" | "statfsAsync">,
    includeMountPoints: readonly string[],
  ) {
    const { proc } = host.roots;
    // That of the first process is hidden where `hidepid` hides it.
    const path = host.exists(`${proc}/1/mounts`) ? `${proc}/1/mounts` : `${proc}/self/mounts`;
    this.#host = host;
    this.#mounts = host.open(path, { hasLongLines: true, hasPaths: true });
    this.#statfs = new NonblockingStatfs(host);
    this.#included = new Set(includeMountPoints);
  }

  /**
   * Asks each file system, at the same time, and waits for a quarter of a second at most. The root is
   * not waited for: where it hangs, the agent does.
   *
   * @throws {Error} When the mounts can't be read.
   */
  async read(onMalformed: OnMalformed): Promise<MetricFamily[]> {
    const mounts = new Map<string, MountLine>();
    for (const mount of parseMounts(this.#mounts.read() ?? "", onMalformed)) {
      if (mounts.size >= MAX_ROWS) break;
      const { device, mountPoint, type } = mount;
      if (!this.#isExcluded(mount)) mounts.set(JSON.stringify([device, mountPoint, type]), mount);
    }
    const shown = [...mounts.values()];
    const others = new Set(
      shown.flatMap(({ mountPoint }) => mountPoint === "/" ? [] : this.#pathOf(mountPoint)),
    );
    for (const path of others) this.#statfs.query(path);
    this.#statfs.prune(others);
    await settlesWithin(this.#statfs.settled(), ANSWERS_MS);
    const rows = shown.map((mount) => ({ ...mount, use: this.#useOf(mount.mountPoint) }));
    return familiesOf(FILE_SYSTEMS, rows);
  }

  #isExcluded({ mountPoint, type }: MountLine): boolean {
    return !this.#included.has(mountPoint) &&
      (EXCLUDED_TYPES.has(type) || EXCLUDED_PATHS.test(mountPoint));
  }

  /** Where the machine's mount point is for this process. */
  #pathOf(mountPoint: string): string {
    const { root } = this.#host.roots;
    return root === "/" ? mountPoint : `${root}${mountPoint === "/" ? "" : mountPoint}`;
  }

  #useOf(mountPoint: string): FileSystemUse | undefined {
    const path = this.#pathOf(mountPoint);
    if (mountPoint === "/") return attempt(() => this.#host.statfs(path));
    return this.#statfs.problem(path) ? undefined : this.#statfs.last(path);
  }
}
