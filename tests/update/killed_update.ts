/**
 * An update that kills itself at a step, as a power loss would: `PATH URL MUTE STEP`.
 *
 * @module
 */

import { updateThere } from "./update_place.ts";

const [path = "", url = "", mute = "", at = ""] = Deno.args;
await updateThere({ path, url, mute: mute.split(",") }, (step) => {
  if (step === at) Deno.kill(Deno.pid, "SIGKILL");
});
