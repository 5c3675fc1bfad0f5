/** A process, its parent, group and session. */
export interface ProcessStat {
  pid: number;
  /** Zombie or dead: only its parent has yet to wait for it. */
  hasExited: boolean;
  parentPid: number;
  processGroupId: number;
  sessionId: number;
  /** Start in clock ticks since boot; distinguishes processes that reuse a pid. */
  startTicks: number;
}

/** Field positions after the name, which may contain anything. */
const FIELD = { state: 0, parent: 1, group: 2, session: 3, startTicks: 19 } as const;

/**
 * Parses `/proc/PID/stat`.
 *
 * @throws {SyntaxError} When the line is malformed; the message quotes it.
 */
export function parseProcessStat(text: string): ProcessStat {
  const fields = text.slice(text.lastIndexOf(")") + 1).trim().split(" ");
  const number = (value = ""): number => {
    if (/^\d{1,15}$/.test(value)) return Number(value);
    throw new SyntaxError(`Cannot parse a process's stat: "${text.slice(0, 200)}"`);
  };
  const state = fields[FIELD.state];
  return {
    pid: number(/^\d+(?= \()/.exec(text)?.[0]),
    hasExited: state === "Z" || state === "X",
    parentPid: number(fields[FIELD.parent]),
    processGroupId: number(fields[FIELD.group]),
    sessionId: number(fields[FIELD.session]),
    startTicks: number(fields[FIELD.startTicks]),
  };
}
