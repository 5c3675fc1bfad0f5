import { assert, assertEquals, assertRejects } from "@std/assert";
import { makeReleaseKeys } from "../../build/make_release_key.ts";
import { signRelease } from "../../build/sign_release.ts";
import { parsePublicKey } from "../../lib/config/parsers.ts";
import { isSignedBy } from "../../lib/update/checksums.ts";
import { ReleaseKeys } from "../update/release_keys.ts";
import { TempFolder } from "../temp_folder.ts";

const SUMS = `${"0a".repeat(32)}  komari-agent-deno-portable\n`;

async function withDist<T>(use: (dist: string) => Promise<T>): Promise<T> {
  using dist = new TempFolder();
  await Deno.writeTextFile(`${dist.path}/SHA256SUMS`, SUMS);
  return await use(dist.path);
}

Deno.test("signRelease() signs with keys that makeReleaseKeys() made", async () => {
  const keys = await makeReleaseKeys();
  assertEquals(parsePublicKey(keys.publicKey), keys.publicKey);
  const signature = await withDist(async (dist) =>
    await Deno.readTextFile(await signRelease(dist, keys))
  );
  const { publicKey } = keys;
  assert(await isSignedBy(SUMS, { signature, publicKey }));
  assert(!await isSignedBy(`${SUMS}\n`, { signature, publicKey }));
  const other = (await makeReleaseKeys()).publicKey;
  assert(!await isSignedBy(SUMS, { signature, publicKey: other }));
});

Deno.test("signRelease() writes the same signature as node:crypto", async () => {
  const keys = new ReleaseKeys();
  const signature = await withDist(async (dist) =>
    await Deno.readTextFile(await signRelease(dist, keys))
  );
  assertEquals(signature, keys.sign(SUMS), "Ed25519 signatures are deterministic");
});

Deno.test("signRelease() throws when the private key is invalid or another's", async () => {
  const [one, other] = [new ReleaseKeys(), new ReleaseKeys()];
  await withDist(async (dist) => {
    for (const privateKey of ["", "secret", one.publicKey]) {
      const error = await assertRejects(
        () => signRelease(dist, { privateKey, publicKey: one.publicKey }),
        Error,
        "is no Ed25519 private key",
      );
      assertEquals(error.cause, undefined);
    }
    await assertRejects(
      () => signRelease(dist, { privateKey: other.privateKey, publicKey: one.publicKey }),
      Error,
      "is not that of the public key",
    );
    assertEquals(Array.from(Deno.readDirSync(dist), ({ name }) => name), ["SHA256SUMS"]);
  });
});
