import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import { programInfo } from "../../build/program_info.ts";
import { ReleaseKeys } from "../update/release_keys.ts";
import { TempFolder } from "../temp_folder.ts";

async function withManifest<T>(
  manifest: Record<string, unknown>,
  use: (folder: string) => Promise<T>,
): Promise<T> {
  using folder = new TempFolder();
  await Deno.writeTextFile(`${folder.path}/deno.json`, JSON.stringify(manifest));
  return await use(folder.path);
}

const MANIFEST = { version: "1.2.3", repository: "a/b" };
const { publicKey: KEY, privateKey } = new ReleaseKeys();
const TAG = { GITHUB_REF_TYPE: "tag", GITHUB_REF_NAME: "v4.5.6" };

Deno.test("programInfo() reads version and repository from deno.json", async () => {
  const info = await withManifest(MANIFEST, (folder) => programInfo(folder, { env: {} }));
  assertEquals(info, { version: "1.2.3", commit: "", repository: "a/b", releaseKey: "" });
});

Deno.test("programInfo() reads tag, commit, repository and key on GitHub", async () => {
  const env = { ...TAG, GITHUB_SHA: "c0ffee", GITHUB_REPOSITORY: "c/d", RELEASE_PUBLIC_KEY: KEY };
  const info = await withManifest(MANIFEST, (folder) => programInfo(folder, { env }));
  assertEquals(info, { version: "4.5.6", commit: "c0ffee", repository: "c/d", releaseKey: KEY });
});

Deno.test("programInfo() refuses a release whose pages have a placeholder for the repository", async () => {
  const env = { ...TAG, GITHUB_REPOSITORY: "c/d", RELEASE_PUBLIC_KEY: KEY };
  await withManifest({ ...MANIFEST, repository: "" }, async (folder) => {
    const { repository } = await programInfo(folder, { env: { GITHUB_REPOSITORY: "c/d" } });
    assertEquals(repository, "c/d", "a build that is no release");
    await assertRejects(() => programInfo(folder, { env }), Error, "deno.json names no repository");
  });
});

Deno.test("programInfo() ignores a branch name", async () => {
  const env = { GITHUB_REF_TYPE: "branch", GITHUB_REF_NAME: "v9" };
  const info = await withManifest(MANIFEST, (folder) => programInfo(folder, { env }));
  assertEquals(info.version, "1.2.3");
});

Deno.test("programInfo() prefers the given version", async () => {
  const info = await withManifest(
    MANIFEST,
    (folder) => programInfo(folder, { env: TAG, version: "7.8.9-rc.1" }),
  );
  assertEquals(info.version, "7.8.9-rc.1");
});

Deno.test("programInfo() throws when the version is invalid", async () => {
  for (const version of ["", "1", "1.2", "v1.2.3", "1.2.3 ", "1.2.3-", "latest", "1.2.3\n4"]) {
    await withManifest(
      MANIFEST,
      (folder) =>
        assertRejects(
          () => programInfo(folder, { env: {}, version }),
          Error,
          `Cannot build version "${version}"`,
        ),
    );
  }
  await withManifest(
    { version: 3 },
    (folder) => assertRejects(() => programInfo(folder, { env: {} }), Error, "Cannot build"),
  );
});

Deno.test("programInfo() reads the commit from git", async () => {
  await withManifest(MANIFEST, async (folder) => {
    const cases = [
      ["init", "--quiet"],
      ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "--allow-empty", "-qm", "first"],
    ];
    for (const args of cases) {
      const { success } = await new Deno.Command("git", { args, cwd: folder }).output();
      assertEquals(success, true, args[0]);
    }
    const { commit } = await programInfo(folder, { env: {} });
    assertMatch(commit, /^[0-9a-f]{40}$/);
  });
});

Deno.test("programInfo() throws without quoting when the key is invalid", async () => {
  for (const key of ["x", `${KEY} `, privateKey]) {
    const error = await withManifest(
      MANIFEST,
      (folder) =>
        assertRejects(
          () => programInfo(folder, { env: { RELEASE_PUBLIC_KEY: key } }),
          Error,
          "Cannot build with RELEASE_PUBLIC_KEY",
        ),
    );
    assertEquals(`${error.message}${error.cause}`.includes(privateKey), false);
  }
  const manifest = { ...MANIFEST, releaseKey: KEY };
  const info = await withManifest(manifest, (folder) => programInfo(folder, { env: {} }));
  assertEquals(info.releaseKey, KEY);
});
