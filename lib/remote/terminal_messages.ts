import { isJsonObject, parseJson } from "../parse/json.ts";

/** Rows and columns of a terminal, 1 to 1000 each. */
export interface TerminalSize {
  rows: number;
  columns: number;
}

/** Meaning of a text frame on a terminal's connection. */
export type TerminalMessage =
  | { kind: "keys"; text: string }
  | { kind: "resize"; size: TerminalSize }
  /** The user has closed the terminal. */
  | { kind: "close" };

const LARGEST = 1000;

/**
 * Reads a text frame that the panel sends to a terminal; `undefined` when it is a message of an
 * unknown kind, a heartbeat, or one without a usable value.
 *
 * Only a JSON object is a message: a digit that is typed is JSON as well.
 */
export function parseTerminalMessage(text: string): TerminalMessage | undefined {
  // Most frames are single keys.
  const message = text.trimStart().startsWith("{") ? parseJson(text) : undefined;
  if (!isJsonObject(message)) return { kind: "keys", text };
  switch (message["type"]) {
    case "close":
      return { kind: "close" };
    case "input": {
      const input = message["input"];
      return typeof input === "string" ? { kind: "keys", text: input } : undefined;
    }
    case "resize": {
      const rows = edge(message["rows"]);
      const columns = edge(message["cols"]);
      if (rows === undefined || columns === undefined) return undefined;
      return { kind: "resize", size: { rows, columns } };
    }
    default:
      return undefined;
  }
}

/** A browser whose window is hidden asks for 0 rows; that is no size. */
function edge(value: unknown): number | undefined {
  if (typeof value !== "number" || !Number.isInteger(value) || value < 1) return undefined;
  return Math.min(value, LARGEST);
}
