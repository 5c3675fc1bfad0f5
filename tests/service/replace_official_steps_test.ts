import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { delay } from "@std/async/delay";
import { readOfficialRecord } from "../../lib/service/official_record.ts";
import { type ReplacementOptions, replaceOfficial } from "../../lib/service/replace_official.ts";

const OFFICIAL = {
  manager: "systemd",
  scope: "system",
  serviceName: "komari-agent",
  unitPath: "/etc/systemd/system/komari-agent.service",
  binary: "/opt/komari/agent",
} as const;

interface World {
  readonly parts: ReplacementOptions;
  /** What was done, in its order. */
  readonly deeds: string[];
  readonly printed: string[];
  /** Deeds that fail. */
  readonly failing: Set<string>;
  note(): boolean | undefined;
}

async function inWorld(
  act: (world: World) => Promise<void>,
  refusal?: string,
): Promise<void> {
  const root = Deno.makeTempDirSync();
  const folder = `${root}/etc`;
  const deeds: string[] = [];
  const printed: string[] = [];
  const failing = new Set<string>();
  const note = () => readOfficialRecord(folder)?.isDone;
  const deed = (name: string) => (signal: AbortSignal): Promise<void> => {
    deeds.push(`${name} ${note()}`);
    if (failing.has(name)) return Promise.reject(new Error(`no ${name}`));
    return signal.aborted ? Promise.reject(signal.reason) : Promise.resolve();
  };
  const officialService = {
    stop: deed("stop"),
    disable: deed("disable"),
    start: deed("bring back"),
  };
  const install = async (signal: AbortSignal): Promise<string | undefined> => {
    await deed("install")(signal);
    return refusal;
  };
  const parts = {
    official: OFFICIAL,
    officialService,
    folder,
    install,
    uninstall: deed("uninstall"),
    printLine: (line: string) => void printed.push(line),
  };
  try {
    await act({ parts, deeds, printed, failing, note });
  } finally {
    Deno.removeSync(root, { recursive: true });
  }
}

const NEVER = new AbortController().signal;

Deno.test("replaceOfficial() disables the official agent when this one is accepted", async () => {
  await inWorld(async ({ parts, deeds, note, printed }) => {
    await replaceOfficial(parts, NEVER);
    assertEquals(deeds, ["stop false", "install false", "disable false"]);
    assertEquals(note(), true);
    assertStringIncludes(printed.join("\n"), "uninstall --restore");
  });
});

Deno.test("replaceOfficial() restores the official agent when no report is accepted", async () => {
  await inWorld(async ({ parts, deeds, note }) => {
    const error = await assertRejects(() => replaceOfficial(parts, NEVER), Error, "was restored");
    assertStringIncludes(String(error.cause), "the panel refused it");
    assertEquals(deeds, ["stop false", "install false", "uninstall false", "bring back false"]);
    assertEquals(note(), undefined);
  }, "the panel refused it");
});

Deno.test("replaceOfficial() restores the official agent when a step fails", async () => {
  for (const step of ["stop", "install"]) {
    await inWorld(async ({ parts, deeds, failing, note }) => {
      failing.add(step);
      await assertRejects(() => replaceOfficial(parts, NEVER), Error, "was restored");
      assertEquals(deeds.slice(-2), ["uninstall false", "bring back false"]);
      assertEquals(note(), undefined);
    });
  }
});

Deno.test("replaceOfficial() restores the official agent when aborted", async () => {
  await inWorld(async ({ parts, deeds, printed }) => {
    const user = new AbortController();
    const stopCommands = {
      ...parts,
      install: async (): Promise<undefined> => {
        user.abort();
        await parts.install(user.signal);
      },
    };
    await assertRejects(() => replaceOfficial(stopCommands, user.signal), Error, "was restored");
    assertEquals(deeds.at(-1), "bring back false");
    assertEquals(printed.includes("Interrupted."), true);
  });
});

Deno.test("replaceOfficial() prints a failed restoration when aborted", async () => {
  await inWorld(async ({ parts, failing, printed }) => {
    failing.add("bring back");
    const stopped = AbortSignal.abort(new Error("it was stopped"));
    const { message } = await assertRejects(() => replaceOfficial(parts, stopped), Error);
    assertStringIncludes(message, "Cannot restore komari-agent (no bring back)");
    assertEquals(printed.at(-1), message);
  });
});

Deno.test("replaceOfficial() starts the official agent when removing this one times out", async () => {
  await inWorld(async ({ parts }) => {
    let wasInTime = false;
    const officialService = {
      ...parts.officialService,
      start: (signal: AbortSignal) => {
        wasInTime = !signal.aborted;
        return Promise.resolve();
      },
    };
    const uninstall = (signal: AbortSignal) => delay(60_000, { signal });
    const slow = { ...parts, officialService, uninstall, undoTimeoutMs: 20 };
    await assertRejects(() => replaceOfficial(slow, NEVER), Error, "Cannot restore komari-agent");
    assert(wasInTime);
  }, "the panel refused it");
});

Deno.test("replaceOfficial() keeps its record when the restoration fails", async () => {
  for (const step of ["uninstall", "bring back"]) {
    await inWorld(async ({ parts, deeds, failing, note }) => {
      failing.add(step);
      await assertRejects(
        () => replaceOfficial(parts, NEVER),
        Error,
        `Cannot restore komari-agent (no ${step}) after the panel refused it; ` +
          "`komari-agent-deno uninstall --restore` tries again",
      );
      assertEquals(deeds.at(-1), "bring back false");
      assertEquals(note(), false);
    }, "the panel refused it");
  }
});
