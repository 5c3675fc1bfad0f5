import { startTestPanel, type TestPanel } from "../tests/test_panel/test_panel.ts";
import { type Crowd, MeasuredNamespace } from "./namespace.ts";
import { MeasuredProcess } from "./process_cost.ts";
import { Programs } from "./programs.ts";

/** Everything that a run creates, and removes at its end or when it is interrupted. */
export class Resources implements AsyncDisposable {
  readonly #stack = new AsyncDisposableStack();
  readonly #folder: string;
  readonly programs: Programs;

  private constructor(folder: string) {
    this.#folder = folder;
    this.programs = new Programs(folder);
    this.#stack.defer(() => Deno.remove(folder, { recursive: true }));
  }

  /** Creates the folder of the programs, which is empty. */
  static async create(): Promise<Resources> {
    return new Resources(await Deno.makeTempDir({ prefix: "komari-agent-deno-bench-" }));
  }

  /** Starts a program. */
  start(args: readonly string[], options: { program?: string } = {}): MeasuredProcess {
    return this.#stack.use(new MeasuredProcess(args, options));
  }

  /** Starts a panel. */
  async openPanel(): Promise<TestPanel> {
    const panel = await startTestPanel();
    this.#stack.defer(() => panel.close());
    return panel;
  }

  /**
   * Makes a machine of its own.
   *
   * @throws {Error} When this machine or this user can't have one.
   */
  async openNamespace(crowd: Partial<Crowd> = {}): Promise<MeasuredNamespace> {
    const namespace = new MeasuredNamespace(this.#folder, crowd);
    this.#stack.use(namespace);
    await namespace.ready();
    return namespace;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }
}
