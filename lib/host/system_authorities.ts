/**
 * The certificate authorities that the administrator has added to this system: their files, not the
 * system's whole store, which has those that the runtime knows anyhow and takes megabytes.
 *
 * @module
 */

import { attempt } from "../attempt.ts";

/** Where Debian and Alpine, Fedora and its kin, and Arch look for authorities that are added. */
export const AUTHORITY_FOLDERS: readonly string[] = [
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

/** Why a file is left out that this user may not read. */
export const UNREADABLE = "it can't be read";

/** The authorities that were added to this system. */
export interface SystemAuthorities {
  /** Their certificates, in PEM, one each. */
  readonly certificates: readonly string[];
  /** The files that have them. */
  readonly files: readonly string[];
  /** Files that have none, or one that can't be used, and why. */
  readonly ignored: readonly { readonly file: string; readonly reason: string }[];
}

/** Reads the authorities that were added to this system; what can't be used is left out. */
export function readSystemAuthorities(
  folders: readonly string[] = AUTHORITY_FOLDERS,
): SystemAuthorities {
  const certificates = new Set<string>();
  const files: string[] = [];
  const ignored: SystemAuthorities["ignored"][number][] = [];
  for (const file of folders.flatMap((folder) => filesIn(folder)).slice(0, MAX_FILES)) {
    const found = readCertificates(file);
    if (typeof found === "string") ignored.push({ file, reason: found });
    else if (certificates.size + found.length > MAX_CERTIFICATES) {
      ignored.push({ file, reason: `more than ${MAX_CERTIFICATES} authorities` });
    } else {
      for (const certificate of found) certificates.add(certificate);
      files.push(file);
    }
  }
  return { certificates: [...certificates], files, ignored };
}

/** The certificates in a file, or why it has none that can be used. */
function readCertificates(file: string): readonly string[] | string {
  const { size = 0 } = attempt(() => Deno.statSync(file)) ?? {};
  if (size > MAX_FILE_BYTES) return `larger than ${MAX_FILE_BYTES / 1024} KiB`;
  const text = attempt(() => Deno.readTextFileSync(file));
  if (text === undefined) return UNREADABLE;
  const certificates = (text.match(CERTIFICATE) ?? []).map((pem) => `${pem}\n`);
  if (certificates.length === 0) return "there is no certificate in PEM in it";
  // One that the runtime can't use would fail every connection.
  return certificates.every(isUsable) ? certificates : "it has a certificate that can't be used";
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
