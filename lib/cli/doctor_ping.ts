/**
 * The check of `doctor` of ICMP probes.
 *
 * @module
 */

import { attempt } from "../attempt.ts";
import { isInContainer } from "../host/this_program.ts";
import { describeError } from "../log/log.ts";
import type { Machine } from "../metrics/machine.ts";
import { IcmpProbe } from "../probe/icmp.ts";
import { startShell } from "../sandbox/shell.ts";
import { lastSetting, settingText, type UnitSetting } from "../service/loaded_unit.ts";
import type { Health } from "../state/health_reader.ts";
import { PROGRAM } from "../version.ts";
import { agentSays, pingProblem, seenProblem, systemProgram } from "./agent_problems.ts";
import { type CheckResult, failed, ok, result, skipped } from "./checks.ts";
import { covers, HIDING_SETTINGS, restart } from "./doctor_unit_settings.ts";
import { isDenied } from "./doctor_unit_network.ts";
import { reinstall } from "./doctor_options.ts";

/** The service as which pings are sent. */
interface PingingService {
  readonly name: string;
  /** The settings of its unit. */
  readonly unit: readonly UnitSetting[];
  readonly isContained: boolean;
}

export async function checkPing(
  { roots }: Machine,
  { os, health, signal, asNobody, ...service }: PingingService & {
    os: string;
    health: Health | undefined;
    signal: AbortSignal;
    asNobody: boolean;
  },
): Promise<CheckResult> {
  const seen = seenProblem(health, "ping");
  const shell = startShell({ ...roots, os, asNobody });
  try {
    const ms = await new IcmpProbe(shell).probe(["127.0.0.1"], { signal });
    if (seen !== undefined) {
      return failed(agentSays(seen), pingAdvice(seen, service));
    }
    return ok(`ping works (127.0.0.1 in ${ms} ms)`);
  } catch (error) {
    signal.throwIfAborted();
    return failedPing(describeError(error), { ...service, health });
  } finally {
    await shell?.close();
  }
}

/** The user of a process; `undefined` where that is not to be seen. */
function ownerOf(pid: number): number | undefined {
  return attempt(() => Deno.statSync(`/proc/${pid}`).uid) ?? undefined;
}

/** Whether only some users may run a program. */
function isClosed(file: string): boolean {
  return ((attempt(() => Deno.statSync(file).mode) ?? 1) & 1) === 0;
}

/** The advice within the error of a probe. */
const REPAIR = /^(.*?): (install .*|run the agent .*ping_group_range)(.*)$/;

/** The result of a ping that failed: a failure where a panel has the agent probe by it. */
export function failedPing(
  reason: string,
  {
    health,
    name = PROGRAM,
    unit = [],
    file = systemProgram("ping"),
    isContained = isInContainer(),
  }: Partial<PingingService> & { health: Health | undefined; file?: string | undefined },
): CheckResult {
  if (
    health !== undefined && /may not open its socket/.test(reason) &&
    seenProblem(health, "ping") === undefined && ownerOf(health.pid) !== Deno.uid()
  ) {
    return skipped("this user may not ping, and the running agent is another one, without trouble");
  }
  const isUsed = health?.panels.some(({ kinds: { icmp = 0, dual = 0 } = {} }) => icmp + dual > 0);
  const said = pingProblem(reason, file);
  const [, what = said, repair, detail = ""] = REPAIR.exec(said) ?? [];
  const why = what + detail;
  const unstarted = /can't be started$/.test(why) ? file : undefined;
  const hiding = unit.findLast(({ name, value }) =>
    HIDING_SETTINGS.includes(name) && unstarted !== undefined && covers(value, unstarted)
  );
  const found = result(
    isUsed ? "failed" : "warning",
    `they don't work: ${why}`,
    hiding !== undefined
      ? `remove ${settingText(hiding)}, and then: ${restart(name)}`
      : unstarted !== undefined && isClosed(unstarted)
      ? `let all users run it: chmod 755 ${unstarted}`
      : pingAdvice(reason, { unit, name, isContained }) ?? repair,
  );
  const kind = /there is no "ping"/.test(why)
    ? "missing_program"
    : /sendto: Operation not permitted/.test(why) || isDenied(unit, "127.0.0.1")
    ? "unsent"
    : undefined;
  return { ...found, kind };
}

function pingAdvice(
  reason: string,
  { unit, name, isContained }: PingingService,
): string | undefined {
  if (!/socket|CAP_NET_RAW/.test(reason)) return undefined;
  const users = lastSetting(unit, "PrivateUsers");
  const taken = ["AmbientCapabilities", "CapabilityBoundingSet"].flatMap((name) => {
    const setting = lastSetting(unit, name);
    // With a tilde it takes what it names.
    const isKept = setting?.value.includes("CAP_NET_RAW") !== setting?.value.startsWith("~");
    return setting === undefined || isKept ? [] : setting;
  });
  const all = users === undefined || users.value === "no" ? taken : [users, ...taken];
  if (all.length > 0) {
    return `the service's unit takes that right from it: remove ${
      all.map(settingText).join(", ")
    }, and then: ${restart(name)}`;
  }
  const has = (name: string) => lastSetting(unit, name) !== undefined;
  if (has("ProtectSystem") && !has("AmbientCapabilities")) {
    const anew = reinstall({ serviceName: name });
    return `have the service's unit written anew, which has no AmbientCapabilities= by now: ${anew}`;
  }
  // The service of a container that has services of its own is told by its unit.
  if (!isContained || unit.length > 0) return undefined;
  return "start the container with --cap-add NET_RAW, and in Docker without no-new-privileges";
}
