/**
 * A program that waits: `waiting_program.ts hardened|open` prints "waiting" once the runtime has its
 * handler of SIGUSR1, or one of ours is in its place.
 *
 * @module
 */

import { hardenProcess } from "../../lib/sandbox/hardening.ts";

const SIGUSR1_BIT = 1n << 9n;

if (Deno.args[0] === "hardened") hardenProcess();
const caught = () => {
  const [, mask = "0"] = /^SigCgt:\s*(\w+)$/m.exec(Deno.readTextFileSync("/proc/self/status")) ??
    [];
  return BigInt(`0x${mask}`);
};
while ((caught() & SIGUSR1_BIT) === 0n) await new Promise((resolve) => setTimeout(resolve, 5));
console.log("waiting");
setInterval(() => {}, 60_000);
