import { matchesGlob } from "../parse/glob.ts";
import { didYouMean } from "./command_line.ts";
import type { Option } from "./option.ts";
import { type Find, parseFound } from "./option_lookup.ts";
import { OPTIONS } from "./option_table.ts";

/** What notices are about beside the options themselves. */
export interface NoticeParts {
  readonly env: Readonly<Record<string, string>>;
  readonly intervalSeconds: number | undefined;
  readonly anyCertificate: boolean;
  /** Remote control was switched on in one place, and off in another. */
  readonly vetoed: boolean;
  /** There is a key to register with, and a token too. */
  readonly needsNoKey: boolean;
  /** The token file and its option, when others can read it. */
  readonly openFile: string | undefined;
}

/** What the user should know about what was asked, a line each. */
export function configNotices(find: Find, parts: NoticeParts): string[] {
  return [
    ...securityNotices(parts),
    ...discoveryNotices(find, parts),
    ...offlineNotice(parts.intervalSeconds),
    ...noEffectNotices(find),
    ...misspeltVariables(parts.env),
  ];
}

function securityNotices({ anyCertificate, vetoed, openFile }: NoticeParts): string[] {
  const notices: string[] = [];
  if (anyCertificate) {
    notices.push(
      "--ignore-unsafe-cert: any certificate is trusted, so whoever sits between this machine and " +
        "the panel can read the token; --ca-cert FILE trusts a certificate of your own and no other",
    );
  }
  if (vetoed) {
    notices.push("--disable-web-ssh wins over --enable-remote-control: remote control stays off");
  }
  if (openFile !== undefined) {
    notices.push(`${openFile} can be read by other users of this machine; chmod 600 ends that`);
  }
  return notices;
}

function discoveryNotices(find: Find, { needsNoKey }: NoticeParts): string[] {
  const key = find(OPTIONS.autoDiscovery);
  const anew = find(OPTIONS.rediscover);
  if (needsNoKey && key !== undefined) {
    return [`${key.origin} is not used: a token was given, and this node needs no other`];
  }
  if (key === undefined && anew !== undefined && parseFound(OPTIONS.rediscover, anew)) {
    return [`${anew.origin} has no effect without --auto-discovery KEY`];
  }
  return [];
}

function offlineNotice(intervalSeconds: number | undefined): string[] {
  if (intervalSeconds === undefined || intervalSeconds <= 30) return [];
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

/** What was asked for that a machine may not have. */
export interface ChosenLists {
  /** Whether details of graphics cards are wanted. */
  readonly gpu?: boolean;
  readonly includeNics: readonly string[];
  readonly excludeNics: readonly string[];
  readonly includeMountPoints: readonly string[];
}

/** What a machine has, and what of it counts. */
export interface FoundOnMachine {
  readonly interfaces: readonly { readonly name: string; readonly counted: boolean }[];
  /** A mount point that only the list has is of no type. */
  readonly mountPoints: readonly {
    readonly mountPoint: string;
    readonly type: string;
    readonly counted: boolean;
  }[];
  /** Whether graphics cards can be asked there. */
  readonly asksCards?: boolean;
}

/**
 * Says of each list what in it this machine does not have, and whether nothing is left to count.
 *
 * A machine without any interface or mount point was not looked at yet, and gives no notice.
 */
export function unmatchedNotices(
  lists: ChosenLists,
  { interfaces, mountPoints, asksCards = true }: FoundOnMachine,
): string[] {
  const noTraffic = interfaces.some((it) => it.counted) ? "" : ", so no traffic is counted";
  const noSpace = mountPoints.some((it) => it.counted) ? "" : ", so no disk space is counted";
  const looked = interfaces.length > 0;
  const globs = lists.includeNics.filter((glob) =>
    looked && !interfaces.some(({ name }) => matchesGlob(name, glob))
  );
  const missing = mountPoints.filter(({ type }) => type === "").map((it) => it.mountPoint);
  const notices: string[] = [];
  if (globs.length > 0) {
    notices.push(`--include-nics ${globs.join(",")} matches no interface${noTraffic}`);
  } else if (
    looked && lists.includeNics.length === 0 && lists.excludeNics.length > 0 && noTraffic !== ""
  ) {
    notices.push(`--exclude-nics ${lists.excludeNics.join(",")} leaves no interface${noTraffic}`);
  }
  if (lists.includeMountPoints.length > 0 && missing.length > 0) {
    notices.push(`--include-mountpoint ${missing.join(";")} is not mounted${noSpace}`);
  }
  if (lists.gpu && !asksCards) {
    notices.push("--gpu has no effect: graphics cards are asked on Linux only");
  }
  return notices;
}
