/**
 * The contract of `agent.file.result` and `agent.startupConfig.result`.
 *
 * @module
 */

import { jsonFields } from "../../lib/parse/json.ts";
import { accept, count, fields, findDeviations, findRefusal, refuse } from "./schema.ts";
import { MAX_COUNT, type Schema, type Validation } from "./schema.ts";
import { parseWireObject, stringIn, type WireValue } from "./wire_json.ts";

const text = { kind: "string" } as const;
const flag = { kind: "boolean" } as const;
const anything = { kind: "any" } as const;
const resultSchema = fields({ request_id: text, ok: flag, result: anything, error: text }, [
  "result",
  "error",
]);
const configSchema = fields({ request_id: text, config: fields({}), error: text }, [
  "config",
  "error",
]);

const info = fields({
  name: text,
  path: text,
  is_dir: flag,
  is_symlink: flag,
  size: count(),
  mode: text,
  mode_octal: text,
  uid: count(),
  gid: count(),
  owner: text,
  group: text,
  modified_at: text,
  target: text,
}, ["target"]);
const created = fields({ created: flag }, []);
const match = fields({ path: text, line: count(), text, is_dir: flag }, ["text"]);

/** The result of each operation; roots are lists of anything. */
const operationSchemas: Readonly<Record<string, Schema>> = {
  list: { kind: "list", of: info },
  stat: info,
  create: fields({ created: flag, size: count() }),
  mkdir: created,
  delete: fields({ deleted: flag }),
  move: fields({ moved: flag }),
  // The panel hands results on as they are: the number of devices and FIFOs left out does no harm.
  copy: fields({ copied: flag, skipped: count() }, ["skipped"]),
  chmod: fields({ mode: text }),
  chown: fields({ uid: signed(), gid: signed() }),
  search: fields({ matches: { kind: "list", of: match }, limited: flag }),
  download_stream: fields({ sent: count() }),
  upload_stream: fields({ received: count(), offset: count() }),
  upload_commit: fields({ received: count(), final: flag, offset: count() }),
  upload_cancel: fields({ cancelled: flag }),
};

function signed(): Schema {
  return { kind: "integer", allowed: [-1, MAX_COUNT] };
}

/** The result of a file operation. */
export interface FileResult {
  readonly requestId: string;
  readonly ok: boolean;
  readonly result: WireValue;
}

/** Validates the parameters of `agent.file.result`. */
export function validateFileResult(body: string): Validation<FileResult> {
  const result = parseWireObject(body);
  if (result === undefined) return refuse(invalidParams, ["file result: is no JSON object"]);
  const findings = findDeviations(result, resultSchema);
  const violations = findings.map((finding) => `file result: ${finding.text}`);
  if (findRefusal(findings, { type: 400 }) !== undefined) return refuse(invalidParams, violations);
  const ok = result["ok"] === true;
  if (!ok && stringIn(result, "error") === "") {
    violations.push("file result: error is empty although ok is false");
  }
  const value = { requestId: stringIn(result, "request_id"), ok, result: result["result"] ?? null };
  return accept(value, violations);
}

/** The answer to a request for the agent's configuration. */
export interface StartupConfig {
  readonly requestId: string;
  /** Absent when the agent has refused. */
  readonly config: unknown;
}

/** Validates the parameters of `agent.startupConfig.result`. */
export function validateStartupConfig(body: string): Validation<StartupConfig> {
  const result = parseWireObject(body);
  if (result === undefined) return refuse(invalidParams, ["startup config: is no JSON object"]);
  const findings = findDeviations(result, configSchema).filter((finding) =>
    !finding.path.startsWith("config.")
  );
  const violations = findings.map((finding) => `startup config: ${finding.text}`);
  if (findRefusal(findings, { type: 400 }) !== undefined) return refuse(invalidParams, violations);
  const { config } = jsonFields(JSON.parse(body));
  return accept({ requestId: stringIn(result, "request_id"), config }, violations);
}

/** Lists the deviations of an operation's result from the contract. */
export function fileResultViolations(op: string, { ok, result }: FileResult): string[] {
  const schema = operationSchemas[op];
  if (!ok || schema === undefined) return [];
  return findDeviations(result, schema).map((finding) => `file result of ${op}: ${finding.text}`);
}

/** The panel's code of JSON-RPC for an error in the node's words. */
export function fileErrorCode({ message }: Error): number {
  const text = message.toLowerCase();
  if (text.includes("unsupported file operation")) return -32050;
  if (/permission denied|operation not permitted/.test(text)) return -32041;
  return /no such file|cannot find|not found/.test(text) ? -32044 : -32603;
}

const invalidParams = { status: 400, body: {} } as const;
