import { assert, assertEquals } from "@std/assert";
import { FakeTime } from "../fake_time.ts";
import { openBelow } from "../open_below.ts";
import { HealthFile } from "../../lib/state/health_file.ts";
import { readHealth } from "../../lib/state/health_reader.ts";
import { acceptAt } from "./accept_at.ts";

const ABOUT = { version: "1.2.3" };

async function withFolder(use: (folder: string) => void | Promise<void>): Promise<void> {
  const folder = Deno.makeTempDirSync({ prefix: "health-" });
  try {
    await use(folder);
    assertEquals(openBelow(folder), [], "nothing stays open");
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

Deno.test("HealthFile tells of the last accepted report, and is gone when the agent ends", async () => {
  await withFolder((parent) => {
    const folder = `${parent}/run`;
    assertEquals(readHealth([folder]), undefined);
    const file = HealthFile.open(["/dev/null/run", folder], ABOUT);
    assert(file !== undefined);
    const before = {
      ...ABOUT,
      pid: Deno.pid,
      intervalMs: 0,
      isRunning: true,
      acceptedAtMs: undefined,
      sandbox: "",
    };
    const { startedAtMs, ...about } = readHealth(["/nowhere", folder]) ?? {};
    assertEquals(about, { ...before, panels: [], problems: [] });
    assert(startedAtMs !== undefined && startedAtMs <= Date.now());
    acceptAt(file, { intervalMs: 3000, atMs: 1234 });
    const { acceptedAtMs, intervalMs } = readHealth([folder]) ?? {};
    assertEquals([acceptedAtMs, intervalMs], [1234, 3000]);
    file.close();
    assertEquals(readHealth([folder]), undefined);
  });
});

Deno.test("HealthFile.open() makes a folder and a file that all may read", async () => {
  await withFolder((parent) => {
    const folder = `${parent}/run`;
    const file = HealthFile.open([folder], ABOUT);
    const mode = (path: string) => (Deno.statSync(path).mode ?? 0) & 0o777;
    assertEquals([folder, `${folder}/health`].map(mode), [0o755, 0o644]);
    file?.close();
  });
});

Deno.test("HealthFile.open() writes over the longer record that an agent has left", async () => {
  await withFolder((folder) => {
    Deno.writeTextFileSync(`${folder}/health`, "x".repeat(9000));
    const file = HealthFile.open([folder], ABOUT);
    assertEquals(readHealth([folder])?.version, "1.2.3");
    file?.close();
  });
});

Deno.test("HealthFile's lock can be held by nobody who may only read", async () => {
  await withFolder((folder) => {
    Deno.writeTextFileSync(`${folder}/health`, "{}");
    const theirs = Deno.openSync(`${folder}/health`);
    assert(theirs.tryLockSync(true), "reading is enough for a lock");
    const file = HealthFile.open([folder], ABOUT);
    assert(file !== undefined, "an agent starts all the same");
    assertEquals((Deno.statSync(`${folder}/health.lock`).mode ?? 0) & 0o777, 0o600);
    assertEquals(readHealth([folder])?.isRunning, true);
    const killed = Deno.readFileSync(`${folder}/health`);
    file.close();
    Deno.writeFileSync(`${folder}/health`, killed);
    using again = Deno.openSync(`${folder}/health`);
    assert(again.tryLockSync(true));
    assertEquals(readHealth([folder])?.isRunning, false, "an agent that was killed");
    theirs.close();
  });
});

Deno.test("HealthFile holds the lock that older updaters look at, too", async () => {
  await withFolder((folder) => {
    const file = HealthFile.open([folder], ABOUT);
    using theirs = Deno.openSync(`${folder}/health`);
    assert(!theirs.tryLockSync(false));
    file?.close();
  });
});

Deno.test("readHealth() goes by the lock of the file where there is no private one", async () => {
  await withFolder((folder) => {
    const record = { pid: 1, intervalMs: 1, ...ABOUT };
    for (const more of [{}, { hasPrivateLock: true }]) {
      Deno.writeTextFileSync(`${folder}/health`, JSON.stringify({ ...record, ...more }));
      using agents = Deno.openSync(`${folder}/health`);
      assert(agents.tryLockSync(true));
      assertEquals(readHealth([folder])?.isRunning, true);
    }
    using open = Deno.openSync(`${folder}/health.lock`, { write: true, create: true, mode: 0o644 });
    assert(open.tryLockSync(true));
    for (const mode of [0o644, 0o604, 0o640, 0o620, 0o610]) {
      Deno.chmodSync(`${folder}/health.lock`, mode);
      assertEquals(readHealth([folder])?.isRunning, false, "others could hold that one as well");
    }
    Deno.chmodSync(`${folder}/health.lock`, 0o600);
    assertEquals(readHealth([folder])?.isRunning, true);
  });
});

/** An agent that seals itself; run apart, since the seal holds for good. */
const SEALED = `
import { HealthFile } from "${new URL("../../lib/state/health_file.ts", import.meta.url)}";
import { sealProcess } from "${new URL("../../lib/sandbox/sandbox.ts", import.meta.url)}";
const [folder] = Deno.args;
const file = HealthFile.open([folder], ${JSON.stringify(ABOUT)});
// The runtime opens the pipe for signals with the first listener, and a sealed process may not.
Deno.addSignalListener("SIGTERM", () => Deno.exit(2));
sealProcess();
file.setSandbox("sealed");
file.accepted(3000);
console.log("accepted");
for await (const _ of Deno.stdin.readable) { /* until its end */ }
file.close();
`;

Deno.test({
  name: "HealthFile goes on telling when the agent is sealed, in the folder of containers too",
  ignore: Deno.build.os !== "linux",
  async fn() {
    const folder = Deno.makeTempDirSync({ dir: "/dev/shm", prefix: "health-" });
    const program = Deno.makeTempFileSync({ suffix: ".js" });
    Deno.writeTextFileSync(program, SEALED);
    try {
      const soonestMs = Date.now();
      const child = new Deno.Command(Deno.execPath(), {
        args: ["run", "-A", "--no-prompt", "--no-check", program, folder],
        stdin: "piped",
        stdout: "piped",
      }).spawn();
      const reader = child.stdout.getReader();
      await reader.read();
      const { acceptedAtMs = 0, startedAtMs: _, ...about } = readHealth([folder]) ?? {};
      assertEquals(about, {
        ...ABOUT,
        pid: child.pid,
        intervalMs: 3000,
        sandbox: "sealed",
        panels: [],
        problems: [],
        isRunning: true,
      });
      assert(acceptedAtMs >= soonestMs && acceptedAtMs <= Date.now(), `${acceptedAtMs}`);
      await child.stdin.close();
      await reader.cancel();
      assertEquals((await child.status).success, true);
      assertEquals(readHealth([folder]), undefined, "it has stopped");
      const next = HealthFile.open([folder], ABOUT);
      assertEquals(readHealth([folder])?.pid, Deno.pid);
      next?.close();
    } finally {
      Deno.removeSync(folder, { recursive: true });
      Deno.removeSync(program);
    }
  },
});

/** Runs something whose pauses do `act` instead of blocking the thread. */
function whilePausing<T>(act: (ms: number | undefined) => void, run: () => T): T {
  const { wait } = Atomics;
  Atomics.wait = (...[, , , ms]: unknown[]) => {
    act(Number(ms));
    return "timed-out";
  };
  try {
    return run();
  } finally {
    Atomics.wait = wait;
  }
}

Deno.test("HealthFile.open() leaves a file to the agent that has it", async () => {
  await withFolder((folder) => {
    const first = HealthFile.open([folder], ABOUT);
    let pauses = 0;
    const second = whilePausing(
      () => void pauses++,
      () => HealthFile.open([folder], { version: "2" }),
    );
    assertEquals([second, pauses], [undefined, 0], "it does not wait for it either");
    assertEquals(readHealth([folder])?.version, "1.2.3");
    first?.close();
  });
});

Deno.test("HealthFile.open() takes no look at how an agent is for another agent", async () => {
  await withFolder((folder) => {
    Deno.writeTextFileSync(`${folder}/health`, "{}");
    const look = Deno.openSync(`${folder}/health`);
    assert(look.tryLockSync(false));
    const file = whilePausing(() => look.close(), () => HealthFile.open([folder], ABOUT));
    assertEquals(readHealth([folder])?.isRunning, true);
    file?.close();
  });
});

Deno.test("HealthFile.open() tries ten times, and gives up before a lock that somebody shares for ever", async () => {
  await withFolder((folder) => {
    const path = `${folder}/health.lock`;
    using theirs = Deno.openSync(path, { read: true, write: true, create: true });
    assert(theirs.tryLockSync(false));
    const pauses: (number | undefined)[] = [];
    const file = whilePausing(
      (ms) => pauses.push(ms),
      () => HealthFile.open([folder, `${folder}/other`], ABOUT),
    );
    assertEquals([file, pauses], [undefined, Array(9).fill(5)]);
    assertEquals(openBelow(folder), [path], "but for theirs nothing stays open");
  });
});

Deno.test("HealthFile.open() takes the next folder where it can't have the lock's file", async () => {
  await withFolder((folder) => {
    Deno.mkdirSync(`${folder}/a/health.lock`, { recursive: true });
    const file = HealthFile.open([`${folder}/a`, `${folder}/b`], ABOUT);
    assertEquals(file?.path, `${folder}/b/health`);
    assertEquals(openBelow(`${folder}/a`), []);
    file?.close();
  });
});

Deno.test({
  name: "HealthFile.open() takes no folder of another user",
  ignore: Deno.uid() !== 0,
  fn: () =>
    withFolder((folder) => {
      Deno.chownSync(folder, 65534, 65534);
      assertEquals(HealthFile.open([folder], ABOUT), undefined);
      assertEquals([...Deno.readDirSync(folder)], []);
    }),
});

Deno.test("HealthFile.open() follows no link that somebody has put there", async () => {
  await withFolder((parent) => {
    Deno.mkdirSync(`${parent}/theirs`);
    Deno.symlinkSync(`${parent}/theirs`, `${parent}/run`);
    assertEquals(HealthFile.open([`${parent}/run`], ABOUT), undefined);
    assertEquals([...Deno.readDirSync(`${parent}/theirs`)], []);
  });
});

Deno.test("HealthFile.open() takes no folder that others can write to", async () => {
  await withFolder((folder) => {
    for (const mode of [0o777, 0o1777, 0o775]) {
      Deno.chmodSync(folder, mode);
      assertEquals(HealthFile.open([folder], ABOUT), undefined);
    }
    assertEquals([...Deno.readDirSync(folder)], []);
  });
});

Deno.test("HealthFile.open() writes to nothing that a link in its folder leads to", async () => {
  await withFolder((folder) => {
    Deno.writeTextFileSync(`${folder}/theirs`, "as it was");
    Deno.symlinkSync("theirs", `${folder}/health`);
    assertEquals(HealthFile.open([folder], ABOUT), undefined);
    assertEquals(Deno.readTextFileSync(`${folder}/theirs`), "as it was");
  });
});

Deno.test({
  name: "readHealth() takes no file that is not the folder's owner's",
  ignore: Deno.uid() !== 0,
  fn: () =>
    withFolder((parent) => {
      const folder = `${parent}/run`;
      const file = HealthFile.open([folder], ABOUT);
      assertEquals(readHealth([folder])?.isRunning, true);
      Deno.chownSync(`${folder}/health`, 65534, 65534);
      assertEquals(readHealth([folder]), undefined);
      file?.close();
    }),
});

Deno.test("HealthFile keeps what does not work, since when, and forgets it when it works again", async () => {
  using time = new FakeTime({ now: 1000 });
  await withFolder((folder) => {
    const file = HealthFile.open([folder], { ...ABOUT, secrets: ["t0ken"] });
    file?.setProblem("ping", undefined);
    file?.setProblem("state", "No space left for t0ken");
    file?.setProblem("ping", "no socket");
    time.tick(1000);
    file?.setProblem("ping", "no ping");
    assertEquals(readHealth([folder])?.problems, [
      { part: "state", text: "No space left for …", sinceMs: 1000 },
      { part: "ping", text: "no ping", sinceMs: 1000 },
    ]);
    file?.setProblem("state", undefined);
    assertEquals(readHealth([folder])?.problems.map(({ part }) => part), ["ping"]);
    file?.close();
  });
});

Deno.test("HealthFile writes no secret, and cuts its texts after that", async () => {
  await withFolder((folder) => {
    const secrets = ["t0ken-of-the-node"];
    const file = HealthFile.open([folder], { ...ABOUT, secrets });
    const text = `redirected to /login/${secrets[0]}/${"x".repeat(300)}`;
    const panel = { panel: "p", sinceMs: 1, failures: 1, probes: 0, error: { text, atMs: 4 } };
    file?.setPanels([panel], { now: true });
    const written = Deno.readTextFileSync(`${folder}/health`);
    assert(!written.includes("t0ken") && written.includes("/login/…/xxx"), written);
    secrets.push("later-token");
    const later = { text: "x".repeat(290) + "later-token", atMs: 4 };
    file?.setPanels([{ ...panel, error: later }], { now: true });
    assert(!Deno.readTextFileSync(`${folder}/health`).includes("later"));
    file?.setPanels([{ ...panel, panel: `p.example/${secrets[0]}` }], { now: true });
    assertEquals(readHealth([folder])?.panels[0]?.panel, "p.example/…");
    file?.close();
  });
});

Deno.test({
  name: "readHealth() believes another user only where root alone could have let them write",
  ignore: Deno.uid() !== 0,
  fn: () =>
    withFolder((parent) => {
      const folder = `${parent}/komari-agent-deno`;
      const file = HealthFile.open([folder], ABOUT);
      for (const path of [folder, `${folder}/health`]) Deno.chownSync(path, 65534, 65534);
      assertEquals(readHealth([folder])?.version, "1.2.3", "a service's, as below /run");
      for (const mode of [0o1777, 0o775]) {
        Deno.chmodSync(parent, mode);
        assertEquals(readHealth([folder]), undefined, "as below /dev/shm");
      }
      Deno.chmodSync(parent, 0o755);
      Deno.chownSync(parent, 65534, 65534);
      assertEquals(readHealth([folder]), undefined, "as below /run/user");
      for (const path of [folder, `${folder}/health`]) Deno.chownSync(path, 0, 0);
      assertEquals(readHealth([folder])?.version, "1.2.3", "root's own");
      file?.close();
    }),
});

Deno.test({
  name: "readHealth() believes its own user's agent and root's, wherever they are",
  ignore: Deno.uid() !== 0,
  fn: () =>
    withFolder((parent) => {
      const folder = `${parent}/run`;
      const file = HealthFile.open([folder], ABOUT);
      Deno.chmodSync(parent, 0o1777);
      const { uid } = Deno;
      try {
        Deno.uid = () => 65534;
        assertEquals(readHealth([folder])?.version, "1.2.3", "root's");
        for (const path of [folder, `${folder}/health`]) Deno.chownSync(path, 65534, 65534);
        assertEquals(readHealth([folder])?.version, "1.2.3", "its own");
        // Whose lock it is nobody knows, and so the file's counts.
        assertEquals(readHealth([folder])?.isRunning, true);
      } finally {
        Deno.uid = uid;
      }
      file?.close();
    }),
});

Deno.test({
  name: "readHealth() takes no private lock that is another user's",
  ignore: Deno.uid() !== 0,
  fn: () =>
    withFolder((folder) => {
      const record = { pid: 1, intervalMs: 1, ...ABOUT, hasPrivateLock: true };
      Deno.writeTextFileSync(`${folder}/health`, JSON.stringify(record));
      const path = `${folder}/health.lock`;
      using lock = Deno.openSync(path, { write: true, create: true, mode: 0o600 });
      assert(lock.tryLockSync(true));
      assertEquals(readHealth([folder])?.isRunning, true);
      Deno.chownSync(path, 65534, 65534);
      assertEquals(readHealth([folder])?.isRunning, false);
    }),
});

Deno.test("readHealth() gives texts that act on no terminal", async () => {
  await withFolder((folder) => {
    const forged = {
      pid: 1,
      intervalMs: 1,
      version: "1\x1b[2J\n2",
      sandbox: "sealed\x1b]0;x\x07\u202e by nobody\nService  running",
      panels: [{
        ...{ panel: "p\x1b[1m", transport: "v2\x1b[2m", sinceMs: 1 },
        error: { text: "no\x1b[3m", atMs: 1 },
      }],
      problems: [{ part: "ping", text: "no\x1b[4m", sinceMs: 1 }],
    };
    Deno.writeTextFileSync(`${folder}/health`, JSON.stringify(forged));
    const { version, sandbox, panels, problems } = readHealth([folder]) ?? {};
    assertEquals([version, sandbox], ["1 [2J 2", "sealed ]0;x  by nobody Service  running"]);
    const [panel] = panels ?? [];
    assertEquals([panel?.panel, panel?.transport, panel?.error?.text], [
      "p [1m",
      "v2 [2m",
      "no [3m",
    ]);
    assertEquals(problems?.[0]?.text, "no [4m");
  });
});

Deno.test("readHealth() says of an agent that was killed that it does not run", async () => {
  await withFolder((folder) => {
    Deno.writeTextFileSync(`${folder}/health`, JSON.stringify({ pid: 1, intervalMs: 1, ...ABOUT }));
    assertEquals(readHealth([folder])?.isRunning, false);
    // Nor because others look at it just now.
    const looks = ["health", "health.lock"].map((name) => {
      const file = Deno.openSync(`${folder}/${name}`, { read: true, write: true, create: true });
      assert(file.tryLockSync(false));
      return file;
    });
    Deno.chmodSync(`${folder}/health.lock`, 0o600);
    for (const hasPrivateLock of [false, true]) {
      const record = { pid: 1, intervalMs: 1, ...ABOUT, hasPrivateLock };
      Deno.writeTextFileSync(`${folder}/health`, JSON.stringify(record));
      assertEquals(readHealth([folder])?.isRunning, false);
    }
    for (const file of looks) file.close();
  });
});

Deno.test("readHealth() follows no link, and waits for no pipe", async () => {
  await withFolder(async (folder) => {
    Deno.writeTextFileSync(
      `${folder}/elsewhere`,
      JSON.stringify({ pid: 1, intervalMs: 1, ...ABOUT }),
    );
    Deno.symlinkSync("elsewhere", `${folder}/health`);
    assertEquals(readHealth([folder]), undefined);
    Deno.removeSync(`${folder}/health`);
    await new Deno.Command("mkfifo", { args: [`${folder}/health`] }).output();
    assertEquals(readHealth([folder]), undefined);
  });
});

Deno.test("readHealth() takes nothing that no agent has written", async () => {
  await withFolder((folder) => {
    for (const text of ["", "{", "null", "[]", '{"pid":"1"}', "1", `"${"x".repeat(2000)}"`]) {
      Deno.writeTextFileSync(`${folder}/health`, text);
      assertEquals(readHealth([folder]), undefined, text);
    }
  });
});

Deno.test("HealthFile keeps eight panels, with the next report if not at once, and cuts each text", async () => {
  await withFolder((folder) => {
    const file = HealthFile.open([folder], ABOUT);
    const panel = { sinceMs: 1, failures: 0, probes: 0 };
    const panels = Array.from({ length: 9 }, (_, at) => ({ ...panel, panel: `${at}` }));
    file?.setPanels(panels, { now: false });
    assertEquals(readHealth([folder])?.panels, []);
    file?.accepted(1000);
    assertEquals(readHealth([folder])?.panels.map((it) => it.panel).join(""), "01234567");
    file?.setSandbox("s".repeat(301));
    assertEquals(readHealth([folder])?.sandbox.length, 300);
    file?.setProblem("ping", "p".repeat(301));
    assertEquals(readHealth([folder])?.problems[0]?.text.length, 300);
    file?.close();
  });
});

Deno.test("readHealth() takes what each part of a record is, and nothing else", async () => {
  await withFolder((folder) => {
    const panel = { panel: "p", sinceMs: 1 };
    const good = { pid: 1, intervalMs: 1, version: "1", panels: [panel] };
    const read = (changes: object) => {
      Deno.writeTextFileSync(`${folder}/health`, JSON.stringify({ ...good, ...changes }));
      return readHealth([folder]);
    };
    const nothing = { transport: undefined, acceptedAtMs: undefined, error: undefined };
    const none = { failures: 0, probes: 0, kinds: {}, lastMinute: 0, lost: 0, shortConnections: 0 };
    assertEquals(read({})?.panels, [{ ...panel, ...nothing, ...none }]);
    const counts = { failures: 1, probes: 2, lastMinute: 3, lost: 4, shortConnections: 5 };
    const all = { ...panel, ...counts, transport: "v2 POST", acceptedAtMs: 6 };
    const rest = { kinds: { icmp: 1, tcp: 2, http: 3 }, error: { text: "no", atMs: 7 } };
    assertEquals(read({ panels: [{ ...all, ...rest }] })?.panels, [{ ...all, ...rest }]);
    const odd = { transport: 1, failures: "1", error: { text: "no" }, kinds: { icmp: "1", x: 1 } };
    assertEquals(read({ panels: [{ ...panel, ...odd }] })?.panels, [
      { ...panel, ...nothing, ...none },
    ]);
    const problem = { part: "metrics", text: "no", sinceMs: 1 };
    const parts = ["registration", "state", "ping", "metrics", "gpu", "authorities"];
    const found = read({ problems: parts.map((part) => ({ ...problem, part })) })?.problems;
    assertEquals(
      found?.map(({ part, text }) => `${part}: ${text}`),
      parts.map((it) => `${it}: no`),
    );
    const unknown = [{ ...problem, part: "x" }, { ...problem, text: 1 }, {
      part: "ping",
      text: "",
    }];
    assertEquals(read({ problems: unknown, panels: 1 })?.problems, []);
    assertEquals(read({ problems: "x", startedAtMs: "1" })?.startedAtMs, undefined);
    const wrong = [
      ...[{ isStopped: true }, { pid: "1" }, { version: 1 }, { intervalMs: "1" }, { sandbox: 1 }],
      ...[{ acceptedAtMs: "1" }, { panels: [{ panel: "p" }] }, { panels: [{ sinceMs: 1 }] }],
      { sandbox: "x".repeat(8192) },
    ];
    for (const changes of wrong) assertEquals(read(changes), undefined, JSON.stringify(changes));
  });
});

Deno.test("HealthFile keeps the state of each panel, whatever is in its texts", async () => {
  await withFolder((folder) => {
    const file = HealthFile.open([folder], ABOUT);
    const panel = {
      panel: "p.example",
      transport: "v2 POST",
      sinceMs: 1,
      acceptedAtMs: 2,
      failures: 3,
      error: { text: "坏了 \n\u202e\ud800", atMs: 4 },
      probes: 5,
    };
    file?.setPanels([panel], { now: true });
    const probes = { kinds: {}, lastMinute: 0, lost: 0, shortConnections: 0 };
    assertEquals(readHealth([folder])?.panels, [{
      ...panel,
      ...probes,
      error: { text: "坏了  \ud800", atMs: 4 },
    }]);
    const long = { ...panel, error: { text: "长".repeat(5000), atMs: 4 } };
    file?.setPanels(Array.from({ length: 20 }, () => long), { now: true });
    assertEquals(readHealth([folder])?.panels, [], "they don't fit");
    file?.setPanels([long], { now: true });
    assertEquals(readHealth([folder])?.panels[0]?.error?.text.length, 300);
    file?.close();
  });
});
