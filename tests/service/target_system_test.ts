import { assertEquals } from "@std/assert";
import { currentSystem } from "../../lib/service/target_system.ts";
import { replaced } from "../replaced.ts";
import { inFolder, TempFolder } from "../temp_folder.ts";

function runtimeDir(path: string): string {
  return currentSystem({ env: { XDG_RUNTIME_DIR: path }, printLine: () => {} }).userRuntimeDir;
}

inFolder.test("currentSystem() uses XDG_RUNTIME_DIR when this user owns it", (folder) => {
  assertEquals(runtimeDir(folder.path), folder.path);
  assertEquals(runtimeDir(`${folder.path}//`), folder.path);
});

Deno.test("currentSystem() ignores XDG_RUNTIME_DIR when it is missing or another user's", () => {
  const usual = runtimeDir("");
  assertEquals(runtimeDir("/no/such/folder"), usual);
  using folder = new TempFolder();
  const other = (Deno.uid() ?? 0) + 1;
  using _user = replaced(Deno, { uid: () => other });
  assertEquals(runtimeDir(folder.path), usual.replace(/\d+$/, `${other}`));
});

Deno.test("currentSystem() takes home and the user before sudo from its variables", () => {
  const of = (env: Record<string, string>) => {
    const { root, home, sudoUser, os, uid } = currentSystem({ env, printLine: () => {} });
    return { root, home, sudoUser, os, uid };
  };
  const here = { root: "", os: Deno.build.os, uid: Deno.uid() ?? 0 };
  assertEquals(of({}), { ...here, home: "", sudoUser: "" });
  const env = { HOME: "/home/ann//", SUDO_USER: "ann" };
  assertEquals(of(env), { ...here, home: "/home/ann", sudoUser: "ann" });
});

inFolder.test("currentSystem() has tools that find the system's programs and the user's manager", async (folder) => {
  const env = { PATH: "/nowhere", XDG_RUNTIME_DIR: folder.path };
  const { tools } = currentSystem({ env, printLine: () => {} });
  const command = { tool: "sh", args: ["-c", 'echo "$PATH,$XDG_RUNTIME_DIR,$LC_ALL"'] };
  const { output } = await tools.run(command, { signal: new AbortController().signal });
  const path = "/nowhere:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
  assertEquals(output, `${path},${folder.path},C\n`);
  assertEquals([tools.has("sh"), tools.has("no-such-tool")], [true, false]);
});
