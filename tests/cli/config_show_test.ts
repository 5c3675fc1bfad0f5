import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { runConfigShow, shownOptions } from "../../lib/cli/config_show.ts";
import { type Config, resolveConfig } from "../../lib/config/config.ts";
import { FakeContext } from "./fake_context.ts";
import { inFolder } from "../temp_folder.ts";
import { translate } from "../../lib/cli/translate.ts";

const FILE = JSON.stringify({
  endpoint: "https://p.example",
  token: "s3cret-token",
  header: undefined,
  headers: { "X-Secret": "s3cret-header" },
  interval: 5,
});

function configOf(args: readonly string[], env: Record<string, string> = {}): Config {
  return resolveConfig({
    args: ["config", "show", ...args],
    env,
    readText: (path) => path === "/run/c/token" || path === "t" ? "s3cret-token" : FILE,
    readMode: () => 0o644,
  });
}

function output(config: Config): string {
  const context = new FakeContext();
  assertEquals(runConfigShow(config, context), 0);
  return context.printed;
}

function shown(config: Config, key: string): [value?: string, origin?: string] {
  const option = shownOptions(config, (english) => english).find((it) => it.key === key);
  return [option?.value, option?.origin];
}

Deno.test("shownOptions() have the value in force and its origin", () => {
  const config = configOf(["--config", "c", "--gpu"], { AGENT_INTERVAL: "7" });
  assertEquals(shown(config, "endpoint"), ["https://p.example", "key endpoint of c"]);
  assertEquals(shown(config, "interval"), ["7", "variable AGENT_INTERVAL"]);
  assertEquals(shown(config, "enable_gpu"), ["true", "flag --gpu"]);
  assertEquals(shown(config, "transport"), ["auto", "default"]);
  assertEquals(shown(config, "config_file"), ["c", "flag --config"]);
  assertEquals(shown(config, "max_retries"), [undefined, undefined]);
  assertEquals(shown(configOf(["-r", "4"]), "max_retries"), ["4", "flag --max-retries"]);
});

Deno.test("shownOptions() name the origin of a token that no option holds", () => {
  assertEquals(shown(configOf(["--token-file", "t"]), "token"), ["********", "flag --token-file"]);
  const env = { CREDENTIALS_DIRECTORY: "/run/c" };
  assertEquals(shown(configOf([], env), "token"), ["********", "$CREDENTIALS_DIRECTORY/token"]);
  assertEquals(shown(configOf([]), "token"), ["", "default"]);
});

Deno.test("runConfigShow() hides every secret, and names a file that others can read", () => {
  for (const args of [[], ["--json"], ["--lang", "zh"]]) {
    const text = output(configOf(["--config", "c", ...args]));
    assertEquals(text.includes("s3cret"), false, text);
    assertStringIncludes(text, "c holds a secret and can be read by all users");
  }
});

Deno.test("runConfigShow() hides a login within an address", () => {
  const args = ["--ip-services", "https://me:s3cret@a.example/,https://b.example/@home"];
  const text = output(configOf(args));
  assertStringIncludes(text, "https://********@a.example/,https://b.example/@home");
});

Deno.test("runConfigShow() prints JSON by keys, and hides a secret within another value", () => {
  const services = ["--ip-services", "https://ip.example.com/s3cret-token"];
  const { file, options } = JSON.parse(output(configOf(["--config", "c", "--json", ...services])));
  assertEquals(file, "c");
  assertEquals(options.interval, { value: "5", origin: "key interval of c" });
  assertEquals(options.ip_services.value, "https://ip.example.com/…");
});

Deno.test("shownOptions() name the panels of a list, without their tokens", () => {
  const panels = [
    { endpoint: "https://p.example", token: "s3cret-1" },
    { endpoint: "https://q.example", token: "s3cret-2" },
  ];
  const config = resolveConfig({
    args: ["config", "show", "--config", "c"],
    env: {},
    readText: () => JSON.stringify({ panels }),
    readMode: () => 0o600,
  });
  const origin = "key panels of c";
  assertEquals(shown(config, "panels"), ["https://p.example, https://q.example", origin]);
  assertEquals(shown(config, "endpoint"), ["https://p.example", origin]);
  assertEquals(shown(config, "token"), ["********", origin]);
});

Deno.test("runConfigShow() lays options out by their groups, and proxies without passwords", () => {
  const config = configOf([
    ...["-e", "https://p.example", "-t", "s3cret", "--transport", "http", "--interval", "60"],
  ]);
  const lines = output(config).split("\n");
  assertEquals(lines.slice(0, 5), [
    "Configuration file: none",
    "",
    "Panel",
    `  ${"endpoint".padEnd(23)}  ${"https://p.example".padEnd(40)}  flag --endpoint`,
    `  ${"token".padEnd(23)}  ${"********".padEnd(40)}  flag --token`,
  ]);
  assertStringIncludes(lines.join("\n"), "\n\nNote: --interval 60 is long");
  for (const line of lines) assertEquals(line, line.trimEnd());
  assertEquals(lines.includes("Proxies"), false);
});

Deno.test("runConfigShow() names the variables of proxies, and hides their passwords", () => {
  const env = { HTTPS_PROXY: "http://me:s3cret@p.example:3128", no_proxy: "localhost" };
  const context = new FakeContext(env);
  assertEquals(runConfigShow(configOf(["--json"]), context), 0);
  const { file, proxies } = JSON.parse(context.printed);
  assertEquals(file, undefined);
  assertEquals(proxies, {
    HTTPS_PROXY: { value: "http://********@p.example:3128", origin: "variable HTTPS_PROXY" },
    NO_PROXY: { value: "localhost", origin: "variable NO_PROXY" },
  });
  const [table, chinese] = [[], ["--lang", "zh"]].map((args) => {
    const shown = new FakeContext(env);
    const config = configOf(args);
    const inLanguage = (english: string) => translate(english, config.language);
    runConfigShow(config, Object.assign(shown, { inLanguage }));
    return shown.printed;
  });
  assertStringIncludes(table ?? "", "\n\nProxies\n  HTTPS_PROXY  ");
  assertMatch(table ?? "", /^ {2}NO_PROXY +localhost +variable NO_PROXY$/m);
  assertStringIncludes(chinese ?? "", "配置文件：无\n\n面板\n");
  assertStringIncludes(chinese ?? "", "\n\n代理\n");
  assertMatch(chinese ?? "", /^ {2}rediscover +关闭 +默认$/m);
});

inFolder.test("runConfigShow() hides all of a password with an @ in it, and one without a scheme before it", (folder) => {
  const lines = [
    "HTTP_PROXY=me@corp:s3@cret@p.example:1",
    "HTTPS_PROXY=http://u:s3@cret@p.example",
  ];
  Deno.writeTextFileSync(`${folder.path}/environment`, `${lines.join("\n")}\nNO_PROXY=a@b,c\n`);
  const installed = { configPath: `${folder.path}/config.json`, isConfigInstalled: true };
  const context = new FakeContext();
  runConfigShow({ ...configOf(["--json"]), ...installed }, context);
  const { HTTP_PROXY, HTTPS_PROXY } = JSON.parse(context.printed).proxies;
  const expected = ["********@p.example:1", "http://********@p.example"];
  assertEquals([HTTP_PROXY.value, HTTPS_PROXY.value], expected);
  const own = new FakeContext({ https_proxy: "me@corp:s3@cret@p.example:1" });
  runConfigShow(configOf(["--json"]), own);
  const { value } = JSON.parse(own.printed).proxies.HTTPS_PROXY;
  assertEquals(value, "http://********@p.example:1");
});

inFolder.test("runConfigShow() names the installed service's file and its saved proxies", (folder) => {
  Deno.writeTextFileSync(`${folder.path}/environment`, "HTTP_PROXY=http://u:pw@p.example:1\n");
  const path = `${folder.path}/config.json`;
  const config = { ...configOf([]), configPath: path, isConfigInstalled: true };
  const context = new FakeContext({ HTTPS_PROXY: "http://not-of-the-service:1" });
  runConfigShow(config, context);
  const lines = context.printed.split("\n");
  assertEquals(lines[0], `Configuration file: ${path} (of the installed service)`);
  const [proxy = "", ...more] = lines.filter((line) => /^ {2}HTTPS?_PROXY/.test(line));
  assertMatch(proxy, /^ {2}HTTP_PROXY +http:\/\/\*{8}@p\.example:1 +\/.*\/environment$/);
  assertEquals(more, []);
  assertMatch(context.printed, /^ {2}config_file +\S+\/config\.json +the installed service$/m);
  Deno.removeSync(`${folder.path}/environment`);
  const without = new FakeContext(context.env);
  runConfigShow(config, without);
  assertEquals(without.printed.includes("not-of-the-service"), false);
});
