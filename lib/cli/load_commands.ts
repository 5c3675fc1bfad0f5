import { importText, unpack } from "../io/packed_text.ts";
import type { OtherCommands } from "./other_commands.ts";
import { packedCommands } from "./packed_commands.ts";

/**
 * Loads the commands that run for a moment. A build has them as one packed text beside the agent, which
 * keeps neither their functions nor their text in the memory of a process that runs for years.
 */
export async function loadOtherCommands(): Promise<OtherCommands> {
  const packed = packedCommands();
  const { OTHER_COMMANDS } = packed === ""
    ? await import("./other_commands.ts")
    : await importText<{ OTHER_COMMANDS: OtherCommands }>(await unpack(packed));
  return OTHER_COMMANDS;
}
