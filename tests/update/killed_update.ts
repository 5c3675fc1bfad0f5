/**
 * An update that kills itself at a step, as a power loss would: `PLACE STEP`, the first as JSON.
 *
 * @module
 */

import { partsOf, performNow } from "./world.ts";

const [place = "", at = ""] = Deno.args;
await performNow({
  ...partsOf(JSON.parse(place)),
  onStep(step) {
    if (step === at) Deno.kill(Deno.pid, "SIGKILL");
  },
});
