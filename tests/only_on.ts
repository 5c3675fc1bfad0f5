type Test = (test: Deno.TestContext) => void | Promise<void>;

/** Tests of what only Linux has. */
export const onLinux = {
  test(name: string, fn: Test): void {
    Deno.test({ name, ignore: Deno.build.os !== "linux", fn });
  },
};

/** Tests of what only root can do, such as giving files away. */
export const asRoot = {
  test(name: string, fn: Test): void {
    Deno.test({ name, ignore: Deno.uid() !== 0, fn });
  },
};
