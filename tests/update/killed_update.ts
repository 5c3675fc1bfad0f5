/**
 * An update that kills itself at a step, as a power loss would: `PATH URL KEY VERSIONS STEP`.
 *
 * @module
 */

import { runFakeUpdate } from "./fake_installation.ts";

const [path = "", url = "", publicKey = "", silentVersions = "", at = ""] = Deno.args;
await runFakeUpdate({ path, url, publicKey, silentVersions: silentVersions.split(",") }, (step) => {
  if (step === at) Deno.kill(Deno.pid, "SIGKILL");
});
