import {
  type ToolCommand,
  toolLine,
  type ToolResult,
  type Tools,
} from "../../lib/host/tool_runner.ts";

/** Records what is run, and answers as `answer` says: with an exit code, 0 when it says nothing. */
export class FakeTools implements Tools {
  readonly lines: string[] = [];
  answer: (line: string) => number | undefined = () => undefined;

  has(): boolean {
    return true;
  }

  run(command: ToolCommand): Promise<ToolResult> {
    const line = toolLine(command);
    this.lines.push(line);
    return Promise.resolve({ code: this.answer(line) ?? 0, output: "" });
  }
}
