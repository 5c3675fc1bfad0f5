/**
 * An update that kills itself at a step, as a power loss would: `PATH URL MUTE STEP`.
 *
 * @module
 */

import { runFakeUpdate } from "./fake_installation.ts";

const [path = "", url = "", silentVersions = "", at = ""] = Deno.args;
await runFakeUpdate({ path, url, silentVersions: silentVersions.split(",") }, (step) => {
  if (step === at) Deno.kill(Deno.pid, "SIGKILL");
});
