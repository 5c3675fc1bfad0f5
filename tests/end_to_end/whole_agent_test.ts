import {
  assert,
  assertEquals,
  assertMatch,
  assertObjectMatch,
  assertStringIncludes,
} from "@std/assert";
import { isWhole } from "../../lib/sandbox/seal.ts";
import { readHealth } from "../../lib/state/health_reader.ts";
import { VERSION } from "../../lib/version.ts";
import { writeRecordedMachine } from "../metrics/recorded_machine.ts";
import { TempFolder } from "../temp_folder.ts";
import { patience } from "../patience.ts";
import { startTestPanel, type TestPanel } from "../test_panel/test_panel.ts";
import { eventually } from "../remote/processes_below.ts";
import { AgentProcess } from "./agent_process.ts";
import { until } from "./setup.ts";
import { onLinux } from "../only_on.ts";

const DISCOVERY_KEY = "d1scovery-k3y";
const PUBLIC_ADDRESS = "8.8.4.4";
const TASK = { id: 7, name: "p", type: "tcp", interval: 1 } as const;

/** What is known of its first card, which fails. */
const CARD_FILES = [
  "gpu_busy_percent",
  "mem_info_vram_total",
  "mem_info_vram_used",
  "hwmon/hwmon3/temp1_input",
];

/** What is recorded of the machine; a `/proc` alone tells nothing of disks. */
const REPORT = {
  cpu: { usage: 12.931 },
  ram: { total: 66806992896, used: 11568132096 },
  load: { load1: 0.81, load5: 0.52, load15: 0.43 },
  network: { totalUp: 3000000, totalDown: 4000000 },
  connections: { tcp: 38, udp: 10 },
  uptime: 20412,
  gpu: { count: 1, detailed_info: [{ name: "AMD Raphael", memory_used: 20111360 }] },
};
/** The recorded CPU times stand still, which is named from the third report on. */
const MESSAGE =
  /^(cannot measure CPU use; )?cannot measure disk space; cannot measure graphics card AMD Navi 31 \[Radeon RX 7900 XTX\]$/;
const BASIC_INFO = {
  cpu_name: "AMD Ryzen 9 7900 12-Core Processor",
  gpu_name: "AMD Navi 31 [Radeon RX 7900 XTX], AMD Raphael",
  os: "Fedora Linux 42 (Workstation Edition)",
  kernel_version: "6.12.48",
  ipv4: PUBLIC_ADDRESS,
};

/** Each panel with its name in the agent's words. */
function named(panels: readonly TestPanel[]): [name: string, panel: TestPanel][] {
  return panels.map((panel) => [`localhost:${panel.port}`, panel]);
}

onLinux.test("what a whole agent measures, learns and suffers arrives wherever it is shown", async () => {
  using folder = new TempFolder();
  // Root's agent is nobody's when it counts processes.
  Deno.chmodSync(folder.path, 0o755);
  const machine = `${folder.path}/machine`;
  const HOST_PROC = writeRecordedMachine("amd-workstation", machine);
  const card = `${machine}/sys/class/drm/card0/device`;
  for (const file of CARD_FILES) Deno.writeTextFileSync(`${card}/${file}`, "garbled\n");
  // Nowhere are these the hours.
  const [runtime, state] = [`${folder.path}/run`, `${folder.path}/state`];
  using registering = await startTestPanel({ discoveryKey: DISCOVERY_KEY });
  using further = await startTestPanel();
  const panels = named([registering, further]);
  // The sealed process can't look up the name: its helper shell does.
  for (const [name, panel] of panels) panel.state.tasks = [{ ...TASK, target: name }];
  await using addresses = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    () => new Response(PUBLIC_ADDRESS),
  );
  const config = `${folder.path}/config.json`;
  const [endpoint, other] = panels.map(([name]) => `http://${name}`);
  const beside = { endpoint: other, token: further.token, interval: 0.3 };
  Deno.writeTextFileSync(config, JSON.stringify({ endpoint, panels: [beside] }));
  Deno.chmodSync(config, 0o644);
  const places = { HOST_PROC, RUNTIME_DIRECTORY: runtime, STATE_DIRECTORY: state };
  const month = ["--month-rotate", "1"];
  const totals = [...month, "--up", "3000000", "--down", "4000000"];
  await using set = new AgentProcess(["traffic", "set", ...totals], { env: places });
  assertEquals((await set.ends()).code, 0, set.output);
  await using agent = new AgentProcess([
    ...["--auto-discovery", DISCOVERY_KEY, "-i", "0.2", ...month, "--gpu"],
    ...["--config", config],
    ...["--ip-services", `http://localhost:${addresses.addr.port}/`],
    ...["--metrics", "127.0.0.1:0"],
  ], { env: { LANG: "zh_CN.UTF-8", ...places }, through: ["env", "-u", "TZ"] });

  await agent.says(`Configuration: ${config}`);
  await agent.says(`${config} holds a secret and can be read by all users of this machine`);
  for (const [name, panel] of panels) {
    await agent.says(`[${name}] komari-agent-deno ${VERSION} reports to ${name}`);
    await agent.says(`[${name}] First report accepted`);
    await until(panel, ({ counts }) => counts.reports >= 2);
    await until(panel, ({ columns }) => columns["ipv4"] !== undefined);
    await until(panel, ({ pingResults }) => pingResults.length > 0);
    const report = panel.state.reports.at(-1)?.value;
    assertObjectMatch({ report }, { report: REPORT });
    assertMatch(`${report?.message}`, MESSAGE);
    assertObjectMatch(panel.state.columns, BASIC_INFO);
    assertEquals(panel.state.pingResults[0]?.value.taskId, TASK.id);
  }
  await agent.says("Continuing the month's traffic: up 2.9 MiB, down 3.8 MiB since ");

  await agent.says("Metrics for Prometheus: ");
  const [, url = ""] = /Metrics for Prometheus: (\S+)/.exec(agent.output) ?? [];
  const scrape = (await (await fetch(url, { signal: patience() })).text()).split("\n");
  const expected = [
    "node_memory_MemTotal_bytes 66806992896",
    'node_network_receive_bytes_total{device="enp6s0"} 3011204112',
    'komari_gpu_memory_used_bytes{gpu="0",name="AMD Raphael"} 20111360',
    ...panels.flatMap(([name]) => [
      `komari_panel_up{panel="${name}"} 1`,
      `komari_cpu_usage_ratio{panel="${name}"} 0.12931`,
      `komari_probe_duration_seconds{panel="${name}",task="7",kind="tcp",target="${name}"} `,
    ]),
  ];
  assertEquals(expected.filter((start) => !scrape.some((line) => line.startsWith(start))), []);

  const limits = Deno.readTextFileSync(`/proc/${agent.pid}/limits`);
  assertMatch(limits, /^Max file size +16777216 +16777216 +bytes/m);
  const health = readHealth([runtime]);
  assert(isWhole(health?.seal ?? ""), health?.seal);
  assertEquals(health?.version, VERSION);
  assertEquals(health?.problems.map(({ part }) => part), ["gpu"]);
  assertEquals(
    Object.fromEntries(health?.panels.map((it) => [it.panel, it.intervalMs]) ?? []),
    Object.fromEntries(panels.map(([name], index) => [name, index === 0 ? 200 : 300])),
  );

  // The card works again.
  for (const file of CARD_FILES) Deno.writeTextFileSync(`${card}/${file}`, "7\n");
  await agent.says("Measuring graphics card AMD Navi 31 [Radeon RX 7900 XTX] works again");
  await eventually(() => readHealth([runtime])?.problems.length === 0);

  // Panels quote secrets, also the token that one of them gave away.
  const token = registering.registrations[0]?.token ?? "";
  const quotes: string[][] = [[token, DISCOVERY_KEY], [further.token]];
  for (const [index, [name, panel]] of panels.entries()) {
    const message = quotes[index]?.join(" and ") ?? "";
    await panel.setFault({ name: "quotes", rpcFailure: { code: -32602, message } });
    await agent.says(`[${name}] Cannot send `);
    await panel.setFault(undefined);
  }
  assertEquals((await agent.stop()).code, 0, agent.output);
  for (const secret of quotes.flat()) {
    assertEquals(agent.output.includes(secret), false, agent.output);
  }
  for (const quote of ['"… and …"', '"…"']) assertStringIncludes(agent.output, quote);
  for (const [, panel] of panels) assertEquals(panel.state.violations, []);
});
