const { readTextFileSync } = Deno;

/** Gives this process's account another home, as far as the agent's code looks for it. */
export function setAccountHome(home: string): void {
  const passwd = `somebody:x:${Deno.uid()}:${Deno.gid()}::${home}:/bin/bash\n`;
  const value = (path: string | URL) => path === "/etc/passwd" ? passwd : readTextFileSync(path);
  // The runtime's namespace belongs to the test file's own worker.
  Object.defineProperty(Deno, "readTextFileSync", { value, configurable: true });
}

/**
 * Runs `use` while the shells that are opened have a home of their own, which is removed afterwards.
 *
 * The login files of whoever runs the tests may do anything: pyenv's take a lock, which a shell that
 * is killed leaves behind, and the next one waits a minute for it.
 */
export async function withShellHome<T>(use: (home: string) => Promise<T>): Promise<T> {
  const home = await Deno.makeTempDir({ prefix: "shell-home-" });
  await Deno.writeTextFile(`${home}/.hushlogin`, "");
  for (const name of ["ENV", "BASH_ENV"]) Deno.env.delete(name);
  setAccountHome(home);
  try {
    return await use(home);
  } finally {
    Object.defineProperty(Deno, "readTextFileSync", {
      value: readTextFileSync,
      configurable: true,
    });
    await Deno.remove(home, { recursive: true });
  }
}
