import { attempt } from "../attempt.ts";

/** A state file that was deleted while an agent has it open, which keeps its content. */
export interface DeletedState {
  /** Its name, such as `month.state`. Its folder had another path where the agent has its own mounts. */
  readonly name: string;
  /** By which it can be read: `/proc/PID/fd/NUMBER`. */
  readonly descriptor: string;
}

/**
 * Finds the state files of a process that were deleted since it has opened them, by the links in
 * `/proc/PID/fd`; none where those are not for this user.
 */
export function deletedStates(pid: number): DeletedState[] {
  const folder = `/proc/${pid}/fd`;
  const numbers = attempt(() => Array.from(Deno.readDirSync(folder), ({ name }) => name)) ?? [];
  return numbers.flatMap((number) => {
    const descriptor = `${folder}/${number}`;
    const link = attempt(() => Deno.readLinkSync(descriptor)) ?? "";
    const [, name] = /\/([^/]+\.state) \(deleted\)$/.exec(link) ?? [];
    return name === undefined ? [] : [{ name, descriptor }];
  });
}
