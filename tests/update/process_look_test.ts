import { assertEquals } from "@std/assert";
import { endsWithProcess, isProcessOf } from "../../lib/update/process_look.ts";

const isLinux = Deno.build.os === "linux";

Deno.test({
  name: "isProcessOf() knows a program by its file, also when another has taken its place",
  ignore: !isLinux,
  fn: async () => {
    assertEquals(await isProcessOf(Deno.pid, Deno.realPathSync(Deno.execPath())), true);
    const folder = Deno.realPathSync(Deno.makeTempDirSync());
    try {
      const path = `${folder}/agent`;
      Deno.copyFileSync("/bin/sleep", path);
      const child = new Deno.Command(path, { args: ["1000"] }).spawn();
      assertEquals(await isProcessOf(child.pid, path), true);
      Deno.writeTextFileSync(`${path}.new`, "");
      Deno.renameSync(`${path}.new`, path);
      assertEquals(await isProcessOf(child.pid, path), true);
      assertEquals(await isProcessOf(child.pid, `${folder}/other`), false);
      child.kill("SIGKILL");
      await child.status;
      assertEquals(await isProcessOf(child.pid, path), false);
    } finally {
      Deno.removeSync(folder, { recursive: true });
    }
  },
});

Deno.test({
  name: "isProcessOf() knows a script among a process's words, however it was called",
  ignore: !isLinux,
  fn: async () => {
    const folder = Deno.realPathSync(Deno.makeTempDirSync());
    try {
      const path = `${folder}/agent`;
      Deno.writeTextFileSync(path, "#!/bin/sh\necho there\nread -r word\n", { mode: 0o755 });
      Deno.symlinkSync(path, `${folder}/link`);
      for (const called of ["./agent", path, "./link"]) {
        const child = new Deno.Command(called, { cwd: folder, stdin: "piped", stdout: "piped" })
          .spawn();
        const reader = child.stdout.getReader();
        await reader.read();
        assertEquals(await isProcessOf(child.pid, path), true, called);
        assertEquals(await isProcessOf(child.pid, `${folder}/link`), false);
        await reader.cancel();
        await child.stdin.close();
        await child.status;
      }
    } finally {
      Deno.removeSync(folder, { recursive: true });
    }
  },
});

Deno.test("endsWithProcess() is about services of systemd, and not about what a shell has started", () => {
  const child = new Deno.Command("sleep", { args: ["1000"] }).spawn();
  try {
    assertEquals(endsWithProcess(child.pid), false);
    assertEquals(endsWithProcess(2 ** 22 + 1), false);
  } finally {
    child.kill("SIGKILL");
  }
  return child.status.then(() => {});
});
