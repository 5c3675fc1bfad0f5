import { collectedSources, toDryRun } from "../../lib/cli/dry_run.ts";
import { GpuCollectors } from "../../lib/metrics/gpu.ts";
import { openLinuxMachine } from "../../lib/metrics/machine.ts";
import { Rates } from "../../lib/metrics/rates.ts";
import { takeSnapshot } from "../../lib/metrics/snapshot.ts";
import { toWireBasicInfo, toWireReport } from "../../lib/panel/protocol.ts";
import { FakeTime } from "../fake_time.ts";
import { assertDataEquals } from "./assert_data.ts";
import { configOf } from "./config_of.ts";
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
async function measured(name: string) {
  using time = new FakeTime();
  const host = new FakeMachine(name);
  const gpu = new GpuCollectors(host);
  // Beside its trees is what nvidia-smi tells.
  gpu.nvidia.useNvidiaSmi(() => Promise.resolve(host.readText("/nvidia-smi.txt")));
  await gpu.nvidia.start();
  const cards = takeSnapshot(gpu.rows()).gpus ?? [];
  const machine = openLinuxMachine(host, configOf());
  await machine.refresh?.();
  const { collectors } = machine;
  const snapshot = takeSnapshot(collectors);
  const basicInfo = toWireBasicInfo({
    facts: machine.facts(),
    snapshot,
    addresses: {},
    version: "1.2.3",
    withoutNewColumns: false,
  });
  const rates = new Rates();
  const report = toWireReport(rates.report(snapshot));
  await machine.refresh?.();
  host.advance(time);
  takeSnapshot(gpu.rows());
  await gpu.nvidia.start();
  const laterReport = toWireReport(rates.report(takeSnapshot(collectors)));
  const { sources, interfaces } = toDryRun(machine, {
    ...{ basicInfo, report: laterReport, secondsBetween: host.description.seconds },
    sources: collectedSources(collectors, new Map()),
  });
  const mounts = machine.mounts().map((it) => ({ ...it, name: it.mountPoint }));
  return {
    basicInfo,
    report,
    laterReport,
    memory: sources.ram,
    interfaces: byRule(interfaces),
    mountPoints: byRule(mounts),
    ...cards.length > 0 && {
      graphicsCards: { cards, laterCards: takeSnapshot(gpu.rows()).gpus ?? [] },
    },
  };
}

for (const name of names) {
  Deno.test(`the basic info and reports of ${name} are as recorded`, async () => {
    const expected: unknown = JSON.parse(
      Deno.readTextFileSync(new URL(`${name}/expected.json`, fixtures)),
    );
    assertDataEquals<unknown>(await measured(name), expected);
  });
}
