/**
 * The kernel's name of this boot, another one each time; empty where it has none.
 *
 * From `/proc/sys/kernel/random/boot_id`, which can only be read before the process is sealed.
 */
export function readBootId(proc: string): string {
  try {
    const text = Deno.readTextFileSync(`${proc}/sys/kernel/random/boot_id`).trim();
    return /^[0-9a-f-]{1,64}$/.test(text) ? text : "";
  } catch {
    return "";
  }
}
