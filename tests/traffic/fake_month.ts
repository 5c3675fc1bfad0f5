import { assert, assertEquals } from "@std/assert";
import { NetworkCollector } from "../../lib/metrics/network.ts";
import { MonthlyTraffic } from "../../lib/traffic/monthly_traffic.ts";
import type { NetStaticSum } from "../../lib/traffic/net_static.ts";
import { formatTrafficState, parseTrafficState } from "../../lib/traffic/traffic_state.ts";
import { FakeTime } from "../fake_time.ts";

export const MINUTE_MS = 60_000;

/**
 * A machine with its interfaces, and an agent on it that is started again and again, under a fake
 * clock.
 */
export class FakeMonth implements Disposable {
  bootedAtMs: number;
  month: MonthlyTraffic;
  /** Sent bytes of each interface; twice as many are received. */
  readonly #counters = new Map<string, number>();
  readonly #indexes = new Map<string, number>();
  readonly #time: FakeTime;
  #day: number;
  #boots = 0;
  #bootId = "b0";
  #uptimeMs: number | undefined;
  #include: readonly string[] = ["eth*"];
  #official: NetStaticSum | undefined;
  #disk: string | undefined;
  #backup = "";
  #lastIndex = 1;
  #kept: number | undefined;

  constructor(now: string, { day = 1, bootedAt = now } = {}) {
    this.bootedAtMs = new Date(bootedAt).getTime();
    this.#time = new FakeTime({ now: new Date(now) });
    this.#uptimeMs = Date.now() - this.bootedAtMs;
    this.#day = day;
    this.month = this.#start();
  }

  /** What can happen; what `unknown` follows can't be read from then on. */
  readonly #verbs: Readonly<Record<string, (...words: string[]) => unknown>> = {
    /** Something passes through an interface, which comes up with it. */
    pass: (bytes, name = "eth0") => {
      if (!this.#counters.has(name)) this.#indexes.set(name, this.#kept ?? ++this.#lastIndex);
      this.#kept = undefined;
      this.#counters.set(name, (this.#counters.get(name) ?? 0) + Number(bytes));
    },
    shows: (bytes, name = "eth0") => this.#counters.set(name, Number(bytes)),
    vanish: (name = "") => this.#counters.delete(name),
    /** An interface goes, and keeps its index for its return. */
    remove: (name = "") => {
      this.#counters.delete(name);
      this.#kept = this.#indexes.get(name);
    },
    rename: (from = "", to = "") => {
      for (const map of [this.#counters, this.#indexes]) {
        map.set(to, map.get(from) ?? 0);
        map.delete(from);
      }
    },
    index: (name = "", index) =>
      index === "unknown" ? this.#indexes.delete(name) : this.#indexes.set(name, Number(index)),
    include: (globs = "") => this.#include = globs.split("+"),
    start: () => this.#start(),
    /** A new kernel with counters from 0, and a new agent. */
    reboot: () => {
      this.#bootId = `b${++this.#boots}`;
      this.bootedAtMs = Date.now();
      this.#uptimeMs = 0;
      for (const name of this.#counters.keys()) this.#counters.set(name, 0);
      this.#start();
    },
    bootid: (id = "") => this.#bootId = id === "unknown" ? "" : id,
    uptime: () => this.#uptimeMs = undefined,
    clock: (now = "") => this.#time.setDate(new Date(now)),
    /** The clock is set back or forth. */
    days: (days) => this.#time.setDate(Date.now() + Number(days) * 24 * 60 * MINUTE_MS),
    /** Time goes by on all clocks. */
    wait: (minutes) => {
      const ms = Math.round(Number(minutes) * MINUTE_MS);
      this.#time.tick(ms);
      if (this.#uptimeMs !== undefined) this.#uptimeMs += ms;
    },
    day: (day) => this.#day = Number(day),
    set: (sent) => this.month.set({ sentBytes: Number(sent) }),
    /** The official agent has counted this until then. */
    official: (sent, until = "") => {
      const sentBytes = Number(sent);
      const untilMs = new Date(until).getTime();
      this.#official = { sentBytes, receivedBytes: 2 * sentBytes, untilMs };
    },
    lose: () => [this.#backup, this.#disk] = [this.#disk ?? "", undefined],
    restore: () => this.month.restore(parseTrafficState(this.#backup)),
    look: () => this.look(),
    /** Requires that the state has these months beside the current one. */
    others: (...starts) => assertEquals(this.month.state()?.others.map((it) => it.start), starts),
  };

  /**
   * Lets happen what these words say, as in `pass 100 eth1, 100`. A number is looked for, what was sent
   * in the month; so is a date, when the month begins.
   */
  tell(steps: string): void {
    for (const [at, step] of steps.split(", ").entries()) {
      const where = `step ${at + 1}, ${step}`;
      const [verb = "", ...words] = step.split(" ");
      if (/^\d+$/.test(step)) assertEquals(this.look()[1], Number(step), where);
      else if (/^\d+-/.test(step)) assertEquals(this.look()[0], step, where);
      else {
        assert(this.#verbs[verb] !== undefined, where);
        this.#verbs[verb](...words);
      }
    }
  }

  /** A report, whose state is written: the period's start and sent bytes. */
  look(): [start: string, sent: number] {
    const traffic = this.month.collect();
    const state = this.month.state();
    if (traffic === undefined || state === undefined) throw new Error("nothing was measured");
    if (traffic.receivedBytes !== 2 * traffic.sentBytes) throw new Error("both ways differ");
    this.#disk = formatTrafficState(state);
    return [state.current.start, traffic.sentBytes];
  }

  /** Starts the agent with what is on the disk. */
  #start(): MonthlyTraffic {
    const traits = (name: string) => ({ index: this.#indexes.get(name) });
    const network = new NetworkCollector({ read: () => this.#netDev() }, traits, {
      globs: { include: this.#include, exclude: [] },
    });
    const uptimeSeconds = () => {
      if (this.#uptimeMs === undefined) throw new Error("Cannot read /proc/uptime");
      return this.#uptimeMs / 1000;
    };
    this.month = new MonthlyTraffic({ network, bootId: () => this.#bootId, uptimeSeconds }, {
      day: this.#day,
      importOfficial: () => this.#official,
    });
    if (this.#disk !== undefined) this.month.restore(parseTrafficState(this.#disk));
    return this.month;
  }

  #netDev(): string {
    return Array.from(
      this.#counters,
      ([name, sent]) => `${name}: ${2 * sent} 0 0 0 0 0 0 0 ${sent} 0 0 0 0 0 0 0\n`,
    ).join("");
  }

  [Symbol.dispose](): void {
    this.#time[Symbol.dispose]();
  }
}
