import { matchesGlob } from "../parse/glob.ts";

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
