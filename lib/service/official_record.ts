import { attempt } from "../attempt.ts";
import { jsonFields, parseJson } from "../parse/json.ts";
import { removeIfExists, syncFolder, writeToDisk } from "../state/atomic_write.ts";
import type { OfficialAgent } from "./official_agent.ts";
import { MANAGERS } from "./service_manager.ts";

/** The official agent that was replaced, recorded beside the configuration. */
export interface OfficialRecord
  extends Pick<OfficialAgent, "manager" | "scope" | "serviceName" | "unitPath" | "binary"> {
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

/** Writes and syncs the record. @throws {Error} When it can't be written. */
export async function writeOfficialRecord(
  folder: string,
  { manager, scope, serviceName, unitPath, binary, isDone }: OfficialRecord,
): Promise<void> {
  const path = officialRecordPath(folder);
  const fields = { manager, scope, serviceName, unitPath, binary, isDone };
  try {
    await Deno.mkdir(folder, { recursive: true });
    await writeToDisk(`${path}.new`, { text: `${JSON.stringify(fields, null, 2)}\n`, mode: 0o644 });
    await Deno.rename(`${path}.new`, path);
    await syncFolder(folder);
  } catch (cause) {
    throw new Error(`Cannot write ${path}`, { cause });
  }
}

/** Removes the record if there is one, and its folder if that is empty then. */
export async function removeOfficialRecord(folder: string): Promise<void> {
  await removeIfExists(officialRecordPath(folder));
  await removeIfExists(`${officialRecordPath(folder)}.new`);
  // Unless it is not empty, or missing.
  attempt(() => Deno.removeSync(folder));
}
