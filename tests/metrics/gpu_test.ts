import { assertEquals } from "@std/assert";
import { GpuCollectors } from "../../lib/metrics/gpu.ts";
import { openLinuxMachine } from "../../lib/metrics/machine.ts";
import { takeSnapshot } from "../../lib/metrics/snapshot.ts";
import { FakeTime } from "../fake_time.ts";
import { FakeMachine } from "./fake_machine.ts";
import { assertDataEquals } from "./assert_data.ts";
import { configOf } from "./config_of.ts";

const MEBIBYTE = 1024 * 1024;

/** What is found on a machine of tests/fixtures/ at both looks, with `nvidia-smi` beside its trees. */
async function measured(name: string) {
  using time = new FakeTime();
  const host = new FakeMachine(name);
  const gpu = new GpuCollectors(host);
  const collect = () => gpu.collectors.flatMap((collector) => collector.collect() ?? []);
  gpu.nvidia.useNvidiaSmi(() => Promise.resolve(host.readText("/nvidia-smi.txt")));
  await gpu.nvidia.settled();
  const first = collect();
  host.advance(time);
  collect();
  await gpu.nvidia.settled();
  return { first, later: collect(), decisions: gpu.decisions().map(({ gpu: _, ...rest }) => rest) };
}

Deno.test("GpuCollectors measures a workstation with a card and a processor of AMD", async () => {
  const navi = "AMD Navi 31 [Radeon RX 7900 XTX]";
  const { first, later, decisions } = await measured("amd-workstation");
  assertDataEquals(first, [
    {
      name: navi,
      usePercent: 4,
      memory: { totalBytes: 25753026560, usedBytes: 1812045824 },
      temperatureCelsius: 47,
    },
    {
      name: "AMD Raphael",
      usePercent: 0,
      memory: { totalBytes: 536870912, usedBytes: 20111360 },
      temperatureCelsius: 41,
    },
  ]);
  assertDataEquals(later, [
    {
      name: navi,
      usePercent: 97,
      memory: { totalBytes: 25753026560, usedBytes: 20401094656 },
      temperatureCelsius: 71.5,
    },
    {
      name: "AMD Raphael",
      isSuspended: true,
      usePercent: 0,
      memory: { totalBytes: 536870912, usedBytes: 0 },
    },
  ]);
  const files = "gpu_busy_percent, mem_info_vram_total, mem_info_vram_used";
  assertDataEquals(decisions, [
    {
      name: navi,
      counted: true,
      rule: `/sys/class/drm/card0/device: ${files}, hwmon/hwmon3/temp1_input`,
    },
    {
      name: "AMD Raphael",
      counted: true,
      rule: "suspended: only power/runtime_status was read; otherwise " +
        `/sys/class/drm/card1/device: ${files}, hwmon/hwmon4/temp1_input`,
    },
  ]);
});

Deno.test("GpuCollectors measures a server with cards of NVIDIA, one of them in parts", async () => {
  const { first, later, decisions } = await measured("nvidia-server");
  const name = "NVIDIA A100 80GB PCIe";
  const card = (used: number, rest: { usePercent?: number; temperatureCelsius: number }) => ({
    name,
    memory: { totalBytes: 81920 * MEBIBYTE, usedBytes: used * MEBIBYTE },
    ...rest,
  });
  const second = card(87, { temperatureCelsius: 34 });
  assertDataEquals(first, [card(40536, { usePercent: 97, temperatureCelsius: 63 }), second]);
  assertDataEquals(later, [card(61204, { usePercent: 100, temperatureCelsius: 66 }), second]);
  assertDataEquals(decisions, [
    { name, counted: true, rule: "nvidia-smi" },
    { name, counted: true, rule: "nvidia-smi" },
  ]);
});

Deno.test("GpuCollectors keeps a laptop's card suspended, and reports that the other one has no metrics", async () => {
  const { first, later, decisions } = await measured("hybrid-laptop");
  const name = "NVIDIA GeForce RTX 3050 Laptop GPU";
  assertDataEquals(first, [{ name, usePercent: 0, isSuspended: true }]);
  assertDataEquals(later, [{
    name,
    memory: { totalBytes: 4096 * MEBIBYTE, usedBytes: 6 * MEBIBYTE },
    usePercent: 0,
    temperatureCelsius: 44,
  }]);
  assertDataEquals(decisions, [
    { name, counted: true, rule: "nvidia-smi" },
    { name: "Intel 8086:46a6", counted: false, rule: "no metrics in /sys/class/drm/card1/device" },
  ]);
});

Deno.test("GpuCollectors names a card of NVIDIA that another driver has, which has no metrics", () => {
  const host = new FakeMachine("hybrid-laptop");
  const list = host.list.bind(host);
  host.list = (path) => path.includes("/driver/nvidia") ? undefined : list(path);
  const decisions = new GpuCollectors(host).decisions().map(({ counted, rule }) => [counted, rule]);
  assertEquals(decisions, [
    [false, "no metrics in /sys/class/drm/card0/device"],
    [false, "no metrics in /sys/class/drm/card1/device"],
  ]);
});

Deno.test("GpuCollectors finds nothing on a machine whose GPU has no metrics", async () => {
  const { first, later, decisions } = await measured("raspberry-pi");
  assertDataEquals([first, later], [[], []]);
  assertDataEquals(decisions.map(({ name, counted }) => [name, counted]), [[
    "Broadcom VideoCore",
    false,
  ]]);
});

Deno.test("openLinuxMachine() measures all else when graphics cards can't be listed", () => {
  const host = new FakeMachine("debian-vm");
  const list = host.list.bind(host);
  host.list = (path) => {
    if (path.includes("/drm")) throw new Error("Cannot read /sys/class/drm: I/O error");
    return list(path);
  };
  const machine = openLinuxMachine(host, configOf(["--gpu"]));
  const { failures, load } = takeSnapshot(machine.collectors);
  assertEquals(failures, ["cannot measure graphics card"]);
  assertEquals(load !== undefined, true);
});
