import { assertEquals } from "@std/assert";
import { discardFiles, restoreFiles, saveFiles } from "../../lib/service/saved_files.ts";
import type { Step } from "../../lib/service/install_step.ts";
import { FakeSystem } from "./fake_system.ts";

/** Steps that change a file, leave one as it is, and make a new one in a new folder. */
const STEPS: readonly Step[] = [
  { do: "file", path: "/etc/changed", text: "new", mode: 0o644 },
  { do: "file", path: "/etc/same", text: "same", mode: 0o644 },
  { do: "file", path: "/etc/folder/made", text: "new", mode: 0o644 },
];

function machine(): FakeSystem {
  const system = new FakeSystem({ folders: ["etc"], fakes: {} });
  Deno.writeTextFileSync(`${system.root}/etc/changed`, "old");
  Deno.writeTextFileSync(`${system.root}/etc/same`, "same");
  return system;
}

Deno.test("restoreFiles() puts files back that were replaced, and leaves nothing beside any", async () => {
  await using fake = machine();
  const before = fake.tree("/etc");
  const saved = await saveFiles(STEPS, [], fake.system);
  // As an installation does: a new file takes the place of the one before.
  Deno.writeTextFileSync(`${fake.root}/etc/new`, "new");
  Deno.renameSync(`${fake.root}/etc/new`, `${fake.root}/etc/changed`);
  Deno.mkdirSync(`${fake.root}/etc/folder`);
  Deno.writeTextFileSync(`${fake.root}/etc/folder/made`, "new");
  await restoreFiles(saved);
  assertEquals(fake.tree("/etc"), before);
  assertEquals([fake.text("/etc/changed"), fake.text("/etc/same")], ["old", "same"]);
});

Deno.test("discardFiles() leaves what is there now, and nothing beside it", async () => {
  await using fake = machine();
  const before = fake.tree("/etc");
  await discardFiles(await saveFiles(STEPS, [], fake.system));
  assertEquals(fake.tree("/etc"), before);
});
