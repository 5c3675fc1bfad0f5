import { assertEquals } from "@std/assert";
import { Programs } from "../../lib/host/programs.ts";
import type { ProcessStat } from "../../lib/parse/process_stat.ts";
import { timed } from "../fake_time.ts";
import { ProcessTree } from "../../lib/remote/process_tree.ts";

/** Processes on fake: number, parent, group, session. */
type Row = readonly [pid: number, parent: number, group: number, session: number];

class FakeProcesses extends Programs {
  readonly signals: string[] = [];
  readonly living = new Map<number, ProcessStat>();

  constructor(...rows: Row[]) {
    super();
    for (const row of rows) this.add(row);
  }

  add([pid, parent, group, session]: Row, startTicks = 1): void {
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

  override kill(pid: number, signal: Deno.Signal): void {
    this.signals.push(`${signal} ${pid}`);
    if (signal === "SIGKILL") this.end(pid);
  }

  override killGroup(group: number, signal: Deno.Signal): void {
    this.signals.push(`${signal} group ${group}`);
    if (signal !== "SIGKILL") return;
    for (const it of [...this.living.values()]) if (it.processGroupId === group) this.end(it.pid);
  }

  override process(pid: number): ProcessStat | undefined {
    return this.living.get(pid);
  }

  override processes(): Promise<ProcessStat[]> {
    return Promise.resolve([...this.living.values()]);
  }
}

const STRANGERS: Row[] = [[1, 0, 1, 1], [50, 1, 50, 50], [51, 50, 50, 50]];
const TREE = { rootPid: 100, sessionId: 101 };

Deno.test("ProcessTree.kill() ends the root, the session and all below them", async () => {
  const fake = new FakeProcesses(
    ...STRANGERS,
    [100, 50, 100, 100],
    [101, 100, 101, 101],
    [102, 101, 102, 101],
    // Its parent has ended.
    [103, 1, 103, 101],
    // A session of their own, but a parent in the tree.
    [104, 102, 104, 104],
    [105, 104, 104, 104],
    [106, 103, 106, 106],
  );
  await new ProcessTree(fake, TREE).kill();
  assertEquals([...fake.living.keys()], [1, 50, 51]);
});

Deno.test("ProcessTree.kill() reaches those whose parents have ended since they were seen", async () => {
  const fake = new FakeProcesses(
    ...STRANGERS,
    [100, 50, 100, 100],
    [101, 100, 101, 101],
    [104, 101, 104, 104],
  );
  const tree = new ProcessTree(fake, TREE);
  await tree.signal("SIGHUP");
  fake.end(100);
  fake.end(101);
  fake.add([105, 104, 104, 104]);
  await tree.kill();
  assertEquals([...fake.living.keys()], [1, 50, 51]);
});

Deno.test("ProcessTree.kill() spares a stranger that has got a number anew", async () => {
  const fake = new FakeProcesses(...STRANGERS, [100, 50, 100, 100], [104, 100, 104, 104]);
  const tree = new ProcessTree(fake, TREE);
  await tree.signal("SIGHUP");
  fake.end(104);
  fake.add([104, 50, 104, 104], 2);
  await tree.kill();
  assertEquals([...fake.living.keys()], [1, 50, 51, 104]);
});

Deno.test("ProcessTree.signal() reaches each once", async () => {
  const rows: Row[] = [[100, 50, 100, 100], [101, 100, 100, 100], [102, 101, 102, 102]];
  const fake = new FakeProcesses(...STRANGERS, ...rows);
  const tree = new ProcessTree(fake, TREE);
  await tree.signal("SIGTERM");
  assertEquals(fake.signals.splice(0), ["SIGTERM group 100", "SIGTERM 102"]);
  await tree.signal("SIGHUP", { sparesRoot: true });
  assertEquals(fake.signals.sort(), ["SIGHUP 101", "SIGHUP 102"]);
});

Deno.test("ProcessTree.exited() waits until the processes that were found have exited", async () => {
  const fake = new FakeProcesses(...STRANGERS, [100, 50, 100, 100]);
  const tree = new ProcessTree(fake, TREE);
  await tree.signal("SIGTERM");
  let hasExited = false;
  const waiting = tree.exited(60_000).then(() => hasExited = true);
  await tree.exited(1);
  assertEquals(hasExited, false);
  fake.end(100);
  await waiting;
});

timed.test("ProcessTree.exited() looks every 20 ms, for as long as it is told", async (time) => {
  const fake = new FakeProcesses(...STRANGERS, [100, 50, 100, 100]);
  const tree = new ProcessTree(fake, TREE);
  await tree.signal("SIGTERM");
  assertEquals(await time.until(tree.exited(1000), { withinMs: 10_000 }), 1000);
  setTimeout(() => fake.end(100), 30);
  assertEquals(await time.until(tree.exited(1000), { withinMs: 10_000 }), 40);
});

timed.test("ProcessTree takes for gone what has exited and is only not reaped yet", async (time) => {
  const fake = new FakeProcesses(...STRANGERS, [100, 50, 100, 100], [101, 100, 101, 101]);
  const tree = new ProcessTree(fake, TREE);
  await tree.signal("SIGTERM");
  for (const pid of [100, 101]) Object.assign(fake.living.get(pid) ?? {}, { hasExited: true });
  await time.run(0);
  assertEquals(await time.until(tree.exited(1000), { withinMs: 10_000, stepMs: 1 }), 1);
  fake.signals.length = 0;
  fake.killGroup = () => {};
  await tree.kill();
  await new ProcessTree(fake, TREE).kill();
  assertEquals(fake.signals, []);
});

Deno.test("ProcessTree.kill() gives up after ten passes on one that starts others ever faster", async () => {
  const fake = new FakeProcesses(...STRANGERS, [100, 50, 100, 100]);
  let passes = 0;
  fake.processes = () => {
    fake.add([1000 + ++passes, 1, 103, 101]);
    return Promise.resolve([...fake.living.values()]);
  };
  await new ProcessTree(fake, TREE).kill();
  assertEquals(passes, 10);
});
