/**
 * Why systemd can't set the process of a unit up, in its own words.
 *
 * @module
 */

import { attempt } from "../attempt.ts";
import { accountNames } from "../parse/passwd.ts";
import { lastSetting, type LoadedUnit } from "../service/loaded_unit.ts";
import type { FoundService } from "./doctor_found_service.ts";
import { isMissing, programFailure } from "./doctor_unit_program.ts";
import {
  type FoundUnit,
  restart,
  underSettings,
  type UnitFailure,
  withCandidates,
} from "./doctor_unit_settings.ts";

/**
 * Exit codes by which systemd says that it could not set a process up (systemd.exec(5)), and settings by
 * which it can't.
 */
export const SET_UP_FAILURES: Readonly<
  Record<string, readonly [step: string, settings: readonly string[]]>
> = {
  "200": ["CHDIR", ["WorkingDirectory", "RootDirectory"]],
  "203": ["EXEC", []],
  "205": ["LIMITS", ["LimitNOFILE", "LimitNPROC", "LimitMEMLOCK", "LimitAS"]],
  "206": ["OOM_ADJUST", ["OOMScoreAdjust"]],
  "208": ["STDIN", ["StandardInput", "TTYPath"]],
  "209": ["STDOUT", ["StandardOutput"]],
  "210": ["CHROOT", ["RootDirectory", "RootImage"]],
  "211": ["IOPRIO", ["IOSchedulingClass", "IOSchedulingPriority"]],
  "214": ["SETSCHEDULER", ["CPUSchedulingPolicy", "CPUSchedulingPriority"]],
  "215": ["CPUAFFINITY", ["CPUAffinity"]],
  "216": ["GROUP", []],
  "217": ["USER", []],
  "218": ["CAPABILITIES", ["CapabilityBoundingSet", "AmbientCapabilities"]],
  "219": ["CGROUP", ["Slice", "Delegate"]],
  "222": ["STDERR", ["StandardError"]],
  "224": ["PAM", ["PAMName"]],
  "225": ["NETWORK", ["NetworkNamespacePath", "PrivateNetwork"]],
  "226": [
    "NAMESPACE",
    [
      ...["ReadWritePaths", "ReadOnlyPaths", "InaccessiblePaths", "BindPaths", "BindReadOnlyPaths"],
      ...["ExecPaths", "NoExecPaths", "RootDirectory", "RootImage", "PrivateUsers"],
    ],
  ],
  "227": ["NO_NEW_PRIVILEGES", ["NoNewPrivileges"]],
  "228": ["SECCOMP", ["SystemCallFilter"]],
  "229": ["SELINUX_CONTEXT", ["SELinuxContext"]],
  "231": ["APPARMOR_PROFILE", ["AppArmorProfile"]],
  "232": ["ADDRESS_FAMILIES", ["RestrictAddressFamilies"]],
  "233": ["RUNTIME_DIRECTORY", ["RuntimeDirectory"]],
  "238": ["STATE_DIRECTORY", ["StateDirectory"]],
  "239": ["CACHE_DIRECTORY", ["CacheDirectory"]],
  "240": ["LOGS_DIRECTORY", ["LogsDirectory"]],
  "241": ["CONFIGURATION_DIRECTORY", ["ConfigurationDirectory"]],
  "243": ["CREDENTIALS", ["LoadCredential", "LoadCredentialEncrypted", "ImportCredential"]],
};

/** Whether systemd has failed before it ran anything of a unit's program. */
export function neverStarts({ property }: LoadedUnit): boolean {
  const isOfSetUp = SET_UP_FAILURES[property("ExecMainStatus")] !== undefined;
  return property("Result") === "resources" || (property("ExecMainCode") === "1" && isOfSetUp);
}

/** A start that systemd has begun anew since it failed, by what its log says of the one before. */
export function loggedFailure(unit: FoundUnit, found: FoundService): UnitFailure | undefined {
  const { lastError = "", lastStep = "" } = found.state ?? {};
  if (lastError !== "" && !/^\S+\.service: /.test(lastError)) return undefined;
  const status = Object.entries(SET_UP_FAILURES).find(([, [step]]) => step === lastStep)?.[0];
  return status === undefined ? undefined : setUpFailure(status, unit, found);
}

export function setUpFailure(
  status: string,
  unit: FoundUnit,
  { state }: FoundService,
): UnitFailure {
  const [step, settings] = SET_UP_FAILURES[status] ?? ["", []];
  const text = `systemd could not set its process up (${status}/${step})`;
  const reason = state?.lastError === undefined || state.lastError === ""
    ? text
    : `${text}: ${
      state.lastError.replace(/^\S+\.service: /, "").replace("/run/systemd/unit-root/", "/")
    }`;
  if (step === "USER") {
    const missing = missingUser(unit);
    return { ...missing, text: `${text}: ${missing.text}` };
  }
  if (step === "GROUP") return missingGroup(text, unit);
  const cpus = attempt(() => Deno.readTextFileSync("/sys/devices/system/cpu/online"))?.trim();
  if (step === "CPUAFFINITY" && cpus !== undefined) {
    const few = `${reason}; this machine has the CPUs ${cpus}`;
    return underSettings(few, unit, settings) ?? withCandidates(few, unit, "see them: nproc");
  }
  if (step === "EXEC") return programFailure(reason, unit);
  if (/No space left/.test(reason)) {
    return { text: reason, advice: ["make room on the disk that it names: df -h; df -i"] };
  }
  const rights = attempt(() => Deno.statSync("/").mode) ?? 0o755;
  if (step === "CHDIR" && (rights & 0o001) === 0) {
    return {
      text: `${reason}: not everybody may use /`,
      advice: [`let everybody use it: chmod a+rx / && systemctl restart ${unit.name}`],
    };
  }
  const folders = foldersOf(step, unit);
  const [path = ""] = folders;
  const [wrong] = folders.flatMap((path) => wrongFolder(path, unit) ?? []);
  if (wrong !== undefined) return { ...wrong, text: `${reason}: ${wrong.text}` };
  if (path !== "") {
    const disk = `see its disk: findmnt -T ${path}; df -h ${path}`;
    return underSettings(reason, unit, settings) ??
      { text: reason, advice: [`see what hinders it: namei -l ${path}`, disk] };
  }
  const log = `see which setting it names: journalctl -u ${unit.name} -n 20`;
  return underSettings(reason, unit, settings) ?? withCandidates(reason, unit, log);
}

/** Where systemd makes folders for services. */
const FOLDERS: Readonly<Record<string, string>> = {
  ...{ RUNTIME_DIRECTORY: "/run", STATE_DIRECTORY: "/var/lib", CACHE_DIRECTORY: "/var/cache" },
  ...{ LOGS_DIRECTORY: "/var/log", CONFIGURATION_DIRECTORY: "/etc" },
};

/** The folders of a unit that systemd makes in one step of its start. */
function foldersOf(step: string, { settings }: LoadedUnit): string[] {
  const [, [name = ""]] = Object.values(SET_UP_FAILURES).find(([it]) => it === step) ?? ["", []];
  const parent = FOLDERS[step];
  const value = lastSetting(settings, name)?.value ?? "";
  return parent === undefined
    ? []
    : value.split(/\s+/).filter((it) => it !== "").map((it) => `${parent}/${it}`);
}

/** Something else where a unit's folder should be; `undefined` where it is one, or nothing is there. */
function wrongFolder(path: string, unit: LoadedUnit): UnitFailure | undefined {
  const target = attempt(() => Deno.readLinkSync(path));
  if (target !== undefined && isMissing(path)) {
    return {
      text: `${path} is a link to ${target}, which is not there`,
      advice: [
        `see whether a disk is to be mounted there, and mount it: findmnt --fstab; mount -a && systemctl ` +
        `restart ${unit.name}`,
        `else make that folder, or remove the link: rm ${path} && systemctl restart ${unit.name}`,
      ],
    };
  }
  return attempt(() => Deno.statSync(path).isDirectory) === false
    ? {
      text: `${path} is a file, and no folder`,
      advice: [`move it away: mv ${path} ${path}.old && systemctl restart ${unit.name}`],
    }
    : undefined;
}

/** A user of a unit that this machine does not know. */
export function missingUser(unit: FoundUnit): UnitFailure {
  const text = `there is no user ${unit.property("User")}`;
  return underSettings(text, unit, ["User"]) ??
    { text, advice: [`make the user again: ${unit.install}`] };
}

/** A group of a unit that this machine does not have. */
function missingGroup(text: string, unit: FoundUnit): UnitFailure {
  const known = accountNames(attempt(() => Deno.readTextFileSync("/etc/group")) ?? "");
  const asked = [unit.property("Group"), ...unit.property("SupplementaryGroups").split(" ")];
  const group = asked.find((it) => it !== "" && ![...known.values()].includes(it)) ?? asked[0];
  const missing = `${text}: there is no group ${group}`;
  const names = ["Group", "SupplementaryGroups"];
  return underSettings(missing, unit, names) ??
    { text: missing, advice: [`make it again: groupadd --system ${group}; ${restart(unit.name)}`] };
}
