import { attempt } from "../attempt.ts";

/** A state file that was deleted while an agent has it open, which keeps its content. */
export interface DeletedState {
  /** Where it was. */
  readonly path: string;
  /** By which it can be read: `/proc/PID/fd/NUMBER`. */
  readonly descriptor: string;
}

/**
 * Finds the state files of a process that were deleted since it has opened them, by the links in
 * `/proc/PID/fd`; none where those are not for this user.
 */
export function deletedStates(pid: number): DeletedState[] {
  const folder = `/proc/${pid}/fd`;
  const names = attempt(() => Array.from(Deno.readDirSync(folder), ({ name }) => name)) ?? [];
  return names.flatMap((name) => {
    const descriptor = `${folder}/${name}`;
    const link = attempt(() => Deno.readLinkSync(descriptor)) ?? "";
    const [, path] = /^(\/.*\.state) \(deleted\)$/.exec(link) ?? [];
    return path === undefined ? [] : [{ path, descriptor }];
  });
}
