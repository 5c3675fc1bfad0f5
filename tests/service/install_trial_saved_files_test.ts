import { assertEquals, assertRejects } from "@std/assert";
import { restoreFiles, saveFiles } from "../../lib/service/install_trial.ts";
import type { Step } from "../../lib/service/install_step.ts";
import { syncedPaths } from "../state/synced_paths.ts";
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

Deno.test("saveFiles() leaves nothing when one file can't be kept", async () => {
  await using fake = machine();
  Deno.mkdirSync(`${fake.root}/etc/taken`);
  const before = fake.tree("/etc");
  const steps: Step[] = [...STEPS, { do: "copy", path: "/etc/taken", from: "/x", mode: 0o644 }];
  const why = "Cannot keep the present installation";
  await assertRejects(() => saveFiles(steps, fake.system), Error, why);
  assertEquals(fake.tree("/etc"), before);
});

Deno.test("saveFiles() keeps what is linked or removed, and restoreFiles() what was there before", async () => {
  await using fake = machine();
  Deno.symlinkSync("changed", `${fake.root}/etc/link`);
  const before = fake.tree();
  const steps: Step[] = [
    { do: "link", path: "/etc/link", to: "same" },
    { do: "remove", path: "/etc/changed" },
    { do: "file", path: "/etc/same", text: "same", mode: 0o644 }, // It fails before this one.
    { do: "file", path: "/srv/new/deep/made", text: "new", mode: 0o644 },
  ];
  const saved = await saveFiles(steps, fake.system);
  for (const path of ["/etc/link", "/etc/changed"]) Deno.removeSync(fake.root + path);
  Deno.symlinkSync("same", `${fake.root}/etc/link`);
  fake.write("/srv/new/deep/made", "new");
  const synced = await syncedPaths(() => restoreFiles(saved));
  assertEquals(fake.tree(), before);
  assertEquals(Deno.readLinkSync(`${fake.root}/etc/link`), "changed");
  assertEquals(synced, Array(3).fill(`${fake.root}/etc/`), "after each rename");
});
