import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import { billOfMaterials } from "../../build/bill_of_materials.ts";
import { BUNDLED_PACKAGES } from "../../lib/cli/licenses.ts";

const LOCK = Deno.readTextFileSync(new URL("../../deno.lock", import.meta.url));
const INFO = { version: "1.2.3", commit: "c0ffee", repository: "o/r", releaseKey: "" };

Deno.test("billOfMaterials() lists every bundled package with npm's hash, and the runtime", () => {
  const { metadata, components, ...head } = JSON.parse(billOfMaterials(INFO, LOCK));
  assertEquals(head, { bomFormat: "CycloneDX", specVersion: "1.6", version: 1 });
  assertEquals(metadata.component.version, "1.2.3");
  assertEquals(metadata.component.externalReferences[0].url, "https://github.com/o/r");
  assertEquals(
    components.map((it: { name: string }) => it.name),
    BUNDLED_PACKAGES.map(({ name }) => name),
  );
  for (const { name, hashes, purl } of components) {
    assertMatch(purl, /^pkg:npm\/(%40[a-z]+\/)?[a-z-]+@\d+\.\d+\.\d+$/);
    if (name === "deno") continue;
    assertEquals(hashes[0].alg, "SHA-512");
    assertMatch(hashes[0].content, /^[0-9a-f]{128}$/, name);
  }
  assert(components.length > 1);
});

Deno.test("billOfMaterials() is the same each time", () => {
  assertEquals(billOfMaterials(INFO, LOCK), billOfMaterials(INFO, LOCK));
});

Deno.test("billOfMaterials() throws when the lock file lacks a package", () => {
  assertThrows(
    () => billOfMaterials(INFO, "{}"),
    Error,
    "Cannot find the SHA-512 of @logtape/logtape",
  );
});
