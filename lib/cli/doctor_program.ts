/**
 * The checks of `doctor` on this program: its configuration and its version.
 *
 * @module
 */

import { withTimeout } from "../async/timeout.ts";
import type { Config } from "../config/config.ts";
import { PACKAGE_MANAGERS, packageOf, thisProgram } from "../host/this_program.ts";
import { describeError } from "../log/log.ts";
import { knowsReleases, VERSION } from "../version.ts";
import { type Check, check, type CheckResult, failed, ok, skipped, warning } from "./checks.ts";
import { asRoot } from "./doctor_commands.ts";
import { reinstall } from "./doctor_options.ts";
import { findUpdate } from "./update.ts";

/** A look at a release that takes longer is no fault of this machine's. */
const LOOK_UP_MS = 5_000;

/** The check of the configuration: whether it has a mistake, and where it was read. */
export function configCheck(config: Config): Check {
  return check("config", "Configuration", () => {
    const { configPath, isConfigInstalled, endpoint, token, unknownVariables, mistake } = config;
    if (mistake !== undefined) {
      // As a power cut or a full disk leaves it.
      const [, empty] = /configuration (\/\S+): it is no valid JSON: it is empty$/.exec(mistake) ??
        [];
      return failed(
        mistake,
        empty === undefined
          ? `correct that, and have it used: ${reinstall(config)}`
          : `make it anew: rm ${empty} && ${asRoot(`${reinstall(config)} -e URL --token-file -`)}`,
      );
    }
    const source = configPath === undefined
      ? "from flags and variables"
      : isConfigInstalled
      ? `${configPath}, of the installed service`
      : configPath;
    // The check of what is missing names those that may have been meant for it.
    const isTold = endpoint === "" || token === "";
    const notices = config.notices.filter((it) => !isTold || !unknownVariables.includes(it));
    if (notices.length === 0) return ok(source);
    const words = notices.join("; ");
    return warning(`${source}: ${words}`);
  });
}

/** The check for a newer version of this program. */
export function versionCheck(config: Config): Check {
  return check("version", "Version", (signal) => checkVersion(config, signal));
}

async function checkVersion(config: Config, signal: AbortSignal): Promise<CheckResult> {
  if (!knowsReleases(config)) return skipped(`${VERSION}; this build has no release address`);
  try {
    const find = (signal: AbortSignal) => findUpdate(config, thisProgram(), signal);
    const release = await withTimeout(find, { timeoutMs: LOOK_UP_MS, signal });
    if (release.decision !== "newer") return ok(`${VERSION} is up to date`);
    const packaged = packageOf(thisProgram());
    const advice = packaged === undefined
      ? "`update --now` installs it"
      : `a newer package brings it, by ${PACKAGE_MANAGERS[packaged]}`;
    return warning(`${VERSION}; version ${release.version} is available`, advice);
  } catch (error) {
    signal.throwIfAborted();
    const { updateUrl, origins } = config;
    const advice = updateUrl === ""
      ? undefined
      : `see what ${
        origins.get("update_url") ?? "--update-url"
      } answers, and correct it: curl -v ` +
        updateUrl;
    return { ...warning(`${VERSION}; ${describeError(error)}`, advice), kind: "unseen_release" };
  }
}
