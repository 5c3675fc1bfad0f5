import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import manifest from "../../deno.json" with { type: "json" };
import { PLACEHOLDER, stampedFiles, stampRepository } from "../../build/pages.ts";

const ROOT = new URL("../../", import.meta.url);
const stamp = (text: string, repository: string) => stampRepository(text, repository, "en");

Deno.test("stampRepository() puts a name where a text has the placeholder, and takes it out again", () => {
  for (const path of stampedFiles()) {
    const text = Deno.readTextFileSync(new URL(path, ROOT));
    const named = stamp(text, "some/where");
    assert(!named.includes(PLACEHOLDER), path);
    assertEquals(stamp(named, ""), stamp(text, ""), path);
    assertEquals(stamp(named, "other/place"), named.replaceAll("some/where", "other/place"));
  }
  const page = "<!-- repository -->\n\n<!-- /repository -->\n";
  assertStringIncludes(stamp(page, ""), "replace `OWNER/NAME` with");
  assertStringIncludes(stampRepository(page, "", "zh"), "换成本仓库");
  assertEquals(stampRepository(stampRepository(page, "", "zh"), "a/b", "zh"), page);
});

Deno.test("stampRepository() stamps addresses, images and install.sh, and leaves other repositories", () => {
  const text = `https://m.example/https://github.com/OWNER/NAME/releases/latest/download/install.sh
    git clone https://github.com/OWNER/NAME.git x
    ghcr.io/OWNER/NAME:latest \`gh attestation verify FILE --repo OWNER/NAME\`
REPOSITORY=''`;
  const expected = text.replaceAll("OWNER/NAME", "a/b").replace("=''", "='a/b'");
  assertEquals(stamp(text, "a/b"), expected.replace(":latest", `:${manifest.version}`));
  const other = "[Komari](https://github.com/komari-monitor/komari)";
  assertEquals(stamp(other, "a/b"), other);
});
