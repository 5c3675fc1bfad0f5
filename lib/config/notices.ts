import { type Find, parseFound } from "./found.ts";
import { didYouMean } from "./nearest.ts";
import type { Option } from "./option.ts";
import { OPTIONS } from "./options.ts";

/** What the user should know about what was asked, a line each. */
export function configNotices(
  find: Find,
  options: { intervalSeconds: number; env: Readonly<Record<string, string>> },
): string[] {
  return [
    ...offlineNotice(options.intervalSeconds),
    ...noEffectNotices(find),
    ...misspeltVariables(options.env),
  ];
}

function offlineNotice(intervalSeconds: number): string[] {
  if (intervalSeconds <= 30) return [];
  return [
    `--interval ${intervalSeconds} is long: a panel shows a node as offline 35 s after its last report`,
  ];
}

/** Says of each option without effect that it was set to something that would matter. */
function noEffectNotices(find: Find): string[] {
  return Object.values(OPTIONS).flatMap((option: Option<unknown>) => {
    const found = option.noEffect === undefined ? undefined : find(option);
    if (found === undefined || parseFound(option, found) === option.initial) return [];
    return [`${found.origin} has no effect: ${option.noEffect}`];
  });
}

/** Variables that look like one of ours with a slip; others of the name `AGENT_…` are nobody's business. */
function misspeltVariables(env: Readonly<Record<string, string>>): string[] {
  const known = Object.values(OPTIONS).flatMap((option) =>
    "variable" in option && option.variable !== undefined ? [option.variable] : []
  );
  return Object.keys(env).flatMap((name) => {
    if (!name.startsWith("AGENT_") || known.some((variable) => variable === name)) return [];
    const hint = didYouMean(name, known);
    return hint === "" ? [] : [`variable ${name} is not known${hint}`];
  });
}
