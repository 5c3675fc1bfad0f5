import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { NetworkCollector } from "../../lib/metrics/network.ts";
import { billingPeriodAt } from "../../lib/traffic/billing_period.ts";
import { MonthlyTraffic } from "../../lib/traffic/monthly_traffic.ts";
import { parseTrafficState } from "../../lib/traffic/traffic_state.ts";
import { collectedLog } from "../log/collected_log.ts";
import { DAY_MS, FakeMonth, MINUTE_MS } from "./fake_month.ts";
import { testsWith } from "../tests_with.ts";

const inNovember = testsWith(() => new FakeMonth("2026-11-10T12:00:00"));

inNovember.test("MonthlyTraffic.collect() counts a counter that swings by its highest, over restarts too", (world) => {
  for (let swing = 0; swing < 3; swing++) {
    for (const bytes of [1_000_000_000, 995_000_000, 996_000_000]) {
      world.counters.set("eth0", bytes);
      assertEquals(world.look(), ["2026-11-01", 1_000_000_000]);
      world.start();
    }
  }
  world.pass(4_000_010);
  assertEquals(world.look(), ["2026-11-01", 1_000_000_010]);
});

inNovember.test("MonthlyTraffic.collect() does not jump when interfaces disappear, return and restart", (world) => {
  world.pass(100);
  world.pass(1_000, "eth1");
  assertEquals(world.look()[1], 1_100);
  world.counters.delete("eth1");
  world.start();
  assertEquals(world.look()[1], 1_100, "gone before the start");
  world.counters.set("eth1", 1_010);
  assertEquals(world.look()[1], 1_110, "back with its counters");
  world.counters.set("eth1", 4);
  assertEquals(world.look()[1], 1_114, "restarted while the agent was running");
  world.counters.set("eth1", 2);
  world.start();
  assertEquals(world.look()[1], 1_116, "restarted while it was stopped");
});

inNovember.test("MonthlyTraffic.collect() does not jump when an interface is renamed", (world) => {
  world.pass(5_000);
  assertEquals(world.look()[1], 5_000);
  world.rename("eth0", "eth7");
  world.pass(10, "eth7");
  assertEquals(world.look()[1], 5_010, "renamed while the agent was running");
  world.rename("eth7", "eth8");
  world.pass(100, "eth8");
  world.start();
  assertEquals(world.look()[1], 5_110, "renamed while it was stopped");
  world.pass(1_000, "eth9");
  assertEquals(world.look()[1], 6_110, "a new interface");
  world.rename("eth9", "eth10");
  world.pass(50, "eth9");
  world.start();
  assertEquals(world.look()[1], 6_160, "renamed, and another one has its name");
  const bytes = world.remove("eth8");
  world.start();
  world.look();
  world.pass(bytes + 7, "eth8");
  world.rename("eth8", "eth11");
  assertEquals(world.look()[1], 6_167, "away at the start, and back under another name");
});

Deno.test("MonthlyTraffic.collect() counts an interface whole that was made anew while it was stopped", () => {
  using world = new FakeMonth("2026-11-10T12:00:00", { bootedAt: "2026-10-01T12:00:00" });
  world.look();
  world.pass(1_000_000, "eth1");
  assertEquals(world.look()[1], 1_000_000);
  world.counters.delete("eth1");
  world.pass(1_000_005, "eth1");
  world.start();
  assertEquals(world.look()[1], 2_000_005);
});

Deno.test("MonthlyTraffic.collect() starts with the counters of a machine that was booted after the reset", () => {
  const table = [
    ["2026-10-31T23:59:59", 0],
    ["2026-11-01T00:00:00", 5_000],
    ["2026-11-01T00:00:01", 5_000],
  ] as const;
  for (const [bootedAt, sent] of table) {
    using world = new FakeMonth("2026-11-10T12:00:00", { bootedAt });
    world.pass(5_000);
    world.start();
    assertEquals(world.look(), ["2026-11-01", sent], bootedAt);
  }
});

Deno.test("MonthlyTraffic.collect() does not jump when an existing interface starts to count", () => {
  using world = new FakeMonth("2026-11-10T12:00:00", { bootedAt: "2026-03-01T00:00:00" });
  world.pass(1);
  world.pass(1_000_000, "wlan0");
  world.look();
  world.include = ["eth*", "wlan*"];
  world.start();
  assertEquals(world.look()[1], 0);
  world.pass(3, "wlan0");
  assertEquals(world.look()[1], 3);
});

Deno.test("MonthlyTraffic.collect() does not jump when the day changes and an interface starts to count", () => {
  using world = new FakeMonth("2026-11-25T12:00:00", { bootedAt: "2026-11-22T00:00:00" });
  world.pass(5);
  world.pass(1_000_000, "wlan0");
  assertEquals(world.look(), ["2026-11-01", 5]);
  world.day = 20;
  world.include = ["eth*", "wlan*"];
  world.start();
  assertEquals(world.look(), ["2026-11-20", 5]);
});

inNovember.test("MonthlyTraffic.collect() keeps the month while the clock shows the past again and again", (world) => {
  world.pass(100);
  world.look();
  for (let time = 0; time < 3; time++) {
    world.setClock("1970-01-01T00:00:05");
    assertEquals(world.look(), ["2026-11-01", 100]);
    world.wait(9 * MINUTE_MS);
    assertEquals(world.look(), ["2026-11-01", 100]);
    world.setClock("2026-11-10T13:00:00");
    assertEquals(world.look(), ["2026-11-01", 100]);
  }
});

inNovember.test("MonthlyTraffic.collect() continues the month after a clock ran ahead", (world) => {
  world.pass(100);
  world.look();
  world.setClock("2038-01-19T03:14:08");
  assertEquals(world.look(), ["2038-01-01", 0]);
  world.pass(10);
  world.look();
  world.setClock("2026-11-10T12:01:00");
  assertEquals(world.look(), ["2038-01-01", 10], "it may be this one that is wrong");
  world.pass(1);
  world.wait(10 * MINUTE_MS);
  assertEquals(world.look(), ["2026-11-01", 111]);
  world.start();
  assertEquals(world.look(), ["2026-11-01", 111]);
});

Deno.test("MonthlyTraffic.collect() logs each change of the month, what was counted before it, and what is set", async () => {
  const lines = await collectedLog(() => {
    using world = new FakeMonth("2026-11-30T23:59:00");
    world.pass(100);
    world.look();
    world.setClock("2038-01-19T03:14:08");
    world.look();
    world.pass(10);
    world.setClock("2026-11-30T23:59:30");
    world.look();
    world.wait(10 * MINUTE_MS);
    world.setClock("2026-11-30T23:59:40");
    world.look();
    world.month.set({ sentBytes: 5 });
    return Promise.resolve();
  });
  assertEquals(lines.map((line) => line.replace(/^\S+ (?:info|warning) +agent: /, "")), [
    "Counting the month's traffic: up 100 B, down 200 B since 2026-11-01",
    "The month's traffic was reset; previous month: up 100 B, down 200 B since 2026-11-01",
    "The clock shows the month of 2026-11-01, and that of 2038-01-01 goes on: it is believed after " +
    "ten minutes",
    "The clock ran ahead: the traffic of an earlier month continues; later month: up 10 B, " +
    "down 20 B since 2038-01-01",
    "The month's traffic was set: up 5 B, down 220 B since 2026-11-01",
  ]);
});

inNovember.test("MonthlyTraffic.collect() returns to the right month when the past was wrong", (world) => {
  world.pass(100);
  world.look();
  world.setClock("2026-08-01T00:00:00");
  world.look();
  world.wait(3 * DAY_MS);
  world.pass(10);
  assertEquals(world.look(), ["2026-08-01", 110]);
  world.setClock("2026-11-13T12:00:00");
  assertEquals(world.look(), ["2026-11-01", 110]);
});

Deno.test("MonthlyTraffic.collect() restarts a month that a wrong clock had started early", () => {
  using world = new FakeMonth("2026-11-14T00:00:00");
  world.pass(100);
  world.look();
  world.setClock("2026-12-14T00:00:00");
  world.look();
  world.setClock("2026-11-14T00:00:00");
  world.look();
  world.wait(DAY_MS);
  world.pass(20);
  assertEquals(world.look(), ["2026-11-01", 120]);
  world.wait(16 * DAY_MS);
  assertEquals(world.look(), ["2026-12-01", 0]);
});

Deno.test("MonthlyTraffic.set() sets the total and continues from it", () => {
  using world = new FakeMonth("2026-11-20T12:00:00");
  assertEquals(world.month.set({ sentBytes: 1 }), false, "nothing is counted yet");
  world.pass(100);
  world.look();
  assertEquals(world.month.set({ sentBytes: 7_000, receivedBytes: 14_000 }), true);
  assertEquals(world.look(), ["2026-11-01", 7_000]);
  world.pass(5);
  world.start();
  assertEquals(world.look(), ["2026-11-01", 7_005]);
  world.month.set({ receivedBytes: 3 });
  assertEquals(world.month.total(), { start: "2026-11-01", sentBytes: 7_005, receivedBytes: 3 });
});

Deno.test("MonthlyTraffic.restore() continues from a state that is restored during a run", () => {
  using world = new FakeMonth("2026-11-20T12:00:00", { bootedAt: "2026-01-01T00:00:00" });
  world.pass(1_000);
  world.look();
  world.pass(100);
  assertEquals(world.look()[1], 100);
  const { disk = "" } = world;
  world.disk = undefined;
  world.start();
  world.pass(10);
  assertEquals(world.look()[1], 0, "without the state nothing is known");
  world.pass(1);
  world.month.restore(parseTrafficState(disk));
  assertEquals(world.look()[1], 111);
  world.pass(5);
  assertEquals(world.look()[1], 116);
});

Deno.test("MonthlyTraffic.collect() imports the official agent's count once", () => {
  using world = new FakeMonth("2026-11-20T12:00:00", { bootedAt: "2026-11-02T00:00:00" });
  const untilMs = new Date("2026-11-20T11:00:00").getTime();
  world.official = { sentBytes: 300, receivedBytes: 600, untilMs };
  world.pass(1_000);
  assertEquals(world.look(), ["2026-11-01", 300], "what the counters show is in it already");
  world.pass(1);
  world.start();
  assertEquals(world.look(), ["2026-11-01", 301]);
});

Deno.test("MonthlyTraffic.collect() counts nothing of the month before that no count of an official agent covers", () => {
  using world = new FakeMonth("2026-11-20T12:00:00", { bootedAt: "2026-10-15T00:00:00" });
  const untilMs = new Date("2026-10-10T00:00:00").getTime();
  world.official = { sentBytes: 0, receivedBytes: 0, untilMs };
  world.pass(1_000);
  assertEquals(world.look(), ["2026-11-01", 0]);
});

/** What can happen to a machine. */
type Event =
  | { kind: "pass"; name: string; bytes: number }
  | { kind: "wait"; ms: number }
  | { kind: "look" | "restart" | "reboot" }
  | { kind: "vanish" | "reset"; name: string }
  | { kind: "clock"; days: number };

const name = fc.constantFrom("eth0", "eth1", "eth2");
const calm = [
  fc.record({ kind: fc.constant("pass" as const), name, bytes: fc.nat(1_000_000) }),
  fc.record({ kind: fc.constant("wait" as const), ms: fc.nat(20 * DAY_MS) }),
  fc.record({ kind: fc.constantFrom("look" as const, "restart" as const, "reboot" as const) }),
];
const wild = [
  ...calm,
  fc.record({ kind: fc.constantFrom("vanish" as const, "reset" as const), name }),
  fc.record({ kind: fc.constant("clock" as const), days: fc.integer({ min: -9000, max: 9000 }) }),
];

function happen(world: FakeMonth, event: Event): void {
  switch (event.kind) {
    case "pass":
      return world.pass(event.bytes, event.name);
    case "wait":
      return world.wait(event.ms);
    case "restart":
      return void world.start();
    case "reboot":
      return world.reboot();
    case "vanish":
      return void world.counters.delete(event.name);
    case "reset":
      return void world.counters.set(event.name, 0);
    case "clock":
      world.setClock(Date.now() + event.days * DAY_MS);
  }
}

Deno.test("MonthlyTraffic never falls within a period, nor exceeds the real traffic, for any events", () => {
  const events = fc.array(fc.oneof(...wild), { maxLength: 60 });
  fc.assert(
    fc.property(events, fc.integer({ min: 1, max: 31 }), (events, day) => {
      using world = new FakeMonth("2026-11-10T12:00:00", { day });
      let before = world.look();
      let passed = 0;
      for (const event of events) {
        if (event.kind === "pass") passed += event.bytes;
        happen(world, event);
        const now = world.look();
        assert(now[1] >= 0 && now[1] <= passed, `${now} of ${passed}`);
        if (now[0] === before[0] && event.kind !== "clock") {
          assert(now[1] >= before[1], `${now} after ${before}`);
        }
        before = now;
      }
    }),
    { numRuns: 500 },
  );
});

Deno.test("MonthlyTraffic recovers the whole month when a wrong clock is corrected", () => {
  const astray = fc.record({
    days: fc.integer({ min: -9000, max: 9000 }),
    minutes: fc.nat(30),
    bytes: fc.nat(1_000_000),
    restart: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(astray, { maxLength: 9 }), (times) => {
      using world = new FakeMonth("2026-11-10T12:00:00");
      world.pass(0);
      world.look();
      let passed = 0;
      for (const { days, minutes, bytes, restart } of times) {
        world.setClock(Date.now() + days * DAY_MS);
        if (restart) world.start();
        for (const part of [bytes, 1]) {
          world.pass(part);
          passed += part;
          world.look();
          world.wait(minutes * MINUTE_MS / 2);
        }
        world.look();
        world.setClock(Date.now() - days * DAY_MS);
        world.look();
        world.wait(10 * MINUTE_MS);
        assertEquals(world.look(), ["2026-11-01", passed]);
      }
    }),
    { numRuns: 300 },
  );
});

Deno.test("MonthlyTraffic is exact with a correct clock and fixed interfaces", () => {
  const events = fc.array(fc.oneof(...calm), { maxLength: 60 });
  fc.assert(
    fc.property(events, fc.integer({ min: 1, max: 31 }), (events, day) => {
      using world = new FakeMonth("2026-11-10T12:00:00", { day });
      for (const name of ["eth0", "eth1", "eth2"]) world.pass(0, name);
      let [start, expected] = world.look();
      let unseen = 0;
      let bootedUnseen = false;
      for (const event of events) {
        // What a kernel takes with it unseen nobody can know.
        if (event.kind === "reboot") {
          [start, expected] = step();
          bootedUnseen = true;
        }
        if (event.kind === "pass") unseen += event.bytes;
        happen(world, event);
        if (event.kind === "look") [start, expected] = step();
      }
      step();

      function step(): [string, number] {
        const bootedInPeriod = bootedUnseen &&
          world.bootedAtMs >= billingPeriodAt(Date.now(), day).startMs;
        const [now, total] = world.look();
        const fresh = now !== start;
        assertEquals(total, fresh ? (bootedInPeriod ? unseen : 0) : expected + unseen);
        unseen = 0;
        bootedUnseen = false;
        return [now, total];
      }
    }),
    { numRuns: 500 },
  );
});

inNovember.test("MonthlyTraffic.sample() counts without a report", (world) => {
  world.look();
  world.pass(70);
  const { generation } = world.month;
  world.month.sample();
  assertEquals(world.month.total(), { start: "2026-11-01", sentBytes: 70, receivedBytes: 140 });
  assertEquals(world.month.generation > generation, true);
});

/** The month of a machine whose network is this text of `net/dev`. */
function monthOf(read: () => string | undefined, uptimeSeconds = () => 1): MonthlyTraffic {
  const globs = { include: ["eth0"], exclude: [] };
  const network = new NetworkCollector({ read }, () => undefined, { globs });
  const machine = { network, bootId: () => "", uptimeSeconds };
  return new MonthlyTraffic(machine, { day: 1, importOfficial: () => undefined });
}

Deno.test("MonthlyTraffic.generation grows with bytes of either way, and stands still without any", () => {
  let [received, sent] = [5, 5];
  const month = monthOf(() => `eth0: ${received} 0 0 0 0 0 0 0 ${sent} 0 0 0 0 0 0 0\n`);
  const growth = () => {
    const { generation } = month;
    month.sample();
    return month.generation - generation;
  };
  assertEquals([growth(), growth()], [1, 0]);
  received++;
  assertEquals([growth(), growth()], [1, 0]);
  sent++;
  assertEquals([growth(), growth()], [1, 0]);
});

Deno.test("MonthlyTraffic.collect() counts from 0 where the uptime can't be read", () => {
  const month = monthOf(() => "eth0: 9 0 0 0 0 0 0 0 9 0 0 0 0 0 0 0\n", () => {
    throw new Error("Cannot read /proc/uptime");
  });
  assertEquals(month.collect(), { sentBytes: 0, receivedBytes: 0 });
});

Deno.test("MonthlyTraffic counts nothing without data of the network", () => {
  const month = monthOf(() => undefined);
  assertEquals(month.collect(), undefined);
  month.sample();
  assertEquals([month.total(), month.state(), month.set({ sentBytes: 1 })], [
    undefined,
    undefined,
    false,
  ]);
});

Deno.test("MonthlyTraffic.generation grows with totals that are set, and with a new month", () => {
  using world = new FakeMonth("2026-11-30T23:59:00");
  world.pass(10);
  world.look();
  const growth = (change: () => void) => {
    const { generation } = world.month;
    change();
    return world.month.generation - generation;
  };
  assertEquals(growth(() => world.month.set({ sentBytes: 5, receivedBytes: 10 })), 1);
  assertEquals(growth(() => world.look()), 0);
  world.wait(MINUTE_MS);
  assertEquals(growth(() => world.look()), 1);
});

inNovember.test("MonthlyTraffic.state() tells when its month was last seen", (world) => {
  world.pass(10);
  for (let look = 0; look < 2; look++) {
    world.look();
    assertEquals(world.month.state()?.current.seenMs, Date.now());
    world.wait(DAY_MS);
  }
});

inNovember.test("MonthlyTraffic.collect() does not jump when names are swapped while it is stopped", (world) => {
  world.pass(1_000);
  world.pass(50_000, "eth1");
  assertEquals(world.look()[1], 51_000);
  world.rename("eth0", "eth2");
  world.rename("eth1", "eth0");
  world.rename("eth2", "eth1");
  world.pass(10, "eth0");
  world.pass(3, "eth1");
  world.start();
  assertEquals(world.look()[1], 51_013);
  world.pass(7, "eth1");
  assertEquals(world.look()[1], 51_020);
});

inNovember.test("MonthlyTraffic.collect() keeps the month while the clock shows the past", (world) => {
  world.pass(100);
  world.look();
  world.setClock("1970-01-01T00:00:05");
  world.reboot();
  world.pass(10);
  assertEquals(world.look(), ["2026-11-01", 110]);
  world.wait(9 * MINUTE_MS);
  assertEquals(world.look(), ["2026-11-01", 110]);
  world.setClock("2026-11-10T12:10:00");
  world.pass(1);
  assertEquals(world.look(), ["2026-11-01", 111]);
});

Deno.test("MonthlyTraffic.collect() keeps the total when the day of the month changes", () => {
  using world = new FakeMonth("2026-11-20T12:00:00");
  world.pass(100);
  world.look();
  world.day = 15;
  world.start();
  assertEquals(world.look(), ["2026-11-15", 100]);
  world.day = 28;
  world.start();
  assertEquals(world.look(), ["2026-10-28", 100]);
});

inNovember.test("MonthlyTraffic.collect() counts an interface whole that returns on another boot", (world) => {
  world.pass(100);
  world.pass(1_000, "eth1");
  assertEquals(world.look()[1], 1_100);
  world.counters.delete("eth1");
  world.reboot();
  assertEquals(world.look()[1], 1_100);
  world.pass(1_005, "eth1");
  assertEquals(world.look()[1], 2_105, "all that it shows is of this boot");
});

inNovember.test("MonthlyTraffic.collect() counts an interface whole that returns on another boot with its index", (world) => {
  world.pass(100);
  world.pass(1_000, "eth1");
  assertEquals(world.look()[1], 1_100);
  world.remove("eth1");
  world.reboot();
  assertEquals(world.look()[1], 1_100);
  world.pass(1_005, "eth1");
  assertEquals(world.look()[1], 2_105, "all that it shows is of this boot");
});
