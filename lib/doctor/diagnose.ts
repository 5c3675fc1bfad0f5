/**
 * All checks of `doctor`: what there is to see is gathered once, and then judged.
 *
 * They run in this shell. Of an installed service they take the configuration and the variables; what its
 * unit takes from it beside those is seen by what its agent, and its log, say.
 *
 * @module
 */

import { isTimeout, withTimeout } from "../async/timeout.ts";
import { attempt } from "../attempt.ts";
import type { Config } from "../config/config.ts";
import { panelNames } from "../config/panels.ts";
import { isUsageError } from "../config/usage_error.ts";
import { type ThisProgram, thisProgram } from "../host/this_program.ts";
import { describeError } from "../log/log.ts";
import type { Platform } from "../metrics/open_machine.ts";
import { agentFolders } from "../service/install_record.ts";
import { NodeStore } from "../panel/node_store.ts";
import { type Health, readHealth } from "../state/health_reader.ts";
import { stateFolder } from "../state/paths.ts";
import { MIRROR_ADVICE } from "../update/releases.ts";
import { knowsReleases, VERSION } from "../version.ts";
import {
  agentAskedAbout,
  judgeAgent,
  judgeConnections,
  judgeProbes,
  withReports,
} from "./agent.ts";
import {
  type Check,
  failed,
  type Finding,
  makeCheck,
  ok,
  skipped,
  warning,
  withoutSecrets,
} from "./check.ts";
import {
  findService,
  type FoundService,
  serviceVariables,
  unreadVariable,
} from "./found_service.ts";
import { type Look, machineLooks, trySeal } from "./machine.ts";
import { asRoot, type OfService, reinstall } from "./options.ts";
import { inOrder } from "./order.ts";
import { checkOtherAgents } from "./other_agents.ts";
import { gatherPanel, judgePanel, type PanelEvidence } from "./panel.ts";
import { judgeService } from "./service_state.ts";
import { wayTo } from "./way.ts";

/** All checks end within so long, whatever hangs. */
const TOTAL_MS = 20_000;
/** A look at a release that takes longer is no fault of this machine's. */
const RELEASE_MS = 5_000;
/** Of that, for the seal, which is tried when all others have ended. */
const SEAL_MS = 2_500;

/** What the checks need of the command that makes them. */
export interface Surroundings {
  readonly env: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
  readonly secrets: readonly string[];
  readonly platform: Platform;
  /** The configuration of the same command line with other variables. @throws {UsageError} */
  resolveIn(env: Readonly<Record<string, string>>): Config;
  /** The newest release. @throws {Error} When it can't be looked up. */
  findUpdate(
    config: Config,
    program: ThisProgram,
    signal: AbortSignal,
  ): Promise<{ readonly decision: string; readonly version?: string | undefined }>;
}

/** Makes all checks, the one that names the cause first. */
export async function diagnose(asked: Config, here: Surroundings): Promise<Check[]> {
  const { env, signal, platform } = here;
  const limits = { signal, deadline: AbortSignal.timeout(TOTAL_MS - SEAL_MS) };
  const health = runningAgent(asked, env);
  const startedAtMs = performance.now();
  const found = await findService(asked, { env, signal });
  const serviceMs = Math.round(performance.now() - startedAtMs);
  const config = withRegisteredToken(asService(asked, found, here));
  const { settings, unit, record } = found;
  // One that reports elsewhere says nothing of what is asked about.
  const agent = agentAskedAbout(config, health, found);
  const isMistaken = config.mistake !== undefined;
  const isUnread = record !== undefined && config.endpoint === "" && !isMistaken;
  const make = (...[id, title, look]: Look) => makeCheck(id, title, look, limits);
  const pids = [health?.pid ?? 0, Number(unit?.property("MainPID") ?? 0)].filter((pid) => pid > 0);
  const ofMachine = machineLooks({ ...platform, config, settings, health: agent, unit })
    // State and remote control of a configuration that was not read are unknown.
    .filter(([id]) => !isUnread || !["state", "remote"].includes(id));
  const checks = await Promise.all([
    ...isMistaken
      ? []
      : config.endpoint === ""
      ? [make("panel", "Panel", () => noPanel(config, record?.config))]
      : panelChecks(config, { asked, settings, health, ...limits }),
    make("config", "Configuration", () => judgeConfig(config)),
    { ...judgeService(found, health), id: "service", title: "Service", ms: serviceMs },
    make("agent", "Running agent", () => judgeAgent(config, health, found)),
    make("agents", "Other agents", (signal) => checkOtherAgents(config, { env, pids, signal })),
    make("connections", "Connections", () => judgeConnections(agent)),
    make("probes", "Probes", () => judgeProbes(config, agent)),
    make("version", "Version", (signal) => checkVersion(config, here, signal)),
    ...ofMachine.map((look) => make(...look)),
  ]);
  // It ends what this process may do.
  const deadline = AbortSignal.timeout(SEAL_MS);
  const seal = (signal: AbortSignal) => trySeal({ config, health: agent, ...platform }, signal);
  const last = await makeCheck("seal", "Seal", seal, { signal, deadline });
  const secrets = [...here.secrets, ...config.secrets];
  return inOrder([...checks.flat(), last].map((it) => withoutSecrets(it, secrets)));
}

/** The agent of the installed service or of this user, if it runs and this user can see it. */
function runningAgent(config: Config, env: Surroundings["env"]): Health | undefined {
  const health = readHealth(agentFolders(config, env));
  return health?.isRunning ? health : undefined;
}

/** The configuration as the installed service has it: by its own variables, and none of this shell's. */
function asService(config: Config, found: FoundService, here: Surroundings): Config {
  if (!config.isConfigInstalled || found.record === undefined) return config;
  const variables = serviceVariables(found);
  const isOfAgent = (name: string) =>
    /^(?:AGENT_|DENO_|SSL_|NODE_)|_PROXY$|^(?:STATE|RUNTIME)_DIRECTORY$|^(?:TZ|HOST_PROC)$/i.test(
      name,
    );
  const own = Object.entries(here.env).filter(([name]) => !isOfAgent(name));
  const theirs = Object.entries(variables).filter(([name]) => isOfAgent(name));
  try {
    const variables = Object.fromEntries([...own, ...theirs]);
    // As its command line does: a variable that names a panel would leave the installed file out.
    const named = here.resolveIn({ ...variables, AGENT_CONFIG_FILE: found.record.config });
    const unread = unreadVariable(found);
    return { ...named, isConfigInstalled: true, ...(unread && { mistake: unread }) };
  } catch (error) {
    if (!isUsageError(error)) throw error;
    return { ...config, mistake: describeError(error) };
  }
}

/** The configuration with the token that this node got when it registered itself. */
function withRegisteredToken(config: Config): Config {
  if (config.token !== "" || config.autoDiscoveryKey === "") return config;
  // It is read only, and so never opened.
  const store = attempt(() => new NodeStore(stateFolder(config), { ignoreDamage: true }));
  const token = attempt(() => store?.find(config.endpoint)?.token);
  return token === undefined ? config : { ...config, token, secrets: [...config.secrets, token] };
}

/** The checks of the way to each panel; they name it if there are several. */
function panelChecks(
  config: Config,
  { asked, settings, health, signal, deadline }: {
    /** The same with the variables of this shell. */
    asked: Config;
    settings: OfService["settings"];
    health: Health | undefined;
    signal: AbortSignal;
    deadline: AbortSignal;
  },
): Promise<Check[]>[] {
  const panels = [config, ...config.furtherPanels];
  const names = panelNames(panels);
  return panels.map(async (panel, at) => {
    const way = wayTo({ ...config, ...panel }, settings);
    const evidence: PanelEvidence = { ms: {} };
    try {
      await gatherPanel(way, evidence, AbortSignal.any([signal, deadline]));
    } catch {
      signal.throwIfAborted();
    }
    const name = names[at] ?? "";
    const { proxy } = wayTo({ ...asked, ...panel }, settings);
    const ofShell = way.proxy === undefined && proxy !== undefined
      ? `if it is reached by the proxy of this shell alone, have the service use that, too: ${
        reinstall(config)
      }`
      : undefined;
    const judged = judgePanel(evidence, way).map((it) =>
      ofShell !== undefined && it.status === "failed" && ["dns", "connect"].includes(it.id)
        ? { ...it, advice: [ofShell, ...it.advice] }
        : it
    );
    const checks = withReports(judged, { config, health, panel: name });
    return panels.length === 1 ? checks : checks.map((it) => ({ ...it, panel: name }));
  });
}

/** No panel is known: nothing names one, or this user may not read what does. */
function noPanel(config: Config, file: string | undefined): Finding {
  const { isConfigInstalled, configPath } = config;
  const anew = asRoot(`${reinstall(config)} -e URL --token-file -`);
  if (isConfigInstalled) {
    return failed(`${configPath}, of the installed service, names no panel`, `name it: ${anew}`);
  }
  if (file !== undefined) {
    try {
      Deno.readTextFileSync(file);
    } catch (error) {
      if (error instanceof Deno.errors.PermissionDenied) {
        return warning(
          `not checked: this user can't read ${file}, the service's configuration`,
          "run it as root (sudo)",
        );
      }
      const what = error instanceof Deno.errors.NotFound
        ? "is not there: no such file"
        : "can't be read";
      return failed(
        `the service's configuration ${file} ${what}`,
        `put it back, or make it anew: ${anew}`,
      );
    }
  }
  return failed(
    "no panel is configured",
    "give -e URL and --token-file FILE, or --config FILE",
  );
}

/** Whether the configuration has a mistake, and where it was read. */
function judgeConfig(config: Config): Finding {
  const { configPath, isConfigInstalled, notices, mistake } = config;
  if (mistake !== undefined) {
    return failed(mistake, `correct that, and have it used: ${reinstall(config)}`);
  }
  const source = configPath === undefined
    ? "from flags and variables"
    : isConfigInstalled
    ? `${configPath}, of the installed service`
    : configPath;
  return notices.length === 0 ? ok(source) : warning(`${source}: ${notices.join("; ")}`);
}

async function checkVersion(
  config: Config,
  { findUpdate }: Surroundings,
  signal: AbortSignal,
): Promise<Finding> {
  if (!knowsReleases(config)) return skipped(`${VERSION}; this build has no release address`);
  try {
    const find = (signal: AbortSignal) => findUpdate(config, thisProgram(), signal);
    const release = await withTimeout(find, { timeoutMs: RELEASE_MS, signal });
    if (release.decision !== "newer") return ok(`${VERSION} is up to date`);
    return warning(
      `${VERSION}; version ${release.version} is available`,
      "`update --now` installs it",
    );
  } catch (error) {
    signal.throwIfAborted();
    const [reason = "", said] = describeError(error).split(" \u2192 ");
    // Sooner than the attempt to connect has ended.
    const advice = said ?? (isTimeout(error) && config.mirror === "" && MIRROR_ADVICE);
    return warning(`${VERSION}; ${reason}`, advice);
  }
}
