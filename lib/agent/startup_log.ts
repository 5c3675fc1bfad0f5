/**
 * The first lines of the log: the version, the panel, what counts, and how the process is sealed.
 *
 * @module
 */

import type { Config } from "../config/config.ts";
import { panelName } from "../config/panels.ts";
import type { Programs } from "../host/programs.ts";
import { diagnoseOwn } from "../diagnosis/diagnose.ts";
import { describeSeal, type Seal, sealGap } from "../sandbox/seal.ts";
import { getLogger } from "../log/log.ts";
import type { HostAndPort } from "../parse/proxy.ts";
import type { ProblemObserver } from "../state/health_file.ts";
import type { Machine } from "../metrics/machine.ts";
import { matchesGlob } from "../parse/glob.ts";
import { VERSION } from "../version.ts";

/** Names the panel, without the parts of its address that may be secret, and the proxy on the way to it. */
export function logPanel(panel: { readonly endpoint: string }, proxy?: HostAndPort): void {
  const values = { version: VERSION, panel: panelName(panel) };
  const log = getLogger("agent");
  if (proxy === undefined) {
    log.info("komari-agent-deno {version} reports to {panel}", values);
    return;
  }
  const { host, port } = proxy;
  log.info(
    "komari-agent-deno {version} reports to {panel} through the proxy {host} port {port}",
    { ...values, host, port },
  );
}

/** Names the interfaces and mount points that count, and options that match none. */
export function logCountedParts(
  machine: Machine,
  config: Config,
  health: ProblemObserver | undefined,
): void {
  const log = getLogger("agent");
  const notices = unmatchedNotices(config, machine);
  const text = "Network: {interfaces}. Disk: {mountPoints}";
  const values = {
    interfaces: counted(machine.interfaces()) || "none",
    mountPoints: counted(machine.mounts().map((it) => ({ ...it, name: it.mountPoint }))) || "none",
    notices: notices.join("; "),
  };
  const { network, disk } = FILTER_ACTIONS;
  const action = values.notices.includes("-nics ")
    ? network
    : values.notices.includes("mountpoint")
    ? disk
    : undefined;
  if (notices.length === 0) log.info(text, values);
  else if (action === undefined) log.warning(`${text}. {notices}`, values);
  else log.warning(`${text}. {notices} \u2192 {action}`, { ...values, action });
  for (const [part, lost] of [["network", NO_TRAFFIC], ["disk", NO_SPACE]] as const) {
    const found = notices.find((notice) => notice.endsWith(lost));
    if (found !== undefined) health?.setProblem(part, found.slice(0, -lost.length));
  }
}

/** Says that no terminal can be opened where the program for it is missing. */
export function logTerminals(
  programs: Pick<Programs, "find">,
  health: ProblemObserver | undefined,
): void {
  if (programs.find("script", Deno.env.get("PATH") ?? "") !== undefined) return;
  const reason = 'there is no "script" command';
  health?.setProblem("terminal", reason);
  const { action } = diagnoseOwn("terminal", reason);
  getLogger("remote").warning("Cannot open terminals: {reason} \u2192 {action}", {
    reason,
    action,
  });
}

/** Names the seal; with remote control there is none. */
export function logSeal(seal: Seal | undefined): void {
  // Not a line that a panel causes, of which there are few in a minute.
  const log = getLogger("agent");
  if (seal === undefined) {
    log.warning(
      "Remote control is on: this process is not sealed, and the panel can run anything on this " +
        "machine as this user",
    );
    return;
  }
  const text = "Remote control is off, and this process is {seal}";
  const values = { seal: describeSeal(seal) };
  if (sealGap(seal) === undefined) log.info(text, values);
  else log.warning(text, values);
}

/** Advice on options that match nothing. */
export const FILTER_ACTIONS = {
  network: "correct --include-nics or --exclude-nics by the names that `ip link` shows",
  disk: "correct --include-mountpoint by the paths that `findmnt` shows",
} as const;

const NO_TRAFFIC = ", so no traffic is counted";
const NO_SPACE = ", so no disk space is counted";

/** A part of a machine that may count. */
interface Part {
  readonly name: string;
  readonly counted: boolean;
}

/**
 * Names what options ask for and the machine does not have, and says if nothing is counted.
 *
 * A machine without any interface or mount point was not measured yet, and gives no notice.
 *
 * @param machine `type` is empty for a mount point that only the list has; `gpu` is absent where
 * graphics cards can't be queried.
 */
export function unmatchedNotices(
  { gpu, includeNics, excludeNics, includeMountPoints }: Pick<
    Config,
    "gpu" | "includeNics" | "excludeNics" | "includeMountPoints"
  >,
  machine: {
    interfaces(): readonly Part[];
    mounts(): readonly (Omit<Part, "name"> & { mountPoint: string; type: string })[];
    readonly gpu?: unknown;
  },
): string[] {
  const [interfaces, mounts] = [machine.interfaces(), machine.mounts()];
  const noTraffic = interfaces.some((it) => it.counted) ? "" : NO_TRAFFIC;
  const noSpace = mounts.some((it) => it.counted) ? "" : NO_SPACE;
  const isMeasured = interfaces.length > 0;
  const globs = includeNics.filter((glob) =>
    isMeasured && !interfaces.some(({ name }) => matchesGlob(name, glob))
  );
  const excludesAll = isMeasured && includeNics.length === 0 && excludeNics.length > 0 &&
    noTraffic !== "";
  const missing = mounts.filter(({ type }) => type === "").map((it) => it.mountPoint);
  return [
    globs.length > 0 && `--include-nics ${globs.join(",")} matches no interface${noTraffic}`,
    excludesAll && `--exclude-nics ${excludeNics.join(",")} leaves no interface${noTraffic}`,
    includeMountPoints.length > 0 && missing.length > 0 &&
    `--include-mountpoint ${missing.join(";")} is not mounted` +
      (missing.some((path) => path.includes(",")) ? " (; separates paths)" : "") + noSpace,
    gpu && machine.gpu === undefined &&
    "--gpu has no effect: graphics cards are queried on Linux only",
  ].filter((notice) => typeof notice === "string");
}

function counted(decisions: readonly Part[]): string {
  return decisions.filter((it) => it.counted).map((it) => it.name).join(", ");
}
