import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import type { Config } from "../../lib/config/config.ts";
import { type Collector, takeSnapshot } from "../../lib/metrics/snapshot.ts";
import { type Machine, openLinuxMachine } from "../../lib/metrics/machine.ts";
import { NetworkCollector } from "../../lib/metrics/network.ts";
import { persistTraffic, readTraffic } from "../../lib/traffic/persistent_traffic.ts";
import { trafficStateFile } from "../../lib/traffic/persistent_traffic.ts";
import { TrafficRequestFile } from "../../lib/state/traffic_request.ts";
import type { TrafficBytes } from "../../lib/types.ts";
import { collectedLog } from "../log/collected_log.ts";
import { configOf } from "../metrics/config_of.ts";
import { openBelow } from "../open_below.ts";
import { atDate, realTurn } from "../fake_time.ts";
import { FakeMachine } from "../metrics/fake_machine.ts";
import { inFolder, TempFolder } from "../temp_folder.ts";

function monthOf(collectors: readonly Collector[]): Collector | undefined {
  return collectors.find(({ sources }) => "traffic" in sources());
}

/** A machine that counts from a day of the month on, with its state in the folder. */
function monthly(folder: TempFolder, day = 1): { config: Config; machine: Machine } {
  const config = configOf(["--month-rotate", `${day}`, "--state-dir", folder.path]);
  return { config, machine: openLinuxMachine(new FakeMachine("debian-vm"), config) };
}

/** A machine whose `net/dev` is this text; a number is what its one interface has passed each way. */
function machineOf(config: Config, look: () => string | number | undefined): Machine {
  const read = () => {
    const seen = look();
    return typeof seen === "number" ? `eth0:${` ${seen}`.repeat(16)}\n` : seen;
  };
  const globs = { include: ["eth0"], exclude: [] };
  const network = new NetworkCollector({ read }, () => undefined, { globs });
  return { ...openLinuxMachine(new FakeMachine("debian-vm"), config), network };
}

/** An agent that counts, and how it looks, and ends. */
async function persist(config: Config, machine: Machine) {
  const { collectors, run } = await persistTraffic(config, machine, undefined);
  const month = monthOf(collectors);
  const look = () => month?.collect(performance.now());
  return { month, run, look, end: () => run(AbortSignal.abort()) };
}

async function untilSo(isSo: () => boolean): Promise<void> {
  for (let turns = 0; turns < 5_000 && !isSo(); turns++) await realTurn();
}

/** The requests of users to the agent that has the folder. */
function openRequests({ path }: TempFolder): TrafficRequestFile {
  const requests = TrafficRequestFile.open(path);
  if (requests === undefined) throw new Error("Cannot ask for anything");
  return requests;
}

/** The traffic that is counted beside this file of the official agent, and what is logged. */
async function countBeside(official: string): Promise<{ traffic?: TrafficBytes; lines: string[] }> {
  using folder = new TempFolder();
  const path = `${folder.path}/net_static.json`;
  Deno.writeTextFileSync(path, official);
  const { config, machine } = monthly(folder);
  let traffic: TrafficBytes | undefined;
  const lines = await collectedLog(() => {
    ({ traffic } = takeSnapshot(readTraffic(config, machine)));
    return Promise.resolve();
  });
  return {
    ...(traffic && { traffic }),
    lines: lines.map((line) => line.replace(/^\S+ /, "").replace(path, "FILE")),
  };
}

Deno.test("readTraffic() imports the official agent's count, or warns that it can't", async () => {
  const { lines: [imported, counting], traffic } = await countBeside(JSON.stringify({
    interfaces: {
      eth0: [{ timestamp: Math.floor(Date.now() / 1000), tx: 7e12, rx: 5 }],
      lo: [{ timestamp: Math.floor(Date.now() / 1000), tx: 9e14, rx: 9e14 }],
    },
  }));
  assertEquals(traffic?.sentBytes, 7e12, "of the interfaces that count");
  const text = "agent: Imported the month's traffic of the official agent from FILE";
  assertEquals(imported, `info    ${text}`);
  assertStringIncludes(counting ?? "", "info    agent: Counting the month's traffic: ");
  const { lines: [warning, ...more] } = await countBeside("[]");
  const reason = "Cannot parse net_static.json: not a JSON object";
  assertEquals(warning, `warning agent: Cannot import FILE: ${reason}`);
  assertEquals(more.length, 1);
});

inFolder.test("persistTraffic() keeps the count by the day of its options, and takes requests over", async (folder) => {
  const { config, machine } = monthly(folder, 15);
  const { month, run, look } = await persist(config, machine);
  assertEquals(look()?.passed, machine.network.passed);
  using requests = openRequests(folder);
  requests.ask({ id: "one", total: { sentBytes: 5_000 } });
  assertEquals(look()?.traffic?.sentBytes, 5_000);
  assertEquals(requests.request(), undefined, "nobody takes it again");
  await untilSo(() => requests.answerTo("one") !== undefined);
  assertEquals(requests.answerTo("one"), "");
  assertMatch(month?.sources().traffic ?? "", /^since \d{4}-\d\d-15, \/.*\/month\.state$/);
  const stop = new AbortController();
  const running = run(stop.signal);
  await realTurn();
  requests.ask({ id: "two", total: { sentBytes: 6_000 } });
  assertEquals(look()?.traffic?.sentBytes, 6_000, "as long as the agent runs");
  stop.abort();
  await running;
  assertEquals(openBelow(folder.path), [`${folder.path}/month.request`], "but for the user's");
  const { value } = trafficStateFile(config).read();
  assertEquals(value?.day, 15);
  assertStringIncludes(value?.current.start ?? "", "-15");
  const sent = (value?.countedBytes.sentBytes ?? 0) - (value?.current.sentBytes ?? 0);
  assertEquals(sent, 6_000);
});

inFolder.test("persistTraffic() keeps the count although nothing can be measured or asked for any more", async (folder) => {
  // Where the file of requests would be.
  Deno.mkdirSync(`${folder.path}/month.request`);
  const { config } = monthly(folder);
  let seen: string | number = 5;
  const { look, end } = await persist(config, machineOf(config, () => seen));
  look();
  seen = "eth0: malformed\n";
  await end();
  assertEquals(trafficStateFile(config).read().value?.interfaces, new Map([["eth0", FIVE]]));
});

inFolder.test("persistTraffic() writes a new month at its reset, and not only with the next write", async (folder) => {
  const { config, machine } = monthly(folder);
  const { look, end } = await persist(config, machine);
  const lookAt = (date: string) => atDate(new Date(`${date}T12:00:00`).getTime(), look);
  const start = () => trafficStateFile(config).read().value?.current.start;
  lookAt("2026-11-30");
  assertEquals(start(), undefined, "the first write comes a second after the start");
  lookAt("2026-12-01");
  await untilSo(() => start() !== undefined);
  assertEquals(start(), "2026-12-01");
  await end();
});

const FIVE = { sentBytes: 5, receivedBytes: 5 };

inFolder.test("persistTraffic() leaves a request to the agent that has the folder", async (folder) => {
  const { config } = monthly(folder);
  const open = () => persist(config, openLinuxMachine(new FakeMachine("debian-vm"), config));
  const [owner, other] = [await open(), await open()];
  for (const { look } of [owner, other]) look();
  using requests = openRequests(folder);
  requests.ask({ id: "one", total: { sentBytes: 5_000 } });
  other.look();
  assertEquals(requests.request()?.id, "one");
  assertEquals(owner.look()?.traffic?.sentBytes, 5_000);
  assertEquals(requests.request(), undefined);
  for (const { end } of [owner, other]) await end();
});

inFolder.test("persistTraffic() sets totals once it counts, and after what has passed until then", async (folder) => {
  const { config } = monthly(folder);
  let bytes = 5;
  let isThere = false;
  const machine = machineOf(config, () => isThere ? bytes : undefined);
  const { look, end } = await persist(config, machine);
  using requests = openRequests(folder);
  requests.ask({ id: "one", total: { sentBytes: 70 } });
  assertEquals([look()?.traffic, requests.request()?.id], [undefined, "one"], "nothing is counted");
  requests.clear();
  isThere = true;
  look();
  bytes = 1_000;
  requests.ask({ id: "two", total: { sentBytes: 70 } });
  assertEquals(look()?.traffic?.sentBytes, 70);
  await end();
});

inFolder.test("readTraffic() goes on from the state of the day of its options, and names damages", async (folder) => {
  const { config } = monthly(folder, 15);
  let bytes = 5;
  const look = () => {
    const collectors = readTraffic(config, machineOf(config, () => bytes));
    const month = monthOf(collectors);
    const before = month?.sources().traffic;
    const sent = month?.collect(performance.now()).traffic?.sentBytes;
    return { sent, before, after: month?.sources().traffic ?? "" };
  };
  assertEquals(look().before, `since the start, no ${folder.path}/month.state yet`);
  const agent = await persist(config, machineOf(config, () => bytes));
  agent.look();
  {
    using requests = openRequests(folder);
    requests.ask({ id: "one", total: { sentBytes: 1_000 } });
  }
  assertEquals(agent.look()?.traffic?.sentBytes, 1_000);
  await agent.end();
  bytes = 12;
  const { sent, after } = look();
  assertEquals(sent, 1_007);
  assertMatch(after, /^since \d{4}-\d\d-15, \/.*\/month\.state$/);
  Deno.writeTextFileSync(`${folder.path}/month.state`, "x");
  assertStringIncludes(look().after, `; ${folder.path}/month.state is damaged; `);
});
