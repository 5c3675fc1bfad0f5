/**
 * The checks of `doctor` on this machine.
 *
 * @module
 */

import { attempt } from "../attempt.ts";
import { isRootUntilSealed, isSealable } from "../agent/shell_names.ts";
import type { Config } from "../config/config.ts";
import { UsageError } from "../config/usage_error.ts";
import { descriptorLimit, LEAST_DESCRIPTORS } from "../host/descriptor_limit.ts";
import { isInContainer } from "../host/this_program.ts";
import {
  readSystemAuthorities,
  type SystemAuthorities,
  UNREADABLE,
} from "../host/system_authorities.ts";
import { describeError } from "../log/log.ts";
import type { Machine } from "../metrics/machine.ts";
import { openMachine, type Platform } from "../metrics/open_machine.ts";
import { type CollectorFailure, takeSnapshot } from "../metrics/snapshot.ts";
import { accountNames } from "../parse/passwd.ts";
import { basename } from "../parse/path.ts";
import { lastSetting, settingText, type UnitSetting } from "../service/loaded_unit.ts";
import type { Health } from "../state/health_reader.ts";
import { localTime, unknownZone, usedHours } from "../traffic/time_zone.ts";
import { agentSays, seenProblem } from "./agent_problems.ts";
import { type Check, check, type CheckResult, failed, ok, skipped, warning } from "./checks.ts";
import { checkDisks, countedResult, unmatchedResult } from "./doctor_disks.ts";
import { checkPing } from "./doctor_ping.ts";
import { checkStateFolder } from "./doctor_state.ts";
import { restart } from "./doctor_unit_settings.ts";
import { given } from "./doctor_options.ts";
import { PROGRAM } from "../version.ts";

/** The check of the limit of open files, below which nothing works as it should. */
export function descriptorCheck(limit: number | undefined): Check {
  return check("open_files", "Open files", () => {
    if (limit === undefined) return ok("not limited");
    const text = `${limit} at a time`;
    if (limit >= LEAST_DESCRIPTORS) return ok(text);
    return failed(
      text,
      `an agent needs ${LEAST_DESCRIPTORS}: raise LimitNOFILE= of its unit, or "ulimit -n"`,
    );
  });
}

/** The checks of this machine, in their order. */
export function machineChecks(
  config: Config,
  options: Platform & {
    health: Health | undefined;
    unit?: readonly UnitSetting[];
    isContained?: boolean;
  },
): readonly Check[] {
  let open: Machine | undefined;
  const { health, unit = [], isContained = isInContainer() } = options;
  const machine = async () => {
    if (open !== undefined) return open;
    open = await openMachine(config, options);
    await open.refresh?.();
    return open;
  };
  return [
    // One with a mistake is the installed one.
    ...isContained && config.hostProc === "" && !config.isConfigInstalled &&
        config.mistake === undefined
      ? [check("container", "Container", () => skipped(OWN_NUMBERS))]
      : [],
    check("dev_null", "/dev/null", checkDevNull),
    check("authorities", "Authorities", () => {
      return authoritiesResult(readSystemAuthorities(), Deno.env.get("DENO_TLS_CA_STORE"));
    }),
    descriptorCheck(descriptorLimit()),
    check("interfaces", "Interfaces", async () => {
      try {
        return checkInterfaces(await machine(), config, unit);
      } catch (error) {
        if (config.hostProc === "" || !(error instanceof UsageError)) throw error;
        return failed(
          describeError(error),
          "let the machine's be there (docker run -v /:/host:ro,rslave -e HOST_PROC=/host/proc), " +
            "or leave HOST_PROC out",
        );
      }
    }),
    check(
      "measurements",
      "Measurements",
      async () => measurementsResult(await machine(), { unit, name: config.serviceName }),
    ),
    check("disks", "Disks", async () => await checkDisks(await machine(), config, unit)),
    check(
      "ping",
      "ICMP probes",
      async (signal) =>
        await checkPing(await machine(), {
          ...{ ...options, name: config.serviceName, unit, signal, isContained },
          asNobody: isRootUntilSealed(config),
        }),
    ),
    check("remote", "Remote control", () => remoteResult(config, health, unit)),
    check("state", "State folder", () => checkStateFolder(config, health, unit)),
    ...config.monthRotate === 0 ? [] : [
      check("time_zone", "Time zone", async () => checkTimeZone((await machine()).roots)),
    ],
    ...config.metrics === undefined ? [] : [
      check("metrics", "Metrics", () => checkMetrics(config, health, unit)),
    ],
  ];
}

/** The text for a container without the `/proc` of its host. */
const OWN_NUMBERS =
  "what this container sees is reported; for all numbers of its host, start it with --network host " +
  "--pid host -v /:/host:ro,rslave -e HOST_PROC=/host/proc";

/** Whether a panel may run commands here, and as whom. */
export function remoteResult(
  config: Config,
  health: Health | undefined,
  unit: readonly UnitSetting[] = [],
): CheckResult {
  const turnOn = given({ config, unit }, "--enable-remote-control");
  const refused = seenProblem(health, "remote");
  if (refused !== undefined) {
    return warning(
      agentSays(refused),
      `if the panel is to run commands, terminals and files here, turn it on: ${turnOn}`,
    );
  }
  if (isSealable(config)) {
    return skipped(
      `off: commands, terminals and files of the panel are refused; this turns it on: ${turnOn}`,
    );
  }
  const uid = attempt(() => Deno.statSync(`/proc/${health?.pid ?? "self"}`).uid) ?? Deno.uid() ?? 0;
  if (uid === 0) return ok("on, as root");
  const names = accountNames(attempt(() => Deno.readTextFileSync("/etc/passwd")) ?? "");
  const user = `on, as user ${names.get(uid) ?? uid}, with its rights alone`;
  return ok(
    config.isConfigInstalled
      ? `${user}; for those of root: ${given({ config }, "--as-root")}`
      : user,
  );
}

/** The authorities that are trusted: those of the runtime's store, and what was added to the system. */
export function authoritiesResult(
  { files, ignored }: SystemAuthorities,
  store: string | undefined,
): CheckResult {
  const names = files.map(basename).join(", ");
  const known = store === undefined ? "the built-in ones" : `those of DENO_TLS_CA_STORE=${store}`;
  const trusted = files.length === 0
    ? `${known}, and none was added to this system`
    : `${known}, and of this system ${names}`;
  if (ignored.length === 0) return ok(trusted);
  const left = ignored.map(({ file, reason }) => `${file} (${reason})`).join(", ");
  return warning(
    `${trusted}; left out: ${left}`,
    ...ignored.map(({ file, reason }) =>
      reason === UNREADABLE
        ? `let everybody read it: chmod a+r ${file}`
        : `see what is in it: openssl x509 -noout -text -in ${file}`
    ),
  );
}

/** Programs can't be started without it, and what they write to it would fill the disk. */
async function checkDevNull(): Promise<CheckResult> {
  const repair = "make it anew: rm -f /dev/null && mknod -m 666 /dev/null c 1 3";
  try {
    const { isCharDevice, mode } = await Deno.stat("/dev/null");
    if (!isCharDevice) return failed("/dev/null is no device", repair);
    const permissions = (mode ?? 0) & 0o777;
    if (permissions === 0o666) return ok("a device that all may read and write");
    return failed(
      `/dev/null has mode 0${permissions.toString(8)}, so not everybody may read and write it`,
      "chmod 666 /dev/null",
    );
  } catch (error) {
    return failed(`/dev/null: ${describeError(error)}`, repair);
  }
}

/** The billing period begins at midnight of this zone. */
function checkTimeZone({ root }: Machine["roots"]): CheckResult {
  const readText = (path: string) => attempt(() => Deno.readTextFileSync(path));
  const local = localTime(Deno.env.get("TZ"), readText, root);
  const [origin, hours] = [unknownZone(local), usedHours()];
  if (origin === undefined) return ok(local.isGuessed ? hours : local.timeZone ?? hours);
  const target = attempt(() => Deno.readLinkSync(origin));
  const where = target === undefined ? origin : `${origin}, which leads to ${target},`;
  return warning(
    `the zone of ${where} is unknown, so ${hours} is used: the month begins at another hour`,
    origin.startsWith("TZ=")
      ? "name one of those that timedatectl list-timezones shows"
      : "set one of those that timedatectl list-timezones shows: timedatectl set-timezone NAME",
  );
}

/** What of a report can't be measured here; cards have a check of their own. */
export function measurementsResult(
  { collectors }: Pick<Machine, "collectors">,
  { unit = [], name = PROGRAM }: { unit?: readonly UnitSetting[]; name?: string } = {},
): CheckResult {
  const failures: CollectorFailure[] = [];
  takeSnapshot(collectors, (failure) => failures.push(failure));
  const texts = failures.map(({ subject, error }) => `${subject}: ${describeError(error)}`);
  if (texts.length === 0) return ok("all that a report has");
  const hiding = lastSetting(unit, "ProtectProc");
  return warning(
    `can't be measured, and the panel does not show it: ${texts.join("; ")}`,
    !/list all processes/.test(texts.join()) || /too many open files/i.test(texts.join())
      ? undefined
      : hiding !== undefined
      ? `remove ${settingText(hiding)}, and then: ${restart(name)}`
      : "mount /proc without hidepid, or with gid=GROUP and that group in SupplementaryGroups= of the " +
        "unit: findmnt /proc",
  );
}

function checkInterfaces(
  machine: Machine,
  config: Config,
  unit: readonly UnitSetting[],
): CheckResult {
  takeSnapshot(machine.collectors);
  const all = machine.interfaces();
  const counted = all.filter((it) => it.counted).map(({ name }) => name);
  const unmatched = unmatchedResult(config, machine, {
    unit,
    of: "nics",
    names: all.map(({ name }) => name),
  });
  return unmatched ?? countedResult(counted, {
    leftOut: all.length - counted.length,
    none: "none is counted, so no traffic is reported",
    choice: given({ config }, "--include-nics NAMES"),
  });
}

/** Asks the agent that serves them; where none runs, whether the address is free. */
function checkMetrics(
  config: Config,
  health: Health | undefined,
  unit: readonly UnitSetting[],
): CheckResult {
  const { hostname = "", port = 0 } = config.metrics ?? {};
  const adviceFor = (reason: string): string =>
    /permission denied/i.test(reason) && port < 1024
      ? `ports below 1024 need a right that the service does not have: choose one from 1024 on`
      : /assign requested address/i.test(reason)
      ? `no interface here has ${hostname}: choose an address of this machine (ip address)`
      : `stop what listens there (ss -ltnp "sport = :${port}"), or choose another: ${
        given({ config, unit }, "--metrics ADDRESS")
      }`;
  const seen = seenProblem(health, "metrics");
  if (seen !== undefined) return failed(agentSays(seen), adviceFor(seen));
  if (health !== undefined) return ok(`the agent serves them on ${hostname} port ${port}`);
  try {
    Deno.listen({ hostname, port }).close();
    return ok(`${hostname} port ${port} is free`);
  } catch (error) {
    const reason = describeError(error);
    return failed(`can't be served on ${hostname} port ${port}: ${reason}`, adviceFor(reason));
  }
}
