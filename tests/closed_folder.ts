import { assertEquals } from "@std/assert";
import { openBelow } from "./open_below.ts";
import { TempFolder } from "./temp_folder.ts";

/** A folder of the test's own in which nothing may stay open: `using folder = …`. */
export class ClosedFolder extends TempFolder {
  override [Symbol.dispose](): void {
    const open = openBelow(this.path);
    super[Symbol.dispose]();
    assertEquals(open, [], "nothing stays open");
  }
}
