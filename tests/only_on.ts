type Test = (test: Deno.TestContext) => void | Promise<void>;

/** Tests that run where the condition holds. */
export function onlyIf(
  isMet: boolean,
  options: Omit<Deno.TestDefinition, "name" | "fn"> = {},
): { test(name: string, fn: Test): void } {
  return {
    test(name: string, fn: Test): void {
      Deno.test({ ...options, name, ignore: !isMet, fn });
    },
  };
}

/** Tests that are skipped for a reason, which follows their names; `undefined` where there is none. */
export function unless(lack: string | undefined): { test(name: string, fn: Test): void } {
  return {
    test(name: string, fn: Test): void {
      const skipped = lack === undefined ? "" : ` (skipped: ${lack})`;
      Deno.test({ name: name + skipped, ignore: lack !== undefined, fn });
    },
  };
}

/** Tests of what only Linux has. */
export const onLinux = onlyIf(Deno.build.os === "linux");

/** Tests of what only root can do, such as giving files away. */
export const asRoot = onlyIf(Deno.uid() === 0);

/** Whether a command goes well here; if not, a line says what is not tested. */
export async function works(words: readonly string[], untested: string): Promise<boolean> {
  const [command = "", ...args] = words;
  const output = new Deno.Command(command, { args, stdout: "null", stderr: "null" }).output();
  if ((await output.catch(() => undefined))?.success) return true;
  console.warn(`Not tested ${untested} is needed`);
  return false;
}
