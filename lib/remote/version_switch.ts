import type { Config } from "../config/config.ts";
import type { Programs } from "../host/programs.ts";
import { isInContainerImage, thisProgram } from "../host/this_program.ts";
import { describeError, getLogger } from "../log/log.ts";
import { LogRateLimit } from "../log/rate_limit.ts";
import type { PanelOrder } from "../panel/orders.ts";
import { quoteStart } from "../parse/bounded_text.ts";
import { isNewerVersion } from "../parse/version_order.ts";
import { updateFolder } from "../state/update_state.ts";
import { PROGRAM, VERSION } from "../version.ts";
import { withoutOwnVariables } from "./exec_environment.ts";

/** Orders that come sooner after one that was obeyed are ignored. */
const MIN_INTERVAL_MS = 10 * 60_000;

/**
 * Updates to the newest release when the panel orders it, by the same command or unit as every
 * update: it verifies the release, and rolls back a version that does not report. A version by its exact
 * name must be newer than this one, unless `--allow-downgrade` is set; orders for anything else, ranges
 * too, are refused.
 */
export class VersionSwitch {
  readonly #programs: Programs | undefined;
  readonly #obstacle: string | undefined;
  readonly #allowDowngrade: boolean;
  readonly #log = getLogger("remote");
  /** The last refusal: the same one is logged once a minute at most, and another at once. */
  #refusal = { shown: "", log: new LogRateLimit() };
  readonly #soonLog = new LogRateLimit();
  #isRunning = false;
  #startedAtMs = -Infinity;

  /**
   * @param programs `undefined` when remote control is off: every order is refused then.
   * @param options `obstacle`: why this program can't be updated, by {@linkcode updateObstacle}.
   * `allowDowngrade`: whether a panel may order an older version.
   */
  constructor(
    programs: Programs | undefined,
    { obstacle, allowDowngrade = false }: { obstacle?: string; allowDowngrade?: boolean } = {},
  ) {
    this.#programs = programs;
    this.#obstacle = obstacle;
    this.#allowDowngrade = allowDowngrade;
  }

  /** Starts an update, or logs why not: the protocol has no answer. */
  handle({ version }: PanelOrder & { kind: "switch version" }): void {
    const programs = this.#programs;
    if (programs === undefined) return this.#refuse(version, "remote control is off");
    const refusal = refusalOf(nameOf(version), this.#allowDowngrade) ?? this.#obstacle;
    if (refusal !== undefined) return this.#refuse(version, refusal);
    const nowMs = performance.now();
    if (this.#isRunning || nowMs - this.#startedAtMs < MIN_INTERVAL_MS) {
      const minutes = Math.round((nowMs - this.#startedAtMs) / 60_000);
      return this.#soonLog.write(() =>
        this.#log.info(
          "Ignored an order to switch to version {version}: the last one came {minutes} min ago",
          { version: quoteStart(version), minutes },
        )
      );
    }
    this.#startedAtMs = nowMs;
    this.#update(programs, EXACT.exec(nameOf(version))?.[1]);
  }

  async #update(programs: Programs, exact: string | undefined): Promise<void> {
    this.#isRunning = true;
    this.#log.info("Updating to {version}, as the panel has ordered", {
      version: exact === undefined ? "the latest version" : `version ${exact}`,
    });
    try {
      const [command, ...args] = updateArguments(programs.cgroup(), thisProgram().path, exact);
      const env = withoutOwnVariables(Deno.env.toObject());
      if (await programs.run(command, { args, env, cwd: "/" })) return;
      const line = [command, ...args].join(" ");
      this.#log.warning('The update failed: run "{line}" to see why', { line });
    } catch (error) {
      this.#log.warning("The update failed: {error}", { error: describeError(error) });
    } finally {
      this.#isRunning = false;
    }
  }

  #refuse(version: string, refusal: string): void {
    const shown = `${quoteStart(version)}: ${refusal}`;
    if (shown !== this.#refusal.shown) this.#refusal = { shown, log: new LogRateLimit() };
    this.#refusal.log.write((more) =>
      this.#log.warning("Refused to switch to version {version}: {refusal}{more}", {
        version: quoteStart(version),
        refusal,
        more,
      })
    );
  }
}

function nameOf(version: string): string {
  return version.trim().toLowerCase();
}

const EXACT = /^v?(\d{1,9}\.\d{1,9}\.\d{1,9})$/;

/**
 * Why a version can't be installed, whatever this program is; `undefined` if it can.
 *
 * @param name In lower case.
 */
function refusalOf(name: string, allowDowngrade: boolean): string | undefined {
  if (name === "latest" || name === "*") return undefined;
  const [, exact] = EXACT.exec(name) ?? [];
  if (exact === undefined) {
    return "only the latest version, or one by its exact name, can be installed";
  }
  if (exact === VERSION) return "it is installed already";
  return allowDowngrade || isNewerVersion(exact, VERSION)
    ? undefined
    : `${VERSION} is installed, and --allow-downgrade is not set`;
}

/** Why the panel can't update this program, as the log says it; `undefined` if it can. */
export function updateObstacle({ autoUpdate, pin }: Config): string | undefined {
  if (pin) return "--pin is set";
  if (!autoUpdate) return "--disable-auto-update is set";
  if (isInContainerImage()) return "in a container a newer version comes with a newer image";
  return thisProgram().form === "source" ? "this program runs from its sources" : undefined;
}

/**
 * The command that updates once, to the newest release or to a version. Under systemd it starts the
 * update's own unit, or for a version a unit of its own with the same proxies, since everything in the
 * agent's unit ends when the agent is restarted; elsewhere it is the program's.
 */
export function updateArguments(
  cgroup: string,
  programPath: string,
  version?: string,
): [command: string, ...args: string[]] {
  const update = [programPath, "update", "--now"] as const;
  const exact = version === undefined ? [] : ["--install-version", version];
  const units = [...cgroup.matchAll(/^\d+:[^:]*:(?:.*\/)?([^/\n]+)\.service$/gm)];
  const [line, unit] = units[0] ?? [];
  if (line === undefined || unit === undefined) return [...update, ...exact];
  const scope = /\/user@\d+\.service\//.test(line) ? ["--user"] : [];
  if (version === undefined) {
    return ["systemctl", ...scope, "start", "--no-block", `${unit}-update.service`];
  }
  const folder = scope.length > 0 ? `%E/${unit}` : `/etc/${unit}`;
  return [
    "systemd-run",
    ...scope,
    ...["--quiet", "--collect", "--no-block", `--unit=${unit}-update-${version}`],
    `--property=EnvironmentFile=-${folder}/environment`,
    // For a portable build: its runtime, and the cache of that, as the update's own unit has them.
    `--setenv=DENO=${Deno.execPath()}`,
    `--setenv=DENO_DIR=${updateFolder(programPath)}/deno`,
    ...update,
    ...exact,
    ...(unit === PROGRAM ? [] : ["--install-service-name", unit]),
  ];
}
