import { assertEquals } from "@std/assert";
import { GpuCollectors } from "../../lib/metrics/gpu.ts";
import { listGpus } from "../../lib/metrics/gpu_devices.ts";
import { Sampler } from "../../lib/metrics/snapshot.ts";
import type { Gpu } from "../../lib/types.ts";
import { FakeTime, timed } from "../fake_time.ts";
import { assertDataEquals } from "./assert_data.ts";
import { fakeHost } from "./fake_host.ts";

const AMD = {
  "vendor": "0x1002\n",
  "device": "0x744c\n",
  "power/runtime_status": "active\n",
  "gpu_busy_percent": "37\n",
  "mem_info_vram_total": "17163091968\n",
  "mem_info_vram_used": "1234567168\n",
  "hwmon/hwmon4/temp1_input": "45500\n",
};
const AMD_GPU = {
  name: "AMD 1002:744c",
  usePercent: 37,
  memory: { totalBytes: 17163091968, usedBytes: 1234567168 },
  temperatureCelsius: 45.5,
};
const NVIDIA = { "vendor": "0x10de\n", "device": "0x20b5\n", "power/runtime_status": "active\n" };
const ANSWER = "A, 100, 10, 5, 40\n";
const NVIDIA_GPU = {
  name: "A",
  memory: { totalBytes: 100 * 2 ** 20, usedBytes: 10 * 2 ** 20 },
  usePercent: 5,
  temperatureCelsius: 40,
};

/** A machine with cards, whose files and `nvidia-smi` a test may change. */
class Cards {
  /** By card and path below its folder; an error in place of a text is thrown. */
  readonly files: Record<string, string> = {};
  readonly broken = new Map<string, Error>();
  answer: () => Promise<string | undefined>;
  runs = 0;
  failing: ReadonlyMap<string, string> = new Map();
  readonly gpus: GpuCollectors;
  readonly #time: FakeTime;
  readonly #sampler: Sampler;

  constructor(time: FakeTime, ...cards: readonly Readonly<Record<string, string>>[]) {
    this.#time = time;
    const output = cards.includes(NVIDIA) ? ANSWER : undefined;
    this.answer = () => Promise.resolve(output);
    for (const [at, files] of cards.entries()) {
      for (const [path, text] of Object.entries(files)) this.files[pathOf(path, at)] = text;
    }
    const open = (path: string) => ({ read: () => this.#read(path) });
    this.gpus = new GpuCollectors({ ...fakeHost(this.files), open });
    this.gpus.nvidia.useNvidiaSmi(() => {
      this.runs++;
      return this.answer();
    });
    const onFailures = (failing: Cards["failing"]) => void (this.failing = failing);
    this.#sampler = new Sampler(this.gpus.rows(), 0, { onFailures });
  }

  set(path: string, text: string | Error, card = 0): void {
    if (text instanceof Error) this.broken.set(pathOf(path, card), text);
    else this.files[pathOf(path, card)] = text;
  }

  /** What a report some time later has, once `nvidia-smi` has answered that was asked before. */
  async after(ms: number) {
    this.#time.tick(ms);
    const { gpus, failures } = this.#sampler.sample();
    for (let turn = 0; turn < 10; turn++) await Promise.resolve();
    return [...gpus ?? [], ...failures];
  }

  #read(path: string): string | undefined {
    const error = this.broken.get(path);
    if (error) throw error;
    return this.files[path];
  }
}

function pathOf(path: string, card: number): string {
  return path.startsWith("/") ? path : `/sys/class/drm/card${card}/device/${path}`;
}

timed.test("GpuCollectors report a card of AMD every 10 s, and no more of one that sleeps than that", async (time) => {
  const cards = new Cards(time, AMD);
  assertDataEquals(await cards.after(0), [AMD_GPU]);
  cards.set("gpu_busy_percent", "90\n");
  assertDataEquals(await cards.after(9_400), [AMD_GPU]);
  // Reports that are 10 s apart are never so to the millisecond.
  assertDataEquals(await cards.after(590), [{ ...AMD_GPU, usePercent: 90 }]);
  for (const status of ["suspended\n", "suspending\n"]) {
    cards.set("power/runtime_status", status);
    for (const path of ["gpu_busy_percent", "mem_info_vram_used"]) {
      cards.set(path, new Error("it was woken"));
    }
    assertDataEquals(await cards.after(10_000), [{
      ...{ name: "AMD 1002:744c", usePercent: 0, isSuspended: true },
      memory: { totalBytes: 17163091968, usedBytes: 0 },
    }]);
  }
});

timed.test("GpuCollectors leave out what a card of AMD does not tell, or tells out of range", async (time) => {
  const rows: [path: string, text: string | Error, left: string][] = [
    ["gpu_busy_percent", new Error("EPERM"), "usePercent"],
    ["gpu_busy_percent", "101\n", "usePercent"],
    ["gpu_busy_percent", "-1\n", "usePercent"],
    ["mem_info_vram_total", "0\n", "memory"],
    ["mem_info_vram_used", "-5\n", "memory"],
    ["hwmon/hwmon4/temp1_input", "1000000\n", "temperatureCelsius"],
    ["hwmon/hwmon4/temp1_input", "-273000\n", "temperatureCelsius"],
    ["hwmon/hwmon4/temp1_input", "-272999\n", ""],
    ["hwmon/hwmon4/temp1_input", "warm\n", "temperatureCelsius"],
  ];
  for (const [path, text, left] of rows) {
    const cards = new Cards(time, AMD);
    cards.set(path, text);
    const [gpu] = await cards.after(0);
    const all = ["name", "usePercent", "memory", "temperatureCelsius"];
    assertEquals(Object.keys(gpu ?? {}), all.filter((key) => key !== left), `${path}: ${text}`);
  }
  const full = new Cards(time, { ...AMD, mem_info_vram_used: "27163091968\n" });
  const memory = { totalBytes: 17163091968, usedBytes: 17163091968 };
  assertDataEquals(await full.after(0), [{ ...AMD_GPU, memory }]);
  const { gpu_busy_percent: _, ...without } = AMD;
  const asleep = new Cards(time, { ...without, "power/runtime_status": "suspended\n" });
  assertDataEquals(await asleep.after(0), [{ name: AMD_GPU.name, isSuspended: true }]);
});

timed.test("GpuCollectors say so while no file of a card can be read, and after a minute forget it", async (time) => {
  const cards = new Cards(time, AMD);
  await cards.after(0);
  for (const path of Object.keys(AMD).slice(3)) cards.set(path, new Error("ENODEV"));
  const failure = "cannot measure graphics card AMD 1002:744c";
  assertDataEquals(await cards.after(10_000), [AMD_GPU, failure]);
  assertDataEquals(await cards.after(60_000), [failure]);
  cards.broken.clear();
  assertDataEquals(await cards.after(1_000), [AMD_GPU]);
});

timed.test("GpuCollectors run nvidia-smi every 10 s, once at a time, and leave out cards that tell nothing", async (time) => {
  const cards = new Cards(time, NVIDIA);
  assertDataEquals(await cards.after(0), [], "it is not answered yet");
  assertDataEquals(await cards.after(1_000), [NVIDIA_GPU]);
  cards.answer = () => Promise.resolve("A, 100, 10, 80, 40\nB, [N/A], [N/A], [N/A], [N/A]\n");
  for (let second = 0; second < 9; second++) await cards.after(1_000);
  assertEquals(cards.runs, 1);
  assertDataEquals(await cards.after(1_000), [NVIDIA_GPU]);
  assertDataEquals(await cards.after(10_000), [{ ...NVIDIA_GPU, usePercent: 80 }]);
  assertEquals(cards.runs, 3);
  assertEquals(cards.gpus.names(), "A, B");
  const both = new Cards(time, NVIDIA, AMD);
  for (let look = 0; look < 2; look++) await both.after(10_000);
  assertEquals(both.gpus.names(), "A, AMD 1002:744c");
});

timed.test("GpuCollectors don't run nvidia-smi while a card sleeps, and report it as idle", async (time) => {
  const cards = new Cards(time, NVIDIA);
  cards.set("power/runtime_status", "suspended\n");
  await cards.gpus.nvidia.start();
  const idle: Gpu = { name: "NVIDIA 10de:20b5", usePercent: 0, isSuspended: true };
  assertDataEquals(await cards.after(0), [idle]);
  assertEquals([cards.runs, cards.gpus.names()], [0, undefined]);
  cards.set("power/runtime_status", "active\n");
  await cards.after(10_000);
  assertDataEquals(await cards.after(10_000), [NVIDIA_GPU]);
  cards.set("power/runtime_status", "suspended\n");
  const memory = { totalBytes: 100 * 2 ** 20, usedBytes: 0 };
  assertDataEquals(await cards.after(10_000), [{ ...idle, name: "A", memory }]);
  // Where rows and cards differ, a row may be another card's.
  const two = new Cards(time, NVIDIA, NVIDIA);
  await two.after(0);
  await two.after(0);
  two.set("power/runtime_status", "suspended\n", 1);
  assertDataEquals(await two.after(10_000), [idle]);
});

timed.test("GpuCollectors say so while nvidia-smi fails, hangs or is missing, and recover", async (time) => {
  const failure = "cannot measure NVIDIA graphics cards";
  const cards = new Cards(time, NVIDIA);
  const fails = async (answer: Cards["answer"], rule: string) => {
    cards.answer = answer;
    await cards.after(10_000);
    // Its last values are reported for a minute.
    assertEquals((await cards.after(10_000)).at(-1), failure, rule);
    assertDataEquals(await cards.after(60_000), [failure], rule);
    assertEquals(cards.failing.get("NVIDIA graphics cards"), rule);
  };
  await fails(() => Promise.reject(new Error("it ended with 9")), "it ended with 9");
  const none = 'Cannot parse nvidia-smi: there is no card in "No devices were found"';
  await fails(() => Promise.resolve("No devices were found\n"), none);
  cards.answer = () => Promise.resolve(ANSWER);
  await cards.after(10_000);
  assertDataEquals(await cards.after(10_000), [NVIDIA_GPU]);
  const { promise, resolve } = Promise.withResolvers<string>();
  await fails(() => promise, "Cannot run nvidia-smi: it hangs and can't be killed");
  const { runs } = cards;
  await cards.after(10_000);
  assertEquals(cards.runs, runs, "one run at a time");
  resolve(ANSWER);
  await cards.after(0);
  assertDataEquals(await cards.after(1_000), [NVIDIA_GPU]);
  const missing = "Cannot run nvidia-smi: it is not installed or not executable";
  await fails(() => Promise.resolve(undefined), missing);
  const before = cards.runs;
  await cards.after(70_000);
  assertEquals(cards.runs, before, "it is not looked for again");
});

timed.test("GpuCollectors stay silent without a card of NVIDIA, but take those that nvidia-smi alone knows", async (time) => {
  for (const answer of [() => Promise.resolve(undefined), () => Promise.reject(new Error("no"))]) {
    const cards = new Cards(time, AMD);
    cards.answer = answer;
    for (let report = 0; report < 3; report++) {
      assertDataEquals(await cards.after(10_000), [AMD_GPU]);
    }
  }
  const wsl = new Cards(time);
  wsl.answer = () => Promise.resolve(ANSWER);
  await wsl.after(0);
  assertDataEquals(await wsl.after(0), [NVIDIA_GPU]);
});

/** A card by its PCI ids, and those of a list. */
const card = (vendor: string, device: string) => {
  return { vendor: `0x${vendor}\n`, device: `0x${device}\n` };
};
const LIST = {
  "/usr/share/hwdata/pci.ids": "#\n1002  Advanced Micro Devices, Inc. [AMD/ATI]\n" +
    "\t744c  Navi 31 [Radeon RX 7900 XT]\n126f  Silicon Motion, Inc.\n\t0750  SM750\n",
};

Deno.test("listGpus() names cards by pci.ids, and no display adapters", () => {
  const names = (...cards: readonly Readonly<Record<string, string>>[]) => {
    const files = cards.flatMap((card, at) =>
      Object.entries(card).map(([path, text]) => [pathOf(path, at), text])
    );
    return listGpus(fakeHost(Object.fromEntries(files))).map(({ name }) => name);
  };
  const intel = card("8086", "4680");
  assertEquals(names(card("1002", "744c"), LIST), ["AMD Navi 31 [Radeon RX 7900 XT]"]);
  assertEquals(names(card("1002", "9999"), LIST), ["AMD 1002:9999"]);
  assertEquals(names(card("126f", "0750"), LIST), ["Silicon Motion, Inc. SM750"]);
  assertEquals(names(card("126f", "0750"), intel), ["PCI 126f:0750", "Intel 8086:4680"]);
  const adapters = "1234 1af4 1b36 15ad 1013 1414 1a03 102b 80ee 19e5 1ab8 5853".split(" ");
  assertEquals(names(...adapters.map((vendor) => card(vendor, "1111"))), []);
  assertEquals(names({ vendor: "none\n" }, { vendor: "0x8086\n" }, card("10DEX", "../..")), []);
});
