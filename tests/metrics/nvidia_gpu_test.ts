import { assertThrows } from "@std/assert";
import { GPU_POLL_MS } from "../../lib/metrics/gpu_devices.ts";
import { NvidiaGpuCollector } from "../../lib/metrics/nvidia_gpu.ts";
import { FakeTime } from "../fake_time.ts";
import { fakeHost } from "./fake_host.ts";
import { assertDataEquals } from "./assert_data.ts";
import { testsWith } from "../tests_with.ts";

const MEBIBYTE = 1024 * 1024;
const SLOTS = ["0000:01:00.0", "0000:02:00.0"] as const;

/** NVIDIA's cards on fake, and an `nvidia-smi` that answers what it is told to. */
class FakeNvidia implements Disposable {
  readonly time = new FakeTime();
  readonly power: Record<string, string> = {};
  readonly cards: NvidiaGpuCollector;
  answer: () => Promise<string | undefined> = () => Promise.resolve("A, 100, 10, 5, 40\n");
  asked = 0;

  constructor(slots: readonly string[] = SLOTS.slice(0, 1), drm: readonly string[] = []) {
    for (const slot of slots) {
      this.power[`/proc/driver/nvidia/gpus/${slot}/information`] = "Model: \t\t NVIDIA A\n";
    }
    this.cards = new NvidiaGpuCollector(
      fakeHost(this.power),
      drm.map((folder) => ({ name: "NVIDIA 10de:1", folder, vendor: "10de" })),
    );
  }

  start(): void {
    this.cards.useNvidiaSmi(() => {
      this.asked++;
      return this.answer();
    });
  }

  /** What is known some time later, when the question is answered that was asked then. */
  async after(ms: number) {
    this.time.tick(ms);
    this.cards.collect();
    await this.cards.settled();
    return this.cards.collect();
  }

  [Symbol.dispose](): void {
    this.time[Symbol.dispose]();
  }

  setPower(slot: string, status: string): void {
    this.power[`/sys/bus/pci/devices/${slot}/power/runtime_status`] = `${status}\n`;
  }
}

const CARD = {
  name: "A",
  memory: { totalBytes: 100 * MEBIBYTE, usedBytes: 10 * MEBIBYTE },
  usePercent: 5,
  temperatureCelsius: 40,
};

const withNvidia = testsWith(() => new FakeNvidia());

withNvidia.test("NvidiaGpuCollector has no data before useNvidiaSmi()", (fake) => {
  assertDataEquals(fake.cards.collect(), undefined);
  assertDataEquals(fake.cards.decisions(), []);
});

withNvidia.test("NvidiaGpuCollector runs at once, then every 10 s, and returns the last result until then", async (fake) => {
  fake.start();
  assertDataEquals(fake.cards.collect(), undefined, "it is not answered yet");
  await fake.cards.settled();
  assertDataEquals(fake.cards.collect(), [CARD]);
  for (let second = 0; second < 9; second++) await fake.after(1_000);
  assertDataEquals(fake.asked, 1);
  fake.answer = () => Promise.resolve("A, 100, 90, 80, 70\n");
  assertDataEquals((await fake.after(1_000))?.[0]?.usePercent, 80);
  assertDataEquals(fake.asked, 2);
  assertDataEquals(fake.cards.decisions().map(({ name, rule }) => [name, rule]), [[
    "A",
    "nvidia-smi",
  ]]);
});

Deno.test("NvidiaGpuCollector leaves out cards without values", async () => {
  using fake = new FakeNvidia(SLOTS);
  fake.answer = () => Promise.resolve("A, 100, 10, 5, 40\nB, [N/A], [N/A], [N/A], [N/A]\n");
  fake.start();
  assertDataEquals(await fake.after(0), [CARD]);
});

withNvidia.test("NvidiaGpuCollector does not run while a card is suspended, and reports it as idle", async (fake) => {
  fake.setPower(SLOTS[0], "suspended");
  fake.start();
  assertDataEquals(fake.cards.collect(), [{ name: "NVIDIA A", usePercent: 0, isSuspended: true }]);
  fake.setPower(SLOTS[0], "active");
  assertDataEquals(await fake.after(GPU_POLL_MS), [CARD]);
  fake.setPower(SLOTS[0], "suspending");
  assertDataEquals(await fake.after(GPU_POLL_MS), [{
    name: "A",
    usePercent: 0,
    memory: { totalBytes: 100 * MEBIBYTE, usedBytes: 0 },
    isSuspended: true,
  }]);
  assertDataEquals(fake.asked, 1);
  const [decision] = fake.cards.decisions();
  assertDataEquals(decision?.rule, "suspended: nvidia-smi was not run");
});

Deno.test("NvidiaGpuCollector takes no row for a suspended card where rows and cards differ", async () => {
  using fake = new FakeNvidia(SLOTS);
  fake.answer = () => Promise.resolve("B, 200, 20, 50, 60\n");
  fake.start();
  await fake.after(0);
  fake.setPower(SLOTS[0], "suspended");
  assertDataEquals(await fake.after(GPU_POLL_MS), [
    { name: "NVIDIA A", usePercent: 0, isSuspended: true },
  ]);
});

withNvidia.test("NvidiaGpuCollector forgets a failure when the card is suspended", async (fake) => {
  fake.answer = () => Promise.reject(new Error("it ended with 9"));
  fake.start();
  await fake.cards.settled();
  assertThrows(() => fake.cards.collect(), Error, "it ended with 9");
  fake.setPower(SLOTS[0], "suspended");
  fake.time.tick(GPU_POLL_MS);
  assertDataEquals(fake.cards.collect()?.[0]?.isSuspended, true);
});

Deno.test("NvidiaGpuCollector checks the power state of cards that only DRM lists", () => {
  using fake = new FakeNvidia([], ["/sys/class/drm/card0/device"]);
  fake.power["/sys/class/drm/card0/device/power/runtime_status"] = "suspended\n";
  fake.start();
  assertDataEquals(fake.cards.collect()?.[0]?.name, "NVIDIA 10de:1");
  assertDataEquals(fake.asked, 0);
});

withNvidia.test("NvidiaGpuCollector.collect() throws while nvidia-smi fails, and recovers", async (fake) => {
  fake.start();
  await fake.after(0);
  fake.answer = () => Promise.reject(new Error("it ended with 9"));
  fake.time.tick(GPU_POLL_MS);
  assertDataEquals(fake.cards.collect(), [CARD], "the answer is still to come");
  await fake.cards.settled();
  assertThrows(() => fake.cards.collect(), Error, "it ended with 9");
  const [decision] = fake.cards.decisions();
  assertDataEquals([decision?.counted, decision?.rule], [false, "it ended with 9"]);
  fake.answer = () => Promise.resolve("No devices were found\n");
  fake.time.tick(GPU_POLL_MS);
  assertThrows(() => fake.cards.collect(), Error, "it ended with 9");
  await fake.cards.settled();
  assertThrows(() => fake.cards.collect(), SyntaxError, "there is no card in");
  fake.answer = () => Promise.resolve("A, 100, 10, 5, 40\n");
  fake.time.tick(GPU_POLL_MS);
  assertThrows(() => fake.cards.collect(), SyntaxError);
  await fake.cards.settled();
  assertDataEquals(fake.cards.collect(), [CARD]);
});

withNvidia.test("NvidiaGpuCollector has one run in flight, and reports a hang", async (fake) => {
  const { promise, resolve } = Promise.withResolvers<string>();
  fake.answer = () => promise;
  fake.start();
  fake.time.tick(7_000);
  assertDataEquals(fake.cards.collect(), undefined);
  for (const ms of [2_000, 10_000, 100_000]) {
    fake.time.tick(ms);
    assertThrows(() => fake.cards.collect(), Error, "it hangs");
  }
  assertDataEquals(fake.asked, 1);
  resolve("A, 100, 10, 5, 40\n");
  await fake.cards.settled();
  assertDataEquals(fake.cards.collect(), [CARD]);
});

withNvidia.test("NvidiaGpuCollector reports a missing nvidia-smi where NVIDIA's driver is, and does not retry", async (fake) => {
  fake.answer = () => Promise.resolve(undefined);
  fake.start();
  await fake.cards.settled();
  assertThrows(() => fake.cards.collect(), Error, "it is not installed or not executable");
  fake.setPower(SLOTS[0], "suspended");
  fake.time.tick(GPU_POLL_MS);
  assertThrows(() => fake.cards.collect(), Error, "it is not installed");
  assertDataEquals(fake.asked, 1);
});

const NOTHING: Record<string, () => Promise<undefined>> = {
  "is missing": () => Promise.resolve(undefined),
  "fails": () => Promise.reject(new Error("no")),
};

for (const [what, answer] of Object.entries(NOTHING)) {
  Deno.test(`NvidiaGpuCollector disables itself silently without a card when nvidia-smi ${what}`, async () => {
    using fake = new FakeNvidia([]);
    fake.answer = answer;
    fake.start();
    await fake.cards.settled();
    assertDataEquals(await fake.after(GPU_POLL_MS), undefined);
    assertDataEquals(fake.asked, 1);
    assertDataEquals(fake.cards.decisions(), []);
  });
}

Deno.test("NvidiaGpuCollector accepts cards of nvidia-smi that the kernel does not list", async () => {
  using fake = new FakeNvidia([]);
  fake.start();
  assertDataEquals(await fake.after(0), [CARD]);
  fake.answer = () => Promise.reject(new Error("no"));
  fake.time.tick(GPU_POLL_MS);
  fake.cards.collect();
  await fake.cards.settled();
  assertThrows(() => fake.cards.collect(), Error, "no");
});
