import { settlesWithin } from "../async/timeout.ts";
import type { Host } from "../host/host.ts";
import { parseSensorFile, parseSensorValue, type SensorFile } from "../parse/hwmon.ts";
import { gauge, type Labels, type MetricFamily, one, type Sample } from "./openmetrics.ts";

/** Chips, zones and cooling devices of a machine. */
const MAX_DEVICES = 128;
/** Files that stay open. */
const MAX_FILES = 256;
/** Time for all sensors: some chips take most of a second each, and a scraper waits for ten. */
const ANSWERS_MS = 5_000;

type SensorHost = Pick<Host, "roots" | "list" | "readText" | "readLink" | "openSlow">;

/** A file of a sensor, and the metric of its value. */
interface Sensor {
  readonly name: string;
  readonly help: string;
  readonly labels: Labels;
  readonly divisor: number;
  readonly path: string;
}

/**
 * Temperatures and fans of `/sys/class/hwmon`, thermal zones and cooling devices, as far as they are
 * there at the start: what comes later is not seen.
 */
export class SensorReader {
  readonly #sensors: readonly (Sensor & { readonly read: () => Promise<string | undefined> })[];
  /** The parts that never change: names and labels of chips. */
  readonly #names: MetricFamily[];
  #isReading = false;

  constructor(host: SensorHost) {
    const { sys } = host.roots;
    const chips = withOwnLabels(
      devicesIn(host, `${sys}/class/hwmon`).map((folder) => findChip(host, folder)),
    );
    const thermal = devicesIn(host, `${sys}/class/thermal`);
    this.#sensors = [
      ...chips.flatMap(chipSensors),
      ...thermal.flatMap((folder) => thermalSensors(host, folder)),
    ].slice(0, MAX_FILES).map((sensor) => ({ ...sensor, read: host.openSlow(sensor.path) }));
    this.#names = [
      gauge(
        "node_hwmon_chip_names",
        "The name of each chip with sensors; always 1.",
        chips.map(({ label, chipName }) =>
          chipName === "" ? undefined : one(1, { chip: label, chip_name: chipName })
        ),
      ),
      gauge(
        "node_hwmon_sensor_label",
        "What the chip's driver calls each sensor; always 1.",
        chips.flatMap((chip) => sensorLabels(host, chip)).map((labels) => one(1, labels)),
      ),
    ];
  }

  /**
   * Reads all sensors, one after the other; one that can't be read has no sample.
   *
   * @throws {Error} When one does not answer in time, and until it does.
   */
  async read(): Promise<MetricFamily[]> {
    const values = this.#isReading ? undefined : this.#readAll();
    if (values === undefined || !await settlesWithin(values, ANSWERS_MS)) {
      throw new Error("Cannot read sensors: one does not answer");
    }
    return [...this.#names, ...await values];
  }

  async #readAll(): Promise<MetricFamily[]> {
    this.#isReading = true;
    const measured: (Sensor & { sample: Sample | undefined })[] = [];
    for (const { read, ...sensor } of this.#sensors) {
      const value = parseSensorValue(await read().catch(() => undefined) ?? "");
      measured.push({ ...sensor, sample: one(value && value / sensor.divisor, sensor.labels) });
    }
    this.#isReading = false;
    return Array.from(Map.groupBy(measured, ({ name }) => name), ([name, sensors]) => {
      return gauge(name, sensors[0]?.help ?? "", sensors.map(({ sample }) => sample));
    });
  }
}

/** Files of thermal zones and cooling devices: of which, the label of its number, help, divisor. */
const THERMAL = [
  ["thermal_zone", "temp", "zone", "Temperature of the thermal zone, in degrees Celsius.", 1000],
  ["cooling_device", "cur_state", "name", "How far the device cools now, in its own steps.", 1],
  ["cooling_device", "max_state", "name", "How far the device can cool, in its own steps.", 1],
] as const;

function thermalSensors(host: Pick<Host, "readText">, folder: string): Sensor[] {
  const [, kind, number = ""] = /\/(thermal_zone|cooling_device)(\d{1,4})$/.exec(folder) ?? [];
  const type = host.readText(`${folder}/type`)?.trim();
  if (type === undefined) return [];
  return THERMAL.filter(([of]) => of === kind).map(([, file, label, help, divisor]) => ({
    ...{ name: `node_${kind}_${file}`, help, divisor, path: `${folder}/${file}` },
    labels: { [label]: number, type },
  }));
}

/** Devices in a folder, by number. */
function devicesIn(host: Pick<Host, "list">, folder: string): string[] {
  const numbered = (name: string) => Number(/\d+$/.exec(name)?.[0] ?? 0);
  const names = (host.list(folder) ?? []).toSorted((a, b) => numbered(a) - numbered(b));
  return names.slice(0, MAX_DEVICES).map((name) => `${folder}/${name}`);
}

/** A chip of `/sys/class/hwmon`. */
interface Chip {
  /** Name of its folder, which may be another after a restart. */
  readonly folderName: string;
  /** Made of its device's path, which stays the same over restarts; else of its name or number. */
  readonly label: string;
  /** The name that its driver gives it; empty if unknown. */
  readonly chipName: string;
  readonly files: readonly (SensorFile & { path: string })[];
}

function findChip(
  host: Pick<Host, "list" | "readText" | "readLink">,
  folder: string,
): Chip {
  const chipName = cleanName(host.readText(`${folder}/name`) ?? "");
  const folderName = cleanName(folder.slice(folder.lastIndexOf("/") + 1));
  const label = deviceLabel(host, folder) || chipName || folderName;
  // Old drivers have theirs in the folder of the device.
  const files = [folder, `${folder}/device`].flatMap((place) =>
    (host.list(place) ?? []).flatMap((name) => {
      const file = parseSensorFile(name);
      return file === undefined ? [] : [{ ...file, path: `${place}/${name}` }];
    })
  );
  const byName = new Map(files.map((file) => [`${file.sensor}_${file.property}`, file]));
  return { folderName, label, chipName, files: [...byName.values()] };
}

/** The chips with labels of which none is another's too: several without a device may have one name. */
function withOwnLabels(chips: readonly Chip[]): Chip[] {
  const taken = new Set<string>();
  return chips.map((chip) => {
    const label = taken.has(chip.label) ? `${chip.label}_${chip.folderName}` : chip.label;
    taken.add(label);
    return { ...chip, label };
  });
}

/** Labels of the sensors that have a name. */
function sensorLabels(host: Pick<Host, "readText">, chip: Chip): Labels[] {
  return chip.files.flatMap(({ sensor, property, path }) => {
    const label = property === "label" ? host.readText(path) : undefined;
    return label === undefined
      ? []
      : [{ chip: chip.label, sensor, label: label.replace(/^\n+|\n+$/g, "") }];
  });
}

/** Its temperatures and fans. */
function chipSensors(chip: Chip): Sensor[] {
  return chip.files.flatMap(({ sensor, kind, property, path }) => {
    if (property === "label" || (kind !== "temp" && kind !== "fan")) return [];
    return [{ ...sensorMetric(kind, property), labels: { chip: chip.label, sensor }, path }];
  });
}

/** The metric of a temperature or fan, as node_exporter names it. */
function sensorMetric(
  kind: "temp" | "fan",
  property: string,
): Pick<Sensor, "name" | "help" | "divisor"> {
  const name = `node_hwmon_${kind}${property === "input" ? "" : `_${property}`}`;
  if (property === "beep") {
    return { name: `${name}_enabled`, help: "Whether the chip beeps.", divisor: 1 };
  }
  if (kind === "temp" && !["fault", "alarm", "type"].includes(property)) {
    const help = `Temperature in degrees Celsius: ${property}.`;
    return { name: `${name}_celsius`, help, divisor: 1000 };
  }
  if (kind === "fan" && ["input", "min", "max", "target"].includes(property)) {
    const help = `Turns of the fan a minute: ${property}.`;
    return { name: `${name}_rpm`, help, divisor: 1 };
  }
  return { name, help: `${property} of each sensor of the kind ${kind}.`, divisor: 1 };
}

/** Kind and name of the device behind a chip, as in `platform_coretemp_0`; empty if there is none. */
function deviceLabel(host: Pick<Host, "readLink">, folder: string): string {
  const device = host.readLink(`${folder}/device`);
  if (device === undefined) return "";
  const real = joinPath(folder.slice(0, folder.lastIndexOf("/")), host.readLink(folder) ?? folder);
  const [name = "", kind = ""] = joinPath(real, device).split("/").toReversed();
  return [cleanName(kind), cleanName(name)].filter((part) => part !== "").join("_");
}

/** An absolute path, from a folder and the target of a link in it. */
function joinPath(folder: string, target: string): string {
  const parts: string[] = [];
  for (const part of (target.startsWith("/") ? target : `${folder}/${target}`).split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  return `/${parts.join("/")}`;
}

function cleanName(text: string): string {
  return text.trim().toLowerCase().replace(/[^a-z0-9:_]/g, "_").replace(/^_+|_+$/g, "");
}
