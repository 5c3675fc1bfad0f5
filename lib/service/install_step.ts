import { attempt, errorCode } from "../attempt.ts";
import { removeIfExists, syncFile } from "../state/atomic_write.ts";
import { createOwnedFile, type FileOwner, setFolderOwner } from "../host/owned_file.ts";
import { runTools, type ToolCommand, toolLine } from "../host/tool_runner.ts";
import { redactSecrets } from "../log/redact.ts";
import { dirname } from "../parse/path.ts";
import { entryNames, pathExists, type TargetSystem } from "./target_system.ts";

/**
 * One change to the machine: of a file or a folder, or by a system command.
 *
 * Every step is idempotent. `owner` is a user name; without one, the file belongs to the caller.
 * `groupOf` names a user whose primary group may read a file that stays the caller's.
 */
export type Step = PathStep | ToolCommand;

type PathStep =
  | FileStep
  | { do: "folder"; path: string; mode: number; owner?: string }
  | { do: "copy"; path: string; from: string; mode: number; owner?: string }
  | { do: "link"; path: string; to: string }
  | { do: "remove"; path: string }
  | { do: "remove empty folder"; path: string }
  | { do: "remove folder"; path: string };

/** A step that writes a file. */
export interface FileStep {
  readonly do: "file";
  readonly path: string;
  readonly text: string;
  /** Permission bits. */
  readonly mode: number;
  readonly owner?: string;
  readonly groupOf?: string;
}

/** A step that removes a file. */
export function removeStep(path: string): Step {
  return { do: "remove", path };
}

/** Describes a step for `--print`, with the content of files. */
export function describeStep(step: Step, secrets: readonly string[]): string {
  if ("tool" in step) return `Run ${redactSecrets(toolLine(step), secrets)}`;
  switch (step.do) {
    case "folder":
      return `Folder ${step.path} (${describeMode(step)})`;
    case "file":
      return [
        `File ${step.path} (${describeMode(step)})`,
        ...redactSecrets(step.text, secrets).trimEnd().split("\n").map((line) => `    ${line}`),
      ].join("\n");
    case "copy":
      return `File ${step.path} (${describeMode(step)}), a copy of ${step.from}`;
    case "link":
      return `Link ${step.path} to ${step.to}`;
    case "remove":
      return `Remove ${step.path}`;
    case "remove empty folder":
      return `Remove ${step.path} if it is empty`;
    case "remove folder":
      return `Remove ${step.path} and everything in it`;
  }
}

function describeMode(
  { mode, owner, groupOf }: { mode: number; owner?: string; groupOf?: string },
): string {
  const bits = `mode ${mode.toString(8).padStart(4, "0")}`;
  if (groupOf !== undefined) return `${bits}, group of ${groupOf}`;
  return owner === undefined ? bits : `${bits}, owner ${owner}`;
}

/**
 * Applies steps in order.
 *
 * Files are written beside their destination, synced and renamed, so that a power loss leaves
 * either the old or the new one.
 *
 * @throws {Error} When a step fails (`Cannot …`), or when `signal` aborts.
 */
export async function applySteps(
  steps: readonly Step[],
  system: TargetSystem,
  signal: AbortSignal,
): Promise<void> {
  for (const step of steps) {
    signal.throwIfAborted();
    if ("tool" in step) {
      await runTools([step], { tools: system.tools, signal });
      continue;
    }
    try {
      await applyStep(step, system, signal);
    } catch (cause) {
      const message = step.do.startsWith("remove")
        ? `Cannot remove ${step.path}`
        : `Cannot create ${step.path}`;
      throw new Error(message, { cause });
    }
  }
}

async function applyStep(
  step: PathStep,
  system: TargetSystem,
  signal: AbortSignal,
): Promise<void> {
  const path = system.root + step.path;
  switch (step.do) {
    case "folder":
      // One that is there and stays the caller's keeps its mode, as that of /root.
      if (step.owner === undefined && pathExists(path)) return;
      await Deno.mkdir(path, { recursive: true });
      return await setFolderOwner(path, {
        mode: step.mode,
        owner: await ownerOf(step, { system, signal }),
      });
    case "file":
    case "copy":
      return await replaceFile(path, step, { system, signal });
    case "link":
      await Deno.mkdir(dirname(path), { recursive: true });
      await removeIfExists(path);
      return await Deno.symlink(step.to, path);
    case "remove":
      return await removeIfExists(path);
    case "remove empty folder":
      return await unlessMounted(path, () => removeEmptyFolder(path));
    case "remove folder":
      return await unlessMounted(path, () => removeIfExists(path, { recursive: true }));
  }
}

/** A folder that is a disk's mount point stays, if it is empty. */
async function unlessMounted(path: string, remove: () => Promise<void>): Promise<void> {
  try {
    await remove();
  } catch (error) {
    if (errorCode(error) !== "EBUSY" || entryNames(path).length > 0) throw error;
  }
}

async function replaceFile(
  path: string,
  step: Extract<PathStep, { do: "file" | "copy" }>,
  { system, signal }: { system: TargetSystem; signal: AbortSignal },
): Promise<void> {
  const fresh = `${path}.new`;
  await Deno.mkdir(dirname(path), { recursive: true });
  await removeIfExists(fresh);
  await createOwnedFile(fresh, {
    content: step.do === "file" ? step.text : { copyOf: step.from },
    mode: step.mode,
    owner: await ownerOf(step, { system, signal }),
  });
  await Deno.rename(fresh, path);
  await syncFile(dirname(path));
}

/** Asks the system for the ids, since not all users stand in /etc/passwd. */
async function ownerOf(
  { owner, groupOf }: { owner?: string; groupOf?: string },
  { system: { tools }, signal }: { system: TargetSystem; signal: AbortSignal },
): Promise<FileOwner | undefined> {
  if (owner !== undefined) return { uid: await idOf(owner, "-u"), gid: await idOf(owner, "-g") };
  return groupOf === undefined ? undefined : { gid: await idOf(groupOf, "-g") };

  async function idOf(user: string, flag: "-u" | "-g"): Promise<number> {
    const { code, output } = await tools.run({ tool: "id", args: [flag, user] }, { signal });
    if (code !== 0 || !/^\d+\s*$/.test(output)) throw new Error(`user ${user} does not exist`);
    return Number(output.trim());
  }
}

/** Removes a folder only if it is empty. @throws {Error} When it is empty and stays. */
export async function removeEmptyFolder(path: string): Promise<void> {
  const isFolder = attempt(() => Deno.statSync(path).isDirectory) ?? false;
  if (isFolder && [...Deno.readDirSync(path)].length === 0) await Deno.remove(path);
}

/** Leaves out removals of what is missing, so that `--print` shows only what would change. */
export function effectiveSteps(steps: readonly Step[], { root }: TargetSystem): Step[] {
  return steps.filter((step) =>
    "tool" in step || !step.do.startsWith("remove") || pathExists(root + step.path)
  );
}
