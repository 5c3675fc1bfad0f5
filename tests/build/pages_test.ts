import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import manifest from "../../deno.json" with { type: "json" };
import { PLACEHOLDER, stampedFiles, stampRepository } from "../../build/pages.ts";

const ROOT = new URL("../../", import.meta.url);

Deno.test("stampRepository() puts a name where a text has the placeholder, and takes it out again", () => {
  for (const path of stampedFiles()) {
    const text = Deno.readTextFileSync(new URL(path, ROOT));
    const empty = stampRepository(text, "", "en");
    const named = stampRepository(text, "some/where", "en");
    assert(!named.includes(PLACEHOLDER), path);
    assertEquals(stampRepository(named, "", "en"), empty, path);
    assertEquals(
      stampRepository(named, "other/place", "en"),
      named.replaceAll("some/where", "other/place"),
    );
  }
});

Deno.test("stampRepository() stamps addresses, images and install.sh, and leaves other repositories", () => {
  const text = [
    "https://github.com/OWNER/NAME/releases/latest/download/install.sh",
    "https://m.example/https://github.com/OWNER/NAME/releases",
    "git clone https://github.com/OWNER/NAME.git x",
    "ghcr.io/OWNER/NAME:latest",
    "`gh attestation verify FILE --repo OWNER/NAME`",
    "REPOSITORY=''",
  ].join("\n");
  const named = stampRepository(text, "a/b", "en");
  const expected = text.replaceAll("OWNER/NAME", "a/b").replace("=''", "='a/b'");
  assertEquals(named, expected.replace(":latest", `:${manifest.version}`));
  const other = "[Komari](https://github.com/komari-monitor/komari)";
  assertEquals(stampRepository(other, "a/b", "en"), other);
});

Deno.test("stampRepository() says what to put in as long as there is no name", () => {
  const page = "<!-- repository -->\n\n<!-- /repository -->\n";
  assertStringIncludes(stampRepository(page, "", "en"), "in place of `OWNER/NAME`");
  assertStringIncludes(stampRepository(page, "", "zh"), "换成本仓库");
  assertEquals(stampRepository(stampRepository(page, "", "zh"), "a/b", "zh"), page);
});
