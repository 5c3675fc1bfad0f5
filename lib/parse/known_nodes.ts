import { nodeOf, type RegisteredNode } from "./registration.ts";

/** A node of this machine's at one panel. */
export interface KnownNode extends RegisteredNode {
  /** The panel's base URL without a slash at its end. */
  readonly endpoint: string;
  /** When it was registered here, in milliseconds since 1970; absent when it was taken over. */
  readonly registeredAtMs?: number;
}

const VERSION = 1;
/** Nobody moves between more panels; the one used longest ago goes first. */
const KEPT = 16;

/** The text that {@linkcode parseKnownNodes} reads. */
export function formatKnownNodes(nodes: readonly KnownNode[]): string {
  return JSON.stringify({ version: VERSION, nodes }, null, 2) + "\n";
}

/** @throws {SyntaxError} When the text was not written by {@linkcode formatKnownNodes}. */
export function parseKnownNodes(text: string): KnownNode[] {
  const { version, nodes }: Record<string, unknown> = { ...JSON.parse(text) };
  if (version !== VERSION || !Array.isArray(nodes)) throw damaged();
  return nodes.map(knownNode);
}

/** The nodes with one more, which takes the place of what was known of its panel before. */
export function withNode(nodes: readonly KnownNode[], node: KnownNode): KnownNode[] {
  return [node, ...nodes.filter(({ endpoint }) => endpoint !== node.endpoint)].slice(0, KEPT);
}

function knownNode(value: unknown): KnownNode {
  const { endpoint, registeredAtMs }: Record<string, unknown> = { ...Object(value) };
  if (typeof endpoint !== "string") throw damaged();
  const node = { endpoint, ...nodeOf(value) };
  if (registeredAtMs === undefined) return node;
  if (!isTime(registeredAtMs)) throw damaged();
  return { ...node, registeredAtMs };
}

function damaged(): SyntaxError {
  return new SyntaxError("Cannot read the known nodes: the text is damaged");
}

function isTime(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}
