import { assertEquals } from "@std/assert";
import { releaseKey } from "../lib/version.ts";

Deno.test("releaseKey() is the build's unless --update-url comes with a key of its own", () => {
  const url = "https://releases.example/latest";
  const of = (updateUrl: string, updateKey: string) =>
    releaseKey({ updateUrl, updateKey }, { stamped: "ours" });
  assertEquals(of("", ""), "ours");
  assertEquals(of(url, ""), "ours", "a copy of our releases");
  assertEquals(of(url, "theirs"), "theirs");
  assertEquals(of("", "theirs"), "ours", "no other key for our own releases");
});
