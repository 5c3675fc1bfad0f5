import { hideSecrets } from "../log.ts";
import { type ToolCommand, toolLine } from "../service/tool_command.ts";

/**
 * One thing that is done to the machine.
 *
 * Each may be done again: what is there already is made as it is to be, and what is gone already is
 * no trouble. Owners are names of users; without one, a thing belongs to whoever makes it.
 */
export type Step =
  | { do: "folder"; path: string; mode: number; owner?: string }
  | { do: "file"; path: string; text: string; mode: number; owner?: string }
  | { do: "copy"; path: string; from: string; mode: number; owner?: string }
  | { do: "link"; path: string; to: string }
  | { do: "run"; command: ToolCommand }
  | { do: "remove"; path: string }
  | { do: "remove empty folder"; path: string }
  | { do: "remove folder"; path: string };

/** A step that runs a program of the system's. */
export function runStep(command: ToolCommand): Step {
  return { do: "run", command };
}

/** A step in words, with the content of a file, for whoever wants to see it first. */
export function describeStep(step: Step, secrets: readonly string[]): string {
  switch (step.do) {
    case "folder":
      return `Folder ${step.path} (${rights(step)})`;
    case "file":
      return [
        `File ${step.path} (${rights(step)})`,
        ...hideSecrets(step.text, secrets).trimEnd().split("\n").map((line) => `    ${line}`),
      ].join("\n");
    case "copy":
      return `File ${step.path} (${rights(step)}), a copy of ${step.from}`;
    case "link":
      return `Link ${step.path} to ${step.to}`;
    case "run":
      return `Run ${hideSecrets(toolLine(step.command), secrets)}`;
    case "remove":
      return `Remove ${step.path}`;
    case "remove empty folder":
      return `Remove ${step.path}, if nothing else is in it`;
    case "remove folder":
      return `Remove ${step.path} and all that is in it`;
  }
}

function rights({ mode, owner }: { mode: number; owner?: string }): string {
  const bits = `mode ${mode.toString(8).padStart(4, "0")}`;
  return owner === undefined ? bits : `${bits}, of ${owner}`;
}
