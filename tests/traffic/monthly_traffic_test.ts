import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { NetworkCollector } from "../../lib/metrics/network.ts";
import { billingPeriodAt } from "../../lib/traffic/billing_period.ts";
import { MonthlyTraffic } from "../../lib/traffic/monthly_traffic.ts";
import { parseTrafficState } from "../../lib/traffic/traffic_state.ts";
import { collectedLog } from "../log/collected_log.ts";
import { DAY_MS, FakeMonth, MINUTE_MS } from "./fake_month.ts";
import { FakeTime } from "../fake_time.ts";

/** The verbs of {@linkcode STORIES}; a number alone is looked for: what was sent in the month. */
const VERBS: Readonly<Record<string, (world: FakeMonth, ...words: string[]) => void>> = {
  pass: (world, bytes = "", name) => world.pass(Number(bytes), name),
  shows: (world, bytes = "", name = "eth0") => void world.counters.set(name, Number(bytes)),
  vanish: (world, name = "") => void world.counters.delete(name),
  remove: (world, name = "") => void world.remove(name),
  rename: (world, from = "", to = "") => world.rename(from, to),
  start: (world) => void world.start(),
  reboot: (world) => world.reboot(),
  clock: (world, time = "") => world.setClock(time),
  wait: (world, minutes = "") => world.wait(Number(minutes) * MINUTE_MS),
  day: (world, day = "") => void (world.day = Number(day)),
  include: (world, globs = "") => void (world.include = globs.split("+")),
  look: (world) => void world.look(),
};

/** What a month counts: where it begins, when the machine was booted, and what happens then. */
const STORIES = `
a counter that swings counts by its highest, over restarts too
  2026-11-10T12:00:00: shows 1000000000, 1000000000, start, shows 995000000, 1000000000, start, shows 996000000, 1000000000, start, shows 1000000000, 1000000000, start, shows 996000000, 1000000000, pass 4000010, 1000000010
interfaces that disappear, return and restart make no jump
  2026-11-10T12:00:00: pass 100, pass 1000 eth1, 1100, vanish eth1, start, 1100, shows 1010 eth1, 1110, shows 4 eth1, 1114, shows 2 eth1, start, 1116
an interface that is renamed makes no jump, while the agent runs and while it is stopped
  2026-11-10T12:00:00: pass 5000, 5000, rename eth0 eth7, pass 10 eth7, 5010, rename eth7 eth8, pass 100 eth8, start, 5110
a name that another interface has taken makes no jump
  2026-11-10T12:00:00: pass 1000 eth9, 1000, rename eth9 eth10, pass 50 eth9, start, 1050
an interface that is away at the start, and comes back under another name, makes no jump
  2026-11-10T12:00:00: pass 1000 eth8, 1000, remove eth8, start, look, pass 1007 eth8, rename eth8 eth11, 1007
names that are swapped while it is stopped make no jump
  2026-11-10T12:00:00: pass 1000, pass 50000 eth1, 51000, rename eth0 eth2, rename eth1 eth0, rename eth2 eth1, pass 10 eth0, pass 3 eth1, start, 51013, pass 7 eth1, 51020
an interface that was made anew while it was stopped counts whole
  2026-11-10T12:00:00 booted 2026-10-01T12:00:00: look, pass 1000000 eth1, 1000000, vanish eth1, pass 1000005 eth1, start, 2000005
one that returns on another boot counts whole
  2026-11-10T12:00:00: pass 100, pass 1000 eth1, 1100, vanish eth1, reboot, 1100, pass 1005 eth1, 2105
one that returns on another boot with its index counts whole
  2026-11-10T12:00:00: pass 100, pass 1000 eth1, 1100, remove eth1, reboot, 1100, pass 1005 eth1, 2105
a machine that was booted before the reset starts with 0
  2026-11-10T12:00:00 booted 2026-10-31T23:59:59: pass 5000, start, 2026-11-01, 0
one that was booted at the reset, or after it, starts with its counters
  2026-11-10T12:00:00 booted 2026-11-01T00:00:00: pass 5000, start, 2026-11-01, 5000
  2026-11-10T12:00:00 booted 2026-11-01T00:00:01: pass 5000, start, 2026-11-01, 5000
an existing interface that starts to count makes no jump
  2026-11-10T12:00:00 booted 2026-03-01T00:00:00: pass 1, pass 1000000 wlan0, look, include eth*+wlan*, start, 0, pass 3 wlan0, 3
nor when the day changes at the same time
  2026-11-25T12:00:00 booted 2026-11-22T00:00:00: pass 5, pass 1000000 wlan0, 2026-11-01, 5, day 20, include eth*+wlan*, start, 2026-11-20, 5
the month goes on while the clock shows the past again and again
  2026-11-10T12:00:00: pass 100, look, clock 1970-01-01T00:00:05, 2026-11-01, 100, wait 9, 100, clock 2026-11-10T13:00:00, 100, clock 1970-01-01T00:00:05, 2026-11-01, 100, wait 9, 100, clock 2026-11-10T13:00:00, 2026-11-01, 100
also over a boot
  2026-11-10T12:00:00: pass 100, look, clock 1970-01-01T00:00:05, reboot, pass 10, 2026-11-01, 110, wait 9, 2026-11-01, 110, clock 2026-11-10T12:10:00, pass 1, 2026-11-01, 111
the month goes on after a clock ran ahead, once the right time is believed
  2026-11-10T12:00:00: pass 100, look, clock 2038-01-19T03:14:08, 2038-01-01, 0, pass 10, look, clock 2026-11-10T12:01:00, 2038-01-01, 10, pass 1, wait 10, 2026-11-01, 111, start, 2026-11-01, 111
the right month goes on when the past was wrong
  2026-11-10T12:00:00: pass 100, look, clock 2026-08-01T00:00:00, look, wait 4320, pass 10, 2026-08-01, 110, clock 2026-11-13T12:00:00, 2026-11-01, 110
a month that a wrong clock had started early begins again
  2026-11-14T00:00:00: pass 100, look, clock 2026-12-14T00:00:00, look, clock 2026-11-14T00:00:00, look, wait 1440, pass 20, 2026-11-01, 120, wait 23040, 2026-12-01, 0
the total stays when the day of the month changes
  2026-11-20T12:00:00: pass 100, look, day 15, start, 2026-11-15, 100, day 28, start, 2026-10-28, 100
`;

for (const [, what = "", plots = ""] of STORIES.matchAll(/^(\S.*)\n((?: {2}.*\n)+)/gm)) {
  Deno.test(`MonthlyTraffic.collect() keeps this: ${what}`, () => {
    for (
      const [, now = "", bootedAt, steps = ""] of plots.matchAll(/ (\S+)(?: booted (\S+))?: (.*)/g)
    ) {
      using world = new FakeMonth(now, bootedAt === undefined ? {} : { bootedAt });
      for (const [at, step] of steps.split(", ").entries()) {
        const [verb = "", ...words] = step.split(" ");
        const told = `step ${at + 1}, ${step}`;
        if (/^\d+$/.test(step)) assertEquals(world.look()[1], Number(step), told);
        else if (/^\d+-/.test(step)) assertEquals(world.look()[0], step, told);
        else {
          assert(VERBS[verb] !== undefined, told);
          VERBS[verb](world, ...words);
        }
      }
    }
  });
}

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
    "The clock shows the month of 2026-11-01; the month of 2038-01-01 continues unless that lasts " +
    "for ten minutes",
    "The clock ran ahead: the traffic of an earlier month continues; later month: up 10 B, " +
    "down 20 B since 2038-01-01",
    "The month's traffic was set: up 5 B, down 220 B since 2026-11-01",
  ]);
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

Deno.test("MonthlyTraffic.collect() imports the official agent's count once, and nothing of a month that it does not cover", () => {
  const world = (bootedAt: string, bytes: number, until: string) => {
    const untilMs = new Date(until).getTime();
    const world = new FakeMonth("2026-11-20T12:00:00", { bootedAt });
    world.official = { sentBytes: bytes, receivedBytes: 2 * bytes, untilMs };
    world.pass(1_000);
    return world;
  };
  {
    using known = world("2026-11-02T00:00:00", 300, "2026-11-20T11:00:00");
    assertEquals(known.look(), ["2026-11-01", 300], "what the counters show is in it already");
    known.pass(1);
    known.start();
    assertEquals(known.look(), ["2026-11-01", 301]);
  }
  using old = world("2026-10-15T00:00:00", 0, "2026-10-10T00:00:00");
  assertEquals(old.look(), ["2026-11-01", 0]);
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

const DAY = fc.integer({ min: 1, max: 31 });

function happen(world: FakeMonth, event: Event): void {
  if (event.kind === "pass") world.pass(event.bytes, event.name);
  if (event.kind === "wait") world.wait(event.ms);
  if (event.kind === "restart") world.start();
  if (event.kind === "reboot") world.reboot();
  if (event.kind === "vanish") world.counters.delete(event.name);
  if (event.kind === "reset") world.counters.set(event.name, 0);
  if (event.kind === "clock") world.setClock(Date.now() + event.days * DAY_MS);
}

Deno.test("MonthlyTraffic never falls within a period, nor exceeds the real traffic, for any events", () => {
  const events = fc.array(fc.oneof(...wild), { maxLength: 60 });
  fc.assert(
    fc.property(events, DAY, (events, day) => {
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

Deno.test("MonthlyTraffic is exact with a correct clock and fixed interfaces", () => {
  const events = fc.array(fc.oneof(...calm), { maxLength: 60 });
  fc.assert(
    fc.property(events, DAY, (events, day) => {
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

Deno.test("MonthlyTraffic.sample() counts without a report; generation grows with bytes of either way, and each change", () => {
  let [received, sent] = [5, 5];
  const month = monthOf(() => `eth0: ${received} 0 0 0 0 0 0 0 ${sent} 0 0 0 0 0 0 0\n`);
  const growth = (change = () => month.sample()) => {
    const { generation } = month;
    change();
    return month.generation - generation;
  };
  using time = new FakeTime({ now: new Date("2026-11-30T23:59:00") });
  assertEquals([growth(), growth()], [1, 0]);
  received++;
  assertEquals([growth(), growth()], [1, 0]);
  sent += 70;
  assertEquals([growth(), growth()], [1, 0]);
  assertEquals(month.total(), { start: "2026-11-01", sentBytes: 75, receivedBytes: 6 });
  assertEquals(month.state()?.current.seenMs, Date.now());
  assertEquals(growth(() => month.set({ sentBytes: 5 })), 1);
  time.tick(MINUTE_MS);
  assertEquals([growth(), month.state()?.current.seenMs], [1, Date.now()]);
  const unknown = monthOf(() => "eth0: 9 0 0 0 0 0 0 0 9 0 0 0 0 0 0 0\n", () => {
    throw new Error("Cannot read /proc/uptime");
  });
  assertEquals(unknown.collect(), { sentBytes: 0, receivedBytes: 0 });
});

/** The month of a machine whose network is this text of `net/dev`. */
function monthOf(read: () => string | undefined, uptimeSeconds = () => 1): MonthlyTraffic {
  const globs = { include: ["eth0"], exclude: [] };
  const network = new NetworkCollector({ read }, () => undefined, { globs });
  const machine = { network, bootId: () => "", uptimeSeconds };
  return new MonthlyTraffic(machine, { day: 1, importOfficial: () => undefined });
}
