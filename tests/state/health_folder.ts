import { assertEquals } from "@std/assert";
import { openBelow } from "../open_below.ts";

/** What an agent tells of itself. */
export const ABOUT = { version: "1.2.3" };

/** Gives a test a folder for health files; fails if a file in it stays open. */
export async function withFolder(use: (folder: string) => void | Promise<void>): Promise<void> {
  const folder = Deno.makeTempDirSync({ prefix: "health-" });
  try {
    await use(folder);
    assertEquals(openBelow(folder), [], "nothing stays open");
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}
