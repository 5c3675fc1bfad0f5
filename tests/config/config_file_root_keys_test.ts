import { assert, assertEquals } from "@std/assert";
import { resolveConfig } from "../../lib/config/config.ts";
import { passOverRootKeys, ROOT_KEYS } from "../../lib/config/config_file.ts";
import type { Option } from "../../lib/config/option.ts";
import { OPTIONS } from "../../lib/config/option_table.ts";

Deno.test("passOverRootKeys() leaves out where root would go, and keeps the rest", () => {
  const { file, passedOver } = passOverRootKeys(new Map([["mirror", "m"], ["interval", "3"]]));
  assertEquals([...file], [["interval", "3"]]);
  assertEquals([...passedOver], [["mirror", "m"]]);
});

Deno.test("passOverRootKeys() knows every option that names a file or a folder", () => {
  // Only the agent itself looks there.
  const known = [...ROOT_KEYS, "host_proc"];
  const rows: readonly Option<unknown>[] = Object.values(OPTIONS);
  for (const { key, placeholder = "" } of rows) {
    const isPath = ["FILE", "FOLDER"].includes(placeholder) && key !== undefined;
    assert(!isPath || key === "config_file" || known.includes(key), key);
  }
});

Deno.test("passOverRootKeys() is about another user's installed configuration alone", () => {
  const sources = {
    env: {},
    readText: () => '{"mirror": "https://m.example", "interval": 7}',
    readMode: () => 0o600,
    installedConfigs: () => ["/etc/komari-agent-deno/config.json"],
  };
  const told = (args: string[], isOwn: boolean) => {
    const { install } = resolveConfig({ ...sources, args, isOwn: () => isOwn });
    return [install.given.get("mirror"), install.passedOver.get("mirror")];
  };
  assertEquals(told(["install"], false), [undefined, "https://m.example"]);
  assertEquals(told(["install"], true), ["https://m.example", undefined]);
  assertEquals(told(["install", "--config", "/x"], false), ["https://m.example", undefined]);
});
