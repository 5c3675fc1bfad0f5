/**
 * The month's traffic, persisted from one run of the agent to the next.
 *
 * @module
 */

import { attempt } from "../attempt.ts";
import type { Config } from "../config/config.ts";
import { type OfficialFile, readOfficialTraffic } from "../host/official_files.ts";
import { stateFolder } from "../state/paths.ts";
import { StateFile } from "../state/state_file.ts";
import type { ProblemObserver } from "../state/health_file.ts";
import { StatePersister } from "../state/state_persister.ts";
import { describeError, getLogger } from "../log/log.ts";
import type { Collector } from "../metrics/snapshot.ts";
import { type Machine, NETWORK_SUBJECT } from "../metrics/machine.ts";
import { MonthlyTraffic } from "./monthly_traffic.ts";
import { type NetStaticSum, sumNetStatic } from "./net_static.ts";
import { TrafficRequestFile } from "../state/traffic_request.ts";
import { formatTrafficState, parseTrafficState, type TrafficState } from "./traffic_state.ts";

/** The month's traffic and its state file. */
export interface StoredTraffic {
  readonly traffic: MonthlyTraffic;
  readonly file: StateFile<TrafficState>;
}

/** Creates the count with a reset on `day` of each month; reads and writes nothing yet. */
export function openMonthlyTraffic(
  config: Config,
  { day, machine, onNewPeriod = () => {}, readOfficial }: {
    day: number;
    machine: Machine;
    /** Called when another month begins. */
    onNewPeriod?: () => void;
    /** The official agent's count, which is asked for where there is no state. */
    readOfficial?: () => OfficialFile | undefined;
  },
): StoredTraffic {
  const file = trafficStateFile(config);
  const isCounted = (name: string) =>
    machine.network.interfaces().some((it) => it.counted && it.name === name);
  const traffic = new MonthlyTraffic(machine, {
    day,
    importOfficial(sinceMs) {
      const found = readOfficial === undefined ? readOfficialTraffic(file.folder) : readOfficial();
      return found && importOfficial(found, { sinceMs, isCounted });
    },
    onNewPeriod,
  });
  return { file, traffic };
}

/** The state file. */
export function trafficStateFile(config: Config): StateFile<TrafficState> {
  return new StateFile(stateFolder(config), { name: "month", parse: parseTrafficState });
}

/** The month's traffic of a running agent. */
export interface PersistentTraffic {
  /** The machine's collectors, with the month's totals. */
  readonly collectors: readonly Collector[];
  /** Persists the count until `signal` aborts, and once more then. */
  run(signal: AbortSignal): Promise<void>;
}

/** Restores the state and opens it for writing; `observer` is told when that, or a write, fails. */
export async function persistTraffic(
  config: Config,
  machine: Machine,
  observer: ProblemObserver | undefined,
): Promise<PersistentTraffic> {
  let official: OfficialFile | undefined;
  const { traffic, file } = openMonthlyTraffic(config, {
    readOfficial: () => official,
    day: config.monthRotate,
    machine,
    // A kill before the next write would give the new month's bytes to the old one.
    onNewPeriod: () => persister.flush(),
  });
  const persister = new StatePersister(file, {
    name: "The month's traffic",
    generation: () => traffic.generation,
    adopt: (state) => traffic.restore(state),
    text() {
      // The next report says why it failed.
      attempt(() => traffic.sample());
      const state = traffic.state();
      return state && formatTrafficState(state);
    },
  }, observer);
  await persister.open();
  // The first look comes when the process may not read it any more.
  if (!traffic.isRestored) official = readOfficialTraffic(file.folder);
  const requests = attempt(() => TrafficRequestFile.create(file.folder));
  const takeOver = () => requests && takeRequest(requests, { traffic, persister });
  return {
    collectors: withMonth(machine, { traffic, state: file.path, takeOver }),
    async run(signal) {
      await persister.run(signal);
      requests?.[Symbol.dispose]();
    },
  };
}

/** Sets the totals that `traffic set` asks for, writes them, and answers. */
function takeRequest(
  requests: TrafficRequestFile,
  { traffic, persister }: { traffic: MonthlyTraffic; persister: StatePersister<TrafficState> },
): void {
  // Another agent that has the folder answers.
  const request = persister.isOwner ? attempt(() => requests.request()) : undefined;
  if (request === undefined) return;
  attempt(() => traffic.sample());
  if (!traffic.set(request.total)) return;
  const { id } = request;
  attempt(() => requests.clear());
  persister.flush().then((problem) => attempt(() => requests.answer(id, problem)));
}

/**
 * The machine's collectors with the month's totals, for a dry run: restores the state and writes none.
 *
 * @throws {Error} When the state can't be read.
 */
export function readTraffic(config: Config, machine: Machine): readonly Collector[] {
  const { traffic, file } = openMonthlyTraffic(config, { day: config.monthRotate, machine });
  const { value, problems } = file.read();
  if (value !== undefined) traffic.restore(value);
  const state = [value === undefined ? `no ${file.path} yet` : file.path, ...problems].join("; ");
  return withMonth(machine, { traffic, state });
}

/** The machine's table, in which the month's totals take the place of those since boot. */
function withMonth(
  machine: Machine,
  { traffic, state, takeOver = () => {} }: {
    traffic: MonthlyTraffic;
    state: string;
    /** Called before each look. */
    takeOver?: () => void;
  },
): Collector[] {
  return machine.collectors.map((collector) =>
    collector.subject !== NETWORK_SUBJECT ? collector : {
      ...collector,
      collect() {
        takeOver();
        return { traffic: traffic.collect(), passed: machine.network.passed };
      },
      sources: () => ({
        ...collector.sources(),
        traffic: `since ${traffic.total()?.start ?? "the start"}, ${state}`,
      }),
    }
  );
}

function importOfficial(
  { path, text }: OfficialFile,
  wish: { sinceMs: number; isCounted: (name: string) => boolean },
): NetStaticSum | undefined {
  const log = getLogger("agent");
  try {
    const sum = sumNetStatic(text, wish);
    log.info("Imported the month's traffic of the official agent from {path}", { path });
    return sum;
  } catch (error) {
    log.warning("Cannot import {path}: {error}", { path, error: describeError(error) });
    return undefined;
  }
}
