import { assertEquals } from "@std/assert";
import { openBelow } from "../open_below.ts";
import { TempFolder } from "../temp_folder.ts";

/** What an agent tells of itself. */
export const ABOUT = { version: "1.2.3" };

/** Gives a test a folder for health files; fails if a file in it stays open. */
export async function withFolder(use: (folder: string) => void | Promise<void>): Promise<void> {
  using folder = new TempFolder();
  await use(folder.path);
  assertEquals(openBelow(folder.path), [], "nothing stays open");
}
