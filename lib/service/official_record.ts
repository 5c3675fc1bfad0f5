import { jsonFields, parseJson } from "../parse/json.ts";
import { syncFolder, writeToDisk } from "../state/atomic_write.ts";
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
  try {
    const note = jsonFields(parseJson(Deno.readTextFileSync(officialRecordPath(folder))));
    const manager = MANAGERS.find((kind) => kind === note.manager);
    const { serviceName, unitPath, binary, isDone } = note;
    if (manager === undefined || typeof serviceName !== "string") return undefined;
    if (typeof unitPath !== "string" || typeof binary !== "string") return undefined;
    const scope = note.scope === "user" ? "user" : "system";
    return { manager, scope, serviceName, unitPath, binary, isDone: isDone === true };
  } catch {
    return undefined;
  }
}

/** Writes and syncs the record. @throws {Error} When it can't be written. */
export async function writeOfficialRecord(
  folder: string,
  { manager, scope, serviceName, unitPath, binary, isDone }: OfficialRecord,
): Promise<void> {
  const path = officialRecordPath(folder);
  const note = { manager, scope, serviceName, unitPath, binary, isDone };
  try {
    await Deno.mkdir(folder, { recursive: true });
    await writeToDisk(`${path}.new`, { text: `${JSON.stringify(note, null, 2)}\n`, mode: 0o644 });
    await Deno.rename(`${path}.new`, path);
    await syncFolder(folder);
  } catch (cause) {
    throw new Error(`Cannot write ${path}`, { cause });
  }
}

/** Removes the record if there is one, and its folder if that is empty then. */
export function removeOfficialRecord(folder: string): void {
  for (const path of [officialRecordPath(folder), `${officialRecordPath(folder)}.new`]) {
    try {
      Deno.removeSync(path);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  try {
    Deno.removeSync(folder);
  } catch {
    // Not empty, or missing.
  }
}
