import type { Config } from "../config/config.ts";
import type { Programs } from "../host/programs.ts";
import { isInContainerImage, thisProgram } from "../host/this_program.ts";
import { orderedUpdate } from "../host/ordered_update.ts";
import { describeError, getLogger } from "../log/log.ts";
import { LogRateLimit } from "../log/rate_limit.ts";
import type { PanelOrder } from "../panel/orders.ts";
import { quoteStart } from "../parse/bounded_text.ts";
import { updateFolder } from "../state/update_state.ts";
import { isNewerVersion } from "../parse/version_order.ts";
import { VERSION } from "../version.ts";
import { withoutOwnVariables } from "./exec_environment.ts";

/** Orders that come sooner after one that was obeyed are refused. */
const MIN_INTERVAL_MS = 10 * 60_000;

/** A version by its exact name. */
const EXACT = /^v?(\d{1,9}\.\d{1,9}\.\d{1,9})$/i;

/**
 * Updates when the panel orders it, by the same command or unit as every update: it verifies the
 * release, and rolls back a version that does not report. An exact version must be newer than this one,
 * unless `--allow-downgrade` is set; orders for anything else, ranges too, are refused.
 */
export class VersionSwitch {
  readonly #programs: Programs | undefined;
  readonly #obstacle: string | undefined;
  readonly #allowDowngrade: boolean;
  readonly #log = getLogger("remote");
  /** The last refusal: the same one is logged once a minute at most, and another at once. */
  #refusal = { shown: "", log: new LogRateLimit() };
  #refusedUntilMs = -Infinity;

  /**
   * @param programs `undefined` when remote control is off: nothing is done then.
   * @param obstacle Why this program can't be updated, by {@linkcode updateObstacle}.
   */
  constructor(programs: Programs | undefined, obstacle?: string, allowDowngrade = false) {
    this.#programs = programs;
    this.#obstacle = obstacle;
    this.#allowDowngrade = allowDowngrade;
  }

  /** Starts an update, or logs why not: the protocol has no answer. */
  handle({ version }: PanelOrder & { kind: "switch version" }): void {
    const programs = this.#programs;
    if (programs === undefined) return;
    const [, exact] = EXACT.exec(version.trim()) ?? [];
    const refusal = this.#refusalOf(version.trim().toLowerCase(), exact) ?? this.#obstacle;
    if (refusal !== undefined) return this.#refuse(version, refusal);
    if (performance.now() >= this.#refusedUntilMs) this.#update(programs, exact);
    else this.#refuse(version, "an update was ordered within the last 10 minutes");
  }

  /** Why a version can't be installed, whatever this program is; `undefined` if it can. */
  #refusalOf(name: string, exact: string | undefined): string | undefined {
    if (name === "latest" || name === "*") return undefined;
    if (exact === undefined) return "only the latest or an exact version can be installed";
    if (exact === VERSION) return "it is installed already";
    return this.#allowDowngrade || isNewerVersion(exact, VERSION)
      ? undefined
      : `${VERSION} is installed, and --allow-downgrade is not set`;
  }

  async #update(programs: Programs, exact: string | undefined): Promise<void> {
    const againAtMs = performance.now() + MIN_INTERVAL_MS;
    this.#refusedUntilMs = Infinity;
    this.#log.info("Updating to {version}, as the panel has ordered", {
      version: exact === undefined ? "the latest version" : `version ${exact}`,
    });
    try {
      const { path } = thisProgram();
      const program = { path, folder: updateFolder(path) };
      const [command, ...args] = orderedUpdate(programs.cgroup(), program, exact);
      const env = withoutOwnVariables(Deno.env.toObject());
      if (await programs.run(command, { args, env, cwd: "/" })) return;
      const line = [command, ...args].join(" ");
      this.#log.warning('The update failed: run "{line}" to see why', { line });
    } catch (error) {
      this.#log.warning("The update failed: {error}", { error: describeError(error) });
    } finally {
      this.#refusedUntilMs = againAtMs;
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

/** Why the panel can't update this program, as the log says it; `undefined` if it can. */
export function updateObstacle({ autoUpdate, pin }: Config): string | undefined {
  if (pin) return "--pin is set";
  if (!autoUpdate) return "--disable-auto-update is set";
  if (isInContainerImage()) return "in a container a newer version comes with a newer image";
  return thisProgram().form === "source" ? "this program runs from its sources" : undefined;
}
