import { assertEquals, assertLess } from "@std/assert";
import type { DryRun } from "../../../lib/cli/dry_run.ts";
import { succeeds } from "./command.ts";
import { dryRun } from "./dry_run.ts";
import { onlyIf } from "../../only_on.ts";

/** A shell that is process 1, and seven others that do nothing; all of them end with the command. */
const COMPANY = 'for one in 1 2 3 4 5 6 7; do sleep 600 >/dev/null 2>&1 & done; "$@"; exit $?';
const UNSHARE = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"];
const IN_COMPANY: readonly string[] = [...UNSHARE, "sh", "-c", COMPANY, "sh"];

const [command = "", ...words] = UNSHARE;
const needed = succeeds(command, ...words, "true")
  ? ""
  : " (skipped: it needs root, unshare and pid namespaces)";

const here = onlyIf(needed === "");

here.test(`a dry run counts the processes of its own pid namespace, and the rest as outside${needed}`, async () => {
  const outside = await dryRun([]);
  const within = await dryRun([], { through: IN_COMPANY });
  assertEquals(within.report.process, 9);
  const { virtualization: _outside, ...facts } = outside.basicInfo;
  // Whether a pid namespace alone is a container is told in other ways by each version of systemd.
  const { virtualization: _within, ...factsWithin } = within.basicInfo;
  assertEquals(factsWithin, facts);
  const counted = ({ interfaces }: DryRun) => interfaces.filter((it) => it.counted);
  assertEquals(counted(within), counted(outside));
  assertEquals(within.report.disk.total, outside.report.disk.total);
  assertEquals(within.report.swap.total, outside.report.swap.total);
  assertEquals(within.report.message, "");
  assertLess(Math.abs(within.report.uptime - outside.report.uptime), 60);
});
