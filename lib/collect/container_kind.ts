import type { Host } from "../host/host.ts";

type Files = Pick<Host, "roots" | "readText" | "exists" | "readLink">;

/** The pid namespace of a process that is in no container; the kernel fixes the number. */
const FIRST_NAMESPACE = "pid:[4026531836]";

/** What a container manager writes for its guests, as far as it is one of systemd's words. */
const MANAGERS: ReadonlySet<string> = new Set([
  "docker",
  "lxc",
  "lxc-libvirt",
  "podman",
  "pouch",
  "proot",
  "rkt",
  "systemd-nspawn",
  "wsl",
]);

/** Traces in the control groups' names, for guests whose manager left no other. */
const GROUP_NAMES: ReadonlyArray<readonly [RegExp, string]> = [
  [/[/-]libpod[-_]/, "podman"],
  [/\/docker[/-]/, "docker"],
  [/\/lxc[./]/, "lxc"],
  [/kubepods/, "container-other"],
];

/**
 * The kind of container that the root folder is in, in systemd's words; `undefined` when in none.
 *
 * Reads marker files, the first process's environment and its control groups. Nothing is started,
 * and what may not be read tells nothing.
 */
export function containerKind(host: Files): string | undefined {
  const { proc, root } = host.roots;
  if (host.exists(`${proc}/vz`) && !host.exists(`${proc}/bc`)) return "openvz";
  const kernel = host.readText(`${proc}/sys/kernel/osrelease`) ?? "";
  if (/microsoft|WSL/i.test(kernel)) return "wsl";
  const written = host.readText(`${root}/run/systemd/container`)?.trim() ||
    containerVariable(host.readText(`${proc}/1/environ`));
  if (written && MANAGERS.has(written)) return written;
  if (host.exists(`${root}/run/.containerenv`)) return "podman";
  if (host.exists(`${root}/.dockerenv`)) return "docker";
  if (written) return "container-other";
  return bySideEffects(host);
}

function containerVariable(environment: string | undefined): string | undefined {
  return environment?.split("\0").find((entry) => entry.startsWith("container="))?.slice(10);
}

function bySideEffects(host: Files): string | undefined {
  const { proc, root } = host.roots;
  const groups = host.readText(`${proc}/1/cgroup`) ?? "";
  for (const [pattern, kind] of GROUP_NAMES) {
    if (pattern.test(groups)) return kind;
  }
  // LXC lays its own view over single files of the kernel's.
  if (/ \/proc\/\w+ fuse\.lxcfs /.test(host.readText(`${proc}/mounts`) ?? "")) return "lxc";
  // Process 1 may be another user's; the agent shares its namespace, unless these trees are a host's.
  const namespace = host.readLink(`${proc}/1/ns/pid`) ??
    (root === "/" ? host.readLink(`${proc}/self/ns/pid`) : undefined);
  return namespace === undefined || namespace === FIRST_NAMESPACE ? undefined : "container-other";
}
