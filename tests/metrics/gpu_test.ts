import { assertEquals } from "@std/assert";
import { GpuCollectors } from "../../lib/metrics/gpu.ts";
import { openLinuxMachine } from "../../lib/metrics/machine.ts";
import { takeSnapshot } from "../../lib/metrics/snapshot.ts";
import { FakeMachine } from "./fake_machine.ts";
import { configOf } from "./config_of.ts";

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
