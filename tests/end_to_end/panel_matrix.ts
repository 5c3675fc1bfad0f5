import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { type GenerationName, generationNames, generations } from "../test_panel/generation.ts";
import type { ReceivedBy } from "../../lib/demo/panel_state.ts";
import { panelFault } from "../test_panel/faults.ts";
import { fileErrorCode } from "../test_panel/file_contract.ts";
import type { TestFault } from "../test_panel/test_fault.ts";
import type { TestPanel } from "../test_panel/test_panel.ts";
import type { AgentProcess } from "./agent_process.ts";
import { REMOTE_CONTROL, until, withAgent } from "./setup.ts";
import { TempFolder } from "../temp_folder.ts";

/** What an agent is told, or what stands in its way. */
export type Setting = keyof typeof settings;

/** One cell of the matrix. */
export interface MatrixCase {
  readonly generation: GenerationName;
  readonly setting: Setting;
  readonly remoteControl: boolean;
}

/** The transport that reports settle on, without and with remote control. */
type Transports = readonly [off: ReceivedBy, on: ReceivedBy];

interface Expectation {
  readonly args: readonly string[];
  readonly fault?: TestFault;
  readonly transports: Readonly<Record<"1.1" | "1.4" | "later", Transports>>;
}

const V1_POST = ["v1 post", "v1 post"] as const;
const V1_BEST = ["v1 post", "v1 websocket"] as const;
const V2_POST = ["v2 post", "v2 post"] as const;
const V2_SOCKET = ["v2 websocket", "v2 websocket"] as const;

const settings = {
  "defaults": { args: [], transports: { "1.1": V1_BEST, "1.4": V2_SOCKET, later: V2_SOCKET } },
  "WebSockets blocked": {
    args: [],
    fault: panelFault("websocket-refused", { calls: ["upgrade"] }),
    transports: { "1.1": V1_POST, "1.4": V2_POST, later: V2_POST },
  },
  "--transport http": {
    args: ["--transport", "http"],
    transports: { "1.1": V1_POST, "1.4": V2_POST, later: V2_POST },
  },
  "--protocol-version 1": {
    args: ["--protocol-version", "1"],
    transports: { "1.1": V1_BEST, "1.4": V1_BEST, later: V2_POST },
  },
  "--protocol-version 1 --transport http": {
    args: ["--protocol-version", "1", "--transport", "http"],
    transports: { "1.1": V1_POST, "1.4": V1_POST, later: V2_POST },
  },
} as const satisfies Record<string, Expectation>;

/** The cells that the fast tests run: each generation, each setting and each transport once. */
export const fastCases: readonly MatrixCase[] = [
  { generation: "1.1", setting: "--transport http", remoteControl: false },
  { generation: "1.4", setting: "--protocol-version 1", remoteControl: true },
  { generation: "1.5", setting: "defaults", remoteControl: true },
  { generation: "main", setting: "WebSockets blocked", remoteControl: false },
  { generation: "main, October 2026", setting: "defaults", remoteControl: true },
  { generation: "header only", setting: "defaults", remoteControl: true },
  { generation: "Nekomari", setting: "defaults", remoteControl: false },
];

/** Each generation in each setting once, with and without remote control in turn. */
export function slowCases(): MatrixCase[] {
  const isSetting = (name: string): name is Setting => Object.hasOwn(settings, name);
  const key = (one: MatrixCase) => [one.generation, one.setting].join();
  const fast = new Set(fastCases.map(key));
  return generationNames().flatMap((generation, row) =>
    Object.keys(settings).filter(isSetting).map((setting, column) => ({
      generation,
      setting,
      remoteControl: (row + column) % 2 === 0,
    }))
  ).filter((one) => !fast.has(key(one)));
}

/** Tests that an agent does with a panel all that its generation and the transport permit. */
export function testMatrixCase({ generation, setting, remoteControl }: MatrixCase): void {
  const { args, transports, fault }: Expectation = settings[setting];
  const version = generation === "1.1" || generation === "1.4" ? generation : "later";
  const transport = transports[version][remoteControl ? 1 : 0];
  const { hasSessions, managesAgents } = generations[generation];
  const control = remoteControl ? "with" : "without";
  const title = `an agent ${control} remote control reports by ${transport} to a panel ` +
    `${generation} (${setting})`;
  Deno.test(title, async () => {
    const setup = {
      panel: { generation, fault },
      args: ["--allow-local-probes", ...args, ...(remoteControl ? [REMOTE_CONTROL] : [])],
    };
    await withAgent(setup, async (panel, agent) => {
      await checkReporting(panel, transport);
      // Without version 2, POST is found first, and the WebSocket then.
      const isFoundByPost = transport === "v1 websocket" && !args.includes("--protocol-version");
      const first = isFoundByPost ? "v1 post" : transport;
      await agent.says(`First report accepted, by ${transportNames[first]}`);
      if (transport !== "v1 post") await checkCommand(panel, { remoteControl });
      const hasTerminals = hasSessions || transport.endsWith("websocket");
      if (hasTerminals) await checkTerminal(panel, { remoteControl, hasSessions });
      if (hasSessions) await checkFiles(panel, { remoteControl });
      if (managesAgents) await checkConfig(panel);
      if (!args.includes("--protocol-version") && transport.startsWith("v2")) {
        checkRoutes(panel, { hasSessions });
      }
      if (fault === undefined) checkLog(agent);
    });
  });
}

/** Transports as the log names them. */
const transportNames: Readonly<Record<ReceivedBy, string>> = {
  "v2 websocket": "v2 WebSocket",
  "v2 post": "v2 POST",
  "v1 websocket": "v1 WebSocket",
  "v1 post": "v1 POST",
};

async function checkReporting(panel: TestPanel, transport: ReceivedBy): Promise<void> {
  panel.state.tasks = [
    { id: 7, name: "p", type: "tcp", target: `127.0.0.1:${panel.port}`, interval: 1 },
  ];
  await until(panel, ({ reports }) => reports.filter((it) => it.by === transport).length >= 3);
  await until(panel, ({ counts }) => counts.basicInfos >= 1);
  // On a busy machine some may be lost.
  await until(
    panel,
    ({ pingResults }) => pingResults.some(({ value }) => value.taskId === 7 && value.valueMs >= 0),
  );
  assert(panel.node.isOnline);
}

async function checkCommand(
  panel: TestPanel,
  { remoteControl }: { remoteControl: boolean },
): Promise<void> {
  const id = panel.node.sendCommand("echo done; exit 3");
  await until(panel, ({ commandResults }) => commandResults.length === 1);
  const { taskId, result, exitCode } = panel.state.commandResults[0]?.value ?? {};
  assertEquals(
    [taskId, result, exitCode],
    remoteControl ? [id, "done\n", 3] : [id, "Remote control is disabled.", -1],
  );
}

async function checkTerminal(
  panel: TestPanel,
  { remoteControl, hasSessions }: { remoteControl: boolean; hasSessions: boolean },
): Promise<void> {
  const id = panel.terminals.request();
  const terminal = panel.terminals.get(id);
  if (!remoteControl) {
    await terminal.until(({ output }) => output.includes("--enable-remote-control"));
    await terminal.until(({ isConnected }) => !isConnected);
    return terminal.close();
  }
  await terminal.until(({ isConnected }) => isConnected);
  terminal.resize(101, 33);
  const waits = "until stty size | grep '33 101'; do :; done";
  terminal.send(`${waits}; X=$((6 * 7)); echo a$X\r`);
  await terminal.until(({ output }) => output.includes("a42"));
  assertStringIncludes(terminal.output, "33 101\r\n");
  if (!hasSessions) {
    terminal.send("exit\r");
    await terminal.until(({ isOver }) => isOver);
    return;
  }
  // The browser is reloaded, and finds the same shell again.
  terminal.detachBrowser();
  await terminal.until(({ isConnected }) => !isConnected);
  panel.terminals.request(id);
  await terminal.until(({ isConnected }) => isConnected);
  terminal.send("echo b$X\r");
  await terminal.until(({ output }) => output.includes("b42"));
  terminal.close();
  await terminal.until(({ isOver }) => isOver);
}

async function checkFiles(
  panel: TestPanel,
  { remoteControl }: { remoteControl: boolean },
): Promise<void> {
  const { files } = panel;
  if (!remoteControl) {
    const refused = () => files.request("list", { path: "/" });
    const error = await assertRejects(refused, Error, "web control is disabled");
    assertEquals(fileErrorCode(error), -32603);
    return;
  }
  using folder = new TempFolder();
  const path = `${folder.path}/file`;
  const bytes = crypto.getRandomValues(new Uint8Array(60_000));
  files.chunkBytes = 25_000;
  await files.upload(path, new Blob([bytes]));
  assertEquals(await Deno.readFile(path), bytes);
  const parts: Uint8Array<ArrayBuffer>[] = [];
  for await (const part of files.download(path)) parts.push(part);
  assertEquals(new Uint8Array(await new Blob(parts).arrayBuffer()), bytes);
  // Each result has the shape that the panel knows.
  const operations = [
    ["list", { path: folder.path }],
    ["search", { path: folder.path, query: "FIL" }],
    ["mkdir", { path: `${folder.path}/sub`, mode: "750" }],
    ["upload_cancel", { path, upload_id: "none" }],
    ["move", { source: path, destination: `${folder.path}/sub/file` }],
    ["delete", { path: `${folder.path}/sub` }],
  ] as const;
  for (const [op, args] of operations) await files.request(op, args);
  const missing = () => files.request("stat", { path });
  assertEquals(fileErrorCode(await assertRejects(missing, Error)), -32044);
  assertEquals([...Deno.readDirSync(folder.path)], []);
}

async function checkConfig(panel: TestPanel): Promise<void> {
  const config = JSON.stringify(await panel.requestStartupConfig());
  assertStringIncludes(config, "interval");
}

/** While version 2 answers, only results of commands go to version 1, on panels up to 1.4. */
function checkRoutes(panel: TestPanel, { hasSessions }: { hasSessions: boolean }): void {
  const allowed = ["v2/rpc", "terminal", hasSessions ? "transfer/" : "task/result"];
  const paths = new Set(panel.state.calls.map(({ path }) => path.replace("/api/clients/", "")));
  assertEquals([...paths].filter((path) => !allowed.includes(path)), []);
}

function checkLog(agent: AgentProcess): void {
  assertEquals(agent.lines("trying again"), []);
}
