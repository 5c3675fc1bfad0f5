import { type InstallRecord, parseInstallRecord } from "../service/install_record.ts";

/**
 * What was installed by a record's account, or `undefined` where there is none.
 *
 * @throws {Error} When there is one that can't be read or used.
 */
export function readInstallRecord(path: string): InstallRecord | undefined {
  try {
    return parseInstallRecord(Deno.readTextFileSync(path));
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound) return undefined;
    throw new Error(`Cannot read ${path}`, { cause });
  }
}
