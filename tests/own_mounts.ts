import { works } from "./only_on.ts";

/** Words that start a command with mounts of its own, after a command that makes them. */
export function ownMounts(command: string): [string, ...string[]] {
  return ["unshare", "-rm", "sh", "-c", `${command} && exec "$0" "$@"`];
}

/** Whether this machine and this user can have mounts of their own; says so if not. */
export const hasOwnMounts: boolean = Deno.build.os === "linux" &&
  await works(
    [...ownMounts("mount --bind /usr /mnt"), "true"],
    "with own files: a mount namespace",
  );
