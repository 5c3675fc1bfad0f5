import { assertEquals } from "@std/assert";
import { unknownZone } from "../../lib/traffic/time_zone.ts";

/** What the process says that runs with a `TZ`. */
async function zoneIn(variable: string): Promise<unknown> {
  const url = new URL("../../lib/traffic/time_zone.ts", import.meta.url).href;
  const code = `const { localTime, unknownZone } = await import("${url}");
    console.log(JSON.stringify(unknownZone(localTime(Deno.env.get("TZ"))) ?? null));`;
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["eval", "--no-check", code],
    env: { TZ: variable, NO_COLOR: "1" },
  }).output();
  return JSON.parse(new TextDecoder().decode(stdout));
}

Deno.test("unknownZone() names a zone for which the engine takes UTC", async () => {
  const known = ["Asia/Tokyo", ":Asia/Tokyo", "/usr/share/zoneinfo/Asia/Tokyo", "CST-8", "EST5EDT"];
  const zero = ["UTC", "Etc/UTC", "GMT", "UTC0", "Africa/Abidjan", "Europe/London"];
  for (const variable of [...known, ...zero]) assertEquals(await zoneIn(variable), null, variable);
  const rules = ["EST5EDT,M3.2.0,M11.1.0", "CET-1CEST,M3.5.0,M10.5.0/3", "<+0330>-3:30"];
  for (const variable of [...rules, "Nowhere/City"]) {
    assertEquals(await zoneIn(variable), `TZ=${variable}`);
  }
});

Deno.test("unknownZone() names the machine's own zone where that has no name", () => {
  const local = (timeZone: string | undefined) =>
    unknownZone({ variable: "", timeZone, offsets: [0, 0] });
  assertEquals([local("UTC"), local("Etc/Unknown"), local(undefined)], [
    undefined,
    "/etc/localtime",
    "/etc/localtime",
  ]);
});
