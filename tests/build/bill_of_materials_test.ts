import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import { billOfMaterials } from "../../build/bill_of_materials.ts";
import { BUNDLED_PACKAGES } from "../../lib/cli/licenses.ts";

const LOCK = Deno.readTextFileSync(new URL("../../deno.lock", import.meta.url));
const INFO = { version: "1.2.3", commit: "c0ffee", repository: "o/r", releaseKey: "" };

Deno.test("billOfMaterials() lists every bundled package with npm's hash, and the runtime", () => {
  const { metadata, components, ...head } = JSON.parse(billOfMaterials(INFO, LOCK));
  assertEquals(head, { bomFormat: "CycloneDX", specVersion: "1.6", version: 1 });
  const { version, externalReferences: [reference] } = metadata.component;
  assertEquals([version, reference.url], ["1.2.3", "https://github.com/o/r"]);
  const names = components.map((it: { name: string }) => it.name);
  assertEquals(names, BUNDLED_PACKAGES.map(({ name }) => name));
  for (const { name, hashes, purl } of components) {
    assertMatch(purl, /^pkg:npm\/(%40[a-z]+\/)?[a-z-]+@\d+\.\d+\.\d+$/);
    if (name !== "deno") assertMatch(hashes[0].alg + hashes[0].content, /^SHA-512[0-9a-f]{128}$/);
  }
  assert(components.length > 1);
  assertEquals(billOfMaterials(INFO, LOCK), billOfMaterials(INFO, LOCK), "the same each time");
  const lost = "Cannot find the SHA-512 of @logtape/logtape";
  assertThrows(() => billOfMaterials(INFO, "{}"), Error, lost);
});
