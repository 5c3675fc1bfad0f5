/**
 * An agent as far as its health goes, in a folder; it ends by the signal to restart.
 *
 * @module
 */

import { HealthFile } from "../../lib/state/health_file.ts";
import { RESTART_EXIT_CODE, RESTART_SIGNAL } from "../../lib/host/this_program.ts";

const file = HealthFile.open([Deno.args[0] ?? ""], { version: "1.2.3" });
Deno.addSignalListener(RESTART_SIGNAL, () => {
  file?.close();
  Deno.exit(RESTART_EXIT_CODE);
});
file?.accepted(1000);
setInterval(() => {}, 1000);
