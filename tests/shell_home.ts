import { TempFolder } from "./temp_folder.ts";

const { readTextFileSync } = Deno;

/** Gives this process's account another home, as far as the agent's code looks for it. */
export function setAccountHome(home: string): void {
  const passwd = `somebody:x:${Deno.uid()}:${Deno.gid()}::${home}:/bin/bash\n`;
  const value = (path: string | URL) => path === "/etc/passwd" ? passwd : readTextFileSync(path);
  // The runtime's namespace belongs to the test file's own worker.
  Object.defineProperty(Deno, "readTextFileSync", { value, configurable: true });
}

/**
 * The home of shells that are opened in the block.
 *
 * The login files of whoever runs the tests may do anything: pyenv's take a lock, which a shell that
 * is killed leaves behind, and the next one waits a minute for it.
 */
export class ShellHome extends TempFolder {
  constructor() {
    super();
    Deno.writeTextFileSync(`${this.path}/.hushlogin`, "");
    for (const name of ["ENV", "BASH_ENV"]) Deno.env.delete(name);
    setAccountHome(this.path);
  }

  override [Symbol.dispose](): void {
    Object.defineProperty(Deno, "readTextFileSync", {
      value: readTextFileSync,
      configurable: true,
    });
    super[Symbol.dispose]();
  }
}
