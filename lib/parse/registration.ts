/** A node that has registered itself at a panel. */
export interface RegisteredNode {
  readonly uuid: string;
  /** The node's secret. */
  readonly token: string;
}

/**
 * Reads what a panel answers to a registration.
 *
 * @throws {SyntaxError} When it names no node; the message has nothing of the text, for that may
 * hold a token.
 */
export function parseRegistration(text: string): RegisteredNode {
  const { status, data } = objectOf(text);
  if (status !== "success") throw unreadable();
  return nodeOf(data);
}

/**
 * Reads the file `auto-discovery.json` of an official agent.
 *
 * @throws {SyntaxError} When it names no node; the message has nothing of the text.
 */
export function parseOfficialNode(text: string): RegisteredNode {
  return nodeOf(objectOf(text));
}

/** Takes a node out of a value that came from outside. @throws {SyntaxError} When it is none. */
export function nodeOf(value: unknown): RegisteredNode {
  if (typeof value !== "object" || value === null) throw unreadable();
  const { uuid, token }: Record<string, unknown> = { ...value };
  if (typeof uuid !== "string" || !/^[\w-]{1,64}$/.test(uuid)) throw unreadable();
  if (typeof token !== "string" || !/^[!-~]{1,256}$/.test(token)) throw unreadable();
  return { uuid, token };
}

function objectOf(text: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // The parser's own error quotes the text.
    throw unreadable();
  }
  return typeof value === "object" && value !== null ? { ...value } : {};
}

function unreadable(): SyntaxError {
  return new SyntaxError("Cannot read the node: there is no uuid with a token");
}
