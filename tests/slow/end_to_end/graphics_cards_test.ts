import { assert, assertEquals, assertMatch } from "@std/assert";
import { isAlive } from "../../exists.ts";
import { startTestPanel, type TestPanel } from "../../test_panel/test_panel.ts";
import { AgentProcess } from "../../end_to_end/agent_process.ts";

const TOKEN = "t0ken";
const MEBIBYTE = 1024 * 1024;
const DEVICE = "sys/class/drm/card0/device";

/**
 * This machine with a card of AMD's, one of NVIDIA's, and an `nvidia-smi` that is the script; its
 * trees are seen as a container sees its host's.
 */
class Workstation implements AsyncDisposable {
  readonly folder = Deno.makeTempDirSync();
  readonly env: Record<string, string> = { HOST_PROC: `${this.folder}/proc` };
  /** Puts the `nvidia-smi` where the agent looks, for the agent alone. */
  readonly through = [
    ...["unshare", "-rm", "sh", "-c"],
    ...['mount --bind "$0" /usr/local/sbin && exec "$@"', `${this.folder}/bin`],
  ];

  constructor(nvidiaSmi: string) {
    const files: Record<string, string> = {
      "etc/os-release": 'PRETTY_NAME="Paper"\n',
      "proc/.keep": "",
      "sys/class/drm/card1/device/vendor": "0x10de\n",
      "sys/class/drm/card1/device/device": "0x27b8\n",
      [`${DEVICE}/vendor`]: "0x1002\n",
      [`${DEVICE}/device`]: "0x744c\n",
      [`${DEVICE}/power/runtime_status`]: "active\n",
      [`${DEVICE}/gpu_busy_percent`]: "20\n",
      [`${DEVICE}/mem_info_vram_total`]: "17163091968\n",
      [`${DEVICE}/mem_info_vram_used`]: "1234567168\n",
      [`${DEVICE}/hwmon/hwmon3/temp1_input`]: "45000\n",
      "bin/nvidia-smi": `#!/bin/sh\necho $$ >>${this.folder}/started\n${nvidiaSmi}\n`,
    };
    for (const [path, text] of Object.entries(files)) {
      const whole = `${this.folder}/${path}`;
      Deno.mkdirSync(whole.replace(/\/[^/]*$/, ""), { recursive: true });
      Deno.writeTextFileSync(whole, text);
    }
    Deno.chmodSync(`${this.folder}/bin/nvidia-smi`, 0o755);
    for (const name of ["stat", "meminfo", "loadavg", "uptime", "cpuinfo"]) {
      Deno.symlinkSync(`/proc/${name}`, `${this.folder}/proc/${name}`);
    }
    Deno.symlinkSync("/proc/self", `${this.folder}/proc/1`);
    Deno.symlinkSync("/sys/class/net", `${this.folder}/sys/class/net`);
  }

  /** The processes that `nvidia-smi` was. */
  started(): number[] {
    try {
      return Deno.readTextFileSync(`${this.folder}/started`).trim().split("\n").map(Number);
    } catch {
      return [];
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.folder, { recursive: true });
  }
}

/** What `nvidia-smi` prints. */
const L4 = "echo 'NVIDIA L4, 23034, 512, 80, 61'";

const AMD = {
  name: "AMD 1002:744c",
  memory_total: 17163091968,
  memory_used: 1234567168,
  utilization: 20,
  temperature: 45,
};

const NVIDIA = {
  name: "NVIDIA L4",
  memory_total: 23034 * MEBIBYTE,
  memory_used: 512 * MEBIBYTE,
  utilization: 80,
  temperature: 61,
};

/** An agent of a machine with cards whose `nvidia-smi` is that script; both are gone afterwards. */
async function withCards(
  nvidiaSmi: string,
  args: readonly string[],
  use: (it: { machine: Workstation; panel: TestPanel; agent: AgentProcess }) => Promise<void>,
): Promise<void> {
  await using machine = new Workstation(nvidiaSmi);
  using panel = await startTestPanel({ token: TOKEN });
  const words = ["-e", panel.url, "-t", TOKEN, "-i", "0.2", "--info-report-interval", "0.1"];
  await using agent = new AgentProcess([...words, ...args], machine);
  await use({ machine, panel, agent });
  assertEquals(panel.state.violations, []);
}

Deno.test("with --gpu the sealed agent reports the graphics cards", () =>
  withCards(L4, ["--gpu"], async ({ machine, panel: { state }, agent }) => {
    await state.until(() => state.reports.at(-1)?.value.gpu?.count === 2);
    assertEquals(state.reports.at(-1)?.value.gpu, {
      count: 2,
      average_usage: 50,
      detailed_info: [AMD, NVIDIA],
    });
    const [card] = state.reports[0]?.value.gpu?.detailed_info ?? [];
    assertEquals(card, AMD, "from the first report on, which waits for no nvidia-smi");
    // Once nvidia-smi has told it; before, it is the number of the PCI device.
    await state.until(({ columns }) => columns.gpu_name === "NVIDIA L4, AMD 1002:744c");
    await agent.says("this process is sealed by");
    assertEquals(
      cardFilesOf(agent).length,
      5,
      "they stay open, since the seal lets none be opened",
    );
    assertEquals(machine.started().length, 1);
  }));

Deno.test("without --gpu no card is looked at, and nothing is started", () =>
  withCards(L4, [], async ({ machine, panel: { state }, agent }) => {
    await agent.says("this process is sealed by");
    const { reports } = state.counts;
    await state.until(({ counts }) => counts.reports >= reports + 3);
    assert(state.reports.every(({ value }) => value.gpu === undefined));
    assertEquals([cardFilesOf(agent), machine.started()], [[], []]);
  }));

Deno.test("an nvidia-smi that fails is named in the report's message, and once in the log", () => {
  const failing = "echo 'No devices were found'; exit 6";
  return withCards(failing, ["--gpu"], async ({ panel: { state }, agent }) => {
    const failed = () => state.reports.filter(({ value }) => value.message !== "");
    await state.until(() => failed().length >= 3);
    const last = failed().at(-1)?.value;
    assertEquals(last?.message, "cannot measure NVIDIA graphics cards");
    assertEquals(last?.gpu?.detailed_info, [AMD], "the other card is reported all the same");
    const [line = "", ...more] = agent.lines("nvidia-smi");
    assertMatch(line, /it ended with 6; its output begins with "No devices were found"/);
    assertEquals(more, []);
  });
});

Deno.test("an nvidia-smi that hangs holds up no report, and ends with the agent", () =>
  withCards("trap '' TERM; exec sleep 60", ["--gpu"], async ({ machine, panel, agent }) => {
    await panel.state.until(() => machine.started().length === 1);
    const { reports } = panel.state.counts;
    await panel.state.until(({ counts }) => counts.reports >= reports + 5);
    assertEquals(panel.state.reports.at(-1)?.value.gpu?.detailed_info, [AMD]);
    await agent.stopsAtOnce();
    assertEquals(isAlive(machine.started()[0] ?? 0), false);
  }));

Deno.test("--dry-run --gpu asks the cards once, and says where each number comes from", async () => {
  await using machine = new Workstation(L4);
  const args = ["--dry-run", "--gpu", "-i", "0.1"];
  await using agent = new AgentProcess(args, machine);
  assertEquals(await agent.ends(), { code: 0 }, agent.output);
  assertMatch(
    agent.output,
    /^ {2}gpu +\{"count":2,.*"name":"NVIDIA L4","memory_total":.*nvidia-smi, and/m,
  );
  // A long value leaves the other lines as narrow as they are.
  assertMatch(agent.output, /^ {2}uptime .{0,140}\/proc\/uptime$/m);
  assertEquals(machine.started().length, 1);
});

/** Files of graphics cards that the agent has open. */
function cardFilesOf(agent: AgentProcess): string[] {
  const open = [...Deno.readDirSync(`/proc/${agent.pid}/fd`)].flatMap(({ name }) => {
    try {
      return Deno.readLinkSync(`/proc/${agent.pid}/fd/${name}`);
    } catch {
      return [];
    }
  });
  return open.filter((path) => path.includes("/drm/") || path.includes("/bus/pci/"));
}
