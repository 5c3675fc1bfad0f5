type Test = (test: Deno.TestContext) => void | Promise<void>;

/** A test of what only Linux has. */
export function onLinux(name: string, fn: Test): void {
  Deno.test({ name, ignore: Deno.build.os !== "linux", fn });
}

/** A test of what only root can do, such as giving files away. */
export function asRoot(name: string, fn: Test): void {
  Deno.test({ name, ignore: Deno.uid() !== 0, fn });
}
