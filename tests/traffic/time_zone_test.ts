import { assertEquals } from "@std/assert";
import { localTime, unknownZone, usedHours } from "../../lib/traffic/time_zone.ts";
import { onLinux } from "../only_on.ts";
import { denoOutput } from "../deno_output.ts";

/** What the process says that runs with a `TZ`, of the machine's files of zones. */
async function zoneIn(variable: string): Promise<unknown> {
  const url = new URL("../../lib/traffic/time_zone.ts", import.meta.url).href;
  const code = `const { localTime, unknownZone } = await import("${url}");
    const readText = (path) => { try { return Deno.readTextFileSync(path); } catch {} };
    console.log(JSON.stringify(unknownZone(localTime(Deno.env.get("TZ"), readText)) ?? null));`;
  return JSON.parse(await denoOutput("eval --no-check", [code], { env: { TZ: variable } }));
}

onLinux.test("unknownZone() names a zone for which the engine takes other hours", async () => {
  const known = ["Asia/Tokyo", ":Asia/Tokyo", "/usr/share/zoneinfo/Asia/Tokyo", "CST-8", "EST5EDT"];
  const zero = ["", "UTC", "Etc/UTC", "GMT", "UTC0", "Africa/Abidjan", "Europe/London"];
  const summer = ["Europe/Paris", "America/Santiago", "Australia/Sydney", "Europe/Dublin"];
  for (const variable of [...known, ...zero, ...summer]) {
    assertEquals(await zoneIn(variable), null, variable);
  }
  const rules = ["EST5EDT,M3.2.0,M11.1.0", "CET-1CEST,M3.5.0,M10.5.0/3", "<+0330>-3:30"];
  const paths = [
    "/usr/share/zoneinfo/America/Santiago",
    ":/usr/share/zoneinfo/Europe/Paris",
    "/usr/share/zoneinfo/posix/Europe/Paris",
  ];
  for (const variable of [...rules, ...paths, "Nowhere/City"]) {
    assertEquals(await zoneIn(variable), `TZ=${variable}`, variable);
  }
});

Deno.test("localTime() reads the rule of the machine's zone, and doubts a name without a file", () => {
  const file = "TZif2\0\0\n\0\nIST-1GMT0,M10.5.0,M3.5.0/1\n";
  const own = localTime(undefined, (path) => path === "/etc/localtime" ? file : undefined);
  assertEquals([own.rule, own.isGuessed], ["IST-1GMT0,M10.5.0,M3.5.0/1", true]);
  assertEquals(localTime(undefined, () => "no zone").rule, undefined);
  const isHosts = (path: string) => path === "/host/etc/localtime" ? file : undefined;
  const hosts = localTime(undefined, isHosts, "/host");
  assertEquals([hosts.rule, hosts.origin], [own.rule, "/host/etc/localtime"]);
  // The host's root may be out of reach, and its file be mounted here.
  const isMounted = (path: string) => path === "/etc/localtime" ? file : undefined;
  const mounted = localTime(undefined, isMounted, "/host");
  assertEquals([mounted.rule, mounted.origin], [own.rule, "/etc/localtime"]);
  assertEquals(localTime(undefined, () => file).isGuessed, false);
});

Deno.test("unknownZone() names the machine's own zone where its hours are others, or it has no name", () => {
  const local = (timeZone: string | undefined, rule?: string) =>
    unknownZone({
      ...{ origin: "/etc/localtime", variable: undefined, timeZone, isGuessed: true },
      ...{ offsets: [0, 0], rule },
    });
  assertEquals([local("UTC"), local("Etc/Unknown"), local(undefined)], [
    undefined,
    "/etc/localtime",
    "/etc/localtime",
  ]);
  assertEquals(local(undefined, "UTC0"), undefined);
  assertEquals(local("Asia/Calcutta", "IST-1GMT0,M10.5.0,M3.5.0/1"), "/etc/localtime");
  assertEquals(local("Europe/London", "GMT0BST,M3.5.0/1,M10.5.0"), "/etc/localtime");
});

Deno.test("usedHours() tells the hours to UTC", () => {
  const at = (minutes: number) => {
    const now = new Date(0);
    now.getTimezoneOffset = () => minutes;
    return usedHours(now);
  };
  assertEquals([at(0), at(-480), at(210)], ["UTC", "UTC+08:00", "UTC-03:30"]);
});
