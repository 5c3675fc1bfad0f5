/**
 * The check of `doctor` of the probes that panels have asked for.
 *
 * @module
 */

import type { Config } from "../config/config.ts";
import { SystemResolver } from "../net/dns.ts";
import { parseProbe, type ProbeTarget, urlHost } from "../parse/probe_target.ts";
import { ProbePolicy, ProbeRefusedError } from "../probe/policy.ts";
import type { LostTarget } from "../state/health_file.ts";
import type { Health } from "../state/health_reader.ts";
import { seenProblem, withLostTargets } from "./agent_problems.ts";
import { type CheckResult, ok, skipped, warning } from "./checks.ts";
import { given } from "./doctor_options.ts";
import { OWN_FIREWALL } from "./doctor_way.ts";

/** Looks at the results of the last minute, and whether a target that is always lost may be probed at all. */
export async function checkProbes(
  config: Config,
  health: Health | undefined,
  signal: AbortSignal,
): Promise<CheckResult> {
  const lost = (health?.panels ?? []).flatMap(({ lostTargets = [] }) => lostTargets);
  const found = probesResult(config, health, await refusalsOf(lost, { config, signal }));
  const isOfPings = lost.every(({ kind }) => kind !== "tcp" && kind !== "http");
  return isOfPings ? { ...found, kind: "pings" } : found;
}

/** Why this agent does not probe some of the targets. */
async function refusalsOf(
  targets: readonly LostTarget[],
  { config, signal }: { config: Config; signal: AbortSignal },
): Promise<ReadonlyMap<LostTarget, string>> {
  const policy = new ProbePolicy(new SystemResolver(), {
    machine: { interfaceAddresses: () => Deno.networkInterfaces() },
    allowLocal: config.allowLocalProbes,
  });
  const refusals = new Map<LostTarget, string>();
  for (const lost of targets) {
    for (const target of partsOf(lost)) {
      try {
        const host = target.kind === "http" ? urlHost(target.url) : target.host;
        await policy.admit(host, { signal });
      } catch (error) {
        signal.throwIfAborted();
        if (error instanceof ProbeRefusedError) refusals.set(lost, error.message);
      }
    }
  }
  return refusals;
}

/** The result for probes of the last minute; `refusals` are why some of the lost targets may not be probed. */
export function probesResult(
  config: Config,
  health: Health | undefined,
  refusals: ReadonlyMap<LostTarget, string> = new Map(),
): CheckResult {
  const panels = health?.panels ?? [];
  const run = panels.reduce((sum, { lastMinute = 0 }) => sum + lastMinute, 0);
  const lost = panels.reduce((sum, it) => sum + (it.lost ?? 0), 0);
  if (run === 0) return skipped("none ran in the last minute");
  const targets = panels.flatMap(({ lostTargets = [] }) => lostTargets);
  const counts = withLostTargets(`${run} in the last minute, ${lost} lost`, panels);
  if (lost < run && targets.length === 0) return ok(counts);
  const [refusal] = refusals.values();
  const [, permitted] = /^(.*); --allow-local-probes permits it$/.exec(refusal ?? "") ?? [];
  const text = refusal === undefined ? counts : `${counts}; ${permitted ?? refusal}`;
  const permit = given({ config }, "--allow-local-probes");
  const ofRefusal = refusal === undefined
    ? undefined
    : permitted === undefined
    ? "remove that probe from the panel: no agent sends it"
    : `if it is to be probed, permit it: ${permit}; else remove it from the panel`;
  const seen = health && seenProblem(health, "ping");
  const open = targets.filter((it) =>
    !refusals.has(it) && (seen === undefined || it.kind !== "icmp")
  );
  if (open.length === 0 && refusal !== undefined) return warning(text, ofRefusal);
  const kinds = panels.flatMap(({ kinds = {} }) => Object.keys(kinds));
  if (seen !== undefined && open.length === 0 && kinds.every((kind) => kind === "icmp")) {
    return warning(`${text}: ${seen}`);
  }
  const looks = open.slice(0, MAX_LOOKS).map(lookAt).join("; ");
  const usual = kinds.length > 0 && kinds.every((kind) => ["tcp", "http"].includes(kind))
    ? "nc -vz TARGET PORT"
    : "ping -c 3 TARGET";
  return warning(
    text,
    ofRefusal,
    `see whether a target answers this machine: ${looks || usual}`,
    OWN_FIREWALL,
    open.some(({ target }) => target.endsWith(":25"))
      ? "see whether this machine's provider lets port 25 out, which most refuse"
      : undefined,
    `see in its log why each is lost: ${given({ config }, "--log-level debug")}`,
  );
}

/** Targets that are lost always, and whose commands are given. */
const MAX_LOOKS = 3;

/** Where a probe goes to, which may be several places. */
function partsOf(lost: LostTarget): readonly ProbeTarget[] {
  return parseProbe({ ...lost, id: 0 }).flatMap((part) => part.targets);
}

/** The command that asks a target as its probe does. */
function lookAt(lost: LostTarget): string {
  const [target] = partsOf(lost);
  if (target?.kind === "http") return `curl -v ${target.url.href}`;
  return target?.kind === "tcp"
    ? `nc -vz ${target.host} ${target.port}`
    : `ping -c 3 ${target?.host ?? "TARGET"}`;
}
