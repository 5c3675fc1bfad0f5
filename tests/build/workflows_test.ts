import { assert, assertEquals, assertMatch } from "@std/assert";

const folder = new URL("../../.github/workflows/", import.meta.url);
const workflows = Array.from(Deno.readDirSync(folder), ({ name }) => ({
  name,
  text: Deno.readTextFileSync(new URL(name, folder)),
}));

Deno.test("the workflows pin every action by its commit, and say which version that is", () => {
  const used = workflows.flatMap(({ text }) => text.match(/uses: .*/g) ?? []);
  assert(used.length > 10);
  for (const line of used.filter((line) => !line.startsWith("uses: ./"))) {
    assertMatch(line, /^uses: [\w-]+\/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/);
  }
});

Deno.test("the workflows pin an action everywhere to the same commit", () => {
  const pins = new Map<string, string>();
  for (const { text } of workflows) {
    for (const [, action = "", pin = ""] of text.matchAll(/uses: ([\w-]+\/[\w-]+)@(.*)/g)) {
      assertEquals(pins.get(action) ?? pin, pin, action);
      pins.set(action, pin);
    }
  }
  assert(pins.size > 3);
});

Deno.test("the workflows may read at most, unless a job asks for more", () => {
  assert(workflows.length > 1);
  for (const { name, text } of workflows) {
    assertMatch(text, /^permissions:(?: \{\}|\n {2}contents: read)\n\n/m, name);
    assert(!text.includes("write-all") && !text.includes("pull_request_target"), name);
  }
});

Deno.test("the workflows let no name of a branch or tag into a script", () => {
  const scripts = workflows.flatMap(({ name, text }) =>
    Array.from(text.matchAll(/run: (?:\|\n(?: {10,}.*\n)+|.*)/g), ([script]) => ({ name, script }))
  );
  assert(scripts.length > 10);
  for (const { name, script } of scripts) assert(!script.includes("${{"), `${name}: ${script}`);
});

Deno.test("the workflows build with the Deno that the tests run on", () => {
  const versions = workflows.flatMap(({ text }) => text.match(/deno@[\d.]+/g) ?? []);
  assert(versions.length >= 3);
  for (const version of versions) assertEquals(version, `deno@${Deno.version.deno}`);
});

Deno.test("the workflows show the signing key to the step that signs, and to no other", () => {
  const shown = workflows.flatMap(({ name, text }) =>
    text.split(/(?=^ {6}- )/m).filter((step) => /RELEASE_SIGNING_KEY/.test(step))
      .map((step) => ({ name, step }))
  );
  assertEquals(shown.length, 1);
  assertEquals(shown[0]?.name, "release.yml");
  assertMatch(shown[0]?.step ?? "", /run: npx --yes deno@[\d.]+ run .*build\/sign_release\.ts\n/);
  const stamped = workflows.flatMap(({ text }) =>
    text.match(/vars\.RELEASE_PUBLIC_KEY \}\}/g) ?? []
  );
  assertEquals(stamped.length, 2, "the build and the step that signs");
});
