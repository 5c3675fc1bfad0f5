import { assertEquals } from "@std/assert";
import { openDarwinMachine } from "../lib/darwin_machine.ts";
import type { Machine, MachineOptions } from "../lib/machine.ts";
import { toWireBasicInfo, toWireReport } from "../lib/protocol.ts";
import { takeSnapshot } from "../lib/snapshot.ts";
import type { Snapshot } from "../lib/types.ts";
import { PaperMac } from "./paper_mac.ts";

async function open(mac: PaperMac, options: Partial<MachineOptions> = {}): Promise<Machine> {
  return await openDarwinMachine(mac.host, mac.shell, {
    includeNics: [],
    excludeNics: [],
    includeMountPoints: [],
    memoryMode: "htop",
    arch: mac.sheet.arch,
    ...options,
  });
}

function basicInfo(machine: Machine, snapshot: Snapshot) {
  return toWireBasicInfo({
    facts: machine.readFacts(),
    snapshot,
    addresses: {},
    version: "1.2.3",
    withoutNewColumns: false,
  });
}

for (const name of ["macbook-arm64", "mac-mini-amd64"]) {
  Deno.test(`openDarwinMachine() measures ${name} as it should`, async () => {
    await using mac = new PaperMac(name);
    const machine = await open(mac);
    const { collectors } = machine;
    const first = takeSnapshot(collectors);
    mac.later(4);
    await machine.refresh?.();
    const later = takeSnapshot(collectors);
    assertEquals(
      {
        basicInfo: basicInfo(machine, first),
        report: toWireReport(first),
        laterReport: toWireReport(later),
        interfaces: collectors.traffic.interfaces(),
        mountPoints: collectors.disk.mounts(),
      },
      JSON.parse(
        Deno.readTextFileSync(new URL(`fixtures/${name}/expected.json`, import.meta.url)),
      ),
    );
  });
}
