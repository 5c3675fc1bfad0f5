import { assertEquals } from "@std/assert";
import { RELEASE_KEY, releaseKey } from "../lib/version.ts";

Deno.test("releaseKey() is the build's unless --update-url comes with a key of its own", () => {
  const url = "https://releases.example/latest";
  const of = (updateUrl: string, updateKey: string) => releaseKey({ updateUrl, updateKey });
  assertEquals(of("", ""), RELEASE_KEY);
  assertEquals(of(url, ""), RELEASE_KEY, "a copy of our releases");
  assertEquals(of(url, "theirs"), "theirs");
  assertEquals(of("", "theirs"), RELEASE_KEY, "no other key for our own releases");
});
