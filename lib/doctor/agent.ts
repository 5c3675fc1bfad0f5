/**
 * The running agent, by its health file: its reports, its WebSockets and its probes.
 *
 * @module
 */

import { attempt } from "../attempt.ts";
import type { Config } from "../config/config.ts";
import { panelNames } from "../config/panels.ts";
import { duration } from "../parse/quantity.ts";
import { variableValue } from "./loaded_unit.ts";
import { type Health, reportingPanels } from "../state/health_reader.ts";
import {
  closesSoon,
  isPaused,
  reportProblem,
  seenProblem,
  shortLived,
  withLostTargets,
} from "./agent_problems.ts";
import { type Check, failed, type Finding, finding, ok, skipped, warning } from "./check.ts";
import { candidates, type FoundService } from "./found_service.ts";
import { given, reinstall } from "./options.ts";
import { paused } from "./service_state.ts";

/** A failure of the running agent that may have to do with what is looked at. */
const LATELY_MS = 60_000;

/** Judges the running agent: whether its panel accepts its reports, and what it has seen. */
export function judgeAgent(
  config: Config,
  health: Health | undefined,
  found: FoundService,
): Finding {
  if (health === undefined) return skipped("no agent is seen to run here");
  const { version, pid } = health;
  const { ours, theirs, isOther } = panelsOf(config, health, found);
  if (isOther) {
    const text = `process ${pid} reports to ${theirs.join(", ")}, and `;
    // Another agent may run beside what a command line asks about.
    return config.isConfigInstalled
      ? warning(
        `${text}its configuration now has ${ours.join(", ")}`,
        `apply the new configuration: ${reinstall(config)}`,
      )
      : skipped(`${text}not to this panel`);
  }
  const nowMs = Date.now();
  const problem = reportProblem(health, nowMs);
  const accepted = `a report was accepted ${duration(nowMs - (health.acceptedAtMs ?? nowMs))} ago`;
  const lately = health.panels.flatMap(({ error }) => error ?? [])
    .find(({ atMs }) => problem === undefined && nowMs - atMs < LATELY_MS);
  const failure = lately && `a failure ${duration(nowMs - lately.atMs)} ago: ${lately.text}`;
  const other = otherConfig(config, health);
  const said = [`version ${version}, process ${pid}: ${problem ?? accepted}`, failure, other];
  const text = said.filter((it) => it !== undefined).join("; ");
  if (isPaused(pid)) return paused(text, pid);
  if (other !== undefined) {
    const status = problem === undefined ? "warning" : "failed";
    return finding(status, text, `apply the new configuration: ${reinstall(config)}`);
  }
  if (problem !== undefined) return notReporting(text, { config, health, found });
  for (const [part, status, advice] of PROBLEMS) {
    const seen = seenProblem(health, part);
    if (seen !== undefined) return finding(status, `${text}; ${seen}`, advice);
  }
  const words = (attempt(() => Deno.readTextFileSync(`/proc/${pid}/cmdline`)) ?? "").split("\0");
  return words.some((word) => /^(?:-t|--token(?:=|$))/.test(word))
    ? warning(
      `${text}; it was started with -t, so every user of this machine can read its token`,
      "give it the token by --token-file FILE or the variable AGENT_TOKEN, and restart it",
    )
    : ok(text);
}

/** The panels of a configuration, those of an agent, and whether none of them is the same. */
function panelsOf(
  config: Config,
  health: Health,
  { settings }: Pick<FoundService, "settings">,
): { ours: string[]; theirs: string[]; isOther: boolean } {
  const endpoint = variableValue(settings, "AGENT_ENDPOINT") || config.endpoint;
  const panels = [{ ...config, endpoint }, ...config.furtherPanels];
  const ours = panelNames(panels.filter(({ endpoint }) => URL.canParse(endpoint)));
  const theirs = health.panels.map(({ panel }) => panel);
  const isOther = ours.length > 0 && theirs.length > 0 &&
    !theirs.some((panel) => ours.includes(panel));
  return { ours, theirs, isOther };
}

/** The running agent, unless a command line asks about a panel that it does not report to. */
export function agentAskedAbout(
  config: Config,
  health: Health | undefined,
  found: FoundService,
): Health | undefined {
  return health && !config.isConfigInstalled && panelsOf(config, health, found).isOther
    ? undefined
    : health;
}

/** Problems of a running agent; the other parts have a check of their own. */
const PROBLEMS = [
  ["gpu", "failed", "ask the driver itself: nvidia-smi; or leave out --gpu"],
  ["authorities", "warning", "read the files named there: openssl x509 -noout -text -in FILE"],
] as const;

/** No panel accepts the reports of the running agent. */
function notReporting(
  text: string,
  { config, health, found }: { config: Config; health: Health; found: FoundService },
): Finding {
  if (config.isConfigInstalled === false && found.record !== undefined && config.endpoint === "") {
    return failed(text, "check the way to its panel as root: sudo komari-agent-deno doctor");
  }
  const unregistered = seenProblem(health, "registration");
  if (unregistered !== undefined) {
    return failed(
      `${text}; ${unregistered}`,
      "compare the key of --auto-discovery with the one on the panel's settings page",
    );
  }
  // What is fine from this shell may not be for the service, by its unit.
  const added = candidates(found, "it reports");
  return failed(
    text + (added?.text ?? ""),
    added?.look,
    // What it has met itself, with what it advises.
    health.panels.find(({ failures }) => failures > 0)?.error?.action ??
      "if all checks of the panel are fine, see whether it reports in a minute: komari-agent-deno status",
    `see in its log what it tries${found.state === undefined ? "" : `: ${found.state.logHint}`}`,
  );
}

/** That the agent of the installed service runs with other settings than its file has; `undefined` where it does not. */
export function otherConfig(
  { configPath, configDigest, isConfigInstalled }: Config,
  { configDigest: used }: Health,
): string | undefined {
  const isOther = isConfigInstalled && ![configDigest, used].includes(undefined) &&
    configDigest !== used;
  return isOther ? `${configPath} was changed after the agent read it` : undefined;
}

/**
 * Checks of the way to a panel in the light of what the agent says: what fails from this shell does not stop
 * reports that are accepted, except a token that is refused, which a panel looks at for new WebSockets alone.
 */
export function withReports(
  checks: readonly Check[],
  { config, health, panel }: { config: Config; health: Health | undefined; panel: string },
): Check[] {
  const of = health?.panels.find((seen) => seen.panel === panel);
  // Those of before an outage say nothing about now.
  const isReporting = of?.transport !== undefined && reportingPanels(health).has(panel) &&
    health !== undefined && otherConfig(config, health) === undefined;
  return checks.map((it) => {
    if (!isReporting || it.status !== "failed") return it;
    if (it.id === "token") {
      const why = of?.transport?.endsWith(" WebSocket")
        ? ` by a WebSocket that was opened ${
          duration(Date.now() - of.sinceMs)
        } ago, since the panel looks at the ` +
          "token of a new one alone"
        : "";
      return {
        ...it,
        text: `${it.text}; the running agent's reports are accepted all the same${why}`,
      };
    }
    const text =
      `${it.text}; only this shell is affected, and the running agent's reports are accepted`;
    return { ...it, status: "warning", text };
  });
}

/** Judges the WebSockets of the running agent: whether they last. */
export function judgeConnections(health: Health | undefined): Finding {
  const closed = health?.panels.find(closesSoon);
  if (health === undefined) return skipped("no agent is seen to run here");
  if (closed === undefined) return ok("none is closed soon after it opened");
  const { reason, action, more } = shortLived(closed);
  const text = health.panels.length === 1 ? reason : `${closed.panel}: ${reason}`;
  return failed(text, action, ...more);
}

/** Judges the results of the last minute's probes. */
export function judgeProbes(config: Config, health: Health | undefined): Finding {
  const panels = health?.panels ?? [];
  const run = panels.reduce((sum, { lastMinute = 0 }) => sum + lastMinute, 0);
  const lost = panels.reduce((sum, it) => sum + (it.lost ?? 0), 0);
  if (run === 0) return skipped("none ran in the last minute");
  const targets = panels.flatMap(({ lostTargets = [] }) => lostTargets);
  const text = withLostTargets(`${run} in the last minute, ${lost} lost`, panels);
  if (lost < run && targets.length === 0) return ok(text);
  const seen = seenProblem(health, "ping");
  if (seen !== undefined && targets.every(({ kind }) => kind === "icmp")) {
    return warning(`${text}: ${seen}`);
  }
  return warning(
    text,
    "see whether a target answers this machine: ping -c 3 HOST; nc -vz HOST PORT; curl -v URL",
    "see whether a firewall here drops it: nft list ruleset || iptables-save",
    `see in its log why each is lost: ${
      given({ config, settings: [] }, "--log-level debug")
    }; this machine's own addresses need --allow-local-probes`,
  );
}
