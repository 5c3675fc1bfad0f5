import { NetworkCollector } from "../../lib/metrics/network.ts";
import { MonthlyTraffic } from "../../lib/traffic/monthly_traffic.ts";
import type { NetStaticSum } from "../../lib/traffic/net_static.ts";
import { formatTrafficState, parseTrafficState } from "../../lib/traffic/traffic_state.ts";
import { FakeTime } from "../fake_time.ts";

/**
 * A machine with its interfaces, and an agent on it that is started again and again, under a fake
 * clock.
 */
export class FakeMonth implements Disposable {
  /** Sent bytes of each interface; twice as many are received. */
  readonly counters = new Map<string, number>();
  day: number;
  bootedAtMs: number;
  boots = 1;
  include: readonly string[] = ["eth*"];
  official: NetStaticSum | undefined;
  /** What is on the disk. */
  disk: string | undefined;
  month: MonthlyTraffic;
  readonly #time: FakeTime;
  #uptimeMs: number;
  readonly #indexes = new Map<string, number>();
  #lastIndex = 1;
  #kept: number | undefined;

  constructor(now: string, options: { day?: number; bootedAt?: string } = {}) {
    this.bootedAtMs = new Date(options.bootedAt ?? now).getTime();
    this.#time = new FakeTime({ now: new Date(now) });
    this.#uptimeMs = Date.now() - this.bootedAtMs;
    this.day = options.day ?? 1;
    this.month = this.start();
  }

  /** Starts the agent with what is on the disk. */
  start(): MonthlyTraffic {
    const source = { read: () => this.#netDev() };
    const traits = (name: string) => ({ index: this.#indexes.get(name) });
    const network = new NetworkCollector(source, traits, {
      globs: { include: this.include, exclude: [] },
    });
    this.month = new MonthlyTraffic({
      network,
      bootId: () => `b00${this.boots}`,
      uptimeSeconds: () => this.#uptimeMs / 1000,
    }, { day: this.day, importOfficial: () => this.official });
    if (this.disk !== undefined) this.month.restore(parseTrafficState(this.disk));
    return this.month;
  }

  /** A report, whose state is written: the period's start and sent bytes. */
  look(): [start: string, sent: number] {
    const traffic = this.month.collect();
    const state = this.month.state();
    if (traffic === undefined || state === undefined) throw new Error("nothing was measured");
    if (traffic.receivedBytes !== 2 * traffic.sentBytes) throw new Error("both ways differ");
    this.disk = formatTrafficState(state);
    return [state.current.start, traffic.sentBytes];
  }

  /** Something passes through an interface, which comes up with it. */
  pass(bytes: number, name = "eth0"): void {
    if (!this.counters.has(name)) this.#indexes.set(name, this.#kept ?? ++this.#lastIndex);
    this.#kept = undefined;
    this.counters.set(name, (this.counters.get(name) ?? 0) + bytes);
  }

  /** An interface goes, and keeps its index for its return; the bytes that it had sent. */
  remove(name: string): number {
    const bytes = this.counters.get(name) ?? 0;
    this.counters.delete(name);
    this.#kept = this.#indexes.get(name);
    return bytes;
  }

  /** The kernel gives an interface another name. */
  rename(from: string, to: string): void {
    this.counters.set(to, this.counters.get(from) ?? 0);
    this.counters.delete(from);
    this.#indexes.set(to, this.#indexes.get(from) ?? 0);
    this.#indexes.delete(from);
  }

  /** Time goes by on all clocks. */
  wait(ms: number): void {
    this.#time.tick(ms);
    this.#uptimeMs += ms;
  }

  /** The clock on the wall is set. */
  setClock(now: string | number): void {
    this.#time.setDate(new Date(now));
  }

  [Symbol.dispose](): void {
    this.#time[Symbol.dispose]();
  }

  /** A new kernel with counters from 0, and a new agent. */
  reboot(): void {
    this.boots++;
    this.bootedAtMs = Date.now();
    this.#uptimeMs = 0;
    for (const name of this.counters.keys()) this.counters.set(name, 0);
    this.start();
  }

  #netDev(): string {
    return Array.from(
      this.counters,
      ([name, sent]) => `${name}: ${2 * sent} 0 0 0 0 0 0 0 ${sent} 0 0 0 0 0 0 0\n`,
    ).join("");
  }
}

export const MINUTE_MS = 60_000;
export const DAY_MS = 24 * 60 * MINUTE_MS;
