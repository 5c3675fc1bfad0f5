import type { OfficialAgent } from "./official_agent.ts";
import { MANAGERS } from "./service_manager.ts";

/** The official agent whose place was taken, as it is noted beside the configuration. */
export interface OfficialRecord
  extends Pick<OfficialAgent, "manager" | "scope" | "serviceName" | "unitPath" | "binary"> {
  /** Whether the panel has accepted this agent in its place. */
  readonly isDone: boolean;
}

/** Where the note is kept in a folder. */
export function officialRecordPath(folder: string): string {
  return `${folder}/replaced.json`;
}

/** The note of what was replaced; `undefined` when there is none that can be used. */
export function readOfficialRecord(folder: string): OfficialRecord | undefined {
  try {
    const note: Record<string, unknown> = {
      ...JSON.parse(Deno.readTextFileSync(officialRecordPath(folder))),
    };
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

/** Brings the note to the disk. @throws {Error} When it can't be written. */
export function writeOfficialRecord(folder: string, replaced: OfficialRecord): void {
  const path = officialRecordPath(folder);
  try {
    const { manager, scope, serviceName, unitPath, binary, isDone } = replaced;
    const note = { manager, scope, serviceName, unitPath, binary, isDone };
    Deno.mkdirSync(folder, { recursive: true });
    {
      using file = Deno.openSync(`${path}.new`, { write: true, create: true, truncate: true });
      const bytes = new TextEncoder().encode(`${JSON.stringify(note, null, 2)}\n`);
      for (let at = 0; at < bytes.length;) at += file.writeSync(bytes.subarray(at));
      file.syncSync();
    }
    Deno.renameSync(`${path}.new`, path);
    using names = Deno.openSync(folder);
    names.syncSync();
  } catch (cause) {
    throw new Error(`Cannot write ${path}`, { cause });
  }
}

/** Takes the note away, if there is one, and the folder, if nothing else is in it. */
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
    // It is not empty, or it is gone.
  }
}
