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
import { given } from "./doctor_way.ts";

/** Looks at the results of the last minute, and whether a target that is always lost may be probed at all. */
export async function checkProbes(
  config: Config,
  health: Health | undefined,
  signal: AbortSignal,
): Promise<CheckResult> {
  const lost = (health?.panels ?? []).flatMap(({ lostTargets = [] }) => lostTargets);
  return probesResult(config, health, await refusalOf(lost, { config, signal }));
}

/** Why this agent does not probe one of the targets; `undefined` where it may probe all. */
async function refusalOf(
  targets: readonly LostTarget[],
  { config, signal }: { config: Config; signal: AbortSignal },
): Promise<string | undefined> {
  const policy = new ProbePolicy(new SystemResolver(), {
    machine: { interfaceAddresses: () => Deno.networkInterfaces() },
    allowLocal: config.allowLocalProbes,
  });
  for (const target of targets.flatMap(partsOf)) {
    try {
      const host = target.kind === "http" ? urlHost(target.url) : target.host;
      await policy.admit(host, { signal });
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof ProbeRefusedError) return error.message;
    }
  }
  return undefined;
}

/** The result for probes of the last minute; `refusal` is why one of the lost targets may not be probed. */
export function probesResult(
  config: Config,
  health: Health | undefined,
  refusal?: string,
): CheckResult {
  const panels = health?.panels ?? [];
  const run = panels.reduce((sum, { lastMinute = 0 }) => sum + lastMinute, 0);
  const lost = panels.reduce((sum, it) => sum + (it.lost ?? 0), 0);
  if (run === 0) return skipped("none ran in the last minute");
  const targets = panels.flatMap(({ lostTargets = [] }) => lostTargets);
  const text = withLostTargets(`${run} in the last minute, ${lost} lost`, panels);
  if (refusal !== undefined) {
    const [, permitted] = /^(.*); --allow-local-probes permits it$/.exec(refusal) ?? [];
    return permitted === undefined
      ? warning(`${text}; ${refusal}`, "remove that probe from the panel: no agent sends it")
      : warning(
        `${text}; ${permitted}`,
        `if it is to be probed, permit it: ${
          given({ config }, "--allow-local-probes")
        }; else remove it from ` +
          "the panel",
      );
  }
  if (lost < run && targets.length === 0) return ok(text);
  const kinds = panels.flatMap(({ kinds = {} }) => Object.keys(kinds));
  const seen = health && seenProblem(health, "ping");
  if (seen !== undefined && kinds.every((kind) => kind === "icmp")) {
    return warning(`${text}: ${seen}`);
  }
  return warning(
    text,
    `see whether a target answers this machine: ${lookAt(targets[0], kinds)}`,
    "see whether a firewall here drops or refuses it: nft list ruleset || iptables-save",
    targets.some(({ target }) => target.endsWith(":25"))
      ? "see whether this machine's provider lets port 25 out, which most refuse"
      : undefined,
    `see in its log why each is lost: ${given({ config }, "--log-level debug")}`,
  );
}

/** Where a probe goes to, which may be several places. */
function partsOf(lost: LostTarget): readonly ProbeTarget[] {
  return parseProbe({ ...lost, id: 0 }).flatMap((part) => part.targets);
}

/** The command that asks a target as its probe does. */
function lookAt(lost: LostTarget | undefined, kinds: readonly string[]): string {
  const [target] = lost === undefined ? [] : partsOf(lost);
  if (target?.kind === "http") return `curl -v ${target.url.href}`;
  if (target?.kind === "tcp") return `nc -vz ${target.host} ${target.port}`;
  if (target !== undefined) return `ping -c 3 ${target.host}`;
  return kinds.length > 0 && kinds.every((kind) => ["tcp", "http"].includes(kind))
    ? "nc -vz TARGET PORT"
    : "ping -c 3 TARGET";
}
