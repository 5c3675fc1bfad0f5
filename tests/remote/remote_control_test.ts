import { assert, assertEquals, assertMatch } from "@std/assert";
import { Programs } from "../../lib/host/programs.ts";
import { RemoteControl, type RemoteControlOptions } from "../../lib/remote/remote_control.ts";
import type { CommandResult } from "../../lib/types.ts";
import { FakeTime } from "../fake_time.ts";
import { StartedProcesses } from "../started_processes.ts";
import { collectedLog } from "./collected_log.ts";
import { FakeSocket } from "./fake_socket.ts";
import { FakeTransfers } from "./file_requests_fixture.ts";
import { eventually, marked, newMark } from "./processes_below.ts";

const started = new StartedProcesses();
const programs = new Programs();
const noScript = programs.find("script", Deno.env.get("PATH") ?? "") === undefined;

interface Panel {
  control: RemoteControl;
  results: CommandResult[];
  sockets: Map<string, FakeSocket>;
}

/** Remote control with a panel that accepts everything, and a look at what it leaves behind. */
async function withControl(
  options: Partial<RemoteControlOptions>,
  use: (panel: Panel) => Promise<void>,
): Promise<void> {
  const results: CommandResult[] = [];
  const sockets = new Map<string, FakeSocket>();
  const control = new RemoteControl({
    programs,
    execTimeoutMs: 60_000,
    terminalIdleMs: 60_000,
    sendResult: (result) => {
      results.push(result);
      return Promise.resolve();
    },
    dialTerminal: (requestId) => {
      const socket = new FakeSocket();
      sockets.set(requestId, socket);
      return Promise.resolve(socket);
    },
    allowsFiles: true,
    transfers: new FakeTransfers(),
    sendFileResult: () => Promise.resolve(),
    startupConfig: () => ({ interval: 3 }),
    sendStartupConfig: () => Promise.resolve(),
    updates: { obstacle: "a test", programPath: "", env: {}, cgroup: "" },
    ...options,
  });
  try {
    await use({ control, results, sockets });
  } finally {
    await control.close();
  }
  assertEquals(started.children(), []);
}

Deno.test("RemoteControl.runCommand() uploads what the command said", async () => {
  const finishedAt = new Date(12345);
  await withControl({ wallClock: () => finishedAt }, async ({ control, results }) => {
    control.runCommand({ taskId: "a", command: "echo hello; exit 3" });
    await eventually(() => results.length === 1);
    assertEquals(results, [{ taskId: "a", output: "hello\n", exitCode: 3, finishedAt }]);
  });
});

Deno.test("RemoteControl.runCommand() hides the agent's secrets from commands", async () => {
  // No option, since other tests may run in this process.
  Deno.env.set("AGENT_SECRET_OF_A_TEST", "a-secret");
  try {
    await withControl({}, async ({ control, results }) => {
      control.runCommand({ taskId: "a", command: "env; echo at $PWD" });
      await eventually(() => results.length === 1);
      assert(!results[0]?.output.includes("a-secret"));
      assertMatch(results[0]?.output ?? "", /^PATH=/m);
    });
  } finally {
    Deno.env.delete("AGENT_SECRET_OF_A_TEST");
  }
});

Deno.test("RemoteControl.runCommand() runs a task once", async () => {
  await withControl({}, async ({ control, results }) => {
    for (let i = 0; i < 5; i++) control.runCommand({ taskId: "a", command: "echo once" });
    control.runCommand({ taskId: "b", command: "echo twice" });
    await eventually(() => results.length === 2);
    control.runCommand({ taskId: "a", command: "echo once" });
    control.runCommand({ taskId: "c", command: "echo thrice" });
    await eventually(() => results.length === 3);
    assertEquals(results.map(({ taskId }) => taskId).sort(), ["a", "b", "c"]);
  });
});

Deno.test("RemoteControl.runCommand() runs four of a hundred at a time", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await withControl({}, async ({ control, results }) => {
      const command = `touch ${folder}/$$; ls ${folder} | wc -l; sleep 0.02; rm ${folder}/$$`;
      for (let i = 0; i < 100; i++) control.runCommand({ taskId: `${i}`, command });
      await eventually(() => results.length === 100, { withinMs: 60_000 });
      const counts = results.map(({ output }) => Number(output));
      assertEquals(Math.max(...counts), 4);
      assertEquals(results.filter(({ exitCode }) => exitCode !== 0), []);
    });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("RemoteControl.runCommand() answers at once when too many wait", async () => {
  const mark = newMark();
  await withControl({}, async ({ control, results }) => {
    for (let i = 0; i < 110; i++) control.runCommand({ taskId: `${i}`, command: `sleep ${mark}` });
    await eventually(() => results.length === 6);
    for (const { exitCode, output } of results) {
      assertEquals(exitCode, -1);
      assertMatch(output, /too many others wait/);
    }
    await eventually(() => marked(`sleep ${mark}`).length === 4);
  });
  assertEquals(marked(mark), []);
});

Deno.test("RemoteControl.runCommand() does not hoard commands without measure", async () => {
  const mark = newMark();
  await withControl({}, async ({ control, results }) => {
    for (let i = 0; i < 4; i++) control.runCommand({ taskId: `${i}`, command: `sleep ${mark}` });
    await eventually(() => marked(`sleep ${mark}`).length === 4);
    const command = "#".repeat(1024 * 1024);
    for (let i = 4; i < 10; i++) control.runCommand({ taskId: `${i}`, command });
    await eventually(() => results.length === 2);
    for (const { exitCode, output } of results) {
      assertEquals(exitCode, -1);
      assertMatch(output, /too many others wait/);
    }
    assertEquals(marked(`sleep ${mark}`).length, 4);
  });
});

Deno.test("RemoteControl.runCommand() takes no command that has no usable id", async () => {
  await withControl({}, async ({ control, results }) => {
    control.runCommand({ taskId: "", command: "echo bad" });
    control.runCommand({ taskId: "x".repeat(1_000_000), command: "echo bad" });
    const odd = "../../\u0000'; rm -rf \u001b[2J\n{taskId}";
    control.runCommand({ taskId: odd, command: "echo good" });
    await eventually(() => results.length > 0);
    assertEquals(results.map(({ taskId, output }) => [taskId, output]), [[odd, "good\n"]]);
  });
});

Deno.test("RemoteControl.runCommand() never throws, whatever the panel's side does", async () => {
  const options: Partial<RemoteControlOptions> = {
    sendResult: () => {
      throw new Error("broken");
    },
    dialTerminal: () => {
      throw new Error("broken");
    },
  };
  for (const each of [{ ...options }, { ...options, programs: undefined }]) {
    const lines = await collectedLog((lines) =>
      withControl(each, async ({ control }) => {
        control.runCommand({ taskId: "a", command: "true" });
        control.openTerminal({ requestId: "b", resumable: false });
        await eventually(() => lines.some((line) => line.includes("Cannot send")));
      })
    );
    assert(lines.some((line) => line.includes("of command a yet: broken")), lines.join("\n"));
  }
});

Deno.test("RemoteControl.runCommand() logs start and end, and the command only at debug", async () => {
  for (const level of ["info", "debug"] as const) {
    const lines = await collectedLog(() =>
      withControl({}, async ({ control, results }) => {
        control.runCommand({ taskId: "task 1", command: "echo password; exit 2" });
        await eventually(() => results.length === 1);
      }), { level });
    assert(lines.some((line) => /info +remote: Command task 1 starts$/.test(line)));
    assert(lines.some((line) => /task 1 ended after \d+\.\d s with exit code 2$/.test(line)));
    assertEquals(lines.some((line) => line.includes("password")), level === "debug");
  }
});

Deno.test("RemoteControl.runCommand() logs few of many commands, and that it does", async () => {
  const lines = await collectedLog(() =>
    withControl({}, async ({ control, results }) => {
      for (let n = 0; n < 20; n++) control.runCommand({ taskId: `${n}`, command: "true" });
      await eventually(() => results.length === 20);
    })
  );
  assertEquals(lines.filter((line) => line.includes(" starts")).length, 2);
  assertEquals(lines.filter((line) => line.includes(" ended after")).length, 2);
  assertEquals(lines.filter((line) => line.includes("many commands")).length, 1);
  assertEquals(lines.length, 5, lines.join("\n"));
});

Deno.test("RemoteControl refuses ten thousand requests when it is off, and keeps calm", async () => {
  const results: CommandResult[] = [];
  const dialled: FakeSocket[] = [];
  const gate = Promise.withResolvers<void>();
  const lines = await collectedLog(() =>
    withControl({
      programs: undefined,
      sendResult: async (result) => {
        await gate.promise;
        results.push(result);
      },
      dialTerminal: async () => {
        const socket = new FakeSocket();
        dialled.push(socket);
        await gate.promise;
        return socket;
      },
    }, async ({ control }) => {
      for (let i = 0; i < 10_000; i++) {
        control.runCommand({ taskId: `${i}`, command: "echo bad" });
        control.openTerminal({ requestId: `${i}`, resumable: false });
      }
      await eventually(() => dialled.length === 4);
      gate.resolve();
      await eventually(() => results.length === 64);
      await eventually(() => dialled.length === 68 && dialled.every((it) => it.isClosed));
    })
  );
  for (const { output, exitCode } of results) {
    assertEquals({ output, exitCode }, { output: "Remote control is disabled.", exitCode: -1 });
  }
  for (const { text } of dialled) {
    assertMatch(text, /^Remote control is disabled\. .*--enable-remote-control\.\r\n$/);
  }
  assertEquals(lines.length, 4, lines.join("\n"));
});

Deno.test("RemoteControl gives up a refusal that nobody reads", async () => {
  const sockets: FakeSocket[] = [];
  await withControl({
    programs: undefined,
    dialTerminal: () => {
      const socket = new FakeSocket();
      socket.stuck = new Promise(() => {});
      sockets.push(socket);
      return Promise.resolve(socket);
    },
  }, async ({ control }) => {
    control.openTerminal({ requestId: "a", resumable: false });
    await eventually(() => sockets[0]?.isClosed === true);
  });
});

Deno.test({
  name: "RemoteControl.openTerminal() opens four terminals, and tells the fifth why not",
  ignore: noScript, // There is nothing to open a terminal with.
  async fn() {
    await withControl({}, async ({ control, sockets }) => {
      for (const id of ["1", "1", "2", "3", "4", "5"]) {
        control.openTerminal({ requestId: id, resumable: false });
      }
      await eventually(() => sockets.get("5")?.isClosed === true);
      assertMatch(sockets.get("5")?.text ?? "", /^Cannot open a terminal: 4 are open already/);
      for (const id of ["1", "2", "3", "4"]) {
        sockets.get(id)?.type("echo he''re\r");
        await eventually(() => sockets.get(id)?.text.includes("here") === true);
      }
      assertEquals(sockets.size, 5);
      sockets.get("1")?.close();
      let next = 6;
      await eventually(() => {
        control.openTerminal({ requestId: `${next++}`, resumable: false });
        return [...sockets.values()].slice(5).some((socket) => !socket.isClosed);
      });
    });
  },
});

Deno.test({
  name: "RemoteControl.close() ends commands and terminals with all that they have started",
  ignore: noScript, // There is nothing to open a terminal with.
  async fn() {
    const mark = newMark();
    const lines = await collectedLog(() =>
      withControl({}, async ({ control, sockets }) => {
        const command = `trap '' TERM HUP; sleep ${mark} & sleep ${mark}`;
        for (let i = 0; i < 8; i++) control.runCommand({ taskId: `${i}`, command });
        control.openTerminal({ requestId: "t", resumable: false });
        await eventually(() => sockets.size === 1);
        sockets.get("t")?.type(`${command}\r`);
        await eventually(() => marked(`sleep ${mark}`).length === 10);
        await control.close();
        assertEquals(marked(mark), []);
        assertEquals(sockets.get("t")?.isClosed, true);
        control.runCommand({ taskId: "late", command: "echo late" });
        control.openTerminal({ requestId: "late", resumable: false });
      }), { level: "debug" });
    assert(lines.some((line) => /Terminal t ended after .*: the agent ends$/.test(line)));
    assertEquals(lines.filter((line) => line.includes("was aborted")).length, 4);
    assert(!lines.some((line) => line.includes("late")));
  },
});

Deno.test("RemoteControl.close() waits no longer than 450 ms for what never ends", async () => {
  using time = new FakeTime();
  const uploading = Promise.withResolvers<void>();
  const control = new RemoteControl({
    programs,
    execTimeoutMs: 60_000,
    terminalIdleMs: 60_000,
    sendResult: () => {
      uploading.resolve();
      return new Promise(() => {});
    },
    dialTerminal: () => new Promise(() => {}),
    allowsFiles: false,
    transfers: new FakeTransfers(),
    sendFileResult: () => new Promise(() => {}),
    startupConfig: () => ({ interval: 3 }),
    sendStartupConfig: () => Promise.resolve(),
    updates: { obstacle: "a test", programPath: "", env: {}, cgroup: "" },
  });
  control.openTerminal({ requestId: "a", resumable: false });
  control.runCommand({ taskId: "b", command: "true" });
  await uploading.promise;
  assertEquals(await time.until(control.close(), { withinMs: 10_000, stepMs: 1 }), 450);
});

Deno.test("RemoteControl.close() closes a connection that comes about too late", async () => {
  const socket = new FakeSocket();
  const { promise, resolve } = Promise.withResolvers<FakeSocket>();
  await withControl({ dialTerminal: () => promise }, async ({ control }) => {
    control.openTerminal({ requestId: "a", resumable: false });
    await Promise.resolve();
    await control.close();
  });
  resolve(socket);
  await eventually(() => socket.isClosed);
});

Deno.test("RemoteControl.sendStartupConfig() sends the configuration once for each request", async () => {
  const sent: unknown[] = [];
  const options: Partial<RemoteControlOptions> = {
    programs: undefined,
    sendStartupConfig: (answer) => {
      sent.push(answer);
      return Promise.resolve();
    },
  };
  await withControl(options, async ({ control }) => {
    for (const requestId of ["a", "a", "", "b", "a"]) control.sendStartupConfig(requestId);
    await eventually(() => sent.length === 2);
  });
  assertEquals(sent, [
    { requestId: "a", config: { interval: 3 } },
    { requestId: "b", config: { interval: 3 } },
  ]);
});
