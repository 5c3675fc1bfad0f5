/**
 * The month's traffic, persisted from one run of the agent to the next.
 *
 * @module
 */

import type { Config } from "../config/config.ts";
import type { Host } from "../host/host.ts";
import { readBootId } from "../host/local_host.ts";
import { readOfficialTraffic } from "../host/official_files.ts";
import { stateFolder } from "../state/paths.ts";
import { StateFile } from "../state/state_file.ts";
import { StatePersister } from "../state/state_persister.ts";
import { describeError, getLogger } from "../log/log.ts";
import type { Machine } from "../metrics/machine.ts";
import type { Collectors } from "../metrics/snapshot.ts";
import { MonthlyTraffic } from "./monthly_traffic.ts";
import { type NetStaticSum, sumNetStatic } from "./net_static.ts";
import { formatTrafficState, parseTrafficState, type TrafficState } from "./traffic_state.ts";

/** The machine whose traffic is counted. */
export interface TrafficMachine {
  readonly host: Pick<Host, "roots">;
  readonly machine: Pick<Machine, "collectors" | "bootId">;
}

/** The month's traffic and its state file. */
export interface StoredTraffic {
  readonly traffic: MonthlyTraffic;
  readonly file: StateFile<TrafficState>;
}

/** Creates the count with a reset on `day` of each month; reads and writes nothing yet. */
export function openMonthlyTraffic(
  config: Config,
  { day, open: { host, machine } }: { day: number; open: TrafficMachine },
): StoredTraffic {
  const file = trafficStateFile(config);
  const { traffic, uptime } = machine.collectors;
  const isCounted = (name: string) => traffic.total.counters().has(name);
  return {
    file,
    traffic: new MonthlyTraffic({
      network: traffic,
      day,
      bootId: machine.bootId ?? readBootId(host.roots.proc),
      uptimeSeconds() {
        try {
          return uptime.collect();
        } catch {
          // The next report names it.
          return undefined;
        }
      },
      importOfficial: (sinceMs) => importOfficial(file.folder, { sinceMs, isCounted }),
    }),
  };
}

/** The state file. */
export function trafficStateFile(config: Config): StateFile<TrafficState> {
  return new StateFile(stateFolder(config), { name: "month", parse: parseTrafficState });
}

/** The month's traffic of a running agent. */
export interface PersistentTraffic {
  /** The machine's collectors, with the month's totals. */
  readonly collectors: Collectors;
  /** Persists the count until `signal` aborts, and once more then. */
  run(signal: AbortSignal): Promise<void>;
}

/** Restores the state and opens it for writing. @throws {Error} When the state folder is not usable. */
export async function persistTraffic(
  config: Config,
  open: TrafficMachine,
): Promise<PersistentTraffic> {
  const { traffic, file } = openMonthlyTraffic(config, { day: config.monthRotate, open });
  const persister = new StatePersister(file, {
    name: "The month's traffic",
    generation: () => traffic.generation,
    adopt: (state) => traffic.restore(state),
    text() {
      try {
        traffic.sample();
      } catch {
        // The next report says so.
      }
      const state = traffic.state();
      return state && formatTrafficState(state);
    },
  });
  await persister.open();
  return {
    collectors: { ...open.machine.collectors, traffic },
    run: (signal) => persister.run(signal),
  };
}

/** The month's traffic of a dry run, which does not write. */
export interface ReadOnlyTraffic {
  /** The machine's collectors, with the month's totals. */
  readonly collectors: Collectors;
  /** Describes the origin of the totals; called after a sample. */
  source(): string;
}

/** Restores the state without writing. @throws {Error} When the state can't be read. */
export function readTraffic(config: Config, open: TrafficMachine): ReadOnlyTraffic {
  const { traffic, file } = openMonthlyTraffic(config, { day: config.monthRotate, open });
  const { value, problems } = file.read();
  if (value !== undefined) traffic.restore(value);
  const state = [value === undefined ? `no ${file.path} yet` : file.path, ...problems].join("; ");
  return {
    collectors: { ...open.machine.collectors, traffic },
    source: () => `since ${traffic.total()?.start ?? "the start"}, ${state}`,
  };
}

function importOfficial(
  folder: string,
  wish: { sinceMs: number; isCounted: (name: string) => boolean },
): NetStaticSum | undefined {
  const found = readOfficialTraffic(folder);
  if (found === undefined) return undefined;
  const { path } = found;
  try {
    const sum = sumNetStatic(found.text, wish);
    getLogger("agent").info(
      "Imported the month's traffic of the official agent from {path}",
      {
        path,
      },
    );
    return sum;
  } catch (error) {
    getLogger("agent").warning("Cannot import {path}: {error}", {
      path,
      error: describeError(error),
    });
    return undefined;
  }
}
