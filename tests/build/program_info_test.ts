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
  /** Commands of git, run before. */
  readonly git?: readonly string[][];
}

/** What a build is told by its variables, its options and its `deno.json`. */
async function infoOf({ env = {}, version, manifest = MANIFEST, git = [] }: Told) {
  using folder = new TempFolder();
  await Deno.writeTextFile(`${folder.path}/deno.json`, JSON.stringify(manifest));
  for (const args of git) {
    const { success } = await new Deno.Command("git", { args, cwd: folder.path }).output();
    assertEquals(success, true, args[0]);
  }
  return await programInfo(folder.path, { env, ...(version !== undefined && { version }) });
}

Deno.test("programInfo() reads version and repository from deno.json", async () => {
  const expected = { version: "1.2.3", commit: "", repository: "a/b", releaseKey: "" };
  assertEquals(await infoOf({}), expected);
});

Deno.test("programInfo() reads tag, commit, repository and key on GitHub", async () => {
  const env = { ...TAG, GITHUB_SHA: "c0ffee", GITHUB_REPOSITORY: "c/d", RELEASE_PUBLIC_KEY: KEY };
  const expected = { version: "4.5.6", commit: "c0ffee", repository: "c/d", releaseKey: KEY };
  assertEquals(await infoOf({ env }), expected);
});

Deno.test("programInfo() refuses a release whose pages have a placeholder for the repository", async () => {
  const env = { GITHUB_REPOSITORY: "c/d", RELEASE_PUBLIC_KEY: KEY };
  const manifest = { ...MANIFEST, repository: "" };
  assertEquals((await infoOf({ env, manifest })).repository, "c/d", "a build that is no release");
  const release = () => infoOf({ env: { ...env, ...TAG }, manifest });
  await assertRejects(release, Error, "deno.json names no repository");
});

Deno.test("programInfo() ignores a branch name, and prefers the given version", async () => {
  const env = { GITHUB_REF_TYPE: "branch", GITHUB_REF_NAME: "v9" };
  assertEquals((await infoOf({ env })).version, "1.2.3");
  assertEquals((await infoOf({ env: TAG, version: "7.8.9-rc.1" })).version, "7.8.9-rc.1");
});

Deno.test("programInfo() throws when the version is invalid", async () => {
  for (const version of ["", "1", "1.2", "v1.2.3", "1.2.3 ", "1.2.3-", "latest", "1.2.3\n4"]) {
    await assertRejects(() => infoOf({ version }), Error, `Cannot build version "${version}"`);
  }
  await assertRejects(() => infoOf({ manifest: { version: 3 } }), Error, "Cannot build");
});

Deno.test("programInfo() reads the commit from git", async () => {
  const git = [
    ["init", "--quiet"],
    ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "--allow-empty", "-qm", "first"],
  ];
  assertMatch((await infoOf({ git })).commit, /^[0-9a-f]{40}$/);
});

Deno.test("programInfo() throws without quoting when the key is invalid", async () => {
  for (const key of ["x", `${KEY} `, privateKey]) {
    const building = () => infoOf({ env: { RELEASE_PUBLIC_KEY: key } });
    const error = await assertRejects(building, Error, "Cannot build with RELEASE_PUBLIC_KEY");
    assertEquals(`${error.message}${error.cause}`.includes(privateKey), false);
  }
  const { releaseKey } = await infoOf({ manifest: { ...MANIFEST, releaseKey: KEY } });
  assertEquals(releaseKey, KEY);
});
