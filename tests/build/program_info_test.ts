import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import { programInfo } from "../../build/program_info.ts";
import { ReleaseKeys } from "../update/release_keys.ts";
import { TempFolder } from "../temp_folder.ts";

const MANIFEST = { version: "1.2.3", repository: "a/b" };
const { publicKey: KEY, privateKey } = new ReleaseKeys();
const TAG = { GITHUB_REF_TYPE: "tag", GITHUB_REF_NAME: "v4.5.6" };

interface Told {
  readonly env?: Record<string, string>;
  readonly version?: string;
  readonly manifest?: Record<string, unknown>;
  /** A line of shell, run before. */
  readonly before?: string;
}

/** What a build is told by its variables, its options and its `deno.json`. */
async function infoOf({ env = {}, version, manifest = MANIFEST, before = "true" }: Told) {
  using folder = new TempFolder();
  await Deno.writeTextFile(`${folder.path}/deno.json`, JSON.stringify(manifest));
  const shell = new Deno.Command("sh", { args: ["-c", before], cwd: folder.path });
  assertEquals((await shell.output()).success, true);
  return await programInfo(folder.path, { env, ...(version !== undefined && { version }) });
}

Deno.test("programInfo() reads deno.json, git, and tag, commit, repository and key on GitHub", async () => {
  const plain = { version: "1.2.3", commit: "", repository: "a/b", releaseKey: "" };
  assertEquals(await infoOf({}), plain);
  const keyed = { ...MANIFEST, releaseKey: KEY };
  assertEquals(await infoOf({ manifest: keyed }), { ...plain, releaseKey: KEY });
  const before = "git init -q && git -c user.name=a -c user.email=a@b commit --allow-empty -qm one";
  assertMatch((await infoOf({ before })).commit, /^[0-9a-f]{40}$/);
  const env = { ...TAG, GITHUB_SHA: "c0ffee", GITHUB_REPOSITORY: "c/d", RELEASE_PUBLIC_KEY: KEY };
  const tagged = { version: "4.5.6", commit: "c0ffee", repository: "c/d", releaseKey: KEY };
  assertEquals(await infoOf({ env }), tagged);
  assertEquals(await infoOf({ env: { ...TAG, GITHUB_REF_TYPE: "branch" } }), plain);
  assertEquals((await infoOf({ env: TAG, version: "7.8.9-rc.1" })).version, "7.8.9-rc.1");
});

Deno.test("programInfo() refuses a bad version or key, and a release without a repository", async () => {
  const env = { GITHUB_REPOSITORY: "c/d", RELEASE_PUBLIC_KEY: KEY };
  const manifest = { ...MANIFEST, repository: "" };
  assertEquals((await infoOf({ env, manifest })).repository, "c/d", "a build that is no release");
  const release = () => infoOf({ env: { ...env, ...TAG }, manifest });
  await assertRejects(release, Error, "deno.json names no repository");
  for (const version of ["", "1", "1.2", "v1.2.3", "1.2.3 ", "1.2.3-", "latest", "1.2.3\n4"]) {
    await assertRejects(() => infoOf({ version }), Error, `Cannot build version "${version}"`);
  }
  await assertRejects(() => infoOf({ manifest: { version: 3 } }), Error, "Cannot build");
  for (const key of ["x", `${KEY} `, privateKey]) {
    const building = () => infoOf({ env: { RELEASE_PUBLIC_KEY: key } });
    const error = await assertRejects(building, Error, "Cannot build with RELEASE_PUBLIC_KEY");
    assertEquals(`${error.message}${error.cause}`.includes(privateKey), false);
  }
});
