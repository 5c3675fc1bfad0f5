/**
 * Options about newer versions of the program.
 *
 * @module
 */

import { checked, toggle } from "./option.ts";
import { parseEndpoint } from "./values.ts";

const GROUP_UPDATE_OPTIONS = "Updates";

/** Part of the option table, apart for its length only. */
export const UPDATE_OPTIONS = {
  disableAutoUpdate: toggle({
    flag: "disable-auto-update",
    variable: "AGENT_DISABLE_AUTO_UPDATE",
    key: "disable_auto_update",
    group: GROUP_UPDATE_OPTIONS,
    help: "Don't update by itself",
  }),
  updateUrl: checked<string>({
    flag: "update-url",
    variable: "AGENT_UPDATE_URL",
    key: "update_url",
    placeholder: "URL",
    group: GROUP_UPDATE_OPTIONS,
    help: "Where the newest release is described, in the form of GitHub's API",
    initial: "",
    initialText: "the project's releases on GitHub",
    parse: parseEndpoint,
  }),
  mirror: checked<string>({
    flag: "mirror",
    variable: "AGENT_MIRROR",
    key: "mirror",
    placeholder: "PREFIX",
    group: GROUP_UPDATE_OPTIONS,
    help: "Put before every address of GitHub, such as https://mirror.example.com",
    initial: "",
    initialText: "none",
    parse: parseEndpoint,
  }),
  check: toggle({
    flag: "check",
    group: GROUP_UPDATE_OPTIONS,
    help: "For `update`: say whether there is a newer version, and change nothing",
  }),
  now: toggle({
    flag: "now",
    group: GROUP_UPDATE_OPTIONS,
    help: "For `update`: take a newer version at once",
  }),
} as const;
