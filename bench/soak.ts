import { delay } from "@std/async/delay";
import { PERMISSIONS, V8_FLAGS } from "../build/runtime_flags.ts";
import { type FaultName, panelFault } from "../tests/test_panel/faults.ts";
import { startTestPanel } from "../tests/test_panel/test_panel.ts";
import { MeasuredProcess } from "./process_cost.ts";

// An hour at ten reports a second with faults at random: does every recovery come, does memory stay?
// `deno run -A bench/soak.ts [SECONDS]` runs it by hand; nothing here is part of the tests.

const [seconds = "3600"] = Deno.args;
const RUN_MS = Number(seconds) * 1000;
const SAMPLE_MS = 5_000;
const MAIN = new URL("../main.ts", import.meta.url).pathname;

/** What strikes, and how long a recovery may take when it is over. */
const FAULTS: readonly FaultName[] = [
  "refuse",
  "status-500",
  "server-error",
  "html",
  "token-refused",
  "302-login",
  "silence",
  "close",
  "websocket-refused",
  "upgrade-502",
  "upgrade-hang",
  "mute",
  "close-after-upgrade",
  "drop-mid-frame",
  "reset",
  "rpc-32000",
  "huge-message",
  "garbage-message",
  "bomb",
];
const RECOVERY_MS = 45_000;

const panel = await startTestPanel();
const agent = new MeasuredProcess([
  ...[...PERMISSIONS, "--no-check", V8_FLAGS, MAIN, "-e", panel.url, "-t", panel.token],
  ...["--interval", "0.1", "--ip-services", "off", "--log-level", "error"],
]);
await panel.state.until(({ counts }) => counts.reports > 0);

const startedAtMs = performance.now();
const elapsedMs = () => performance.now() - startedAtMs;
const samples: { atMs: number; residentKb: number; anonymousKb: number }[] = [];
const missed: string[] = [];
const slowest = new Map<FaultName, number>();
let rounds = 0;

const sampling = setInterval(() => {
  samples.push({ atMs: elapsedMs(), ...agent.memory() });
}, SAMPLE_MS);

while (elapsedMs() < RUN_MS) {
  await delay(5_000 + Math.random() * 25_000);
  const name = FAULTS[Math.floor(Math.random() * FAULTS.length)] ?? "refuse";
  await panel.setFault(panelFault(name));
  await delay(2_000 + Math.random() * 13_000);
  const { reports } = panel.state.counts;
  await panel.setFault(undefined);
  const clearedAtMs = elapsedMs();
  try {
    const signal = AbortSignal.timeout(RECOVERY_MS);
    // A few reports over whichever way: the first may still be one that was under way.
    await panel.state.until(({ counts }) => counts.reports >= reports + 3, { signal });
    const tookMs = elapsedMs() - clearedAtMs;
    slowest.set(name, Math.max(slowest.get(name) ?? 0, tookMs));
  } catch {
    missed.push(`${name} at ${Math.round(clearedAtMs / 1000)} s`);
  }
  rounds++;
}
clearInterval(sampling);

const meanKb = (fromMs: number, toMs: number) => {
  const within = samples.filter(({ atMs }) => atMs >= fromMs && atMs < toMs);
  return within.reduce((sum, { residentKb }) => sum + residentKb, 0) / within.length;
};
const sixthMs = RUN_MS / 6;
const sixths = [0, 1, 2, 3, 4, 5].map((at) => meanKb(at * sixthMs, (at + 1) * sixthMs) / 1024);
const second = meanKb(sixthMs, 2 * sixthMs);
const last = meanKb(5 * sixthMs, RUN_MS);
const { counts } = panel.state;
console.log(
  `${seconds} s, ${rounds} faults, ${counts.reports} reports, ${counts.connections} connections`,
);
console.log(`missed recoveries: ${missed.length === 0 ? "none" : missed.join(", ")}`);
for (const [name, tookMs] of slowest) {
  console.log(`  ${name.padEnd(22)}back within ${(tookMs / 1000).toFixed(1)} s`);
}
console.log(
  `resident memory: ${(last / 1024).toFixed(1)} MB in the last sixth, ${
    (second / 1024).toFixed(1)
  } MB in the second: ${((last / second - 1) * 100).toFixed(1)} %`,
);
console.log(`  by sixths: ${sixths.map((mb) => mb.toFixed(1)).join(", ")} MB`);
console.log(`violations of the contract: ${counts.violations}`);
await agent.end();
panel.close();
Deno.exit(missed.length === 0 ? 0 : 1);
