import { assertEquals } from "@std/assert";
import { currentSystem } from "../../lib/service/target_system.ts";

function runtimeDir(path: string): string {
  return currentSystem({ env: { XDG_RUNTIME_DIR: path }, printLine: () => {} }).userRuntimeDir;
}

Deno.test("currentSystem() uses XDG_RUNTIME_DIR when this user owns it", () => {
  const folder = Deno.makeTempDirSync();
  try {
    assertEquals(runtimeDir(folder), folder);
  } finally {
    Deno.removeSync(folder);
  }
});

Deno.test("currentSystem() ignores XDG_RUNTIME_DIR when it is missing or another user's", () => {
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
