import { assert, assertEquals, assertRejects } from "@std/assert";
import { makeReleaseKeys } from "../../build/make_release_key.ts";
import { signRelease } from "../../build/sign_release.ts";
import { parsePublicKey } from "../../lib/config/parsers.ts";
import { isSignedBy } from "../../lib/update/checksums.ts";
import { ReleaseKeys } from "../update/release_keys.ts";
import { TempFolder } from "../temp_folder.ts";

const SUMS = `${"0a".repeat(32)}  komari-agent-deno-portable\n`;

Deno.test("signRelease() signs as node:crypto does, with keys that makeReleaseKeys() made", async () => {
  using dist = new TempFolder();
  await Deno.writeTextFile(`${dist.path}/SHA256SUMS`, SUMS);
  const [keys, other] = [await makeReleaseKeys(), new ReleaseKeys()];
  const { publicKey } = keys;
  assertEquals(parsePublicKey(publicKey), publicKey);
  for (const privateKey of ["", "secret", publicKey, other.privateKey]) {
    const reason = privateKey === other.privateKey
      ? "is not that of the public key"
      : "is no Ed25519 private key";
    const signing = () => signRelease(dist.path, { privateKey, publicKey });
    assertEquals((await assertRejects(signing, Error, reason)).cause, undefined);
  }
  assertEquals(Array.from(Deno.readDirSync(dist.path), ({ name }) => name), ["SHA256SUMS"]);

  const signature = await Deno.readTextFile(await signRelease(dist.path, keys));
  assert(await isSignedBy(SUMS, { signature, publicKey }));
  assert(!await isSignedBy(`${SUMS}\n`, { signature, publicKey }));
  assert(!await isSignedBy(SUMS, { signature, publicKey: other.publicKey }));
  const same = await Deno.readTextFile(await signRelease(dist.path, other));
  assertEquals(same, other.sign(SUMS), "Ed25519 signatures are deterministic");
});
