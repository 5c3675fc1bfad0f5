import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { configText, readConfigFile } from "../../lib/config/config_file.ts";

const GIVEN = new Map([
  ["endpoint", "https://p.example"],
  ["interval", "2.5"],
  ["enable_gpu", "true"],
  ["include_nics", "eth0, wlan*"],
  ["include_mountpoints", "/;/srv/a,b"],
  ["ip_services", "https://a.example,https://b.example"],
  ["headers", "A: b\nC: d, e"],
  ["custom_dns", "9.9.9.9"],
  ["protocol_version", "1"],
]);

Deno.test("configText() has switches, numbers and lists as JSON's own", () => {
  assertEquals(JSON.parse(configText(GIVEN)), {
    endpoint: "https://p.example",
    interval: 2.5,
    enable_gpu: true,
    include_nics: ["eth0", "wlan*"],
    include_mountpoints: ["/", "/srv/a,b"],
    ip_services: ["https://a.example", "https://b.example"],
    headers: "A: b\nC: d, e",
    custom_dns: "9.9.9.9",
    protocol_version: 1,
  });
});

Deno.test("configText() is read back as what was given", () => {
  const read = readConfigFile("f", { option: "--config", readText: () => configText(GIVEN) });
  assertEquals(read, new Map([...GIVEN, ["include_nics", "eth0,wlan*"]]));
});

Deno.test("configText() keeps a token as it is, whatever is in it", () => {
  fc.assert(
    fc.property(fc.string({ minLength: 1 }).filter((it) => /^[^\s\p{Cc}]+$/u.test(it)), (token) => {
      const readText = () => configText(new Map([["token", token]]));
      assertEquals(readConfigFile("f", { option: "--config", readText }).get("token"), token);
    }),
  );
});
