import { assertEquals } from "@std/assert";
import { releaseFlags } from "../../lib/config/config.ts";

Deno.test("releaseFlags() has what is about servers of releases, and nothing else", () => {
  const given = new Map([["token", "t"], ["ca_cert", "/ca.pem"], ["mirror", "https://m.example"]]);
  assertEquals(releaseFlags(given), ["--ca-cert", "/ca.pem", "--mirror", "https://m.example"]);
  assertEquals(releaseFlags(new Map()), []);
  const own = new Map([["update_url", "https://u.example"], ["update_key", "k"]]);
  assertEquals(releaseFlags(own), ["--update-url", "https://u.example", "--update-key", "k"]);
});
