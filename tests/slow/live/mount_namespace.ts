import { realDeadline } from "../../real_deadline.ts";
import { outputOf, succeeds } from "./command.ts";

/**
 * Mounts of its own, made by a shell that holds them until it is told to end. They are gone then,
 * also when this process dies: nothing but that shell keeps them.
 */
export class MountNamespace implements AsyncDisposable {
  readonly #holder: Deno.ChildProcess;

  private constructor(holder: Deno.ChildProcess) {
    this.#holder = holder;
  }

  /**
   * `script` makes the mounts. In it `disk NAME FILE PLACE` mounts the file as the disk
   * `/dev/shm/NAME`: one by the name of `/dev/loop…` is left out by its name. `/srv` is empty and writable.
   *
   * @throws {Error} When the script fails; with what it wrote.
   */
  static async with(script: string): Promise<MountNamespace> {
    const text = `set -e; exec 9>&1 >&2\n${PROLOGUE}\n${script}\necho ready >&9; read -r end`;
    const holder = new Deno.Command("unshare", {
      args: ["--mount", "--propagation", "private", "sh", "-c", text],
      env: { LC_ALL: "C" },
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const namespace = new MountNamespace(holder);
    const complaint = new Response(holder.stderr).text();
    const reader = holder.stdout.getReader();
    const { done } = await realDeadline(reader.read());
    await reader.cancel();
    if (!done) return namespace;
    await namespace[Symbol.asyncDispose]();
    throw new Error(`Cannot make the mounts: ${await complaint}`);
  }

  /** The words that start a command within. */
  get enter(): readonly string[] {
    return ["nsenter", `--mount=/proc/${this.#holder.pid}/ns/mnt`, "--"];
  }

  /** What `df` says of the file systems at these places together, in bytes. */
  space(...places: readonly string[]): { total: number; used: number } {
    const [command = "", ...words] = [...this.enter, "df", "-B1", "--output=size,used", ...places];
    const [, ...rows] = outputOf(command, ...words).trim().split("\n");
    let [total, used] = [0, 0];
    for (const row of rows) {
      const [size = NaN, taken = NaN] = row.trim().split(/\s+/).map(Number);
      total += size;
      used += taken;
    }
    return { total, used };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#holder.stdin.close().catch(() => {});
    await this.#holder.status;
  }
}

/** A loop device that is told to go stays for as long as it is mounted, so nothing has to be taken back. */
const PROLOGUE = `
mount -t tmpfs tmpfs /srv
mount -t tmpfs -o dev tmpfs /dev/shm
disk() {
  device=$(losetup --find --show "$2")
  mknod "/dev/shm/$1" b 7 "\${device#/dev/loop}"
  mkdir -p "$3"
  made=0
  mount "/dev/shm/$1" "$3" || made=$?
  losetup --detach "$device"
  return $made
}
`;

/** Whether mounts can be made here; asked by making some. */
export async function canMount(): Promise<boolean> {
  if (!succeeds("mkfs.ext4", "-V")) return false;
  const image = Deno.makeTempFileSync();
  try {
    Deno.truncateSync(image, 2 ** 20);
    outputOf("mkfs.ext4", "-q", "-F", image);
    await using namespace = await MountNamespace.with(`disk a ${image} /srv/a`);
    return namespace.space("/srv/a").total > 0;
  } catch {
    return false;
  } finally {
    Deno.removeSync(image);
  }
}
