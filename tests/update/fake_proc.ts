import { replaced, withTexts } from "../replaced.ts";

/** Above the largest number of a process that Linux gives: nobody is hit who is really there. */
export const FAKE_PID = 5_000_001;

/**
 * Files and links below `/proc` by their paths there, such as `7/exe`, until it is disposed of.
 *
 * All other paths are the machine's own.
 */
export class FakeProc implements Disposable {
  readonly #played = new DisposableStack();

  constructor(entries: Readonly<Record<string, string>>) {
    const { readLinkSync } = Deno;
    const find = (path: string | URL) => entries[String(path).slice("/proc/".length)];
    this.#played.use(withTexts(find));
    this.#played.use(
      replaced(Deno, { readLinkSync: (path) => find(path) ?? readLinkSync(path) }),
    );
  }

  [Symbol.dispose](): void {
    this.#played.dispose();
  }
}

/** The `stat` of a process with this parent. */
export function statOf(parent: number): string {
  return `${FAKE_PID} (agent) S ${parent} 1 1 ${"0 ".repeat(46)}`.trim();
}
