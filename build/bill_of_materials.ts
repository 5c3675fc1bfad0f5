import { PROGRAM } from "../lib/version.ts";
import { BUNDLED_PACKAGES } from "../lib/cli/licenses.ts";
import type { ProgramInfo } from "./program_info.ts";

/** The name of the bill of materials among a release's files. */
export const BILL_OF_MATERIALS_NAME = `${PROGRAM}.cdx.json`;

/**
 * The bill of materials of a build in the format of CycloneDX 1.6: the program, the packages in its
 * bundle with the hashes of `deno.lock`, and the runtime.
 *
 * The same for the same commit: it has no date and no random number.
 *
 * @param lock The text of `deno.lock`.
 * @throws {Error} When the lock file lacks a package.
 */
export function billOfMaterials(
  { version, commit, repository }: ProgramInfo,
  lock: string,
): string {
  const locked: { npm?: Record<string, { integrity?: string }> } = JSON.parse(lock);
  const components = BUNDLED_PACKAGES.map(({ name, version, homepage }) => ({
    type: name === "deno" ? "platform" : "library",
    name,
    version,
    licenses: [{ license: { id: "MIT" } }],
    purl: `pkg:npm/${name.replace("@", "%40")}@${version}`,
    ...(name === "deno" ? {} : { hashes: [hashOf(locked.npm?.[`${name}@${version}`], name)] }),
    externalReferences: [{ type: "website", url: homepage }],
  }));
  const source = repository === ""
    ? []
    : [{ type: "vcs", url: `https://github.com/${repository}` }];
  const document = {
    bomFormat: "CycloneDX",
    specVersion: "1.6",
    version: 1,
    metadata: {
      component: {
        "bom-ref": PROGRAM,
        type: "application",
        name: PROGRAM,
        version,
        licenses: [{ license: { id: "MIT" } }],
        ...(commit === "" ? {} : { properties: [{ name: "commit", value: commit }] }),
        externalReferences: source,
      },
    },
    components,
  };
  return JSON.stringify(document, null, 2) + "\n";
}

/** npm's hash of a package, as CycloneDX writes it. */
function hashOf(
  entry: { integrity?: string } | undefined,
  name: string,
): { alg: string; content: string } {
  const [, hash] = /^sha512-(.+)$/.exec(entry?.integrity ?? "") ?? [];
  if (hash === undefined) throw new Error(`Cannot find the SHA-512 of ${name} in deno.lock`);
  return { alg: "SHA-512", content: Uint8Array.fromBase64(hash).toHex() };
}
