import { assertEquals } from "@std/assert";
import type { InterfaceTraits } from "../../lib/host/interface_traits.ts";
import { KernelLookup, type LookupShell } from "../../lib/host/kernel_lookup.ts";

const ROOTS = { proc: "/proc", sys: "/sys", root: "/" };

function paperHost(folders: Record<string, string[]>) {
  return {
    roots: ROOTS,
    exists: (path: string) => path in folders,
    list: (path: string) => folders[path],
    readLink: () => undefined,
    readText: () => undefined,
  };
}

const TRAITS: InterfaceTraits = {
  device: true,
  bond: false,
  bondSlave: false,
  deviceSlave: false,
  bridge: false,
  tunnel: false,
  stacked: false,
  switchPort: false,
  bridgePort: false,
  master: undefined,
  index: undefined,
};

Deno.test("KernelLookup looks itself before the seal", () => {
  const tree = new KernelLookup(paperHost({
    "/proc": ["1", "27", "self", "sys"],
    "/sys/class/net/eth0": ["device"],
  }));
  assertEquals(tree.processCount(), 2);
  assertEquals(tree.interfaceTraits("eth0"), TRAITS);
  assertEquals(tree.interfaceTraits("eth1"), undefined);
});

Deno.test("KernelLookup asks the shell after the seal, and has the count a look later", async () => {
  const tree = new KernelLookup(paperHost({ "/proc": ["1", "2"] }));
  assertEquals(tree.processCount(), 2);
  let asked = 0;
  const shell: LookupShell = {
    countProcesses: () => Promise.resolve(++asked * 10),
    interfaceTraits: () => Promise.resolve(TRAITS),
  };
  tree.useShell(shell);
  assertEquals(tree.processCount(), 2, "the last count until the shell has answered");
  await Promise.resolve();
  await Promise.resolve();
  assertEquals(tree.processCount(), 10);
  assertEquals(await tree.interfaceTraits("eth0"), TRAITS);
});

Deno.test("KernelLookup knows nothing new when the shell is gone", async () => {
  const tree = new KernelLookup(paperHost({ "/proc": ["1", "2"] }));
  tree.processCount();
  tree.useShell({
    countProcesses: () => Promise.reject(new Error("gone")),
    interfaceTraits: () => Promise.reject(new Error("gone")),
  });
  tree.processCount();
  for (let turn = 0; turn < 5; turn++) await Promise.resolve();
  assertEquals(tree.processCount(), undefined, "an old count is no count");
  assertEquals(await tree.interfaceTraits("eth0"), undefined);
});

Deno.test("KernelLookup without a shell keeps no count that has grown old", () => {
  const tree = new KernelLookup(paperHost({ "/proc": ["1", "2"] }));
  tree.processCount();
  tree.useShell(undefined);
  assertEquals(tree.interfaceTraits("eth0"), undefined);
  assertEquals(tree.processCount(), undefined);
});
