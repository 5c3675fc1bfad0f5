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
