/** The soft limits of a process; `Infinity` for none, `undefined` for one that is not listed. */
export interface ProcessLimits {
  readonly openFiles: number | undefined;
  readonly addressSpaceBytes: number | undefined;
}

/** Parses `/proc/PID/limits`. */
export function parseLimits(text: string): ProcessLimits {
  const soft = (name: string): number | undefined => {
    const word = new RegExp(`^${name} +(\\d{1,20}|unlimited) `, "m").exec(text)?.[1];
    if (word === undefined) return undefined;
    return word === "unlimited" ? Infinity : Number(word);
  };
  return { openFiles: soft("Max open files"), addressSpaceBytes: soft("Max address space") };
}
