import { LOST_MS } from "../probe/prober.ts";
import type { PanelHealth } from "../state/health_file.ts";
import type { ProbeKind, ProbeResult, ProbeTask } from "../types.ts";

/** A probe that the panel orders each time. */
interface OrderedProbe {
  readonly kind: ProbeKind;
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

/** Counts a panel's probes: those of its list, those that it orders, and their results. */
export class ProbeCounts {
  #listed: readonly ProbeTask[] = [];
  readonly #ordered = new Map<number, OrderedProbe>();
  /** Of each of the last 60 seconds: which it is, and its results. */
  readonly #seconds = Array.from({ length: SECONDS }, () => ({ second: -1, run: 0, lost: 0 }));

  /** These are repeated from now on, and no others. */
  list(tasks: readonly ProbeTask[]): void {
    this.#listed = tasks;
  }

  /** The panel has ordered one run. */
  order({ id, kind }: Pick<ProbeTask, "id" | "kind">): void {
    const nowMs = performance.now();
    const before = this.#ordered.get(id);
    if (before === undefined && this.#ordered.size >= MAX_ORDERED) this.#prune();
    if (before === undefined && this.#ordered.size >= MAX_ORDERED) return;
    const intervalMs = before === undefined ? 0 : nowMs - before.orderedAtMs;
    this.#ordered.set(id, { kind, orderedAtMs: nowMs, intervalMs });
  }

  /** A probe has run. */
  add({ valueMs }: Pick<ProbeResult, "valueMs">): void {
    const second = Math.floor(performance.now() / 1000);
    const place = this.#seconds[second % SECONDS];
    if (place === undefined) return;
    if (place.second !== second) Object.assign(place, { second, run: 0, lost: 0 });
    place.run++;
    if (valueMs === LOST_MS) place.lost++;
  }

  /** The present numbers; those of probes are of the list and of orders, and a kind without any is left out. */
  numbers(): Pick<PanelHealth, "probes" | "kinds" | "lastMinute" | "lost"> {
    this.#prune();
    const kinds: Partial<Record<ProbeKind, number>> = {};
    const all = [...this.#listed, ...this.#ordered.values()];
    for (const { kind } of all) kinds[kind] = (kinds[kind] ?? 0) + 1;
    const oldest = Math.floor(performance.now() / 1000) - SECONDS + 1;
    const sum = { lastMinute: 0, lost: 0 };
    for (const { second, run, lost } of this.#seconds) {
      if (second < oldest) continue;
      sum.lastMinute += run;
      sum.lost += lost;
    }
    return { probes: all.length, kinds, ...sum };
  }

  #prune(): void {
    const nowMs = performance.now();
    for (const [id, { orderedAtMs, intervalMs }] of this.#ordered) {
      const maxAgeMs = Math.max(MIN_AGE_MS, AGE_INTERVALS * intervalMs);
      if (nowMs - orderedAtMs > maxAgeMs) this.#ordered.delete(id);
    }
  }
}
