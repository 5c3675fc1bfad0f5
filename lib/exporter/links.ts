import { attempt } from "../attempt.ts";
import type { Host, Source } from "../host/host.ts";
import { OWN_PROC } from "../host/interface_traits.ts";
import { parseNetDevColumns } from "../parse/net_dev.ts";
import type { Shell } from "../sandbox/shell.ts";
import { LINK_FILES, type LinkFile } from "../sandbox/shell.ts";
import { type Column, familiesOf, info, type MetricFamily, type Table } from "./openmetrics.ts";

/** Interfaces whose files stay open. */
const MAX_OPEN = 32;
/** Interfaces that came later, for which the shell is asked at a scrape. */
const MAX_ASKED = 64;

const OWN_SYS = "/sys";
/** Files that are labels. */
const DESCRIBED = ["address", "broadcast", "duplex", "ifalias", "operstate"] as const;

/** Texts of an interface's files; empty where the kernel has no answer. */
type LinkTexts = ReadonlyMap<LinkFile, string>;

interface Row {
  readonly device: string;
  readonly texts: LinkTexts;
}

const LINKS: Table<Row> = {
  prefix: "node_network_",
  type: "gauge",
  labels: ({ device }) => ({ device }),
  columns: [
    [
      "up",
      "Whether the interface works, by its operstate.",
      ({ texts }) => Number(texts.get("operstate") === "up"),
    ],
    property("carrier", "carrier"),
    property("carrier_changes", "carrier_changes", { type: "counter" }),
    property("flags", "flags"),
    property("iface_id", "ifindex"),
    property("mtu_bytes", "mtu"),
    property("protocol_type", "type"),
    // Megabits a second; -1 where the driver does not know it.
    property("speed_bytes", "speed", { factor: 1_000_000 / 8 }),
    property("transmit_queue_length", "tx_queue_len"),
    [
      "receive_nohandler",
      "receive_nohandler of each network interface.",
      ({ device, texts }) =>
        device === "lo" ? undefined : numberOf(texts.get("statistics/rx_nohandler")),
      "counter",
    ],
  ],
};

function property(
  name: string,
  file: LinkFile,
  { type, factor = 1 }: { type?: "counter"; factor?: number } = {},
): Column<Row> {
  const value = ({ texts }: Row) => {
    const number = numberOf(texts.get(file));
    return number && number * factor;
  };
  return [name, `${name} of each network interface, as /sys has it.`, value, type];
}

function numberOf(text = ""): number | undefined {
  return /^-?\d{1,20}$|^0x[0-9a-f]{1,16}$/.test(text) ? Number(text) : undefined;
}

/** State, speed and size of each interface, from `/sys/class/net`. */
export class LinkReader {
  readonly #devices: Source;
  /** In another machine's `/proc` the network is not that of this machine's `/sys`. */
  readonly #hasSys: boolean;
  readonly #open = new Map<string, readonly (readonly [LinkFile, Source])[]>();
  #shell: Pick<Shell, "link"> | undefined;

  /** Opens the files of the interfaces that are there; `net` is the folder of the measured network. */
  constructor(host: Pick<Host, "roots" | "open">, net: string) {
    const { proc, sys } = host.roots;
    this.#devices = host.open(`${net}/dev`);
    this.#hasSys = proc === OWN_PROC || sys !== OWN_SYS;
    if (!this.#hasSys) return;
    for (const name of (attempt(() => this.#names()) ?? []).slice(0, MAX_OPEN)) {
      const source = (file: LinkFile) => host.open(`${sys}/class/net/${name}/${file}`);
      this.#open.set(name, LINK_FILES.map((file) => [file, source(file)]));
    }
  }

  /** Asks this shell for interfaces that come later. */
  useShell(shell: Pick<Shell, "link"> | undefined): void {
    this.#shell = shell;
  }

  /**
   * Reads all interfaces; calls `onGap` when more have come than are asked for.
   *
   * @throws {Error} When the list of interfaces can't be read.
   */
  async read(onGap: () => void): Promise<MetricFamily[]> {
    if (!this.#hasSys) return [];
    const found = new Map(this.#names().map((name) => [name, this.#readOpen(name)]));
    const late = [...found].flatMap(([name, texts]) => texts === undefined ? [name] : []);
    if (late.length > MAX_ASKED) onGap();
    await Promise.all(
      late.slice(0, MAX_ASKED).map(async (name) => {
        found.set(name, await this.#ask(name));
      }),
    );
    const rows = [...found].flatMap(([device, texts]): Row[] =>
      texts?.get("operstate") ? [{ device, texts }] : []
    );
    const described = rows.map(({ device, texts }) => ({
      device,
      ...Object.fromEntries(DESCRIBED.map((file) => [file, texts.get(file)])),
    }));
    const help = "Addresses and state of each network interface; always 1.";
    return [info("node_network", help, ...described), ...familiesOf(LINKS, rows)];
  }

  #names(): string[] {
    return parseNetDevColumns(this.#devices.read() ?? "", () => {}).map(({ name }) => name);
  }

  /** `undefined` without open files, and when those are of an interface that has gone. */
  #readOpen(name: string): LinkTexts | undefined {
    const read = ([file, source]: readonly [LinkFile, Source]) =>
      [file, attempt(() => source.read())?.split("\n", 1)[0] ?? ""] as const;
    const texts = new Map((this.#open.get(name) ?? []).map(read));
    return texts.get("operstate") ? texts : undefined;
  }

  async #ask(name: string): Promise<LinkTexts | undefined> {
    const values = await this.#shell?.link(name).catch(() => undefined);
    return values && new Map(LINK_FILES.map((file, at) => [file, values[at] ?? ""]));
  }
}
