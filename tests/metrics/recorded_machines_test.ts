import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { toDryRun } from "../../lib/cli/dry_run.ts";
import { KernelTree } from "../../lib/host/kernel_lookup.ts";
import { type Machine, openLinuxMachine } from "../../lib/metrics/machine.ts";
import { takeSnapshot } from "../../lib/metrics/snapshot.ts";
import { toWireBasicInfo, toWireReport } from "../../lib/panel/protocol.ts";
import { FakeMachine } from "./fake_machine.ts";

const fixtures = new URL("../fixtures/", import.meta.url);

const names = Array.from(Deno.readDirSync(fixtures), ({ name }) => name)
  .filter((name) => hasFile(`${name}/machine.json`)).sort();

function hasFile(path: string): boolean {
  try {
    return Deno.statSync(new URL(path, fixtures)).isFile;
  } catch {
    return false;
  }
}

/** Names by what was decided for them, in the order in which the decisions are told. */
function byRule(
  decisions: readonly { name: string; counted: boolean; rule: string }[],
): Record<string, string[]> {
  const groups: Record<string, string[]> = {};
  for (const { name, counted, rule } of decisions) {
    (groups[`${counted ? "counted" : "left out"}: ${rule}`] ??= []).push(name);
  }
  return groups;
}

/** What the panel gets of a machine, and what was decided on the way. */
function measured(name: string) {
  const host = new FakeMachine(name);
  const machine: Machine = openLinuxMachine(host, new KernelTree(host), {
    includeNics: [],
    excludeNics: [],
    includeMountPoints: [],
    memoryMode: "htop",
    arch: host.description.arch,
  });
  const { collectors } = machine;
  const snapshot = takeSnapshot(collectors);
  const basicInfo = toWireBasicInfo({
    facts: machine.readFacts(),
    snapshot,
    addresses: {},
    version: "1.2.3",
    withoutNewColumns: false,
  });
  const report = toWireReport(snapshot);
  host.advance();
  const laterReport = toWireReport(takeSnapshot(collectors));
  const { sources, interfaces } = toDryRun({
    ...{ machine, basicInfo, report: laterReport, secondsBetween: host.description.seconds },
    ...{ proc: host.roots.proc, addressSource: "" },
  });
  const mounts = collectors.disk.mounts().map((it) => ({ ...it, name: it.mountPoint }));
  return {
    basicInfo,
    report,
    laterReport,
    memory: sources.ram,
    interfaces: { by: sources.interfaces, ...byRule(interfaces) },
    mountPoints: { by: sources.mountPoints, ...byRule(mounts) },
  };
}

for (const name of names) {
  Deno.test(`the basic info and reports of ${name} are as recorded`, () => {
    const expected: unknown = JSON.parse(
      Deno.readTextFileSync(new URL(`${name}/expected.json`, fixtures)),
    );
    assertEquals(measured(name), expected);
  });
}

Deno.test("each recorded machine has a line in the README", () => {
  assert(names.length >= 14, `only ${names.length} machines`);
  const readme = Deno.readTextFileSync(new URL("README.md", fixtures));
  for (const name of names) assertStringIncludes(readme, `| \`${name}\` |`);
});
