import {
  assertEquals,
  assertMatch,
  assertObjectMatch,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { releaseFlags, requestedOutput } from "../../lib/config/config.ts";
import { resolveOptions } from "../../lib/config/option_table.ts";
import { UsageError } from "../../lib/config/usage_error.ts";
import { refusal, resolve } from "./resolved.ts";

/** As short as a panel takes it. */
const KEY = "d1scovery-k3";

Deno.test("resolveConfig() has the default of each option, and what follows from those", () => {
  assertObjectMatch({ ...resolve([]) }, { ...resolveOptions([]).values });
  const { command, memoryMode, remoteControl, headers, caCerts, proxies, secrets, notices } =
    resolve([]);
  assertEquals([command, memoryMode, remoteControl], ["report", "htop", false]);
  assertEquals([headers, caCerts, proxies, secrets, notices], [[], [], {}, [], []]);
});

Deno.test("resolveConfig() puts everything over what an official agent was told", () => {
  const importedOptions = new Map([["interval", "7"], ["token", "taken"], ["month_rotate", "5"]]);
  const files = { "c.json": '{"interval": 8}', token: "own" };
  const config = resolve(["--config", "c.json"], { files, importedOptions });
  assertEquals([config.intervalSeconds, config.token, config.monthRotate], [8, "taken", 5]);
  assertEquals(config.explicitOptions.get("month_rotate"), "5");
  assertEquals(config.secrets.includes("taken"), true);
  assertEquals(resolve(["--token-file", "token"], { files, importedOptions }).token, "own");
  const wrong = new Map([["interval", "x"]]);
  assertStringIncludes(refusal([], { importedOptions: wrong }), "interval of the official agent");
  const unset = resolve(["install", "--unset", "month-rotate"], { importedOptions });
  assertEquals([unset.monthRotate, unset.intervalSeconds], [0, 7]);
});

Deno.test("resolveConfig() puts flags over environment over file over defaults", () => {
  const files = { "c.json": '{"interval": 7, "endpoint": "http://file.example", "token": "f"}' };
  const env = { AGENT_CONFIG_FILE: "c.json", AGENT_INTERVAL: "8", AGENT_TOKEN: "e" };
  const config = resolve(["-i", "9"], { env, files });
  assertEquals(config.intervalSeconds, 9);
  assertEquals(config.token, "e");
  assertEquals(config.endpoint, "http://file.example");
  assertEquals(resolve([], { env, files }).intervalSeconds, 8);
  assertEquals(resolve(["--config", "c.json"], { files }).intervalSeconds, 7);
});

Deno.test("resolveConfig() names the nearest known option for a typo", () => {
  assertStringIncludes(refusal(["--endpont", "x"]), "did you mean --endpoint?");
  assertStringIncludes(refusal(["--intervall=5"]), "did you mean --interval?");
  assertStringIncludes(refusal(["dmo"]), "did you mean demo?");
  const files = { "c.json": '{"tokn": "x"}' };
  assertStringIncludes(refusal(["--config", "c.json"], { files }), "did you mean token?");
  const table = [["gpu", "enable_gpu"], ["memory_exclude_bcf", "memory_report_raw_used"]];
  for (const [key, meant] of table) {
    const ofFlag = { "c.json": JSON.stringify({ [String(key)]: true }) };
    assertStringIncludes(refusal(["--config", "c.json"], { files: ofFlag }), `mean ${meant}?`);
  }
  assertStringIncludes(refusal(["--zzzz"]), "--help");
});

Deno.test("resolveConfig() says when a variable looks like one of ours with a slip", () => {
  const [notice = ""] = resolve([], { env: { AGENT_INTERVALL: "5" } }).notices;
  assertStringIncludes(notice, "AGENT_INTERVAL?");
  assertEquals(resolve([], { env: { AGENT_WORKDIR: "/home" } }).notices, []);
});

Deno.test("resolveConfig() never shows a secret, not even a wrong one", () => {
  const message = refusal(["-t", "my secret"]);
  assertStringIncludes(message, "flag --token");
  assertEquals(message.includes("secret"), false);
  const files = { "c.json": '{"token": "s3cret", broken' };
  assertEquals(refusal(["--config", "c.json"], { files }).includes("s3cret"), false);
});

Deno.test("resolveConfig() reads the token from a file", () => {
  const files = { "t": "  -abc\n", "/run/c/token": "cred\n", "empty": "" };
  assertEquals(resolve(["--token-file", "t"], { files }).token, "-abc");
  assertEquals(resolve([], { files, env: { AGENT_TOKEN_FILE: "t" } }).token, "-abc");
  assertEquals(resolve([], { files, env: { CREDENTIALS_DIRECTORY: "/run/c" } }).token, "cred");
  assertEquals(resolve([], { files, env: { CREDENTIALS_DIRECTORY: "/none" } }).token, "");
  const two = { files: { "/run/c/token": "two words" }, env: { CREDENTIALS_DIRECTORY: "/run/c" } };
  assertStringIncludes(refusal([], two), "/run/c/token");
  const expected = "Cannot read --token-file gone: no such file";
  assertEquals(refusal(["--token-file", "gone"], { files }), expected);
  const shown = refusal([], { files, env: { AGENT_TOKEN_FILE: "empty" } });
  assertEquals(shown, "Cannot use AGENT_TOKEN_FILE empty: it is empty");
  const blanks = { files: { t: "two words" } };
  assertStringIncludes(
    refusal(["--token-file", "t"], blanks),
    "Cannot use --token-file t: expected",
  );
});

Deno.test("resolveConfig() takes token or token file, whichever stands in the stronger place", () => {
  const files = { "t": "of-file" };
  const env = { AGENT_TOKEN: "of-env" };
  assertEquals(resolve(["--token-file", "t"], { files, env }).token, "of-file");
  assertEquals(resolve(["-t", "flag"], { files, env: { AGENT_TOKEN_FILE: "t" } }).token, "flag");
  assertStringIncludes(refusal(["-t", "x", "--token-file", "t"], { files }), "both");
});

Deno.test("resolveConfig() maps the official memory switches onto the mode", () => {
  assertEquals(resolve(["--memory-include-cache"]).memoryMode, "all");
  assertEquals(resolve(["--memory-exclude-bcf"]).memoryMode, "htop");
  assertEquals(resolve([], { env: { AGENT_MEMORY_REPORT_RAW_USED: "1" } }).memoryMode, "htop");
  const shown = resolve(["--memory-include-cache", "--memory-mode", "available"]).memoryMode;
  assertEquals(shown, "available");
});

Deno.test("resolveConfig() splits lists", () => {
  const config = resolve(["--include-nics", "eth*, wlan?", "--include-mountpoint", "/;/data;"]);
  assertEquals(config.includeNics, ["eth*", "wlan?"]);
  assertEquals(config.includeMountPoints, ["/", "/data"]);
  const files = { "c.json": '{"exclude_nics": ["a", "b"], "include_mountpoints": ["/x", "/y"]}' };
  const ofFile = resolve(["--config", "c.json"], { files });
  assertEquals(ofFile.excludeNics, ["a", "b"]);
  assertEquals(ofFile.includeMountPoints, ["/x", "/y"]);
});

Deno.test("resolveConfig() keeps a key to register with, and never shows it", () => {
  const { autoDiscoveryKey, secrets } = resolve(["--auto-discovery", KEY]);
  assertEquals([autoDiscoveryKey, secrets], [KEY, [KEY]]);
});

Deno.test("resolveConfig() refuses a key that no panel takes, for every command, and never shows it", () => {
  const rule = "the panel's key, 12 letters at least";
  const commands = [[], ["install"], ["uninstall"], ["traffic", "show"], ["demo"], ["health"]];
  for (const command of commands) {
    const expected = `Cannot use the value of flag --auto-discovery: expected ${rule}`;
    assertEquals(refusal([...command, "--auto-discovery", "  sh0rt-k3y  "]), expected);
  }
  assertEquals(
    refusal([], { env: { AGENT_AUTO_DISCOVERY_KEY: KEY.slice(1) } }),
    `Cannot use the value of variable AGENT_AUTO_DISCOVERY_KEY: expected ${rule}`,
  );
  const files = { "c.json": '{"auto_discovery_key": "k"}' };
  assertStringIncludes(refusal(["--config", "c.json"], { files }), `expected ${rule}`);
  assertStringIncludes(refusal(["--auto-discovery="]), `expected ${rule}`);
  assertEquals(resolve(["--auto-discovery", ` ${KEY}\u00a0`]).autoDiscoveryKey, KEY);
});

Deno.test("resolveConfig() never shows a token that was given as the endpoint", () => {
  const token = "tBTiQPwVm4v98oEkA6EccB";
  const expected = "look exchanged";
  for (const command of [[], ["install"], ["doctor"], ["config", "show"]]) {
    for (const given of [token, `"${token}"`, ` ${token} `, `“${token}”`, "s3cret-pass"]) {
      const panels = JSON.stringify({ panels: [{ endpoint: given, token: "https://p.example" }] });
      const files = {
        "c.json": JSON.stringify({ endpoint: given, token: "https://p.example" }),
        "p.json": panels,
      };
      const env = { AGENT_ENDPOINT: given, AGENT_TOKEN: "https://p.example" };
      const all = [
        refusal([...command, "-e", given, "-t", "https://p.example"]),
        refusal([...command], { env }),
        refusal([...command, "--config", "c.json"], { files }),
        refusal([...command, "--config", "p.json"], { files }),
      ];
      for (const text of all) {
        assertEquals(text.includes(expected), given !== "s3cret-pass", text);
        assertEquals(text.includes(given.trim()) || text.includes(token), false, text);
      }
    }
  }
  const url = refusal(["-e", "https://p.example", "-t", "https://p.example"]);
  assertStringIncludes(url, "it is a URL: endpoint and token look exchanged");
  assertStringIncludes(
    refusal(["-e", "panel", "-t", "t"]),
    'Cannot use "panel" for flag --endpoint',
  );
});

Deno.test("resolveConfig() accepts every name of the official agent", () => {
  const flags = `auto-discovery=${KEY} max-retries=3 reconnect-interval=5 protocol-version=2 ` +
    "disable-compression prefer-ip-version=4 ignore-unsafe-cert custom-dns=1.1.1.1 include-nics=a " +
    "exclude-nics=b include-mountpoint=/ month-rotate=1 memory-include-cache memory-exclude-bcf gpu " +
    "custom-ipv4=1.2.3.4 custom-ipv6=2606::1 get-ip-addr-from-nic disable-web-ssh " +
    "disable-auto-update autoUpdate memory-mode-available show-warning cf-access-client-id=a " +
    "cf-access-client-secret=b info-report-interval=5 interval=3";
  resolve(flags.split(" ").map((flag) => `--${flag}`));
  const variables = "AUTO_DISCOVERY_KEY MAX_RETRIES RECONNECT_INTERVAL PROTOCOL_VERSION " +
    "PREFER_IP_VERSION CUSTOM_DNS INCLUDE_NICS EXCLUDE_NICS INCLUDE_MOUNTPOINTS MONTH_ROTATE " +
    "CF_ACCESS_CLIENT_ID CF_ACCESS_CLIENT_SECRET INTERVAL INFO_REPORT_INTERVAL";
  const switches = "DISABLE_COMPRESSION IGNORE_UNSAFE_CERT MEMORY_INCLUDE_CACHE ENABLE_GPU " +
    "MEMORY_REPORT_RAW_USED GET_IP_ADDR_FROM_NIC DISABLE_WEB_SSH DISABLE_AUTO_UPDATE " +
    "MEMORY_MODE_AVAILABLE";
  const values = Object.fromEntries([
    ...variables.split(" ").map((name) => [name, "1"]),
    ...switches.split(" ").map((name) => [name, "true"]),
    ["PREFER_IP_VERSION", "4"],
    ["AUTO_DISCOVERY_KEY", KEY],
  ]);
  const env = Object.fromEntries(
    Object.entries(values).map(([name, value]) => [`AGENT_${name}`, String(value)]),
  );
  const byEnv = resolve([], { env });
  assertEquals(byEnv.includeMountPoints, ["1"]);
  assertEquals(byEnv.memoryMode, "htop");
  const file = Object.fromEntries(
    Object.entries(values).map(([name, value]) => [name.toLowerCase(), value]),
  );
  const byFile = resolve(["--config", "c"], { files: { c: JSON.stringify(file) } });
  assertEquals(byFile.addressesFromNic, true);
});

Deno.test("resolveConfig() says which official options have no effect", () => {
  const hidden = "--warning-panel-host p.example --warning-run-as-user me --warning-elevated";
  for (const flag of hidden.split(" ").filter((word) => word.startsWith("--"))) {
    const notice = `flag ${flag} has no effect: this agent has no such function`;
    assertEquals(resolve(hidden.split(" ")).notices.includes(notice), true, flag);
  }
  const { notices } = resolve(["--show-warning", "--max-retries", "9"]);
  assertEquals(notices.length, 2);
  assertStringIncludes(notices.join("\n"), "flag --show-warning has no effect");
  assertStringIncludes(notices.join("\n"), "flag --max-retries has no effect");
});

Deno.test("resolveConfig() reads a file of the official agent with its empty values", () => {
  const empty = { custom_dns: "", include_nics: "" };
  const file = { endpoint: "http://p.example", token: "x", ...empty, interval: 3 };
  const config = resolve(["--config", "c"], { files: { c: JSON.stringify(file) } });
  assertEquals(config.intervalSeconds, 3);
  assertEquals(config.includeNics, []);
  assertEquals(config.notices, []);
});

Deno.test("resolveConfig() refuses files that are no object of plain values", () => {
  for (const c of ["[]", "1", "", '{"interval": {}}', '{"include_nics": [[1]]}']) {
    assertMatch(refusal(["--config", "c"], { files: { c } }), /--config c:|key ".*" of c:/);
  }
  assertEquals(refusal(["--config", "gone"]), "Cannot read --config gone: no such file");
  const expected = "Cannot read AGENT_CONFIG_FILE gone: no such file";
  assertEquals(refusal([], { env: { AGENT_CONFIG_FILE: "gone" } }), expected);
  const c = '{"interval": "abc"}';
  const words = 'Cannot use "abc" for key interval of c: expected';
  assertStringIncludes(refusal(["--config", "c"], { files: { c } }), words);
});

Deno.test("resolveConfig() warns of an interval that lets the node look offline", () => {
  const http = ["--transport", "http", "-i"];
  assertStringIncludes(resolve([...http, "60"]).notices.join(), "35 s");
  assertEquals(resolve([...http, "30"]).notices, []);
  assertEquals(resolve([...http, "30.5"]).notices.length, 1);
  // A WebSocket has reports more often.
  assertEquals(resolve(["-i", "60"]).notices, []);
});

Deno.test("resolveConfig() lets the demo's panel probe this machine, and no other", () => {
  assertEquals(resolve(["demo"]).allowLocalProbes, true);
  assertEquals(resolve([]).allowLocalProbes, false);
  assertEquals(resolve(["--allow-local-probes"]).allowLocalProbes, true);
});

Deno.test("resolveConfig() takes the proxies of the environment where a command leaves this machine", () => {
  const env = { HTTPS_PROXY: "http://proxy:3128" };
  const used = ["report", "update", "install", "doctor"];
  for (const command of [...used, "demo", "status", "health", "config show", "traffic show"]) {
    const proxies = used.includes(command) ? { https: "http://proxy:3128" } : {};
    assertEquals(resolve(command.split(" "), { env }).proxies, proxies, command);
  }
});

Deno.test("resolveConfig() reports faster in the demo unless told otherwise", () => {
  assertEquals(resolve(["demo"]).intervalSeconds, 1);
  assertEquals(resolve(["demo", "-i", "7"]).intervalSeconds, 7);
});

Deno.test("resolveConfig() takes HOST_PROC without its slash at the end", () => {
  assertEquals(resolve([], { env: { HOST_PROC: "/host/proc/" } }).hostProc, "/host/proc");
  assertEquals(resolve([], { env: { HOST_PROC: "" } }).hostProc, "");
});

Deno.test("resolveConfig() warns of a token file that others can read", () => {
  const files = { t: "x" };
  for (const mode of [0o644, 0o604]) {
    const [notice = ""] = resolve(["--token-file", "t"], { files, modes: { t: mode } }).notices;
    assertStringIncludes(notice, "--token-file t can be read by all users");
  }
  const closed: Record<string, number>[] = [{ t: 0o600 }, { t: 0o640 }, { t: 0o100400 }, {}];
  for (const modes of closed) {
    assertEquals(resolve(["--token-file", "t"], { files, modes }).notices, []);
  }
  assertEquals(resolve(["-t", "x"], { files, modes: { t: 0o644 } }).notices, []);
});

Deno.test("resolveConfig() warns of a configuration with a secret that all users can read", () => {
  const files = { c: '{"token": "x"}', open: '{"interval": 5}' };
  const of = (path: string, mode: number) =>
    resolve(["--config", path], { files, modes: { [path]: mode } }).notices;
  assertStringIncludes(of("c", 0o644).join(), "c holds a secret and can be read by all users");
  for (const mode of [0o640, 0o600]) assertEquals(of("c", mode), [], "installed by root as 0640");
  assertEquals(of("open", 0o644), []);
});

Deno.test("resolveConfig() turns remote control on only when nothing forbids it", () => {
  assertEquals(resolve(["--enable-remote-control"]).remoteControl, true);
  const key = { files: { c: '{"enable_remote_control": true}' } };
  assertEquals(resolve(["--config", "c"], key).remoteControl, true);
  const env = { AGENT_DISABLE_WEB_SSH: "true" };
  const config = resolve(["--enable-remote-control"], { env });
  assertEquals(config.remoteControl, false);
  assertStringIncludes(config.notices.join(), "--disable-web-ssh wins");
  assertEquals(resolve([], { env }).notices, []);
  const minutes = resolve(["--exec-timeout", "0.5"], { env: { AGENT_TERMINAL_IDLE: "60" } });
  assertEquals([minutes.execTimeoutMinutes, minutes.terminalIdleMinutes], [0.5, 60]);
});

Deno.test("resolveConfig() hands out every secret", () => {
  const header = ["--header", "Authorization: Bearer beared"];
  const args = ["-t", "tok", ...header, "--cf-access-client-secret", "cloudy"];
  const env = { HTTPS_PROXY: "http://me:p%40ssword@proxy.example:3128" };
  const config = resolve(args, { env });
  const wanted = [
    "tok",
    "Bearer beared",
    "beared",
    "cloudy",
    "p%40ssword",
    "p@ssword",
    btoa("me:p@ssword"),
  ];
  assertEquals(config.secrets, wanted);
  const panels = ["one", "two"].map((token) => ({ endpoint: "https://p.example", token }));
  const files = { c: JSON.stringify({ panels }) };
  assertEquals(resolve(["--config", "c"], { files }).secrets, ["one", "two"]);
});

Deno.test("resolveConfig() puts a token into no header that the user has set", () => {
  const inHeader = ["-e", "https://panel.example", "-t", "s3cret", "--token-in", "header"];
  for (const header of ["Authorization: Basic s3cret", "authorization: x"]) {
    const message = refusal([...inHeader, "--header", "X-Other: 1", "--header", header]);
    assertStringIncludes(message, "--token-in header with an Authorization");
    assertEquals(message.includes("s3cret"), false);
    resolve([...inHeader, "--token-in", "query", "--header", header]);
    // Nor is one learned: the header would be answered for by the user's own.
    const learning = resolve([...inHeader, "--token-in", "auto", "--header", header]);
    assertEquals(learning.tokenIn, "query");
  }
  resolve([...inHeader, "--header", "X-Authorization: x"]);
  const other = resolve([...inHeader, "--token-in", "auto", "--header", "X-Authorization: x"]);
  assertEquals(other.tokenIn, "auto");
});

Deno.test("resolveConfig() shows a refused address without its login and query", () => {
  const address = "https://user:passw0rd@panel.example.com/?token=s3cret-token#frag";
  const file = { "/c.json": JSON.stringify({ endpoint: address }) };
  const cases: [string[], Record<string, string>?][] = [
    [["-e", address, "-t", "x"]],
    [["--update-url", address]],
    [["--interval", address]],
    [["-e", "user:passw0rd@panel.example.com?s3cret-token", "-t", "x"]],
    [[address]],
    [["status", address]],
    [["--config", "/c.json"]],
    [[], { AGENT_ENDPOINT: address }],
  ];
  for (const [args, env = {}] of cases) {
    const { message } = assertThrows(() => resolve(args, { env, files: file }), UsageError);
    assertMatch(message, /panel\.example\.com|AGENT_ENDPOINT/);
    assertEquals(/passw0rd|s3cret|frag/.exec(message), null, message);
  }
});

Deno.test("resolveConfig() names a pattern of interfaces that is malformed, and what is wrong with it", () => {
  const allowed = "expected well-formed patterns";
  const why = '"[" is not closed, or "-", "]" or "\\" lacks a backslash before it';
  const words = `--include-nics: ${allowed} (${why}: en[)`;
  assertStringIncludes(refusal(["--include-nics", "eth*,en["]), words);
});

Deno.test("releaseFlags() has what is about servers of releases, and nothing else", () => {
  const given = new Map([["token", "t"], ["ca_cert", "/ca.pem"], ["mirror", "https://m.example"]]);
  assertEquals(releaseFlags(given), ["--ca-cert", "/ca.pem", "--mirror", "https://m.example"]);
  assertEquals(releaseFlags(new Map()), []);
  const own = new Map([["update_url", "https://u.example"], ["update_key", "k"]]);
  assertEquals(releaseFlags(own), ["--update-url", "https://u.example", "--update-key", "k"]);
});

Deno.test("resolveConfig() says where each option comes from, and has all that is given but the token", () => {
  const { explicitOptions, origins } = resolve(["-i", "2", "--config", "/c"], {
    env: { AGENT_TOKEN: "secret" },
    files: { "/c": '{"month_rotate": 5}' },
  });
  assertEquals(Object.fromEntries(origins), {
    interval: "flag --interval",
    config_file: "flag --config",
    token: "variable AGENT_TOKEN",
    month_rotate: "key month_rotate of /c",
  });
  assertEquals(Object.fromEntries(explicitOptions), { interval: "2", month_rotate: "5" });
});

Deno.test("requestedOutput() looks where the configuration does, and never throws", () => {
  const readText = (path: string) => {
    if (path === "c") return '{"log_format": "json", "unknown": 1}';
    if (path === "bad") return "{";
    throw new Error("gone");
  };
  const of = (args: string[], env: Record<string, string> = {}) =>
    requestedOutput({ args, env, readText }).logFormat;
  const table: [args: string, env: Record<string, string>, format: string][] = [
    ["--log-format json --wrong", {}, "json"],
    ["--log-format=json", {}, "json"],
    ["", { AGENT_LOG_FORMAT: "json" }, "json"],
    ["--config c", {}, "json"],
    ["", { AGENT_CONFIG_FILE: "c" }, "json"],
    ["--log-format text", { AGENT_LOG_FORMAT: "json" }, "text"],
    // The last one counts.
    ["--log-format text --log-format json", {}, "json"],
    ["--log-format=json --log-format=text", {}, "text"],
    ["--config c", { AGENT_LOG_FORMAT: "text" }, "text"],
    ["--config c", { AGENT_LOG_FORMAT: "" }, "json"],
    ["--log-format", {}, "text"],
  ];
  for (const [args, env, format] of table) {
    const words = args.split(" ").filter((word) => word !== "");
    assertEquals(of(words, env), format, args);
  }
  for (const path of ["bad", "gone", ""]) assertEquals(of(["--config", path]), "text");
});

Deno.test("requestedOutput() takes the language from --lang, its variable, its key, then the locale", () => {
  const readText = (path: string) => {
    if (path === "c") return '{"lang": "zh"}';
    throw new Error("gone");
  };
  const of = (args: string[], env: Record<string, string> = {}) =>
    requestedOutput({ args, env, readText }).language;
  assertEquals(of(["--lang", "zh", "--wrong"]), "zh");
  assertEquals(of(["--lang", "en"], { LANG: "zh_CN.UTF-8" }), "en");
  assertEquals(of([], { AGENT_LANG: "zh" }), "zh");
  assertEquals(of(["--config", "c"]), "zh");
  assertEquals(of(["--config", "gone"], { LANG: "zh_CN.UTF-8" }), "zh");
  assertEquals(of(["--lang", "fr"], { LANG: "zh_CN.UTF-8" }), "zh");
  assertEquals(of([], { LANG: "zh_CN.UTF-8", JOURNAL_STREAM: "8:1" }), "en", "a service's log");
  assertEquals(of(["--lang", "zh"], { JOURNAL_STREAM: "8:1" }), "zh");
  assertEquals(of([]), "en");
});
