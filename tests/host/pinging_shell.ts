/**
 * Has the helper shell ping, by the `ping` of a folder, and tells whether a user of this process is root:
 * `pinging_shell.ts FOLDER`.
 *
 * @module
 */

import { isRoot } from "../../lib/sandbox/seal.ts";
import { Shell } from "../../lib/sandbox/shell.ts";

const shell = new Shell({ proc: "/proc", path: Deno.args[0] ?? "", leavesRoot: isRoot() });
console.log(isRoot(), shell.staysRoot, await shell.ping("192.0.2.1"));
Deno.exit();
