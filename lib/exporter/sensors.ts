import { attempt } from "../attempt.ts";
import type { Host, Source } from "../host/host.ts";
import { parseSensorFile, parseSensorValue, type SensorFile } from "../parse/hwmon.ts";
import { gauge, type Labels, type MetricFamily, one } from "./openmetrics.ts";

/** Chips, zones and cooling devices of a machine. */
const MAX_DEVICES = 128;
/** Files that stay open. */
const MAX_FILES = 256;

/** A file of a sensor, and the metric of its value. */
interface OpenSensor {
  readonly name: string;
  readonly help: string;
  readonly labels: Labels;
  readonly divisor: number;
  readonly source: Source;
}

/**
 * Temperatures and fans of `/sys/class/hwmon`, thermal zones and cooling devices, as far as they are
 * there at the start: what comes later is not seen.
 */
export class SensorReader {
  readonly #sensors: OpenSensor[] = [];
  /** The parts that never change: names and labels of chips. */
  readonly #names: MetricFamily[];

  constructor(host: Pick<Host, "roots" | "list" | "readText" | "readLink" | "exists" | "open">) {
    const { sys } = host.roots;
    const chips = devicesIn(host, `${sys}/class/hwmon`).map((name) =>
      new Chip(host, `${sys}/class/hwmon/${name}`)
    );
    for (const chip of chips) this.#sensors.push(...chip.sensors());
    for (const name of devicesIn(host, `${sys}/class/thermal`)) {
      this.#openThermal(host, { folder: `${sys}/class/thermal/${name}`, name });
    }
    this.#sensors.splice(MAX_FILES);
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
        chips.flatMap((chip) => chip.labels()).map((labels) => one(1, labels)),
      ),
    ];
  }

  /** Reads all sensors; one that does not answer has no sample. */
  read(): MetricFamily[] {
    const families = new Map<
      string,
      MetricFamily & { samples: { labels: Labels; value: number }[] }
    >();
    for (const { name, help, labels, divisor, source } of this.#sensors) {
      const value = parseSensorValue(attempt(() => source.read()) ?? "");
      if (value === undefined) continue;
      const family = families.get(name) ?? { name, help, type: "gauge", samples: [] };
      family.samples.push({ labels, value: value / divisor });
      families.set(name, family);
    }
    return [...this.#names, ...families.values()];
  }

  #openThermal(
    host: Pick<Host, "readText" | "open">,
    { folder, name }: { folder: string; name: string },
  ): void {
    const [, kind, number = ""] = /^(thermal_zone|cooling_device)(\d{1,4})$/.exec(name) ?? [];
    const type = host.readText(`${folder}/type`)?.trim();
    if (kind === undefined || type === undefined) return;
    const files = kind === "thermal_zone"
      ? [[
        "temp",
        "node_thermal_zone_temp",
        "Temperature of the thermal zone, in degrees Celsius.",
      ]] as const
      : [
        [
          "cur_state",
          "node_cooling_device_cur_state",
          "How far the device cools now, in its own steps.",
        ],
        [
          "max_state",
          "node_cooling_device_max_state",
          "How far the device can cool, in its own steps.",
        ],
      ] as const;
    for (const [file, metric, help] of files) {
      this.#sensors.push({
        ...{ name: metric, help, source: host.open(`${folder}/${file}`) },
        labels: { [kind === "thermal_zone" ? "zone" : "name"]: number, type },
        divisor: kind === "thermal_zone" ? 1000 : 1,
      });
    }
  }
}

/** Names in a folder of devices, by number. */
function devicesIn(host: Pick<Host, "list">, folder: string): string[] {
  const numbered = (name: string) => Number(/\d+$/.exec(name)?.[0] ?? 0);
  const names = host.list(folder) ?? [];
  return names.toSorted((a, b) => numbered(a) - numbered(b)).slice(0, MAX_DEVICES);
}

/** A chip of `/sys/class/hwmon`. */
class Chip {
  /** Made of its device's path, which stays the same over restarts; else of its name or number. */
  readonly label: string;
  /** The name that its driver gives it; empty if unknown. */
  readonly chipName: string;
  readonly #host: Pick<Host, "list" | "readText" | "open">;
  readonly #files: readonly (SensorFile & { path: string })[];

  constructor(
    host: Pick<Host, "list" | "readText" | "readLink" | "exists" | "open">,
    folder: string,
  ) {
    this.#host = host;
    this.chipName = cleanName(host.readText(`${folder}/name`) ?? "");
    this.label = deviceLabel(host, folder) || this.chipName ||
      cleanName(folder.slice(folder.lastIndexOf("/") + 1));
    const files = [folder, `${folder}/device`].flatMap((place) =>
      (host.list(place) ?? []).flatMap((name) => {
        const file = parseSensorFile(name);
        return file === undefined ? [] : [{ ...file, path: `${place}/${name}` }];
      })
    );
    // Old drivers have theirs in the folder of the device.
    this.#files = [
      ...new Map(files.map((file) => [`${file.sensor}_${file.property}`, file])).values(),
    ];
  }

  /** Labels of the sensors that have a name. */
  labels(): Labels[] {
    return this.#files.filter(({ property }) => property === "label").flatMap(
      ({ sensor, path }) => {
        const label = this.#host.readText(path)?.replace(/^\n+|\n+$/g, "");
        return label === undefined ? [] : [{ chip: this.label, sensor, label }];
      },
    );
  }

  /** Opens temperatures and fans. */
  sensors(): OpenSensor[] {
    return this.#files.flatMap(({ sensor, kind, property, path }) => {
      if (property === "label" || (kind !== "temp" && kind !== "fan")) return [];
      const labels = { chip: this.label, sensor };
      return [{ ...sensorMetric(kind, property), labels, source: this.#host.open(path) }];
    });
  }
}

/** The metric of a temperature or fan, as node_exporter names it. */
function sensorMetric(
  kind: "temp" | "fan",
  property: string,
): Pick<OpenSensor, "name" | "help" | "divisor"> {
  const name = `node_hwmon_${kind}${property === "input" ? "" : `_${property}`}`;
  if (property === "fault" || property === "alarm") {
    return { name, help: `${property} of each sensor of the kind ${kind}.`, divisor: 1 };
  }
  if (property === "beep") {
    return {
      name: `${name}_enabled`,
      help: "Whether the chip beeps.",
      divisor: 1,
    };
  }
  if (kind === "temp" && property !== "type") {
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
