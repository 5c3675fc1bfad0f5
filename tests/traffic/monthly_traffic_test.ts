import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { NetworkCollector } from "../../lib/metrics/network.ts";
import { billingPeriodAt } from "../../lib/traffic/billing_period.ts";
import { MonthlyTraffic } from "../../lib/traffic/monthly_traffic.ts";
import { collectedLog } from "../log/collected_log.ts";
import { FakeMonth, MINUTE_MS } from "./fake_month.ts";
import { FakeTime } from "../fake_time.ts";

/** What a month counts: what the clock shows at first, when the machine was booted, and what happens. */
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
  2026-11-10T12:00:00: pass 100, look, clock 1970-01-01T00:00:05, 2026-11-01, 100, wait 9, 100, clock 2026-11-10T13:00:00, 100, clock 1970-01-01T00:00:05, 2026-11-01, 100, wait 9, 2026-11-01, 100, clock 2026-11-10T13:00:00, 2026-11-01, 100
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
but it forgets the months of another day
  2026-03-05T00:00:00: pass 100, look, clock 2026-02-10T00:00:00, look, wait 10, 2026-02-01, 100, others 2026-03-01, day 31, start, 2026-01-31, 100, others
the three latest other months are kept, each once, and one is returned to after ten minutes
  2026-08-10T12:00:00: pass 8, 8, clock 2026-09-10T12:00:00, 0, pass 9, 9, clock 2026-10-10T12:00:00, 0, pass 10, clock 2026-11-10T12:00:00, 0, others 2026-10-01 2026-09-01 2026-08-01, clock 2026-12-10T12:00:00, 0, others 2026-11-01 2026-10-01 2026-09-01, clock 2026-10-11T12:00:00, look, wait 9.999, 2026-12-01, 0, wait 0.001, 2026-10-01, 10, others 2026-12-01 2026-11-01 2026-09-01
an unknown boot is taken for the same one
  2026-11-20T00:00:00: pass 100, 100, bootid unknown, start, pass 30, 130, start, pass 1, 131, bootid b5, start, pass 1, 132
an interface that starts to count counts whole where the machine was booted in this month
  2026-11-20T00:00:00 booted 2026-11-01T00:00:00: pass 1, pass 7 wlan0, 1, include eth*+wlan*, start, 8
  2026-11-20T00:00:00 booted 2026-11-01T00:00:00: pass 1, pass 7 wlan0, 1, bootid unknown, include eth*+wlan*, start, 8
  2026-11-20T00:00:00 booted 2026-11-01T00:00:00: pass 1, pass 7 wlan0, 1, uptime unknown, include eth*+wlan*, start, 1
a new month has what passed since a boot in it, if that boot is surely new
  2026-11-20T00:00:00: pass 400, 400, clock 2026-12-01T00:00:00, reboot, pass 30, 2026-12-01, 30
  2026-11-20T00:00:00: pass 400, 400, clock 2026-11-30T23:59:59, reboot, pass 30, wait 1, 2026-12-01, 0
  2026-11-20T00:00:00: pass 400, 400, clock 2026-12-01T00:00:00, reboot, uptime unknown, pass 30, 2026-12-01, 0
  2026-11-20T00:00:00: bootid unknown, start, pass 400, 400, clock 2026-12-01T00:00:00, reboot, pass 30, 2026-12-01, 0
an index above the last one of the same name tells of a new interface
  2026-11-20T00:00:00: pass 100, 100, index eth0 1, start, pass 5, 105, index eth0 3, start, 210, index eth0 unknown, start, pass 5, 215
an interface goes by its name where the boot is unknown
  2026-11-20T00:00:00: pass 100, pass 200 eth1, 300, bootid unknown, rename eth0 eth7, rename eth1 eth0, start, 500
  2026-11-20T00:00:00: bootid unknown, start, pass 100, pass 200 eth1, 300, rename eth0 eth7, rename eth1 eth0, start, 500
  2026-11-20T00:00:00: bootid unknown, start, pass 100, pass 200 eth1, 300, bootid b5, rename eth0 eth7, rename eth1 eth0, start, 500
a state that comes during a run is continued
  2026-11-20T12:00:00 booted 2026-01-01T00:00:00: pass 1000, look, pass 100, 100, lose, start, pass 10, 0, pass 1, restore, 111, pass 5, 116
the count of the official agent is taken once, with what the counters show until its end
  2026-11-20T12:00:00 booted 2026-11-02T00:00:00: official 300 2026-11-20T11:00:00, pass 1000, 2026-11-01, 300, pass 1, start, 2026-11-01, 301
  2026-11-20T12:00:00 booted 2026-10-15T00:00:00: official 0 2026-10-10T00:00:00, pass 1000, 2026-11-01, 0
nothing is counted where the time of the boot is unknown
  2026-11-20T12:00:00: uptime unknown, pass 9, 0, pass 1, 1
`;

for (const [, what = "", plots = ""] of STORIES.matchAll(/^(\S.*)\n((?: {2}.*\n)+)/gm)) {
  Deno.test(`MonthlyTraffic.collect() keeps this: ${what}`, () => {
    for (
      const [, now = "", bootedAt, steps = ""] of plots.matchAll(/ (\S+)(?: booted (\S+))?: (.*)/g)
    ) {
      using world = new FakeMonth(now, bootedAt === undefined ? {} : { bootedAt });
      world.tell(steps);
    }
  });
}

Deno.test("MonthlyTraffic.collect() logs each change of the month, what was counted before it, and what is set", async () => {
  const steps = "pass 90, look, pass 10, clock 2038-01-19T03:14:08, look, pass 10, " +
    "clock 2026-11-30T23:59:30, look, wait 10, clock 2026-11-30T23:59:40, look, start, look, " +
    "set 5";
  const lines = await collectedLog(() => {
    using world = new FakeMonth("2026-11-30T23:59:00");
    return Promise.resolve(world.tell(steps));
  });
  assertEquals(lines.map((line) => line.replace(/^\S+ (?:info|warning) +agent: /, "")), [
    "Counting the month's traffic: up 90 B, down 180 B since 2026-11-01",
    "The month's traffic was reset; previous month: up 100 B, down 200 B since 2026-11-01",
    "The clock shows the month of 2026-11-01; the month of 2038-01-01 continues unless that lasts " +
    "for ten minutes",
    "The clock ran ahead: the traffic of an earlier month continues; later month: up 10 B, " +
    "down 20 B since 2038-01-01",
    "Continuing the month's traffic: up 110 B, down 220 B since 2026-11-01",
    "The month's traffic was set: up 5 B, down 220 B since 2026-11-01",
  ]);
});

/** What can happen to a machine, in the words of {@linkcode FakeMonth.tell}. */
const name = fc.constantFrom("eth0", "eth1", "eth2");
const calm = [
  fc.tuple(fc.nat(1_000_000), name).map(([bytes, name]) => `pass ${bytes} ${name}`),
  fc.nat(20 * 24 * 60 * MINUTE_MS).map((ms) => `wait ${ms / MINUTE_MS}`),
  fc.constantFrom("look", "start", "reboot"),
];
const wild = [
  ...calm,
  fc.tuple(fc.constantFrom("vanish", "shows 0"), name).map((words) => words.join(" ")),
  fc.integer({ min: -9000, max: 9000 }).map((days) => `days ${days}`),
];
const DAY = fc.integer({ min: 1, max: 31 });

const passedBy = (event: string) => Number(/^pass (\d+)/.exec(event)?.[1] ?? 0);

Deno.test("MonthlyTraffic never falls within a period, nor exceeds the real traffic, for any events", () => {
  const events = fc.array(fc.oneof(...wild), { maxLength: 60 });
  fc.assert(
    fc.property(events, DAY, (events, day) => {
      using world = new FakeMonth("2026-11-10T12:00:00", { day });
      let before = world.look();
      let passed = 0;
      for (const event of events) {
        passed += passedBy(event);
        world.tell(event);
        const now = world.look();
        assert(now[1] >= 0 && now[1] <= passed, `${now} of ${passed}`);
        if (now[0] === before[0] && !event.startsWith("days")) {
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
      world.tell("pass 0, pass 0 eth1, pass 0 eth2");
      let [start, expected] = world.look();
      let unseen = 0;
      let bootedUnseen = false;
      for (const event of events) {
        // What a kernel takes with it unseen nobody can know.
        if (event === "reboot") {
          [start, expected] = step();
          bootedUnseen = true;
        }
        unseen += passedBy(event);
        world.tell(event);
        if (event === "look") [start, expected] = step();
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
  const read = () => `eth0: ${received} 0 0 0 0 0 0 0 ${sent} 0 0 0 0 0 0 0\n`;
  const globs = { include: ["eth0"], exclude: [] };
  const network = new NetworkCollector({ read }, () => undefined, { globs });
  const machine = { network, bootId: () => "", uptimeSeconds: () => 1 };
  const month = new MonthlyTraffic(machine, { day: 1, importOfficial: () => undefined });
  const growth = (change = () => month.sample()) => {
    const { generation } = month;
    change();
    return month.generation - generation;
  };
  using time = new FakeTime({ now: new Date("2026-11-30T23:59:00") });
  assertEquals([growth(), growth()], [1, 0]);
  time.tick(1_000);
  received++;
  assertEquals([growth(), growth()], [1, 0]);
  sent += 70;
  assertEquals([growth(), growth()], [1, 0]);
  assertEquals(month.total(), { start: "2026-11-01", sentBytes: 75, receivedBytes: 6 });
  assertEquals(month.state()?.current.seenMs, Date.now());
  assertEquals(growth(() => month.set({ sentBytes: 5 })), 1);
  time.tick(MINUTE_MS);
  assertEquals([growth(), month.state()?.current.seenMs], [1, Date.now()]);
});
