import type { GraphicsCard } from "../types.ts";

/** What measures one graphics card, or all that one source tells of. */
export interface GraphicsCollector {
  /** What it measures, in words fit for the public. */
  readonly subject: string;
  /**
   * What was found at the last look, which is repeated every {@linkcode LOOK_AGAIN_MS} at most.
   *
   * @throws {Error} When that look failed.
   */
  collect(): readonly GraphicsCard[] | undefined;
  /** Whether each card is reported, and from which source. */
  verdicts(): readonly CardVerdict[];
}

/** A card and why it is reported or not. */
export interface CardVerdict {
  readonly name: string;
  readonly counted: boolean;
  readonly rule: string;
  /** What was found at the last look, where it is reported. */
  readonly card?: GraphicsCard;
}

/**
 * Time between two looks: 10 s, and a little less, since reports that are 5 s or 10 s apart are
 * never so to the millisecond. Longer than the 5 s after which a driver lets an idle card sleep, for
 * each look counts as work.
 */
export const LOOK_AGAIN_MS = 9_500;
