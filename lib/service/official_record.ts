import { attempt } from "../attempt.ts";
import { jsonFields, parseJson } from "../parse/json.ts";
import { removeIfExists } from "../state/atomic_write.ts";
import type { FileStep } from "./install_step.ts";
import { type ManagerKind, MANAGERS } from "./service_manager.ts";
import type { ServiceScope } from "./service_paths.ts";

/** The service of an official agent. */
export interface OfficialService {
  readonly manager: ManagerKind;
  readonly scope: ServiceScope;
  /** Without the extension of its file. */
  readonly serviceName: string;
  /** The unit file, script or property list. */
  readonly unitPath: string;
  readonly binary: string;
}

/** The official agent that was replaced, recorded beside the configuration. */
export interface OfficialRecord extends OfficialService {
  /** Whether the panel accepted this agent in its place. */
  readonly isDone: boolean;
}

/** The path of the record in a configuration folder. */
export function officialRecordPath(folder: string): string {
  return `${folder}/replaced.json`;
}

/** Reads the record; `undefined` when it is missing or invalid. */
export function readOfficialRecord(folder: string): OfficialRecord | undefined {
  const text = attempt(() => Deno.readTextFileSync(officialRecordPath(folder))) ?? "";
  const fields = jsonFields(parseJson(text));
  const manager = MANAGERS.find((kind) => kind === fields.manager);
  const { serviceName, unitPath, binary, isDone } = fields;
  if (manager === undefined || typeof serviceName !== "string") return undefined;
  if (typeof unitPath !== "string" || typeof binary !== "string") return undefined;
  const scope = fields.scope === "user" ? "user" : "system";
  return { manager, scope, serviceName, unitPath, binary, isDone: isDone === true };
}

/** The step that writes the record into a configuration folder. */
export function officialRecordStep(
  folder: string,
  { manager, scope, serviceName, unitPath, binary, isDone }: OfficialRecord,
): FileStep {
  const fields = { manager, scope, serviceName, unitPath, binary, isDone };
  const text = `${JSON.stringify(fields, null, 2)}\n`;
  return { do: "file", path: officialRecordPath(folder), text, mode: 0o644 };
}

/** Removes the record if there is one, and its folder if that is empty then. */
export async function removeOfficialRecord(folder: string): Promise<void> {
  await removeIfExists(officialRecordPath(folder));
  await removeIfExists(`${officialRecordPath(folder)}.new`);
  // Unless it is not empty, or missing.
  attempt(() => Deno.removeSync(folder));
}
