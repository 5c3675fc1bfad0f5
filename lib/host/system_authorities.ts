/**
 * The certificate authorities that the administrator has added to this system: their files, not the
 * system's whole store, which has those that the runtime knows anyhow and takes megabytes.
 *
 * @module
 */

import { attempt } from "../attempt.ts";

/** Where Debian and Alpine, Fedora and its kin, and Arch look for authorities that are added. */
const AUTHORITY_FOLDERS: readonly string[] = [
  "/usr/local/share/ca-certificates",
  "/etc/pki/ca-trust/source/anchors",
  "/etc/ca-certificates/trust-source/anchors",
];

/** Added authorities are few; a folder with more of them, or with large files, is no folder of them. */
const MAX_CERTIFICATES = 32;
const MAX_FILES = 64;
const MAX_FILE_BYTES = 64 * 1024;
/** Folders of Debian may have folders in them. */
const MAX_DEPTH = 2;

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----/g;

/** The authorities that were added to this system, in PEM; what can't be used is left out. */
export function readSystemAuthorities(
  folders: readonly string[] = AUTHORITY_FOLDERS,
): readonly string[] {
  const files = folders.flatMap((folder) => filesIn(folder)).slice(0, MAX_FILES);
  return [...new Set(files.flatMap(readCertificates))].slice(0, MAX_CERTIFICATES);
}

/** The certificates in a file; none where one can't be used, which would fail every connection. */
function readCertificates(file: string): readonly string[] {
  const { size = Infinity } = attempt(() => Deno.statSync(file)) ?? {};
  const text = size > MAX_FILE_BYTES ? undefined : attempt(() => Deno.readTextFileSync(file));
  const certificates = (text?.match(CERTIFICATE) ?? []).map((pem) => `${pem}\n`);
  return certificates.every(isUsable) ? certificates : [];
}

function isUsable(certificate: string): boolean {
  return attempt(() => Deno.createHttpClient({ caCerts: [certificate] }).close() ?? true) === true;
}

/** The files in a folder that may hold certificates, in the order of their names; none where there is none. */
function filesIn(folder: string, depth = 0): string[] {
  const names = attempt(() => Array.from(Deno.readDirSync(folder), ({ name }) => name)) ?? [];
  return names.sort().slice(0, MAX_FILES).flatMap((name) => {
    const path = `${folder}/${name}`;
    const stat = attempt(() => Deno.statSync(path));
    if (stat?.isDirectory) return depth < MAX_DEPTH ? filesIn(path, depth + 1) : [];
    return stat?.isFile && /\.(crt|pem|cer)$/.test(name) ? [path] : [];
  });
}
