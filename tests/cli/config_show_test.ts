import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { runConfigShow, shownOptions } from "../../lib/cli/config_show.ts";
import { translate } from "../../lib/cli/translate.ts";
import { type Config, resolveConfig } from "../../lib/config/config.ts";
import { same } from "../cases.ts";
import { inFolder } from "../temp_folder.ts";
import { FakeContext } from "./fake_context.ts";

const FILE = {
  endpoint: "https://p.example",
  token: "s3cret-token",
  headers: { "X-Secret": "s3cret-header" },
  interval: 5,
};
const PANELS = ["p", "q"].map((name) => ({
  endpoint: `https://${name}.example`,
  token: `s3cret-${name}`,
}));

function configOf(
  args: string,
  { env = {}, file = FILE }: { env?: Record<string, string>; file?: unknown } = {},
): Config {
  return resolveConfig({
    args: ["config", "show", ...args.split(" ").filter((word) => word !== "")],
    env,
    readText: (path) =>
      path === "/run/c/token" || path === "t" ? "s3cret-token" : JSON.stringify(file),
    readMode: () => 0o644,
  });
}

/** What the command prints, in the configuration's language. */
function output(config: Config, env: Record<string, string> = {}): string {
  const inLanguage = (english: string) => translate(english, config.language);
  const context = Object.assign(new FakeContext(env), { inLanguage });
  assertEquals(runConfigShow(config, context), 0);
  return context.printed;
}

Deno.test("shownOptions() have the value in force and its origin", async () => {
  const config = configOf("--config c --gpu", { env: { AGENT_INTERVAL: "7" } });
  const file = configOf("--token-file t");
  const credential = configOf("", { env: { CREDENTIALS_DIRECTORY: "/run/c" } });
  const several = configOf("--config c", { file: { panels: PANELS } });
  const shown = ([config, key]: readonly [Config, string]) => {
    const option = shownOptions(config, (english) => english).find((it) => it.key === key);
    return `${option?.value} | ${option?.origin}`;
  };
  await same(shown, [
    [[config, "endpoint"], "https://p.example | key endpoint of c"],
    [[config, "interval"], "7 | variable AGENT_INTERVAL"],
    [[config, "headers"], "******** | key headers of c"],
    [[config, "enable_gpu"], "true | flag --gpu"],
    [[config, "transport"], "auto | default"],
    [[config, "config_file"], "c | flag --config"],
    [[config, "max_retries"], "undefined | undefined"],
    [[configOf("-r 4"), "max_retries"], "4 | flag --max-retries"],
    [[file, "token"], "******** | flag --token-file"],
    [[credential, "token"], "******** | $CREDENTIALS_DIRECTORY/token"],
    [[configOf(""), "token"], " | default"],
    [[several, "panels"], "https://p.example, https://q.example | key panels of c"],
    [[several, "endpoint"], "https://p.example | key panels of c"],
    [[several, "token"], "******** | key panels of c"],
  ]);
});

Deno.test("runConfigShow() hides every secret, and names a file that others can read", () => {
  const hidden =
    "--ip-services https://me:s3cret@a.example/,https://b.example/s3cret-token,https://c.example/?k=s3cr";
  for (const more of ["", "--json", "--lang zh"]) {
    const text = output(configOf(`--config c ${hidden} ${more}`));
    assertEquals(text.includes("s3cr"), false, text);
    assertStringIncludes(text, "https://********@a.example/,https://b.example/…");
    assertStringIncludes(text, "c holds a secret and can be read by all users");
  }
  const { file, options } = JSON.parse(output(configOf("--config c --json")));
  assertEquals([file, options.interval], ["c", { value: "5", origin: "key interval of c" }]);
});

Deno.test("runConfigShow() lays options out by their groups, with proxies and notes", () => {
  const args = "-e https://p.example -t s3cret --transport http --interval 60";
  const env = { HTTPS_PROXY: "http://u:s3@cret@p.example:3128", no_proxy: "localhost" };
  const lines = output(configOf(args), env).split("\n");
  assertEquals(lines.slice(0, 5), [
    "Configuration file: none",
    "",
    "Panel",
    `  ${"endpoint".padEnd(23)}  ${"https://p.example".padEnd(30)}  flag --endpoint`,
    `  ${"token".padEnd(23)}  ${"********".padEnd(30)}  flag --token`,
  ]);
  for (const line of lines) assertEquals(line, line.trimEnd());
  const text = lines.join("\n");
  assertMatch(
    text,
    /^Proxies\n {2}HTTPS_PROXY +http:\/\/\*{8}@p\.example:3128 +variable HTTPS_PROXY$/m,
  );
  assertMatch(text, /^ {2}NO_PROXY +localhost +variable NO_PROXY\n\nNote: --interval 60 is long/m);
  assertEquals(output(configOf(args)).includes("Proxies"), false);
  const chinese = output(configOf("--lang zh"), env);
  assertMatch(chinese, /^配置文件：无\n\n面板\n[^]*\n\n代理\n/);
  assertMatch(chinese, /^ {2}rediscover +关闭 +默认$/m);
});

inFolder.test("runConfigShow() names the installed service's file and its saved proxies", (folder) => {
  const saved = `${folder.path}/environment`;
  Deno.writeTextFileSync(saved, "HTTP_PROXY=me@corp:s3@cret@p.example:1\nNO_PROXY=a@b,c\n");
  const installed = { configPath: `${folder.path}/config.json`, isConfigInstalled: true };
  const env = { HTTPS_PROXY: "http://not-of-the-service:1" };
  const shown = () => output({ ...configOf(""), ...installed }, env);
  const text = shown();
  assertStringIncludes(text, `Configuration file: ${installed.configPath} (of the installed serv`);
  assertMatch(
    text,
    /^Proxies\n {2}HTTP_PROXY +\*{8}@p\.example:1 +\/.*\/environment\n {2}NO_PROXY/m,
  );
  assertMatch(text, /^ {2}config_file +\S+\/config\.json +the installed service$/m);
  Deno.removeSync(saved);
  assertEquals(shown().includes("not-of-the-service"), false);
});
