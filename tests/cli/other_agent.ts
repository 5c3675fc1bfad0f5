/** A process that holds a node's token, as another agent does, until the block ends. */
export class OtherAgent implements AsyncDisposable {
  readonly pid: number;
  readonly #child: Deno.ChildProcess;
  readonly #lines: ReadableStreamDefaultReader<string>;

  private constructor(
    pid: number,
    { child, lines }: { child: Deno.ChildProcess; lines: ReadableStreamDefaultReader<string> },
  ) {
    this.pid = pid;
    this.#child = child;
    this.#lines = lines;
  }

  /** Starts it by another process than the one that looks; both end with their input. */
  static async start(folder: string, token: string): Promise<OtherAgent> {
    const program = `${folder}/komari-agent-of-the-test`;
    Deno.symlinkSync("/bin/sh", program);
    const child = new Deno.Command("/bin/sh", {
      args: ["-c", '"$PROGRAM" -c "echo \\$\\$; read -r line"; :'],
      clearEnv: true,
      env: { PROGRAM: program, AGENT_TOKEN: token, EMPTY: "" },
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    const lines = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
    return new OtherAgent(Number((await lines.read()).value), { child, lines });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#child.stdin.close();
    await this.#lines.cancel();
    await this.#child.status;
  }
}
