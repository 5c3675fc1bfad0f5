import { testsWith } from "./tests_with.ts";

/** A folder of the test's own, which is removed with all that is in it: `using folder = …`. */
export class TempFolder implements Disposable {
  readonly path: string = Deno.makeTempDirSync({ prefix: "komari-agent-deno-" });

  [Symbol.dispose](): void {
    Deno.removeSync(this.path, { recursive: true });
  }
}

/** Tests with a folder of their own. */
export const inFolder = testsWith(() => new TempFolder());
