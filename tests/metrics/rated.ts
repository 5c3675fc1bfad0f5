import { Rates } from "../../lib/metrics/rates.ts";
import type { CpuTime, Speeds, TimedBytes, TrafficBytes } from "../../lib/types.ts";

/** Looks at traffic as one panel gets it: its totals, and the speeds since the look before. */
export function rated(
  network: {
    collect(): TrafficBytes | undefined;
    readonly passed?: TimedBytes | undefined;
    passedAt?(): TimedBytes;
  },
): () => (TrafficBytes & Partial<Speeds>) | undefined {
  const rates = new Rates();
  return () => {
    const traffic = network.collect();
    const passed = network.passedAt?.() ?? network.passed;
    if (traffic === undefined) return undefined;
    const { speeds } = rates.report({ ...(passed && { passed }), failures: [] });
    return { ...traffic, ...speeds };
  };
}

/** Looks at the use of a CPU as one panel gets it: in percent, since the look before. */
export function ratedCpu(cpu: { collect(): CpuTime | undefined }): () => number | undefined {
  const rates = new Rates();
  return () => {
    const cpuTime = cpu.collect();
    return rates.report({ ...(cpuTime && { cpuTime }), failures: [] }).cpuPercent;
  };
}
