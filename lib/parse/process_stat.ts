/** A process and whom it belongs to. */
export interface ProcessStat {
  pid: number;
  /** It has ended, and only its parent's interest keeps its number. */
  hasExited: boolean;
  parentPid: number;
  processGroupId: number;
  sessionId: number;
  /** Ticks since boot; tells a process from a later one with the same number. */
  startTicks: number;
}

/** Where these stand behind the name, which may hold anything. */
const FIELD = { state: 0, parent: 1, group: 2, session: 3, startTicks: 19 } as const;

/**
 * Reads `/proc/PID/stat`.
 *
 * @throws {SyntaxError} When it is no such line; the message quotes it.
 */
export function parseProcessStat(text: string): ProcessStat {
  const fields = text.slice(text.lastIndexOf(")") + 1).trim().split(" ");
  const state = fields[FIELD.state];
  const number = (value: string | undefined): number => {
    if (value !== undefined && /^\d{1,15}$/.test(value)) return Number(value);
    throw new SyntaxError(`Cannot parse a process's stat: "${text.slice(0, 200)}"`);
  };
  return {
    pid: number(/^\d+(?= \()/.exec(text)?.[0]),
    hasExited: state === "Z" || state === "X",
    parentPid: number(fields[FIELD.parent]),
    processGroupId: number(fields[FIELD.group]),
    sessionId: number(fields[FIELD.session]),
    startTicks: number(fields[FIELD.startTicks]),
  };
}
