import { assertEquals, assertLess } from "@std/assert";
import type { DryRun } from "../../../lib/cli/dry_run.ts";
import { startTestPanel } from "../../test_panel/test_panel.ts";
import { AgentProcess } from "../../end_to_end/agent_process.ts";
import { outputOf, succeeds } from "./command.ts";
import { dryRun } from "./dry_run.ts";
import { onlyIf } from "../../only_on.ts";

/** A shell that is process 1, and seven others that do nothing; all of them end with the command. */
const COMPANY = 'for one in 1 2 3 4 5 6 7; do sleep 600 >/dev/null 2>&1 & done; "$@"; exit $?';
const UNSHARE = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"];
const IN_COMPANY: readonly string[] = [...UNSHARE, "sh", "-c", COMPANY, "sh"];

const FAST_CLOCK = new URL("../fast_clock.ts", import.meta.url).pathname;

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

here.test(`a dry run reads as root who manages its container, as the agent does${needed}`, async () => {
  const through = ["env", "container=lxc-libvirt", ...IN_COMPANY];
  const { basicInfo } = await dryRun([], { through });
  assertEquals(basicInfo.virtualization, "lxc-libvirt");
});

here.test(`an agent in a pid namespace follows the number of processes there after the seal${needed}`, async () => {
  using panel = await startTestPanel({ token: "l1ve-pr0cesses" });
  // A count is kept for 10 s, and for a minute where it took long, as on a busy machine.
  const args = ["-e", panel.url, "-t", panel.token, "-i", "3"];
  await using agent = new AgentProcess(args, {
    through: IN_COMPANY,
    runtime: [`--preload=${FAST_CLOCK}`],
    env: { TIME_FACTOR: "10" },
  });
  const counts = async (count: number) => {
    const seen = new Set<number | undefined>();
    try {
      await panel.state.until(({ reports }) => {
        const last = reports.at(-1)?.value.process;
        seen.add(last);
        return last === count;
      });
    } catch (cause) {
      const told = `${[...seen].join(", ")} processes were counted, not ${count}`;
      throw new Error(`${told}:\n${agent.output}`, { cause });
    }
  };
  await agent.says("this process is sealed by");
  // The agent's own shell is one more.
  await counts(10);
  const [first = ""] = outputOf("cat", `/proc/${agent.pid}/task/${agent.pid}/children`)
    .split(" ");
  const more = new Deno.Command("nsenter", {
    args: ["--target", first, "--pid", "--mount", "cat"],
    stdin: "piped",
    stdout: "null",
  }).spawn();
  try {
    await counts(11);
  } finally {
    await more.stdin.close();
    await more.status;
  }
  await counts(10);
  assertEquals(panel.state.violations, []);
});
