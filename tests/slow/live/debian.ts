import { outputOf } from "./command.ts";

/** The packages of each Debian that tests run in, beside the few without which none is. */
const PACKAGES = {
  // The last one is for services of users.
  systemd: "systemd,systemd-sysv,dbus,procps,libpam-systemd",
  openrc: "openrc,procps,iputils-ping",
  // Those that the image is made of, so that its building downloads nothing.
  image: "busybox-static,ca-certificates,libcap2-bin",
} as const;

const RELEASE = "bookworm";

/** The name of a Debian. */
export type DebianName = keyof typeof PACKAGES;

/** The names of all of them. */
export const DEBIANS = ["systemd", "openrc", "image"] as const satisfies readonly DebianName[];

/** What is needed to make one. */
export const DEBIAN_TOOLS = ["mmdebstrap", "tar"];

/** Where what is downloaded for tests is kept on this machine. */
export function cacheFolder(): string {
  const cache = Deno.env.get("XDG_CACHE_HOME") || "/var/cache";
  return `${cache}/komari-agent-deno-tests`;
}

/**
 * The path of an archive of a Debian's files.
 *
 * It is made at the first time, in half a minute, and kept under a name that says what is in it. Of
 * two runs of the tests that need it at once, one waits for the other.
 *
 * @throws {Error} When it can't be made.
 */
export async function debianArchive(name: DebianName): Promise<string> {
  const recipe = `${RELEASE} ${PACKAGES[name]}`;
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(recipe));
  const path = `${cacheFolder()}/${name}-${new Uint8Array(digest, 0, 6).toHex()}.tar`;
  return await onceOnThisMachine(path, (unfinished) => {
    const include = `--include=${PACKAGES[name]}`;
    outputOf("mmdebstrap", "--quiet", "--variant=minbase", include, RELEASE, unfinished);
  });
}

/**
 * The path of a folder with a Debian's files, unpacked at the first time and then kept: nobody writes there.
 *
 * @throws {Error} When it can't be made.
 */
export async function debianFolder(name: DebianName): Promise<string> {
  const archive = await debianArchive(name);
  return await onceOnThisMachine(archive.replace(/\.tar$/, ""), (unfinished) => {
    Deno.mkdirSync(unfinished);
    outputOf("tar", "-xf", archive, "-C", unfinished);
  });
}

/**
 * Makes a file or folder unless this or another run of the tests has made it, and gives its path.
 *
 * `make` gets another path, whose ending is the same; only what is whole ever has the real one.
 */
export async function onceOnThisMachine(
  path: string,
  make: (unfinished: string) => void,
): Promise<string> {
  const [folder, name] = [path.slice(0, path.lastIndexOf("/")), path.slice(path.lastIndexOf("/"))];
  await Deno.mkdir(folder, { recursive: true });
  using lock = await Deno.open(`${path}.lock`, { create: true, write: true });
  await lock.lock(true);
  if (await Deno.stat(path).then(() => true, () => false)) return path;
  const unfinished = await Deno.makeTempDir({ dir: folder, prefix: "unfinished-" });
  try {
    make(unfinished + name);
    await Deno.rename(unfinished + name, path);
  } finally {
    await Deno.remove(unfinished, { recursive: true });
  }
  return path;
}
