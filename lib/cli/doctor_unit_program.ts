/**
 * Why systemd can't start the program of a unit.
 *
 * @module
 */

import { attempt } from "../attempt.ts";
import { didYouMean } from "../config/did_you_mean.ts";
import { basename, dirname } from "../parse/path.ts";
import {
  lastSetting,
  type LoadedUnit,
  placeOf,
  settingText,
  variableFile,
} from "../service/loaded_unit.ts";
import { ancestry, HOMES, mountWith, realPath, refusalCheck } from "./doctor_rights.ts";
import {
  changed,
  changedSetting,
  type FoundUnit,
  restart,
  underSettings,
  type UnitFailure,
} from "./doctor_unit_settings.ts";
import { fileSettings } from "./doctor_as_service.ts";

/** Limits of a unit under which no program can be started. */
const START_LIMITS = ["LimitNPROC", "TasksMax", "LimitAS", "LimitDATA", "LimitSTACK"];

/** Settings by which a service does not see the program that is there, or may not start it. */
const HIDDEN_PROGRAM = [
  ...["RootDirectory", "RootImage", "NoExecPaths", "InaccessiblePaths", "TemporaryFileSystem"],
];

/** A unit whose program is not there; `undefined` where it is, or can't be seen. */
function missingProgram(unit: FoundUnit): UnitFailure | undefined {
  const path = programPath(unit);
  if (!path.startsWith("/") || !isMissing(path)) return undefined;
  const { program = path, install } = unit;
  const start = changedSetting(unit, "ExecStart");
  if (start === undefined) {
    return {
      text: withSimilar(`${path} is not there`, path),
      advice: [`put the program there again: ${install}`],
    };
  }
  const place = placeOf(start);
  const gone = `${path} of ExecStart= in ${place} is not there`;
  if (program === path) return { text: withSimilar(gone, path), advice: [correction(unit)] };
  return isMissing(program)
    ? {
      text: `${gone}, and neither is the installed ${program}`,
      advice: [`put the program there again: ${install}`, correction(unit)],
    }
    : {
      text: `${gone}; the program is installed as ${program}`,
      advice: [changed(`name ${program} in ExecStart= of ${place}`, { unit, file: start.file })],
    };
}

/** What the files of a unit name and is not there, so that its next start fails. */
export function missingPart(unit: FoundUnit): UnitFailure | undefined {
  const program = missingProgram(unit);
  if (program !== undefined) return program;
  const start = changedSetting(unit, "ExecStart");
  const [, config] = / --config[ =]"?(\/[^\s"%]+)/.exec(start?.value ?? "") ?? [];
  if (start !== undefined && config !== undefined && isMissing(config)) {
    return {
      text: withSimilar(`${config} of ExecStart= in ${placeOf(start)} is not there`, config),
      advice: [changed("correct it", { unit, file: start.file })],
    };
  }
  const { settings } = unit;
  // An empty one leaves out those before it.
  const since = settings.findLastIndex(({ name, value }) =>
    name === "EnvironmentFile" && value === ""
  );
  const files = settings.slice(since + 1).filter(({ name }) => name === "EnvironmentFile");
  const missing = [lastSetting(settings, "WorkingDirectory") ?? [], files].flat()
    .find(({ value }) => /^\/[^%]*$/.test(value) && isMissing(value));
  return missing && {
    text: withSimilar(`${settingText(missing)} is not there`, missing.value),
    advice: [changed("correct it", { unit, file: missing.file })],
  };
}

/** What is said of a missing file, with what is beside it and may have been meant. */
export function withSimilar(text: string, path: string): string {
  const names = attempt(() => Array.from(Deno.readDirSync(dirname(path)), ({ name }) => name));
  return text + didYouMean(basename(path), names ?? []);
}

function programPath({ settings }: LoadedUnit): string {
  const { value = "" } = lastSetting(settings, "ExecStart") ?? {};
  return /^[-@:+!|]*"?([^\s"]*)/.exec(value)?.[1] ?? "";
}

/** How to correct a start that `install` does not write so; its value may have a token. */
export function correction(unit: FoundUnit): string | undefined {
  const start = changedSetting(unit, "ExecStart");
  return start && changed(`correct ExecStart= in ${placeOf(start)}`, { unit, file: start.file });
}

/** How the program says that its command line is wrong. */
const OF_COMMAND_LINE =
  /Cannot use (?:flag|command) |for flag |Cannot read --|Cannot report without /;

/** How to correct what a unit's file gives the program, where an error is about that. */
export function correctionOf(unit: FoundUnit, lastError: string): string | undefined {
  const settings = [...unit.settings, ...fileSettings(unit.settings)];
  for (const variable of lastError.match(/\b[A-Z][A-Z_]+\b/g) ?? []) {
    const file = variableFile(settings, variable);
    if (file !== undefined) {
      return `correct ${variable} in ${file}, and then: ${restart(unit.name)}`;
    }
  }
  return OF_COMMAND_LINE.test(lastError) ? correction(unit) : undefined;
}

/** A program that can't be started, by what is seen of it and of the unit. */
export function programFailure(reason: string, unit: FoundUnit): UnitFailure {
  const { install } = unit;
  const path = programPath(unit);
  const text = reason.includes(path) ? reason : `${reason} (${path})`;
  const isSeen = path.startsWith("/");
  const [, started = path] = / (?:executable|execute|spawning) (\/\S+?):/.exec(reason) ?? [];
  if (isSeen && started !== path) {
    return {
      text: `${reason}; its unit has ${path} by now`,
      advice: [`have systemd read that: ${restart(unit.name)}`],
    };
  }
  const correct = correction(unit);
  const missing = missingProgram(unit);
  if (missing !== undefined) return { ...missing, text: `${reason}; ${missing.text}` };
  const defect = isSeen ? programDefect(path) : undefined;
  if (defect !== undefined) {
    return { text: `${text}: ${defect}`, advice: [`put the program there again: ${install}`] };
  }
  const noexec = isSeen ? noexecMount(path) : undefined;
  if (noexec !== undefined) {
    const advice = `let programs run there: mount -o remount,exec ${noexec}, and so in ` +
      `/etc/fstab; or choose another folder: ${install} --install-dir DIR`;
    return { text: `${text}: ${noexec} is mounted with noexec`, advice: [advice] };
  }
  if (/Exec format error/.test(reason)) {
    return {
      text,
      advice: [`it is damaged, or for other machines: put the program there again: ${install}`],
    };
  }
  // Without a user of its own it runs as the owner of what it needs, or as root.
  const rights = unit.property("User") === "" ? 0o111 : 0o001;
  const barred = isSeen ? ancestry(path).find((it) => !hasRight(it, rights)) : undefined;
  if (barred !== undefined && /Permission denied/.test(reason)) {
    const advice = HOMES.test(barred)
      ? `choose a folder that everybody may use: ${install} --install-dir DIR`
      : `let everybody use it: chmod a+rx ${barred} && systemctl restart ${unit.name}`;
    return { text: `${text}: not everybody may use ${barred}`, advice: [advice] };
  }
  const isBarred = /Permission denied|No such file/.test(reason);
  const names = [...isBarred ? [] : START_LIMITS, ...HIDDEN_PROGRAM];
  const limits = underSettings(text, unit, names);
  if (limits !== undefined) return limits;
  if (isSeen && /No such file/.test(reason)) {
    const interpreter = interpreterOf(path);
    return interpreter !== undefined && isMissing(interpreter)
      ? {
        text: `${text}: it is there, and ${interpreter}, which runs it, is not`,
        advice: [
          `install what has ${interpreter}, and then: systemctl restart ${unit.name}`,
          `else put the program for this machine there again: ${install}`,
        ],
      }
      : {
        text: `${text}: it is there, and what runs it is not (an interpreter, or a C library)`,
        advice: [`put the program for this machine there again: ${install}`],
      };
  }
  if (correct !== undefined) return { text, advice: [correct] };
  const refusal = /Permission denied/.test(reason) ? refusalCheck() : undefined;
  return {
    text,
    advice: [refusal, `see what hinders its user on the way to it: namei -l ${path}`],
  };
}

/** What the kernel starts to run a program, by its first bytes; `undefined` where they don't say it. */
function interpreterOf(path: string): string | undefined {
  const head = attempt(() => headOf(path)) ?? "";
  return /^#!\s*(\/[^\s]+)/.exec(head)?.[1] ?? /\0(\/[\w./-]*\/ld-[\w.-]+)\0/.exec(head)?.[1];
}

function headOf(path: string): string {
  const head = new Uint8Array(4096);
  const file = Deno.openSync(path);
  using _ = file;
  return new TextDecoder("latin1").decode(head.subarray(0, file.readSync(head) ?? 0));
}

/** ELF's numbers of the processors that programs are built for. */
const ELF_MACHINES: Readonly<Record<string, number>> = { x86_64: 62, aarch64: 183 };

/** Why a file can't be a program of this machine, in words; `undefined` where that is not seen. */
export function programDefect(path: string): string | undefined {
  const head = attempt(() => headOf(path));
  if (head === undefined) return undefined;
  if (head === "") return "it is empty";
  const [line = ""] = head.split("\n");
  if (line.startsWith("#!")) {
    return line.endsWith("\r") ? "its lines end as on Windows (CR LF)" : undefined;
  }
  if (!line.startsWith("\x7fELF")) return "it is no program";
  const machine = head.charCodeAt(18) + 256 * head.charCodeAt(19);
  return machine === ELF_MACHINES[Deno.build.arch]
    ? undefined
    : "it is for another kind of processor";
}

/** Whether it is seen that nobody can start a file that is there. */
export function isUnrunnable(path: string): boolean {
  return programDefect(path) !== undefined || noexecMount(path) !== undefined ||
    !hasRight(path, 0o111);
}

function noexecMount(path: string): string | undefined {
  const mountinfo = attempt(() => Deno.readTextFileSync("/proc/self/mountinfo")) ?? "";
  return mountWith("noexec", realPath(path), mountinfo);
}

/** Whether there is nothing of that path. */
export function isMissing(path: string): boolean {
  try {
    Deno.statSync(path);
    return false;
  } catch (error) {
    return error instanceof Deno.errors.NotFound;
  }
}

/** Whether a path has one of these rights, or can't be asked for them. */
function hasRight(path: string, rights: number): boolean {
  return ((attempt(() => Deno.statSync(path).mode) ?? rights) & rights) !== 0;
}
