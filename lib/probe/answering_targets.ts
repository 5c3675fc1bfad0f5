import type { ProbeTarget } from "../parse/probe_target.ts";

/** Time after which all targets are tried again, the best one first. */
const KNOWN_MS = 10 * 60_000;
/** Choices that are remembered. */
const MAX_KNOWN = 1000;

/** Remembers which one of several targets has answered: the others are not tried for a while. */
export class AnsweringTargets {
  readonly #known = new Map<string, { target: ProbeTarget; untilMs: number }>();

  /** The targets to try in turn. */
  toTry(targets: readonly ProbeTarget[]): readonly ProbeTarget[] {
    const known = this.#known.get(keyOf(targets));
    return known === undefined || known.untilMs <= performance.now() ? targets : [known.target];
  }

  /** One of several targets has answered. */
  add(targets: readonly ProbeTarget[], target: ProbeTarget): void {
    if (targets.length < 2 || this.toTry(targets).length < 2) return;
    const key = keyOf(targets);
    this.#known.delete(key);
    this.#known.set(key, { target, untilMs: performance.now() + KNOWN_MS });
    const [oldest] = this.#known.keys();
    if (this.#known.size > MAX_KNOWN && oldest !== undefined) this.#known.delete(oldest);
  }
}

function keyOf(targets: readonly ProbeTarget[]): string {
  return targets.length < 2 ? "" : JSON.stringify(targets);
}
