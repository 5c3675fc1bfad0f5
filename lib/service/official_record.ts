import { jsonFields, parseJson } from "../parse/json.ts";
import { writeAllSync } from "../write_all.ts";
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
export function writeOfficialRecord(folder: string, replaced: OfficialRecord): void {
  const path = officialRecordPath(folder);
  try {
    const { manager, scope, serviceName, unitPath, binary, isDone } = replaced;
    const note = { manager, scope, serviceName, unitPath, binary, isDone };
    Deno.mkdirSync(folder, { recursive: true });
    {
      using file = Deno.openSync(`${path}.new`, { write: true, create: true, truncate: true });
      writeAllSync(file, new TextEncoder().encode(`${JSON.stringify(note, null, 2)}\n`));
      file.syncSync();
    }
    Deno.renameSync(`${path}.new`, path);
    const names = Deno.openSync(folder);
    using _ = names;
    names.syncSync();
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
