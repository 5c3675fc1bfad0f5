import { FakeTree } from "./fake_tree.ts";

/**
 * Writes a recorded machine of tests/fixtures/ below a folder, as a container sees its host's trees,
 * and gives the place of its `/proc`, for `HOST_PROC`.
 */
export function writeRecordedMachine(name: string, root: string): string {
  new FakeTree(new URL(`../fixtures/${name}/`, import.meta.url), "").writeTo(root);
  Deno.symlinkSync("../net", `${root}/proc/1/net`);
  Deno.symlinkSync("../self/mountinfo", `${root}/proc/1/mountinfo`);
  return `${root}/proc`;
}
