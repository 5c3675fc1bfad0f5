import { assertEquals } from "@std/assert";
import type { ProcessStat } from "../../lib/parse/process_stat.ts";
import { type ProcessControl, ProcessFamily } from "../../lib/remote/process_tree.ts";

/** Processes on paper: number, parent, group, session. */
type Row = readonly [pid: number, parent: number, group: number, session: number];

class PaperProcesses implements ProcessControl {
  readonly signals: string[] = [];
  readonly living = new Map<number, ProcessStat>();

  constructor(...rows: Row[]) {
    for (const row of rows) this.start(row);
  }

  start([pid, parent, group, session]: Row, startTicks = 1): void {
    this.living.set(pid, {
      pid,
      parentPid: parent,
      processGroupId: group,
      sessionId: session,
      startTicks,
      hasExited: false,
    });
  }

  /** Ends one; the first process adopts its children. */
  end(pid: number): void {
    this.living.delete(pid);
    for (const it of this.living.values()) if (it.parentPid === pid) it.parentPid = 1;
  }

  kill(pid: number, signal: Deno.Signal): void {
    this.signals.push(`${signal} ${pid}`);
    if (signal === "SIGKILL") this.end(pid);
  }

  killGroup(group: number, signal: Deno.Signal): void {
    this.signals.push(`${signal} group ${group}`);
    if (signal !== "SIGKILL") return;
    for (const it of [...this.living.values()]) if (it.processGroupId === group) this.end(it.pid);
  }

  process(pid: number): ProcessStat | undefined {
    return this.living.get(pid);
  }

  processes(): Promise<ProcessStat[]> {
    return Promise.resolve([...this.living.values()]);
  }
}

const STRANGERS: Row[] = [[1, 0, 1, 1], [50, 1, 50, 50], [51, 50, 50, 50]];
const FAMILY = { root: 100, session: 101 };

Deno.test("ProcessFamily.kill() ends the root, the session and all below them", async () => {
  const paper = new PaperProcesses(
    ...STRANGERS,
    [100, 50, 100, 100],
    [101, 100, 101, 101],
    [102, 101, 102, 101],
    // Its parent has ended.
    [103, 1, 103, 101],
    // A session of their own, but a parent in the family.
    [104, 102, 104, 104],
    [105, 104, 104, 104],
    [106, 103, 106, 106],
  );
  await new ProcessFamily(paper, FAMILY).kill();
  assertEquals([...paper.living.keys()], [1, 50, 51]);
});

Deno.test("ProcessFamily.kill() reaches those whose parents have ended since they were seen", async () => {
  const paper = new PaperProcesses(
    ...STRANGERS,
    [100, 50, 100, 100],
    [101, 100, 101, 101],
    [104, 101, 104, 104],
  );
  const family = new ProcessFamily(paper, FAMILY);
  await family.signal("SIGHUP");
  paper.end(100);
  paper.end(101);
  paper.start([105, 104, 104, 104]);
  await family.kill();
  assertEquals([...paper.living.keys()], [1, 50, 51]);
});

Deno.test("ProcessFamily.kill() spares a stranger that has got a number anew", async () => {
  const paper = new PaperProcesses(...STRANGERS, [100, 50, 100, 100], [104, 100, 104, 104]);
  const family = new ProcessFamily(paper, FAMILY);
  await family.signal("SIGHUP");
  paper.end(104);
  paper.start([104, 50, 104, 104], 2);
  await family.kill();
  assertEquals([...paper.living.keys()], [1, 50, 51, 104]);
});

Deno.test("ProcessFamily.signal() reaches each once", async () => {
  const rows: Row[] = [[100, 50, 100, 100], [101, 100, 100, 100], [102, 101, 102, 102]];
  const paper = new PaperProcesses(...STRANGERS, ...rows);
  const family = new ProcessFamily(paper, FAMILY);
  await family.signal("SIGTERM");
  assertEquals(paper.signals.splice(0), ["SIGTERM group 100", "SIGTERM 102"]);
  await family.signal("SIGHUP", { sparesRoot: true });
  assertEquals(paper.signals.sort(), ["SIGHUP 101", "SIGHUP 102"]);
});

Deno.test("ProcessFamily.gone() waits until nobody lives that was seen", async () => {
  const paper = new PaperProcesses(...STRANGERS, [100, 50, 100, 100]);
  const family = new ProcessFamily(paper, FAMILY);
  await family.signal("SIGTERM");
  let isGone = false;
  const waiting = family.gone(60_000).then(() => isGone = true);
  await family.gone(1);
  assertEquals(isGone, false);
  paper.end(100);
  await waiting;
});
