import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { parseRelease } from "../../lib/update/releases.ts";

/** As the API answers, with fields that nobody here asks for. */
function answer(changes: Record<string, unknown> = {}): string {
  return JSON.stringify({
    url: "https://api.github.com/repos/o/n/releases/1",
    tag_name: "v1.2.3",
    draft: false,
    prerelease: false,
    assets: [asset()],
    body: "Notes",
    ...changes,
  });
}

function asset(changes: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    name: "komari-agent-deno-linux-amd64",
    state: "uploaded",
    size: 1234,
    browser_download_url: "https://github.com/o/n/releases/download/v1.2.3/x",
    ...changes,
  };
}

Deno.test("parseRelease() parses the tag and the files", () => {
  assertEquals(parseRelease(answer()), {
    tag: "v1.2.3",
    isPrerelease: false,
    files: new Map([
      ["komari-agent-deno-linux-amd64", "https://github.com/o/n/releases/download/v1.2.3/x"],
    ]),
  });
});

Deno.test("parseRelease() detects drafts and pre-releases", () => {
  assertEquals(parseRelease(answer({ draft: true })).isPrerelease, true);
  assertEquals(parseRelease(answer({ prerelease: true })).isPrerelease, true);
});

Deno.test("parseRelease() ignores files with invalid fields", () => {
  const odd = [
    { name: 1 },
    { browser_download_url: "file:///etc/passwd" },
    { browser_download_url: "https://" },
    { browser_download_url: undefined },
  ];
  const assets = [...odd.map(asset), null, 1, "x", []];
  assertEquals(parseRelease(answer({ assets })).files, new Map());
});

Deno.test("parseRelease() limits the number of files", () => {
  const assets = Array.from({ length: 5000 }, (_, at) => asset({ name: `${at}` }));
  assertEquals(parseRelease(answer({ assets })).files.size, 200);
});

Deno.test("parseRelease() throws with the beginning of other text", () => {
  const others = [
    "",
    "<html>Not found</html>",
    "null",
    "[]",
    "{}",
    '{"message":"API rate limit exceeded"}',
    answer({ assets: null }),
    answer({ tag_name: 7 }),
    answer({ tag_name: "v".repeat(101) }),
  ];
  assertEquals(parseRelease(answer({ tag_name: "v".repeat(100) })).tag.length, 100);
  for (const text of others) assertThrows(() => parseRelease(text), SyntaxError, "it begins with");
  const error = assertThrows(() => parseRelease("x".repeat(1000)), SyntaxError);
  assert(error.message.length < 200);
});

Deno.test("parseRelease() returns a release or throws SyntaxError for any JSON", () => {
  fc.assert(fc.property(fc.json(), (json) => {
    try {
      parseRelease(json);
    } catch (error) {
      assert(error instanceof SyntaxError);
    }
  }));
});
