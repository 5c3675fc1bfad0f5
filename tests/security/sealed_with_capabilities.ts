/**
 * A process that seals itself: `sealed_with_capabilities.ts whole|filter FILE [LIBRARY]` prints the capabilities
 * of its threads before and afterwards, those of its helper shell, and whether it can look at a file that only
 * root may. By the library one of its threads takes no signals.
 *
 * @module
 */

import { sealByKernel, sealGap, sealProcess } from "../../lib/sandbox/seal.ts";
import { Shell } from "../../lib/sandbox/shell.ts";
import { exists } from "../exists.ts";

const [mode, file = "", library] = Deno.args;

function capabilitiesOf(folder: string): string[] {
  const text = Deno.readTextFileSync(`${folder}/status`);
  return [...text.matchAll(/^Cap(?:Inh|Prm|Eff|Amb):\t(.*)$/mg)].map(([, set = ""]) => set);
}

function ofThreads(): string[] {
  const threads = [...Deno.readDirSync("/proc/self/task")];
  return threads.flatMap(({ name }) => capabilitiesOf(`/proc/self/task/${name}`));
}

if (library !== undefined) {
  const { symbols } = Deno.dlopen(library, {
    start_deaf_thread: { parameters: [], result: "i32" },
  });
  if (symbols.start_deaf_thread() !== 0) throw new Error("no thread");
}
const shell = new Shell({ proc: "/proc" });
await shell.countProcesses();
const [child = ""] = Deno.readTextFileSync(`/proc/self/task/${Deno.pid}/children`).split(" ");
const ofShell = capabilitiesOf(`/proc/${child}`);
const before = ofThreads();
let after: string[] = [];
let gap: string | undefined;
if (mode === "whole") {
  const look = () => {
    after = ofThreads();
  };
  gap = sealGap(await sealProcess({ looksAtFiles: true }, look));
} else {
  sealByKernel();
}
console.log(JSON.stringify({ gap, before, after, ofShell, looked: exists(file) }));
Deno.exit();
