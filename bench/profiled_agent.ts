// The agent with a clock around the stages of a report. It prints the clock's totals at SIGUSR2.
import { useEngineTimers } from "../lib/async/engine_timers.ts";
import { runAgent } from "../lib/agent/run_agent.ts";
import { logToStandardError } from "../lib/cli/output.ts";
import { resolveConfig } from "../lib/config/config.ts";
import { PanelMonitor } from "../lib/agent/panel_monitor.ts";
import { HealthFile } from "../lib/state/health_file.ts";
import { Libc } from "../lib/host/libc.ts";
import { FileSource } from "../lib/host/local_host.ts";
import { CpuCollector } from "../lib/metrics/cpu.ts";
import { DiskCollector } from "../lib/metrics/disk.ts";
import { MemoryCollector } from "../lib/metrics/memory.ts";
import { NetworkCollector } from "../lib/metrics/network.ts";
import { ProcessCollector } from "../lib/metrics/processes.ts";
import { Sampler } from "../lib/metrics/snapshot.ts";
import { ConnectionStream } from "../lib/net/byte_stream.ts";
import { ClientWebSocket } from "../lib/net/websocket.ts";
import { FrameDecoder, FrameEncoder } from "../lib/net/websocket_frames.ts";
import { LinkLog } from "../lib/panel/link_log.ts";
import { OutageLog } from "../lib/panel/outages.ts";
import { PanelSocket } from "../lib/panel/panel_socket.ts";
import { ReportTimer } from "../lib/agent/report_timer.ts";
import { StageClock } from "./stage_clock.ts";

const clock = new StageClock();

/** Every method there is of these names; one that went is measured no more, and shows no stage. */
// deno-lint-ignore no-explicit-any -- methods of any shape are wrapped
type AnyMethods = Record<string, (...args: any[]) => unknown>;

function watch(stage: string, owner: object, ...methods: string[]): void {
  const table = owner as AnyMethods;
  for (const name of methods) {
    const method = table[name];
    if (method === undefined) throw new Error(`Cannot watch ${name}: there is no such method`);
    table[name] = clock.timed(stage, method);
  }
}

watch("read files", FileSource.prototype, "read");
watch("statfs", Libc.prototype, "statfs");
watch("parse: CPU", CpuCollector.prototype, "collect");
watch("parse: memory", MemoryCollector.prototype, "collect");
watch("parse: disk", DiskCollector.prototype, "collect");
watch("parse: network", NetworkCollector.prototype, "collect");
watch("count processes", ProcessCollector.prototype, "collect");
watch("snapshot: the rest", Sampler.prototype, "sample");
watch("write JSON", JSON, "stringify");
watch("read JSON", JSON, "parse");
watch("send: the call", PanelSocket.prototype, "sendReport", "notifyReport");
watch("send: the frame", ClientWebSocket.prototype, "send");
watch("send: encode and mask", FrameEncoder.prototype, "encode");
watch("send: write to the socket", ConnectionStream.prototype, "write");
watch("receive: read from the socket", ConnectionStream.prototype, "read");
watch("receive: decode", FrameDecoder.prototype, "decode");
watch("after the answer: log", OutageLog.prototype, "onOutcome");
watch("after the answer: log", LinkLog.prototype, "accepted");
watch("after the answer: monitor", PanelMonitor.prototype, "onAccepted");
watch("after the answer: health file", HealthFile.prototype, "accepted");
watch("timers", ReportTimer.prototype, "start");
const timers = { setTimeout, setInterval, clearTimeout, clearInterval };
useEngineTimers(timers);
const { setTimeout: start } = timers;
globalThis.setTimeout = clock.timed(
  "timers",
  (act: () => void, ms?: number) => start(clock.timed("report: the rest", act), ms),
) as typeof setTimeout;
globalThis.setInterval = timers.setInterval;
globalThis.clearTimeout = clock.timed("timers", timers.clearTimeout);
globalThis.clearInterval = timers.clearInterval;

const ended = new AbortController();
Deno.addSignalListener("SIGTERM", () => ended.abort());
Deno.addSignalListener("SIGUSR2", () => console.log(JSON.stringify(clock.totals())));
const config = resolveConfig({
  args: Deno.args,
  env: Deno.env.toObject(),
  readText: Deno.readTextFileSync,
  readMode: () => undefined,
});
logToStandardError(config, config.secrets);
await runAgent(config, {
  os: Deno.build.os,
  arch: Deno.build.arch,
  signal: ended.signal,
  secrets: [],
});
Deno.exit();
