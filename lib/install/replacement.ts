import { describeError } from "../log.ts";
import type { OfficialSwitch } from "./official_switch.ts";
import { removeReplaced, type ReplacedAgent, writeReplaced } from "./replaced_agent.ts";

/** What a replacement is made of. */
export interface ReplacementParts {
  readonly official: Omit<ReplacedAgent, "isDone">;
  readonly officialSwitch: Pick<OfficialSwitch, "stop" | "disable" | "bringBack">;
  /** Where it is noted what was replaced. */
  readonly folder: string;
  /** Puts this agent there, starts it, and waits; the reason when its reports were not accepted. */
  install(signal: AbortSignal): Promise<string | undefined>;
  /** Takes away all that `install` has made. */
  uninstall(signal: AbortSignal): Promise<void>;
  /** Tells the user what goes on. */
  say(line: string): void;
  /** How long each step of the way back may take: 90 s when absent. */
  readonly undoMs?: number;
}

/** Whatever has ended the way there. */
const UNDO_MS = 90_000;

/**
 * Puts this agent in the official one's place, and the official one back when the panel does not
 * accept it.
 *
 * The official one starts with the machine until then, so that a loss of power between leaves one
 * that reports.
 *
 * @throws {Error} When this agent is not there in the end; the message says what is.
 */
export async function replaceOfficial(parts: ReplacementParts, signal: AbortSignal): Promise<void> {
  const { official, officialSwitch, folder, say } = parts;
  const { serviceName } = official;
  writeReplaced(folder, { ...official, isDone: false });
  try {
    say(`Stopping the official agent (${serviceName}) …`);
    await officialSwitch.stop(signal);
    const refusal = await parts.install(signal);
    if (refusal !== undefined) throw new Error(refusal);
  } catch (error) {
    say(signal.aborted ? "Interrupted." : `Not accepted: ${describeError(error)}`);
    await undo(parts, { reason: error, isStopped: signal.aborted });
    throw new Error(
      `Cannot take the place of ${serviceName}, so it was put back and runs again`,
      { cause: error },
    );
  }
  await officialSwitch.disable(signal);
  writeReplaced(folder, { ...official, isDone: true });
  say(`The official agent (${serviceName}) is stopped and no longer starts by itself;`);
  say("`komari-agent-deno uninstall --restore` brings it back.");
}

/** @throws {Error} When the official one does not run again, with the commands that are left. */
async function undo(
  parts: ReplacementParts,
  { reason, isStopped }: { reason: unknown; isStopped: boolean },
): Promise<void> {
  const { official, officialSwitch, folder, say, undoMs = UNDO_MS } = parts;
  // Whoever has stopped the way there wants the way back all the more.
  say("Putting the official agent back …");
  let trouble: unknown;
  try {
    await parts.uninstall(AbortSignal.timeout(undoMs));
  } catch (error) {
    trouble = error;
  }
  try {
    // With time of its own: an agent that does not end must not keep the official one from starting.
    await officialSwitch.bringBack(AbortSignal.timeout(undoMs));
  } catch (error) {
    trouble ??= error;
  }
  if (trouble === undefined) {
    removeReplaced(folder);
    return say(
      `The official agent (${official.serviceName}) runs again; all that was installed in its ` +
        "place was removed.",
    );
  }
  const words = `Cannot put ${official.serviceName} back (${describeError(trouble)}) after ` +
    `${describeError(reason)}; \`komari-agent-deno uninstall --restore\` tries it again`;
  // Whoever has stopped it is told no error, but has to know that nothing reports now.
  if (isStopped) say(words);
  throw new Error(words, { cause: trouble });
}
