import { assert, assertEquals } from "@std/assert";
import { Programs } from "../../../lib/host/programs.ts";
import { Relay, type RelayedConnection } from "../../relay.ts";
import { Browser } from "../../test_panel/browser.ts";
import type { TestPanel } from "../../test_panel/test_panel.ts";
import type { TestTerminal } from "../../test_panel/test_terminal.ts";
import type { AgentProcess } from "../../end_to_end/agent_process.ts";
import { TempFolder } from "../../temp_folder.ts";
import { skipReason } from "../live/command.ts";
import { together } from "./together.ts";
import { REMOTE_CONTROL, until, withAgent } from "../../end_to_end/setup.ts";

const lack = new Programs().find("script", Deno.env.get("PATH") ?? "") === undefined
  ? "no script"
  : undefined;

interface Open {
  readonly panel: TestPanel;
  readonly agent: AgentProcess;
  readonly relay: Relay;
  readonly browser: Browser;
  readonly terminal: TestTerminal;
  /** The number of the shell's process. */
  readonly shell: string;
}

/** A terminal of an agent that reaches its panel over a line with a delay. */
async function withOpenTerminal(
  { delayMs }: { delayMs: number },
  use: (open: Open) => Promise<void>,
): Promise<void> {
  let relay: Relay | undefined;
  const way = async (panel: TestPanel) => {
    relay = await Relay.open(Number(new URL(panel.url).port), { delayMs });
    return relay.url;
  };
  const setup = { panel: { generation: "main" }, args: [REMOTE_CONTROL], way } as const;
  try {
    await withAgent(setup, async (panel, agent) => {
      await agent.says("First report accepted, by v2 WebSocket");
      assert(relay !== undefined);
      using browser = new Browser(panel);
      const terminal = panel.terminals.get(browser.id);
      await terminal.until(({ isConnected }) => isConnected);
      terminal.send("echo shell-$$-shell\r");
      await terminal.until(({ output }) => /shell-\d+-shell/.test(output));
      const [, shell = ""] = /shell-(\d+)-shell/.exec(terminal.output) ?? [];
      await use({ panel, agent, relay, browser, terminal, shell });
      terminal.end();
    });
  } finally {
    await relay?.[Symbol.asyncDispose]();
  }
}

/** The connections of the agent's terminals. */
function terminalsOf({ relay }: Open): readonly RelayedConnection[] {
  return relay.connections.filter(({ firstLine }) => firstLine.includes("/terminal?"));
}

/** How often the agent has connected a terminal. */
function dials({ state }: TestPanel): number {
  return state.calls.filter(({ path, status }) => /terminal$/.test(path) && status === 101).length;
}

/** Asks the shell who it is until it answers. */
async function isSameShell({ terminal, shell }: Open, word: string): Promise<void> {
  await terminal.until(({ isConnected }) => isConnected);
  terminal.send(`echo ${word}-$$-${word}\r`);
  await terminal.until(({ output }) => output.includes(`${word}-${shell}-${word}`));
}

/** The page is loaded anew after its connection went silent. */
async function reloaded(open: Open): Promise<void> {
  const { panel, browser, terminal } = open;
  for (let times = 0; times < 3; times++) {
    for (const connection of terminalsOf(open)) connection.silence();
    terminal.send("echo into the void\r");
    // The panel closes its end, and that never arrives.
    const before = dials(panel);
    browser.reload();
    await until(panel, () => dials(panel) > before);
    await isSameShell(open, `reloaded${times}`);
  }
}

/** The line for reports is found dead. */
async function silenced(open: Open): Promise<void> {
  const { panel, relay, browser, terminal } = open;
  const before = dials(panel);
  terminal.send("for i in $(seq 60); do echo line-$i; sleep 0.3; done; echo en''d\r");
  await terminal.until(({ output }) => output.includes("line-3\r"));
  // The panel says by a pong that it has read a line.
  await Promise.all(terminalsOf(open).map((connection) => connection.answered()));
  for (const connection of relay.connections) connection.silence();
  await until(panel, () => dials(panel) > before);
  await terminal.until(({ output }) => output.includes("\nend"));
  assertEquals(numbers(terminal.output), Array.from({ length: 60 }, (_, index) => index + 1));
  assertEquals(browser.returns, 0, "nobody had to load the page anew");
  await isSameShell(open, "same");
}

/** All connections are reset while the agent holds a line, again and again. */
async function resetOften(open: Open): Promise<void> {
  const { panel, relay, terminal } = open;
  using folder = new TempFolder();
  const before = dials(panel);
  const times = 20;
  for (let time = 1; time <= times; time++) {
    // Nothing but the line comes after the word, and no key is lost with the connection.
    const go = `${folder.path}/${time}`;
    terminal.send(
      `echo wai''ts-${time}; until [ -e ${go} ]; do sleep 0.02; done; echo line-${time}\r`,
    );
    await terminal.until(({ output }) => output.includes(`waits-${time}\r`));
    const cut = relay.resetWhenHeld("/terminal?");
    Deno.writeTextFileSync(go, "");
    await cut;
    // It comes by the next connection, which is the one that takes keys from now on.
    await terminal.until(({ output }) => output.includes(`\nline-${time}\r`));
    await isSameShell(open, `time${time}`);
  }
  const all = Array.from({ length: times }, (_, i) => i + 1);
  const shown = numbers(terminal.output);
  assertEquals([...new Set(shown)], all, JSON.stringify(terminal.output));
  // When the page has asked once more before the pong, the agent sends the line again.
  assert(shown.length <= dials(panel) - before, JSON.stringify(terminal.output));
}

const CASES: readonly [string, number, (open: Open) => Promise<void>][] = [
  [
    "is back with its shell when its connection went silent and the page is loaded anew",
    0,
    reloaded,
  ],
  ["comes back by itself when the line for reports was found dead", 0, silenced],
  ["is kept, and no line missing or twice, when all is reset at 0 ms round trip", 0, resetOften],
  [
    "is kept, and no line missing or twice, when all is reset at 250 ms round trip",
    125,
    resetOften,
  ],
];

Deno.test({
  name: "a terminal outlives what happens to the network" + skipReason(lack),
  ignore: lack !== undefined,
  fn: (t) => together(t, CASES, ([, delayMs, use]) => withOpenTerminal({ delayMs }, use)),
});

/** The numbers of the lines that were shown. */
function numbers(output: string): number[] {
  return [...output.matchAll(/^line-(\d+)\r$/gm)].map(([, number]) => Number(number));
}
