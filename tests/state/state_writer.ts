/** Writes one state after the other, as fast as the disk takes them, and tells each that is written. */
import { StateFile } from "../../lib/state/state_file.ts";

const [folder = ""] = Deno.args;
const file = new StateFile(folder, { name: "state", parse: JSON.parse });
const first = (await file.open()).value?.number ?? 0;
for (let number = first + 1;; number++) {
  await file.write(JSON.stringify({ number, padding: "x".repeat(number % 400) }));
  await Deno.stdout.write(new TextEncoder().encode(`${number}\n`));
}
