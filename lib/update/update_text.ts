import type { FoundRelease } from "./find_release.ts";
import type { UpdateOutcome } from "./updater.ts";

/** What `update --check` prints: a sentence, or JSON. */
export function checkText(
  release: FoundRelease,
  { present, json }: { present: string; json: boolean },
): string {
  if (json) return jsonText({ present, ...describe(release) });
  return `${sentence(release, present)}\n`;
}

/** What `update --now` prints when it is done: a sentence, or JSON. */
export function nowText(
  outcome: UpdateOutcome,
  { present, json }: { present: string; json: boolean },
): string {
  if (outcome.kind === "nothing") {
    const { kind, release } = outcome;
    if (json) return jsonText({ outcome: kind, present, ...describe(release) });
    return `${sentence(release, present)}\n`;
  }
  const { kind, from, to } = outcome;
  if (json) return jsonText({ outcome: kind, from, to });
  const sentences = {
    updated: `Updated from version ${from} to ${to}, which reports`,
    swapped: `Version ${to} has taken the place of ${from}; no agent runs that could be restarted`,
    returned: `Version ${to} did not report within a minute: ${from} is back, and ${to} is not ` +
      "tried again",
  };
  return `${sentences[kind]}\n`;
}

function describe({ version, tag, verdict }: FoundRelease): Record<string, unknown> {
  return { newest: version ?? tag, verdict };
}

function sentence({ version, tag, verdict }: FoundRelease, present: string): string {
  switch (verdict) {
    case "newer":
      return `Version ${version} is there, ${present} is here: "update --now" takes it`;
    case "not newer":
      return `Version ${present} is here, and none is newer: the newest release is ${version}`;
    case "failed before":
      return `Version ${version} is there, but has failed here before: ${present} stays`;
    case "not stable":
      return `Version ${present} is here; the newest release, ${tag}, is not a stable one`;
  }
}

function jsonText(value: Record<string, unknown>): string {
  return JSON.stringify(value, null, 2) + "\n";
}
