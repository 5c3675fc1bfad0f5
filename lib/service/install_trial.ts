import { delay } from "@std/async/delay";
import { runTools, type ToolCommand } from "../host/tool_runner.ts";
import { type Health, isReporting, readHealth, reportingPanels } from "../state/health_reader.ts";
import type { InstallContext } from "./install_context.ts";
import type { InstallPlan } from "./install_plan.ts";
import { UNDO_TIMEOUT_MS } from "./official_service.ts";
import { restoreFiles, type SavedFiles, saveFiles } from "./saved_files.ts";
import { optional } from "./service_manager.ts";
import { removeUserCommands } from "./service_user.ts";
import { hasUpdateService } from "./update_service.ts";

/** Time for the first accepted report; the README promises one within 30 s. */
export const REPORT_TIMEOUT_MS = 30_000;
const POLL_INTERVAL_MS = 250;

/** Whether a panel has accepted a report since a start. */
export interface PanelResult {
  /** Host and path of its address. */
  readonly panel: string;
  readonly isAccepted: boolean;
  /** The last failure in words, if one is known. */
  readonly error: string | undefined;
}

/** The start whose reports are waited for. */
interface Start {
  /** The folder of the agent's health file. */
  readonly folder: string;
  /** In milliseconds since 1970. */
  readonly sinceMs: number;
  /** The names of the panels, in the order of the configuration. */
  readonly panels: readonly string[];
  /** The agent that ran before: its reports don't count. */
  readonly before?: Health | undefined;
}

/**
 * Waits until each panel has accepted a report of an agent that was started since, 30 s at most.
 *
 * @throws The signal's reason when it aborts.
 */
export async function waitForReports(start: Start, signal: AbortSignal): Promise<PanelResult[]> {
  for (let waitedMs = 0;; waitedMs += POLL_INTERVAL_MS) {
    const results = panelResults(readHealth([start.folder]), start);
    const areAccepted = results.every(({ isAccepted }) => isAccepted);
    if (areAccepted || waitedMs >= REPORT_TIMEOUT_MS) return results;
    await delay(POLL_INTERVAL_MS, { signal });
  }
}

function panelResults(
  health: Health | undefined,
  { sinceMs, panels, before }: Start,
): PanelResult[] {
  const isOther = health?.isRunning === true &&
    (health.pid !== before?.pid || health.startedAtMs !== before.startedAtMs);
  return panels.map((panel) => {
    if (!isOther) return { panel, isAccepted: false, error: undefined };
    const known = health.panels.find((it) => it.panel === panel);
    const { acceptedAtMs } = known ?? health;
    const isAccepted = acceptedAtMs !== undefined && acceptedAtMs >= sinceMs;
    return { panel, isAccepted, error: known?.error?.text };
  });
}

/**
 * The trial of a new configuration in place of one that works: a node that is online stays online.
 *
 * As with an update, the new one stays if its reports are accepted, and the one before returns
 * otherwise.
 */
export interface InstallTrial {
  readonly plan: InstallPlan;
  /** The names of the panels that have accepted reports lately; empty with older agents. */
  readonly worked: ReadonlySet<string>;
  readonly saved: SavedFiles;
}

/**
 * Saves what the installation is going to change; `undefined` when no panel accepts the reports of
 * the present one, if there is any.
 *
 * @throws {Error} When it can't be saved.
 */
export async function beginTrial(
  plan: InstallPlan,
  { previous, system }: InstallContext,
  before: Health | undefined,
): Promise<InstallTrial | undefined> {
  if (previous === undefined || !isReporting(before)) return undefined;
  const trees = plan.record.trees.filter((path) => !previous.trees.includes(path));
  const saved = await saveFiles(plan.prepare, trees, system);
  return { plan, worked: reportingPanels(before), saved };
}

/**
 * Whether the node is worse off than before: a panel that has worked accepts nothing now, or where
 * all were replaced, none of the new ones does.
 */
export function isWorse({ worked }: InstallTrial, results: readonly PanelResult[]): boolean {
  const kept = results.filter(({ panel }) => worked.has(panel));
  return kept.length > 0
    ? kept.some(({ isAccepted }) => !isAccepted)
    : results.every(({ isAccepted }) => !isAccepted);
}

/**
 * Puts the installation before back, and waits for a report of it; the result says whether a panel
 * accepts one.
 *
 * @throws {Error} When something can't be put back.
 */
export async function rollBackTrial(
  { plan: { service, prepare }, worked, saved }: InstallTrial,
  { manager, previous, system, user }: InstallContext,
): Promise<boolean> {
  const { tools, root } = system;
  // An abort ends the trial, not the roll-back.
  const signal = AbortSignal.timeout(UNDO_TIMEOUT_MS + REPORT_TIMEOUT_MS);
  const run = (commands: readonly ToolCommand[]) => runTools(commands, { tools, signal });
  const hadUpdates = previous !== undefined && hasUpdateService(previous);
  // While its files are there.
  if (service.isUpdated && !hadUpdates) await run(manager.disableUpdates.map(optional));
  await restoreFiles(saved);
  const gaveState = prepare.some((step) => "tool" in step && step.tool === "chown");
  if (gaveState && previous !== undefined) {
    const { user, stateFolder } = previous;
    await run([{ tool: "chown", args: ["-hR", `${user}:`, stateFolder] }]);
  }
  const before = readHealth([root + service.runtimeFolder]);
  await run([
    ...manager.reload,
    ...manager.restart,
    ...(hadUpdates ? manager.enableUpdates : []),
    ...(user.createCommands.length > 0 ? removeUserCommands(user.name, system) : []),
  ]);
  const folder = root + (previous?.runtimeFolder ?? service.runtimeFolder);
  // Older agents name no panels.
  const panels = worked.size > 0 ? [...worked] : [""];
  const results = await waitForReports({ folder, sinceMs: 0, panels, before }, signal);
  return results.every(({ isAccepted }) => isAccepted);
}
