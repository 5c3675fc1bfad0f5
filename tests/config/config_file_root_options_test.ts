import { assert, assertEquals } from "@std/assert";
import { resolveConfig } from "../../lib/config/config.ts";
import { ROOT_KEYS, splitRootOptions } from "../../lib/config/config_file.ts";
import { OPTION_ROWS } from "../../lib/config/option_table.ts";

Deno.test("splitRootOptions() leaves out where root would go, and keeps the rest", () => {
  const trusted = ["interval", "endpoint", "token"];
  const forRoot = [
    ...["auto_discovery_file", "state_dir", "update_url", "update_key"],
    ...["mirror", "ca_cert", "token_file"],
  ];
  const all = new Map([...trusted, ...forRoot].map((key) => [key, "x"]));
  const { counted, ignored } = splitRootOptions(all);
  assertEquals([[...counted.keys()], [...ignored.keys()]], [trusted, forRoot]);
});

Deno.test("splitRootOptions() knows every option that names a file or a folder", () => {
  // Only the agent itself looks there.
  const known = [...ROOT_KEYS, "host_proc"];
  const keys = OPTION_ROWS.flatMap(({ key, placeholder = "" }) =>
    ["FILE", "FOLDER"].includes(placeholder) && key !== undefined ? [key] : []
  );
  assert(keys.length > 3);
  for (const key of keys) assert(key === "config_file" || known.includes(key), key);
});

Deno.test("splitRootOptions() is about another user's installed configuration alone", () => {
  const sources = {
    env: {},
    readText: () => '{"mirror": "https://m.example", "interval": 7}',
    readMode: () => 0o600,
    installedConfigs: () => ["/etc/komari-agent-deno/config.json"],
  };
  const told = (args: string[], isOwn: boolean) => {
    const { explicitOptions, ignoredOptions } = resolveConfig({
      ...sources,
      args,
      isOwn: () => isOwn,
    });
    return [explicitOptions.get("mirror"), ignoredOptions.get("mirror")];
  };
  assertEquals(told(["install"], false), [undefined, "https://m.example"]);
  assertEquals(told(["install"], true), ["https://m.example", undefined]);
  assertEquals(told(["install", "--config", "/x"], false), ["https://m.example", undefined]);
});
