/**
 * A process that seals itself: `sealed_with_capabilities.ts whole|filter FILE` prints the capabilities of its
 * threads before and afterwards, those of its helper shell, and whether it can look at a file that only
 * root may.
 *
 * @module
 */

import { sealByKernel, sealProcess } from "../../lib/sandbox/seal.ts";
import { Shell } from "../../lib/sandbox/shell.ts";
import { exists } from "../exists.ts";

const [mode, file = ""] = Deno.args;

function capabilitiesOf(folder: string): string[] {
  const text = Deno.readTextFileSync(`${folder}/status`);
  return [...text.matchAll(/^Cap(?:Inh|Prm|Eff|Amb):\t(.*)$/mg)].map(([, set = ""]) => set);
}

function ofThreads(): string[] {
  const threads = [...Deno.readDirSync("/proc/self/task")];
  return threads.flatMap(({ name }) => capabilitiesOf(`/proc/self/task/${name}`));
}

const shell = new Shell({ proc: "/proc" });
await shell.countProcesses();
const [child = ""] = Deno.readTextFileSync(`/proc/self/task/${Deno.pid}/children`).split(" ");
const ofShell = capabilitiesOf(`/proc/${child}`);
const before = ofThreads();
let after: string[] = [];
let keeps: string | undefined;
if (mode === "whole") {
  const look = () => {
    after = ofThreads();
  };
  ({ keepsCapabilities: keeps } = await sealProcess({ looksAtFiles: true }, look));
} else {
  sealByKernel();
}
console.log(JSON.stringify({ keeps, before, after, ofShell, looked: exists(file) }));
Deno.exit();
