import { attempt } from "../attempt.ts";

/** A state file that an agent has open, which keeps its content wherever its name is. */
export interface OpenState {
  /** Its name, such as `month.state`. Its folder had another path where the agent has its own mounts. */
  readonly name: string;
  /** By which it can be read: `/proc/PID/fd/NUMBER`. */
  readonly descriptor: string;
  /** Whether it was deleted since. */
  readonly isDeleted: boolean;
}

/** Finds the state files of a process by the links in `/proc/PID/fd`; none where those are not for this user. */
export function openStates(pid: number): OpenState[] {
  const folder = `/proc/${pid}/fd`;
  const numbers = attempt(() => Array.from(Deno.readDirSync(folder), ({ name }) => name)) ?? [];
  return numbers.flatMap((number) => {
    const descriptor = `${folder}/${number}`;
    const link = attempt(() => Deno.readLinkSync(descriptor)) ?? "";
    const [, name, deleted] = /\/([^/]+\.state)( \(deleted\))?$/.exec(link) ?? [];
    return name === undefined ? [] : [{ name, descriptor, isDeleted: deleted !== undefined }];
  });
}
