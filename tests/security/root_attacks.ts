/**
 * What root's process can do by native code of an attacker's: `root_attacks.ts MODE LIBRARY` opens what
 * the agent opens, defends itself, and prints a line `{name, succeeded}` for each attack. A thread of the
 * library's, which is older than the defence, makes them.
 *
 * MODE is `sealed`, `nobody` for root given up without the filter, `netlink` with neither but a netlink
 * socket of the agent's, or `open`.
 *
 * @module
 */

import { LocalHost } from "../../lib/host/local_host.ts";
import { NEWEST_SYSCALL, seccompPolicy } from "../../lib/sandbox/seccomp_policy.ts";
import { giveUpRoot, sealProcess } from "../../lib/sandbox/seal.ts";

const [mode = "", library = ""] = Deno.args;
const { symbols } = Deno.dlopen(library, {
  start_thread: { parameters: [], result: "i32" },
  attack: { parameters: ["i32"], result: "i32" },
  netlink_of: { parameters: ["i32"], result: "i32" },
});
// As many threads of the runtime's as an agent has.
const worker = new Worker("data:text/javascript,postMessage(7)", { type: "module" });
await new Promise((resolve) => worker.onmessage = resolve);
if (symbols.start_thread() !== 0) throw new Error("no thread");
const links = new LocalHost().openLinks("/proc/net/dev");

/** The socket that asks about links is that of the agent, or one that root has just made. */
const isOwn = mode !== "open" ? 1 : 0;
if (symbols.netlink_of(isOwn) < 0) throw new Error("no netlink socket");
if (mode === "sealed") {
  const { kernelError, staysRoot } = await sealProcess();
  if (kernelError !== undefined || staysRoot !== undefined) {
    throw new Error(kernelError ?? staysRoot);
  }
}
if (mode === "nobody") giveUpRoot();

/** Of the library: numbers from here on are system calls, whose error is the result. */
const CALLS = 1000;

const ATTACKS = [
  "become root",
  "read /etc/shadow",
  "have the kernel look for a module, by SIOCGIFINDEX",
  "have the kernel look for a module, by SIOCGIFFLAGS",
  "make a netlink socket",
  "make an interface, over a netlink socket that is open",
  "add an address, over a netlink socket that is open",
  "add a policy rule, over a netlink socket that is open",
  "send a signal to root's processes",
  "have the kernel look for a classifier's module, over a netlink socket that is open",
];
for (const [number, name] of ATTACKS.entries()) {
  console.log(JSON.stringify({ name, succeeded: symbols.attack(number) === 1 }));
}
if (mode === "sealed") {
  const architecture = Deno.build.arch === "x86_64" ? "amd64" : "arm64";
  const policy = seccompPolicy(architecture, Deno.pid);
  const denied = Array.from({ length: NEWEST_SYSCALL + 1 }, (_, number) => number)
    .filter((number) => !policy.has(number));
  const EPERM = 1;
  const passed = denied.filter((number) => symbols.attack(CALLS + number) !== EPERM);
  console.log(JSON.stringify({ denied: denied.length, passed }));
}
console.log(JSON.stringify({ index: links?.find("lo") }));
Deno.exit(0);
