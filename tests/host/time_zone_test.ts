import { assertEquals } from "@std/assert";
import { TempFolder } from "../temp_folder.ts";
import { denoOutput } from "../deno_output.ts";

/** The hour of a time in winter, in a process that uses the local time below a root, and its `TZ`. */
async function hourBelow(root: string, env: Record<string, string>): Promise<unknown> {
  const url = new URL("../../lib/host/time_zone.ts", import.meta.url).href;
  const code = `const { useLocalTime } = await import("${url}");
    useLocalTime({ root: ${JSON.stringify(root)} });
    const hour = new Date(Date.UTC(2026, 11, 1, 12)).getHours();
    console.log(JSON.stringify([hour, Deno.env.get("TZ") ?? ""]));`;
  const output = await denoOutput("eval --no-check", [code], {
    // This machine may have a TZ.
    clearEnv: true,
    env: { ...env, HOME: Deno.env.get("HOME") ?? "/" },
  });
  return JSON.parse(output);
}

Deno.test("useLocalTime() takes the zone of another root, or that of a path in TZ", async () => {
  using folder = new TempFolder();
  const root = folder.path;
  assertEquals(await hourBelow(root, { TZ: "UTC" }), [12, "UTC"]);
  for (const path of ["/usr/share/zoneinfo/", ":/usr/share/zoneinfo/", "/etc/zoneinfo/posix/"]) {
    const TZ = `${path}America/Santiago`;
    assertEquals(await hourBelow("/", { TZ }), [9, "America/Santiago"], path);
  }
  Deno.mkdirSync(`${root}/etc`);
  Deno.writeTextFileSync(`${root}/etc/timezone`, "Europe/Paris\n");
  Deno.writeTextFileSync(`${root}/etc/localtime`, "TZif");
  assertEquals(await hourBelow(root, {}), [13, "Europe/Paris"]);
  Deno.removeSync(`${root}/etc/localtime`);
  Deno.symlinkSync("../usr/share/zoneinfo/Asia/Shanghai", `${root}/etc/localtime`);
  assertEquals(await hourBelow(root, {}), [20, "Asia/Shanghai"]);
  assertEquals(await hourBelow(root, { TZ: "Asia/Tokyo" }), [21, "Asia/Tokyo"]);
  assertEquals(await hourBelow(root, { TZ: "" }), [12, ""]);
});
