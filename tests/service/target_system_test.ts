import { assertEquals } from "@std/assert";
import { thisSite } from "../../lib/service/target_system.ts";

function runtimeDir(path: string): string {
  return thisSite({ env: { XDG_RUNTIME_DIR: path }, say: () => {} }).userRuntimeDir;
}

Deno.test("thisSite() takes the folder in memory that is said, when it is this user's", () => {
  const folder = Deno.makeTempDirSync();
  try {
    assertEquals(runtimeDir(folder), folder);
  } finally {
    Deno.removeSync(folder);
  }
});

Deno.test("thisSite() takes no folder in memory that is gone, or another user's", () => {
  const usual = runtimeDir("");
  assertEquals(runtimeDir("/no/such/folder"), usual);
  // Nobody else can give one away.
  if (Deno.uid() !== 0) return;
  const folder = Deno.makeTempDirSync();
  try {
    Deno.chownSync(folder, 65534, null);
    assertEquals(runtimeDir(folder), usual);
  } finally {
    Deno.removeSync(folder);
  }
});
