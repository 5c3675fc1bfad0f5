/**
 * Messages over a WebSocket of v1.
 *
 * @module
 */

import type { Intake } from "./intake.ts";
import type { Node } from "./node.ts";
import { parseWireObject, stringIn, writeWireJson } from "./wire_json.ts";

/** Takes a message; gives the error that is answered, and nothing to a good one. */
export function takeV1Message(
  message: string,
  context: { atMs: number; intake: Intake; node: Node },
): string | undefined {
  const { atMs, intake, node } = context;
  const by = "v1 websocket";
  intake.search(message, { what: by, atMs });
  const object = parseWireObject(message);
  if (object === undefined) {
    intake.refuse(`${by}: is no JSON object`, atMs);
    return "Invalid JSON";
  }
  if (Object.hasOwn(object, "jsonrpc")) {
    // The panel stores a report of zeros and says nothing.
    intake.note([`${by}: a message of v2`], atMs);
    node.reported(1, { presence: false });
    return undefined;
  }
  const { type, ...rest } = object;
  const kind = type === undefined ? "" : stringIn(object, "type");
  if (kind === "ping_result") {
    const verdict = intake.take("ping result", { body: writeWireJson(rest), atMs, by });
    return verdict.accepted ? undefined : "Invalid ping result format";
  }
  if (kind !== "" && kind !== "report") {
    intake.refuse(`${by}: the type is unknown`, atMs);
    return "Unknown message type";
  }
  const verdict = intake.take("report", { body: writeWireJson(rest), atMs, by });
  if (verdict.accepted) {
    node.reported(1, { presence: false });
    return undefined;
  }
  return verdict.answer.status === 400
    ? "Invalid report format"
    : verdict.violations[0] ?? "out of range";
}
