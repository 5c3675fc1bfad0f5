import type { Diagnosis } from "../diagnosis/cause.ts";
import { describeError } from "../log/log.ts";
import { LASTING_MS } from "../panel/link_log.ts";
import type { PanelObserver } from "../panel/observer.ts";
import { type Transport, transportName } from "../panel/transport.ts";
import type { HostAndPort } from "../parse/proxy.ts";
import { LOST_MS } from "../probe/prober.ts";
import type { HealthFile, PanelHealth } from "../state/health_file.ts";
import type { ProbeResult, ProbeTask } from "../types.ts";

/** The state of the connections to all panels, for the health file and the metrics. */
export class PanelMonitors {
  readonly #file: HealthFile | undefined;
  readonly #monitors: PanelMonitor[] = [];

  constructor(file: HealthFile | undefined) {
    this.#file = file;
  }

  /** Watches the connection to one more panel; `panel` is the host and path of its address. */
  open(panel: string): PanelMonitor {
    const monitor = new PanelMonitor(panel, (intervalMs) => this.#write(intervalMs));
    this.#monitors.push(monitor);
    this.#write();
    return monitor;
  }

  /** The present state of each connection. */
  health(): PanelHealth[] {
    return this.#monitors.map((monitor) => monitor.health());
  }

  /** Writes once: with an accepted report everything is recorded anyway. */
  #write(intervalMs?: number): void {
    this.#file?.setPanels(this.health(), { now: intervalMs === undefined });
    if (intervalMs !== undefined) this.#file?.accepted(intervalMs);
  }
}

/** Keeps the state of the connection to one panel. */
export class PanelMonitor implements PanelObserver {
  readonly #onChange: (intervalMs?: number) => void;
  readonly #probes = new ProbeCounts();
  /** Without the numbers of probes. */
  readonly #health: PanelHealth;

  /** @param onChange Called after a change; with the time to the next report when one was accepted. */
  constructor(panel: string, onChange: (intervalMs?: number) => void) {
    this.#health = { panel, sinceMs: Date.now(), failures: 0, probes: 0 };
    this.#onChange = onChange;
  }

  /** Names the proxy on the way to the panel. */
  setProxy({ host, port }: HostAndPort): void {
    this.#change({ proxy: `${host} port ${port}` });
  }

  /** The transport has changed; `undefined` during an outage. */
  onTransport(transport: Transport | undefined): void {
    const name = transport && transportName(transport);
    if (name !== this.#health.transport) this.#change({ transport: name, sinceMs: Date.now() });
  }

  /** The panel has accepted a report. */
  onAccepted(intervalMs: number): void {
    this.#change({ acceptedAtMs: Date.now(), intervalMs, failures: 0 }, intervalMs);
  }

  /** A call has ended, with an error if it has failed. */
  onOutcome(error: unknown, _call?: string, diagnosis?: Diagnosis): void {
    if (error === undefined) return;
    const failures = this.#health.failures + 1;
    const { reason: text, action } = diagnosis ?? { reason: describeError(error) };
    this.#change({ failures, error: { text, action, atMs: Date.now() } });
  }

  /** So many WebSockets in a row were closed soon after they opened, the last of them after so long. */
  onShortConnections(count: number, openMs: readonly number[]): void {
    const { shortConnections = 0 } = this.#health;
    const [shortestMs, longestMs] = [Math.min(...openMs), Math.max(...openMs)];
    const open = count === 0 ? {} : { shortestMs, longestMs };
    if (count !== shortConnections) this.#change({ shortConnections: count, ...open });
  }

  /** Counts the probes that are repeated. */
  onProbeTasks(tasks: readonly ProbeTask[]): void {
    const before = this.#probes.numbers().probes;
    this.#probes.list(tasks);
    if (tasks.length !== before) this.#onChange();
  }

  /** Counts a probe that the panel orders; it is written with the next report. */
  onProbeOrder(probe: OrderedTask): void {
    this.#probes.order(probe);
  }

  /** Counts a result; it is written with the next report. */
  onProbeResult(result: ProbeResult): void {
    this.#probes.add(result);
  }

  /** The present state. */
  health(): PanelHealth {
    const { transport = "", sinceMs, shortConnections = 0 } = this.#health;
    // Whether the WebSocket in use was not closed soon.
    const lasts = transport.endsWith(" WebSocket") && Date.now() - sinceMs >= LASTING_MS;
    return {
      ...this.#health,
      shortConnections: lasts ? 0 : shortConnections,
      ...this.#probes.numbers(),
    };
  }

  #change(changed: Partial<PanelHealth>, intervalMs?: number): void {
    Object.assign(this.#health, changed);
    this.#onChange(intervalMs);
  }
}

type OrderedTask = Pick<ProbeTask, "id" | "kind" | "target">;

/** A probe that the panel orders each time. */
interface OrderedProbe extends OrderedTask {
  readonly orderedAtMs: number;
  /** Time between its last two orders. */
  readonly intervalMs: number;
}

const SECONDS = 60;
/** An ordered probe counts for so long after its last order, or for three of its intervals. */
const MIN_AGE_MS = 10 * 60_000;
const AGE_INTERVALS = 3;
/** More ordered probes are not counted. */
const MAX_ORDERED = 1000;
/** A target is named after so many lost results in a row, so many targets at most, and none that is longer. */
const LOST_RESULTS = 3;
const MAX_LOST_TARGETS = 10;
const MAX_TARGET_LENGTH = 100;

/** Counts a panel's probes: those of its list, those that it orders, and their results. */
export class ProbeCounts {
  #listed: readonly ProbeTask[] = [];
  readonly #ordered = new Map<number, OrderedProbe>();
  /** Lost results in a row, by the probe's id. */
  readonly #lostInARow = new Map<number, number>();
  /** Of each of the last 60 seconds: which it is, and its results. */
  readonly #seconds = Array.from({ length: SECONDS }, () => ({ second: -1, run: 0, lost: 0 }));

  /** These are repeated from now on, and no others. */
  list(tasks: readonly ProbeTask[]): void {
    this.#listed = tasks;
  }

  /** The panel has ordered one run. */
  order({ id, kind, target }: OrderedTask): void {
    const nowMs = performance.now();
    const before = this.#ordered.get(id);
    if (before === undefined && this.#ordered.size >= MAX_ORDERED) this.#prune();
    if (before === undefined && this.#ordered.size >= MAX_ORDERED) return;
    const intervalMs = before === undefined ? 0 : nowMs - before.orderedAtMs;
    this.#ordered.set(id, { id, kind, target, orderedAtMs: nowMs, intervalMs });
  }

  /** A probe has run. */
  add({ taskId, valueMs }: Pick<ProbeResult, "taskId" | "valueMs">): void {
    if (valueMs !== LOST_MS) this.#lostInARow.delete(taskId);
    else this.#lostInARow.set(taskId, (this.#lostInARow.get(taskId) ?? 0) + 1);
    const second = Math.floor(performance.now() / 1000);
    const place = this.#seconds[second % SECONDS];
    if (place === undefined) return;
    if (place.second !== second) Object.assign(place, { second, run: 0, lost: 0 });
    place.run++;
    if (valueMs === LOST_MS) place.lost++;
  }

  /** The present numbers; those of probes are of the list and of orders. */
  numbers(): Pick<PanelHealth, "probes" | "lastMinute" | "lost" | "lostTargets"> {
    this.#prune();
    const all = [...this.#listed, ...this.#ordered.values()];
    const oldest = Math.floor(performance.now() / 1000) - SECONDS + 1;
    const sum = { lastMinute: 0, lost: 0 };
    for (const { second, run, lost } of this.#seconds) {
      if (second < oldest) continue;
      sum.lastMinute += run;
      sum.lost += lost;
    }
    const known = new Set(all.map(({ id }) => id));
    for (const id of this.#lostInARow.keys()) if (!known.has(id)) this.#lostInARow.delete(id);
    const lostTargets = all.filter(({ id, target }) =>
      (this.#lostInARow.get(id) ?? 0) >= LOST_RESULTS && target.length <= MAX_TARGET_LENGTH
    ).slice(0, MAX_LOST_TARGETS).map(({ kind, target }) => ({ kind, target }));
    return { probes: all.length, ...sum, ...lostTargets.length > 0 && { lostTargets } };
  }

  #prune(): void {
    const nowMs = performance.now();
    for (const [id, { orderedAtMs, intervalMs }] of this.#ordered) {
      const maxAgeMs = Math.max(MIN_AGE_MS, AGE_INTERVALS * intervalMs);
      if (nowMs - orderedAtMs > maxAgeMs) this.#ordered.delete(id);
    }
  }
}
