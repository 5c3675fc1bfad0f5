/**
 * Orders that are too long to be read, of which both ends are left.
 *
 * @module
 */

import type { Abridged } from "../io/abridged_bytes.ts";
import { isPanelId, methodOf, type OrderMessage } from "./orders.ts";

/** Longest order while remote control is on: a command of 4 MiB, half of whose characters are escaped. */
export const LONG_ORDER_BYTES = 8 * 1024 * 1024;
/** Longest order otherwise. */
export const ORDER_BYTES = 64 * 1024;
/** Longer messages close a WebSocket. */
export const MAX_SKIPPED_BYTES = 64 * 1024 * 1024;

/**
 * Reads what is left of an order: its name, its own id, and that of its event, if it is one.
 *
 * A name in quotes before a colon is a key of JSON: in a text its quotes are escaped.
 */
export function readLongOrder(
  { head, tail, lengthBytes }: Abridged,
  limitBytes: number,
): { id: string | undefined; order: OrderMessage } {
  const ends = [head, tail].map((bytes) => new TextDecoder().decode(bytes));
  const find = (key: string): string | undefined => {
    const pattern = new RegExp(`"${key}"\\s*:\\s*"([^"\\\\]{1,200})"`);
    const [value] = ends.flatMap((text) => pattern.exec(text)?.[1] ?? []);
    return isPanelId(value) ? value : undefined;
  };
  const name = find("method") ?? find("message");
  const orderId = find("task_id") ?? find("request_id");
  const method = methodOf(name ?? "");
  return { id: find("id"), order: { kind: "too long", method, orderId, lengthBytes, limitBytes } };
}
