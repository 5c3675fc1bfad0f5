import { delay } from "@std/async/delay";
import { runTools, type ToolCommand } from "../host/tool_runner.ts";
import { dirname } from "../parse/path.ts";
import { linkOrCopy, removeIfExists, syncFile } from "../state/atomic_write.ts";
import { type Health, isReporting, readHealth, reportingPanels } from "../state/health_reader.ts";
import { removeUserCommands } from "./install_context.ts";
import type { InstallPlan } from "./install_plan.ts";
import type { InstallRecord } from "./install_record.ts";
import { removeEmptyFolder, type Step } from "./install_step.ts";
import { UNDO_TIMEOUT_MS } from "./official_service.ts";
import { hasUpdateService } from "./service_files.ts";
import { optional } from "./service_manager.ts";
import { missingFolders, pathExists, type TargetSystem } from "./target_system.ts";

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
  /** The installation before. */
  readonly previous: InstallRecord;
  /** The names of the panels that have accepted reports lately. */
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
  before: Health | undefined,
): Promise<InstallTrial | undefined> {
  const { previous, prepare, system } = plan;
  if (previous === undefined || !isReporting(before)) return undefined;
  const saved = await saveFiles(prepare, system);
  return { plan, previous, worked: reportingPanels(before), saved };
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
  { plan: { manager, prepare, record, service, system }, previous, worked, saved }: InstallTrial,
): Promise<boolean> {
  const { tools, root } = system;
  // An abort ends the trial, not the roll-back.
  const signal = AbortSignal.timeout(UNDO_TIMEOUT_MS + REPORT_TIMEOUT_MS);
  const run = (commands: readonly ToolCommand[]) => runTools(commands, { tools, signal });
  const hadUpdates = hasUpdateService(previous);
  // While its files are there.
  if (service.isUpdated && !hadUpdates) await run(manager.disableUpdates.map(optional));
  await restoreFiles(saved);
  const gaveState = prepare.some((step) => "tool" in step && step.tool === "chown");
  if (gaveState) {
    await run([{ tool: "chown", args: ["-hR", `${previous.user}:`, previous.stateFolder] }]);
  }
  const before = readHealth([root + service.runtimeFolder]);
  await run([
    ...manager.reload,
    ...manager.restart,
    ...(hadUpdates ? manager.enableUpdates : []),
    ...(record.createdUser && !previous.createdUser ? removeUserCommands(record.user, system) : []),
  ]);
  const folder = root + previous.runtimeFolder;
  const results = await waitForReports({ folder, sinceMs: 0, panels: [...worked], before }, signal);
  return results.every(({ isAccepted }) => isAccepted);
}

/** Names a file as it was, beside the one that takes its place. */
const SUFFIX = ".before";

/** A saved path in its folder. */
export function savedPath(path: string): string {
  return path + SUFFIX;
}

/**
 * The files and folders that steps are going to change, as they were: an installation that no panel
 * accepts is put back by them.
 *
 * Each file is kept as a second link to it in its folder, so owner, mode and content come back by one
 * rename, and a large program costs nothing. Paths are full, below the root of the system.
 */
export interface SavedFiles {
  readonly saved: readonly string[];
  readonly missing: readonly string[];
  readonly missingFolders: readonly string[];
}

/**
 * Saves the files that steps are going to change.
 *
 * @throws {Error} When something can't be saved; nothing is left then.
 */
export async function saveFiles(
  steps: readonly Step[],
  { root }: TargetSystem,
): Promise<SavedFiles> {
  const changed = steps.flatMap((step) =>
    "tool" in step || step.do.endsWith("folder") ? [] : [root + step.path]
  );
  const files = {
    saved: [...new Set(changed.filter(pathExists))],
    missing: changed.filter((path) => !pathExists(path)),
    missingFolders: missingFolders(changed, { root: "" }),
  };
  try {
    for (const path of files.saved) await linkOrCopy(path, savedPath(path));
  } catch (cause) {
    await discardFiles(files);
    throw new Error("Cannot keep the present installation", { cause });
  }
  return files;
}

/** Puts everything back. @throws {Error} When that fails. */
export async function restoreFiles(files: SavedFiles): Promise<void> {
  for (const path of files.saved) {
    await Deno.rename(savedPath(path), path);
    // rename() does nothing when both are links to one file.
    await removeIfExists(savedPath(path));
    await syncFile(dirname(path));
  }
  for (const path of files.missing) await removeIfExists(path);
  for (const path of files.missingFolders) await removeEmptyFolder(path);
}

/** Forgets how everything was. */
export async function discardFiles({ saved }: SavedFiles): Promise<void> {
  for (const path of saved) await removeIfExists(savedPath(path));
}
