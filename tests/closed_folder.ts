import { assertEquals } from "@std/assert";
import { openBelow } from "./open_below.ts";
import { TempFolder } from "./temp_folder.ts";
import { testsWith } from "./tests_with.ts";

/** A folder of the test's own in which nothing may stay open: `using folder = …`. */
export class ClosedFolder extends TempFolder {
  override [Symbol.dispose](): void {
    const open = openBelow(this.path);
    super[Symbol.dispose]();
    assertEquals(open, [], "nothing stays open");
  }
}

/** Tests with a folder of their own in which nothing may stay open. */
export const inClosedFolder = testsWith(() => new ClosedFolder());
