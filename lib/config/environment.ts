/**
 * Environment variables that are no options: proxies, the folders that systemd and XDG name, and the
 * language.
 *
 * @module
 */

import { parseProxy, type ProxyUrls } from "../parse/proxy.ts";
import { PROGRAM } from "../version.ts";
import { UsageError } from "./usage_error.ts";

type Environment = Readonly<Record<string, string>>;

/** Folders for files of one run; empty if the environment names none. */
export interface RuntimePaths {
  readonly runtimeDir: string;
  /** Below the user's own runtime folder. */
  readonly userRuntimeDir: string;
}

/** Folders for persistent state; empty if the environment names none. */
export interface StatePaths {
  readonly stateDir: string;
  /** Below the user's home. */
  readonly userStateDir: string;
}

/** Reads `RUNTIME_DIRECTORY`, of whose list the first counts, `XDG_RUNTIME_DIR` and `TMPDIR`. */
export function runtimePaths(env: Environment): RuntimePaths {
  const { RUNTIME_DIRECTORY = "", XDG_RUNTIME_DIR = "", TMPDIR = "" } = env;
  const [ofSystemd = ""] = RUNTIME_DIRECTORY.split(":");
  const ofUser = fullPath(XDG_RUNTIME_DIR) || fullPath(TMPDIR);
  return { runtimeDir: fullPath(ofSystemd), userRuntimeDir: ofUser && `${ofUser}/${PROGRAM}` };
}

/**
 * Takes the option before `STATE_DIRECTORY`, of whose list the first counts; reads
 * `XDG_STATE_HOME` and `HOME`.
 */
export function statePaths(option: string, env: Environment): StatePaths {
  const { STATE_DIRECTORY = "", XDG_STATE_HOME = "", HOME = "" } = env;
  const [ofSystemd = ""] = STATE_DIRECTORY.split(":");
  const ofUser = HOME.startsWith("/") ? `${fullPath(HOME)}/.local/state` : "";
  const home = fullPath(XDG_STATE_HOME) || ofUser;
  return {
    stateDir: option || fullPath(ofSystemd),
    userStateDir: home && `${home}/${PROGRAM}`,
  };
}

/** A full path without a slash at its end; empty for another text. */
function fullPath(path: string): string {
  return path.startsWith("/") ? path.replace(/\/+$/, "") : "";
}

/**
 * Reads `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY`; small letters win over capitals,
 * as in curl.
 *
 * @throws {UsageError} If a proxy is of an unknown kind; the message never shows the URL.
 */
export function proxiesFromEnvironment(env: Environment): ProxyUrls {
  const find = (...names: readonly string[]) =>
    names.flatMap((name) => [name, name.toUpperCase()])
      .map((name) => ({ name, value: env[name]?.trim() ?? "" }))
      .find(({ value }) => value !== "");
  const http = find("http_proxy", "all_proxy");
  const https = find("https_proxy", "all_proxy");
  const none = find("no_proxy");
  return {
    ...(http && { http: proxyUrl(http) }),
    ...(https && { https: proxyUrl(https) }),
    ...(none && { none: none.value }),
  };
}

/** The variables of proxies that an installation saves. */
export const PROXY_VARIABLES = ["HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"] as const;

/** Proxies by their variables. */
export function proxyVariables({ http, https, none }: ProxyUrls): Record<string, string> {
  return {
    ...(http !== undefined && { HTTP_PROXY: http }),
    ...(https !== undefined && { HTTPS_PROXY: https }),
    ...(none !== undefined && { NO_PROXY: none }),
  };
}

/** Without a scheme it is an HTTP proxy, as in curl. */
function proxyUrl({ name, value }: { name: string; value: string }): string {
  try {
    parseProxy(value);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new UsageError(`${error.message} (variable ${name})`);
  }
  return /^[a-z][a-z0-9+.-]*:\/\//i.test(value) ? value : `http://${value}`;
}

/** A language of what is printed for people. */
export type Language = "en" | "zh";

/**
 * The language of the environment: `LC_ALL`, else `LC_MESSAGES`, else `LANG`; English for the
 * journal, whatever the locale of the machine.
 */
export function languageOf(env: Readonly<Record<string, string>>): Language {
  if (env.JOURNAL_STREAM) return "en";
  const locale = env.LC_ALL || env.LC_MESSAGES || env.LANG || "";
  return /^zh(?![a-z])/i.test(locale) ? "zh" : "en";
}
