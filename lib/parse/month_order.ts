import type { BothWays } from "../types.ts";

/** What the period's totals are to be; what is absent stays as it is. */
export type MonthOrder = Partial<BothWays>;

/** The order as it is left for a running agent. */
export function formatMonthOrder({ sentBytes, receivedBytes }: MonthOrder): string {
  return JSON.stringify({ sentBytes, receivedBytes });
}

/**
 * Reads what {@linkcode formatMonthOrder} has written.
 *
 * @throws {SyntaxError} When it is anything else.
 */
export function parseMonthOrder(text: string): MonthOrder {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (cause) {
    throw new SyntaxError("Cannot parse the order about the month's traffic", { cause });
  }
  const order: { sentBytes?: number; receivedBytes?: number } = {};
  const fields = typeof parsed === "object" && parsed !== null ? Object.entries(parsed) : [];
  for (const [name, value] of fields) {
    const isKnown = name === "sentBytes" || name === "receivedBytes";
    if (!isKnown || !Number.isSafeInteger(value) || value < 0) {
      throw new SyntaxError(`Cannot parse the order about the month's traffic: ${name}`);
    }
    order[name] = Number(value);
  }
  if (fields.length === 0) {
    throw new SyntaxError("Cannot parse the order about the month's traffic");
  }
  return order;
}
