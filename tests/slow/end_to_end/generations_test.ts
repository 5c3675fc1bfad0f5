import { assertEquals } from "@std/assert";
import { type GenerationName, generations } from "../../../lib/demo/generation.ts";
import type { Transport } from "../../../lib/demo/panel_state.ts";
import { REMOTE_CONTROL, testTransport, until, withAgent } from "../../end_to_end/setup.ts";

const HTTP = ["--transport", "http"];
const VERSION_1 = ["--protocol-version", "1"];

interface Case {
  readonly args: readonly string[];
  readonly isBlocked?: boolean;
  /** The transport with panels 1.1, 1.4, and 1.5 and newer. */
  readonly transports: readonly [Transport, Transport, Transport];
}

const CASES: readonly Case[] = [
  { args: [], transports: ["v1 post", "v2 websocket", "v2 websocket"] },
  { args: [REMOTE_CONTROL], transports: ["v1 websocket", "v2 websocket", "v2 websocket"] },
  { args: HTTP, transports: ["v1 post", "v2 post", "v2 post"] },
  { args: [...HTTP, REMOTE_CONTROL], transports: ["v1 post", "v2 post", "v2 post"] },
  { args: VERSION_1, transports: ["v1 post", "v1 post", "v2 post"] },
  { args: [...VERSION_1, REMOTE_CONTROL], transports: ["v1 websocket", "v1 websocket", "v2 post"] },
  { args: [...VERSION_1, ...HTTP], transports: ["v1 post", "v1 post", "v2 post"] },
  { args: [], isBlocked: true, transports: ["v1 post", "v2 post", "v2 post"] },
  { args: [REMOTE_CONTROL], isBlocked: true, transports: ["v1 post", "v2 post", "v2 post"] },
];

const NAMES: Readonly<Record<Transport, string>> = {
  "v2 websocket": "v2 WebSocket",
  "v2 post": "v2 POST",
  "v1 websocket": "v1 WebSocket",
  "v1 post": "v1 POST",
};

const GENERATIONS: readonly (readonly [GenerationName, 0 | 1 | 2])[] = [
  ["1.1", 0],
  ["1.4", 1],
  ["1.5", 2],
  ["main", 2],
];

for (const [generation, column] of GENERATIONS) {
  for (const { args, isBlocked = false, transports } of CASES) {
    const transport = transports[column];
    // Without version 2, POST is found first, and the WebSocket then.
    const isFoundByPost = transport === "v1 websocket" && !args.includes("--protocol-version");
    testTransport({
      transport,
      first: NAMES[isFoundByPost ? "v1 post" : transport],
      setup: {
        args,
        panel: { generation, ...(isBlocked ? { fault: { name: "upgrade-403" } } : {}) },
      },
      takesCommands: transport !== "v1 post",
    });
  }
}

/** Paths of version 1; registration has stayed. */
const V1_PATH = /^\/api\/clients\/(?:report|uploadBasicInfo|ping|task)/;

for (const generation of ["1.5", "main"] as const) {
  for (const args of [[REMOTE_CONTROL], [...HTTP, REMOTE_CONTROL]]) {
    Deno.test(`the agent sends nothing to version 1 of a panel ${generation} with ${args}`, async () => {
      await withAgent({ panel: { generation }, args }, async (panel) => {
        await until(panel, ({ counts }) => counts.reports >= 2 && counts.basicInfos >= 1);
        panel.sendCommand("echo done");
        await until(panel, ({ counts }) => counts.commandResults === 1);
        const paths = panel.state.calls.map(({ path }) => path);
        assertEquals(paths.filter((path) => V1_PATH.test(path)), []);
      });
    });
  }
}

Deno.test("the agent sends results of commands to version 1 of a panel 1.4, and nothing else", async () => {
  await withAgent({ panel: { generation: "1.4" }, args: [REMOTE_CONTROL] }, async (panel) => {
    await until(panel, ({ counts }) => counts.reports >= 2 && counts.basicInfos >= 1);
    for (const text of ["one", "two"]) panel.sendCommand(`echo ${text}`);
    await until(panel, ({ counts }) => counts.commandResults === 2);
    const paths = panel.state.calls.map(({ path }) => path).filter((path) => V1_PATH.test(path));
    assertEquals(new Set(paths), new Set(["/api/clients/task/result"]));
  });
});

Deno.test("every generation is in the matrix", () => {
  assertEquals(GENERATIONS.map(([name]) => name).toSorted(), Object.keys(generations).toSorted());
});
