import { assertEquals, assertThrows } from "@std/assert";
import { GPU_POLL_MS } from "../../lib/metrics/gpu_devices.ts";
import { NvidiaGpuCollector } from "../../lib/metrics/nvidia_gpu.ts";
import { fakeHost } from "./fake_host.ts";

const MEBIBYTE = 1024 * 1024;
const SLOTS = ["0000:01:00.0", "0000:02:00.0"] as const;

/** NVIDIA's cards on fake, and an `nvidia-smi` that answers what it is told to. */
class FakeNvidia {
  readonly power: Record<string, string> = {};
  readonly cards: NvidiaGpuCollector;
  answer: () => Promise<string | undefined> = () => Promise.resolve("A, 100, 10, 5, 40\n");
  asked = 0;
  atMs = 1_000;

  constructor(slots: readonly string[] = SLOTS.slice(0, 1), drm: readonly string[] = []) {
    for (const slot of slots) {
      this.power[`/proc/driver/nvidia/gpus/${slot}/information`] = "Model: \t\t NVIDIA A\n";
    }
    this.cards = new NvidiaGpuCollector(
      { ...fakeHost(this.power), monotonicMs: () => this.atMs },
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
    this.atMs += ms;
    this.cards.collect();
    await this.cards.settled();
    return this.cards.collect();
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

Deno.test("NvidiaGpuCollector knows nothing before it has somebody to ask", () => {
  const fake = new FakeNvidia();
  assertEquals(fake.cards.collect(), undefined);
  assertEquals(fake.cards.decisions(), []);
});

Deno.test("NvidiaGpuCollector asks at once, then every 10 s, and gives the last answer until then", async () => {
  const fake = new FakeNvidia();
  fake.start();
  assertEquals(fake.cards.collect(), undefined, "it is not answered yet");
  await fake.cards.settled();
  assertEquals(fake.cards.collect(), [CARD]);
  for (let second = 0; second < 9; second++) await fake.after(1_000);
  assertEquals(fake.asked, 1);
  fake.answer = () => Promise.resolve("A, 100, 90, 80, 70\n");
  assertEquals((await fake.after(1_000))?.[0]?.usePercent, 80);
  assertEquals(fake.asked, 2);
  assertEquals(fake.cards.decisions().map(({ name, rule }) => [name, rule]), [[
    "A",
    "nvidia-smi",
  ]]);
});

Deno.test("NvidiaGpuCollector leaves out cards that tell their name alone", async () => {
  const fake = new FakeNvidia(SLOTS);
  fake.answer = () => Promise.resolve("A, 100, 10, 5, 40\nB, [N/A], [N/A], [N/A], [N/A]\n");
  fake.start();
  assertEquals(await fake.after(0), [CARD]);
});

Deno.test("NvidiaGpuCollector asks nothing while a card sleeps, and says that it does nothing", async () => {
  const fake = new FakeNvidia();
  fake.setPower(SLOTS[0], "suspended");
  fake.start();
  assertEquals(fake.cards.collect(), [{ name: "NVIDIA A", usePercent: 0, isSuspended: true }]);
  fake.setPower(SLOTS[0], "active");
  assertEquals(await fake.after(GPU_POLL_MS), [CARD]);
  fake.setPower(SLOTS[0], "suspending");
  assertEquals(await fake.after(GPU_POLL_MS), [{
    name: "A",
    usePercent: 0,
    memory: { totalBytes: 100 * MEBIBYTE, usedBytes: 0 },
    isSuspended: true,
  }]);
  assertEquals(fake.asked, 1);
  const [verdict] = fake.cards.decisions();
  assertEquals(verdict?.rule, "asleep, so nvidia-smi was not asked");
});

Deno.test("NvidiaGpuCollector reports the sleeping ones alone, since it can't ask for one", async () => {
  const fake = new FakeNvidia(SLOTS);
  fake.answer = () => Promise.resolve("A, 100, 10, 5, 40\nB, 200, 20, 50, 60\n");
  fake.start();
  await fake.after(0);
  fake.setPower(SLOTS[1], "suspended");
  assertEquals((await fake.after(GPU_POLL_MS))?.map(({ name }) => name), ["B"]);
  assertEquals(fake.asked, 1);
});

Deno.test("NvidiaGpuCollector looks at the power of cards that only the kernel lists", () => {
  const fake = new FakeNvidia([], ["/sys/class/drm/card0/device"]);
  fake.power["/sys/class/drm/card0/device/power/runtime_status"] = "suspended\n";
  fake.start();
  assertEquals(fake.cards.collect()?.[0]?.name, "NVIDIA 10de:1");
  assertEquals(fake.asked, 0);
});

Deno.test("NvidiaGpuCollector.collect() throws while nvidia-smi fails, and goes on when it does not", async () => {
  const fake = new FakeNvidia();
  fake.start();
  await fake.after(0);
  fake.answer = () => Promise.reject(new Error("it ended with 9"));
  fake.atMs += GPU_POLL_MS;
  assertEquals(fake.cards.collect(), [CARD], "the answer is still to come");
  await fake.cards.settled();
  assertThrows(() => fake.cards.collect(), Error, "it ended with 9");
  const [verdict] = fake.cards.decisions();
  assertEquals([verdict?.counted, verdict?.rule], [false, "it ended with 9"]);
  fake.answer = () => Promise.resolve("No devices were found\n");
  fake.atMs += GPU_POLL_MS;
  assertThrows(() => fake.cards.collect(), Error, "it ended with 9");
  await fake.cards.settled();
  assertThrows(() => fake.cards.collect(), SyntaxError, "there is no card in");
  fake.answer = () => Promise.resolve("A, 100, 10, 5, 40\n");
  fake.atMs += GPU_POLL_MS;
  assertThrows(() => fake.cards.collect(), SyntaxError);
  await fake.cards.settled();
  assertEquals(fake.cards.collect(), [CARD]);
});

Deno.test("NvidiaGpuCollector has one question under way at most, and says when it hangs", async () => {
  const fake = new FakeNvidia();
  const { promise, resolve } = Promise.withResolvers<string>();
  fake.answer = () => promise;
  fake.start();
  fake.atMs += 7_000;
  assertEquals(fake.cards.collect(), undefined);
  for (const ms of [2_000, 10_000, 100_000]) {
    fake.atMs += ms;
    assertThrows(() => fake.cards.collect(), Error, "it hangs");
  }
  assertEquals(fake.asked, 1);
  resolve("A, 100, 10, 5, 40\n");
  await fake.cards.settled();
  assertEquals(fake.cards.collect(), [CARD]);
});

Deno.test("NvidiaGpuCollector says what is missing where NVIDIA's driver is, and asks no more", async () => {
  const fake = new FakeNvidia();
  fake.answer = () => Promise.resolve(undefined);
  fake.start();
  await fake.cards.settled();
  assertThrows(() => fake.cards.collect(), Error, "it is not there, or may not be started");
  fake.setPower(SLOTS[0], "suspended");
  fake.atMs += GPU_POLL_MS;
  assertThrows(() => fake.cards.collect(), Error, "it is not there");
  assertEquals(fake.asked, 1);
});

const NOTHING: Record<string, () => Promise<undefined>> = {
  "is missing": () => Promise.resolve(undefined),
  "fails": () => Promise.reject(new Error("no")),
};

for (const [what, answer] of Object.entries(NOTHING)) {
  Deno.test(`NvidiaGpuCollector gives up in silence where no card is and nvidia-smi ${what}`, async () => {
    const fake = new FakeNvidia([]);
    fake.answer = answer;
    fake.start();
    await fake.cards.settled();
    assertEquals(await fake.after(GPU_POLL_MS), undefined);
    assertEquals(fake.asked, 1);
    assertEquals(fake.cards.decisions(), []);
  });
}

Deno.test("NvidiaGpuCollector believes an nvidia-smi that knows cards of which the kernel does not", async () => {
  const fake = new FakeNvidia([]);
  fake.start();
  assertEquals(await fake.after(0), [CARD]);
  fake.answer = () => Promise.reject(new Error("no"));
  fake.atMs += GPU_POLL_MS;
  fake.cards.collect();
  await fake.cards.settled();
  assertThrows(() => fake.cards.collect(), Error, "no");
});
