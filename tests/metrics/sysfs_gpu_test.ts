import { assertThrows } from "@std/assert";
import fc from "fast-check";
import { GPU_POLL_MS } from "../../lib/metrics/gpu_devices.ts";
import { SysfsGpuCollector } from "../../lib/metrics/sysfs_gpu.ts";
import { FakeTime, timed } from "../fake_time.ts";
import { fakeHost, fakeSource } from "./fake_host.ts";
import { assertDataEquals } from "./assert_data.ts";

const FOLDER = "/sys/class/drm/card0/device";
const CARD = { name: "AMD Navi 31", folder: FOLDER, vendor: "1002" };

/** A card of files that a test may change, and what was read of it. */
class FakeCard {
  readonly files: Record<string, string | Error>;
  readonly opened: string[] = [];
  read: string[] = [];
  readonly card: SysfsGpuCollector;

  constructor(files: Record<string, string | Error>) {
    this.files = { ...files };
    const texts = Object.keys(files).map((path) => [`${FOLDER}/${path}`, ""]);
    this.card = new SysfsGpuCollector({
      ...fakeHost(Object.fromEntries(texts)),
      open: (path) => {
        this.opened.push(path.slice(FOLDER.length + 1));
        return fakeSource(() => this.#text(path.slice(FOLDER.length + 1)));
      },
    }, CARD);
  }

  /** What the next look finds. */
  look(time: FakeTime) {
    time.tick(GPU_POLL_MS);
    this.read = [];
    return this.card.collect();
  }

  #text(path: string): string | undefined {
    this.read.push(path);
    const text = this.files[path];
    if (text instanceof Error) throw text;
    return text;
  }
}

const AMD = {
  "power/runtime_status": "active\n",
  "gpu_busy_percent": "37\n",
  "mem_info_vram_total": "17163091968\n",
  "mem_info_vram_used": "1234567168\n",
  "hwmon/hwmon4/temp1_input": "45500\n",
};

Deno.test("SysfsGpuCollector.collect() returns utilization, memory and temperature", () => {
  assertDataEquals(new FakeCard(AMD).card.collect(), [{
    name: "AMD Navi 31",
    usePercent: 37,
    memory: { totalBytes: 17163091968, usedBytes: 1234567168 },
    temperatureCelsius: 45.5,
  }]);
});

timed.test("SysfsGpuCollector.collect() samples every 10 s, and returns the last values until then", (time) => {
  const fake = new FakeCard(AMD);
  fake.card.collect();
  fake.files.gpu_busy_percent = "90\n";
  fake.read = [];
  for (const atMs of [1_000, 5_000, 9_400]) {
    time.tick(atMs - performance.now());
    assertDataEquals(fake.card.collect()?.[0]?.usePercent, 37);
  }
  assertDataEquals(fake.read, []);
  // Reports that are 10 s apart are never so to the millisecond.
  time.tick(9_990 - performance.now());
  assertDataEquals(fake.card.collect()?.[0]?.usePercent, 90);
});

timed.test("SysfsGpuCollector.collect() reads only the power state of a suspended card", (time) => {
  const fake = new FakeCard(AMD);
  fake.card.collect();
  for (const status of ["suspended\n", "suspending\n"]) {
    fake.files["power/runtime_status"] = status;
    assertDataEquals(fake.look(time), [{
      name: "AMD Navi 31",
      isSuspended: true,
      usePercent: 0,
      memory: { totalBytes: 17163091968, usedBytes: 0 },
    }]);
    assertDataEquals(fake.read, ["power/runtime_status"]);
  }
  fake.files["power/runtime_status"] = "active\n";
  assertDataEquals(fake.look(time)?.[0]?.usePercent, 37);
});

Deno.test("SysfsGpuCollector.collect() has no use of a suspended card that never tells it", () => {
  const files = { "mem_info_vram_total": "1024\n", "power/runtime_status": "suspended\n" };
  assertDataEquals(new FakeCard(files).card.collect(), [{
    name: "AMD Navi 31",
    isSuspended: true,
  }]);
});

Deno.test("SysfsGpuCollector.collect() returns the temperature only where the driver has no more", () => {
  const intel = new FakeCard({
    "hwmon/hwmon5/name": "xe",
    "hwmon/hwmon5/temp3_input": "60000\n",
    "hwmon/hwmon5/temp2_input": "52000\n",
    "hwmon/hwmon5/energy1_input": "1\n",
  });
  assertDataEquals(intel.card.collect(), [{ name: "AMD Navi 31", temperatureCelsius: 52 }]);
  assertDataEquals(intel.opened, ["power/runtime_status", "hwmon/hwmon5/temp2_input"]);
});

Deno.test("SysfsGpuCollector.collect() has no more memory in use than there is", () => {
  const files = { mem_info_vram_total: "10\n", mem_info_vram_used: "20\n" };
  assertDataEquals(new FakeCard(files).card.collect()?.[0]?.memory, {
    totalBytes: 10,
    usedBytes: 10,
  });
});

Deno.test("SysfsGpuCollector reads the first of several monitors that has a temperature", () => {
  const { card, opened } = new FakeCard({
    "hwmon/hwmon6/temp1_input": "60000\n",
    "hwmon/hwmon4/temp1_input": "40000\n",
    "hwmon/hwmon3/name": "fan",
  });
  assertDataEquals(card.collect()?.[0]?.temperatureCelsius, 40);
  assertDataEquals(opened.slice(1), ["hwmon/hwmon4/temp1_input"]);
});

Deno.test("SysfsGpuCollector.hasMetrics is false when the driver has no metrics", () => {
  assertDataEquals(new FakeCard({ "power/runtime_status": "active\n" }).card.hasMetrics, false);
  assertDataEquals(new FakeCard({ "hwmon/hwmon5/name": "x" }).card.hasMetrics, false);
  assertDataEquals(new FakeCard({ gpu_busy_percent: "1\n" }).card.hasMetrics, true);
});

Deno.test("SysfsGpuCollector.collect() leaves out unreadable values and values out of range", () => {
  const broken = new Error("EPERM");
  const table = [
    [{ gpu_busy_percent: broken }, "usePercent"],
    [{ gpu_busy_percent: "65535\n" }, "usePercent"],
    [{ gpu_busy_percent: "101\n" }, "usePercent"],
    [{ gpu_busy_percent: "-1\n" }, "usePercent"],
    [{ gpu_busy_percent: "100\n" }, ""],
    [{ gpu_busy_percent: "0\n", mem_info_vram_total: "1\n", mem_info_vram_used: "0\n" }, ""],
    [{ gpu_busy_percent: "\n" }, "usePercent"],
    [{ mem_info_vram_total: "0\n" }, "memory"],
    [{ mem_info_vram_used: broken }, "memory"],
    [{ mem_info_vram_used: "-5\n" }, "memory"],
    [{ "hwmon/hwmon4/temp1_input": "2147483647000\n" }, "temperatureCelsius"],
    [{ "hwmon/hwmon4/temp1_input": "1000000\n" }, "temperatureCelsius"],
    [{ "hwmon/hwmon4/temp1_input": "-273000\n" }, "temperatureCelsius"],
    [{ "hwmon/hwmon4/temp1_input": "999999\n" }, ""],
    [{ "hwmon/hwmon4/temp1_input": "-272999\n" }, ""],
    [{ "hwmon/hwmon4/temp1_input": "warm\n" }, "temperatureCelsius"],
  ] as const;
  for (const [files, left] of table) {
    const [card] = new FakeCard({ ...AMD, ...files }).card.collect() ?? [];
    const all = ["name", "usePercent", "memory", "temperatureCelsius"];
    assertDataEquals(
      Object.keys(card ?? {}),
      all.filter((key) => key !== left),
      JSON.stringify(files),
    );
  }
});

timed.test("SysfsGpuCollector.collect() throws while no file can be read, until the next sample", (time) => {
  const fake = new FakeCard(AMD);
  fake.card.collect();
  const gone = new Error("ENODEV");
  for (const path of Object.keys(AMD)) fake.files[path] = gone;
  const error = assertThrows(() => fake.look(time), Error, "Cannot read any file of the card");
  assertDataEquals(error.cause, gone);
  assertThrows(() => fake.card.collect(), Error, "Cannot read any file of the card");
  Object.assign(fake.files, AMD);
  assertDataEquals(fake.look(time)?.[0]?.usePercent, 37);
});

timed.test("SysfsGpuCollector.decisions() names the files, and whether the card is suspended", (time) => {
  const fake = new FakeCard(AMD);
  fake.card.collect();
  const files = "gpu_busy_percent, mem_info_vram_total, mem_info_vram_used, " +
    "hwmon/hwmon4/temp1_input";
  assertDataEquals(fake.card.decisions().map(({ gpu: _, ...decision }) => decision), [
    { name: "AMD Navi 31", counted: true, rule: `${FOLDER}: ${files}` },
  ]);
  fake.files["power/runtime_status"] = "suspended\n";
  fake.look(time);
  assertDataEquals(fake.card.decisions().map(({ rule }) => rule), [
    `suspended: only power/runtime_status was read; otherwise ${FOLDER}: ${files}`,
  ]);
});

Deno.test("SysfsGpuCollector.collect() returns bounded values for any files", () => {
  const text = fc.oneof(fc.string(), fc.integer().map(String), fc.bigInt().map(String));
  fc.assert(fc.property(fc.array(text, { minLength: 5, maxLength: 5 }), (texts) => {
    const paths = Object.keys(AMD);
    const files = Object.fromEntries(paths.map((path, index) => [path, texts[index] ?? ""]));
    try {
      const [card] = new FakeCard(files).card.collect() ?? [];
      const { usePercent = 0, temperatureCelsius = 0, memory } = card ?? {};
      const { totalBytes, usedBytes } = memory ?? { totalBytes: 0, usedBytes: 0 };
      assertDataEquals(usePercent >= 0 && usePercent <= 100, true);
      assertDataEquals(temperatureCelsius > -273 && temperatureCelsius < 1000, true);
      assertDataEquals(usedBytes >= 0 && usedBytes <= totalBytes, true);
    } catch (error) {
      assertDataEquals(error instanceof Error && error.message, "Cannot read any file of the card");
    }
  }));
});
