import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { acceptsHost, MetricsEndpoint } from "../../lib/agent/metrics_endpoint.ts";
import { PanelMonitors } from "../../lib/agent/panel_monitor.ts";
import { openLinuxMachine } from "../../lib/metrics/machine.ts";
import { Sampler } from "../../lib/metrics/snapshot.ts";
import { untilRefused } from "../free_port.ts";
import { cases, sameLater } from "../cases.ts";
import { FakeTime } from "../fake_time.ts";
import { realDeadline, realUntil } from "../real_deadline.ts";
import { configOf } from "../metrics/config_of.ts";
import { fakeRow } from "../metrics/fake_collectors.ts";
import { FakeMachine } from "../metrics/fake_machine.ts";
import { complaints, withPromtool } from "../exporter/promtool.ts";
import { onlyIf } from "../only_on.ts";
import { replaced } from "../replaced.ts";
import { testsWith } from "../tests_with.ts";

/** What accepts a connection, how many were asked for, and how many may wait. */
interface Accepting {
  readonly count: number;
  readonly backlog: number;
  accept(): Promise<Deno.TcpConn>;
}

interface WorldOptions {
  readonly intervalMs?: number;
  readonly hostname?: string;
  /** Gives each connection in place of the socket. */
  readonly give?: (accepting: Accepting) => Promise<Deno.TcpConn>;
}

/** An endpoint of a recorded machine, whose clock and timers stand until they are moved. */
class World implements AsyncDisposable {
  readonly endpoint: MetricsEndpoint;
  readonly port: number;
  readonly time = new FakeTime({ now: 1_000_000 });
  readonly monitors = new PanelMonitors(undefined);
  snapshots = 0;
  readonly #ended = new AbortController();
  readonly #running: Promise<void>;

  constructor({ intervalMs = 3_000, hostname = "127.0.0.1", give }: WorldOptions = {}) {
    const { listen } = Deno;
    const listenTo = (options: Deno.TcpListenOptions) => {
      const listener = listen(options);
      const accept = listener.accept.bind(listener);
      let count = 0;
      const { tcpBacklog: backlog = 511 } = options;
      if (give) listener.accept = () => give({ accept, backlog, count: count++ });
      return listener;
    };
    using _ = replaced<object>(Deno, { listen: listenTo });
    this.endpoint = new MetricsEndpoint({ hostname, port: 0 }, { health: undefined });
    this.port = Number(new URL(this.endpoint.url ?? "").port);
    const machine = openLinuxMachine(new FakeMachine("debian-vm"), configOf());
    const counter = fakeRow("snapshots", {}, { collect: () => (this.snapshots++, {}) });
    const sampler = new Sampler([...machine.collectors, counter]);
    sampler.sample();
    const { signal } = this.#ended;
    this.#running = this.endpoint.run({
      ...{ machine, sampler, monitors: this.monitors, seal: "sealed", intervalMs, signal },
      releaseMemory() {},
    });
  }

  connect = () => Deno.connect({ hostname: "127.0.0.1", port: this.port });

  /** Lets the two pauses pass in which a new connection waits until it closes another. */
  async closeAnother(timers: number): Promise<void> {
    for (const ms of [5, 5]) {
      await realUntil(() => this.time.timers === timers);
      await this.time.run(ms);
    }
  }

  /** Sends a request as it is, and gives everything that comes back. */
  async ask(request: string): Promise<string> {
    using connection = await this.connect();
    await connection.write(new TextEncoder().encode(request));
    return await new Response(connection.readable).text();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ended.abort();
    await this.#running;
    this.time[Symbol.dispose]();
  }
}

const withWorld = testsWith(() => new World());

withWorld.test("MetricsEndpoint serves the last report on /metrics, without a second look at the machine", async (world) => {
  const text = await world.ask("GET /metrics?x=y HTTP/1.1\r\nHost: 10.0.0.5:9100\r\n\r\n");
  assertMatch(text, /^HTTP\/1\.1 200 OK\r\nContent-Type: text\/plain; version=0\.0\.4/);
  assertMatch(text, /^node_load1 1\.18$/m);
  assertMatch(text, /^node_network_receive_bytes_total\{device="eth0"\} 329660166$/m);
  assertEquals(world.snapshots, 1);
  const names = Array.from(text.matchAll(/^# TYPE (\S+)/gm), ([, name]) => name);
  assertEquals([...new Set(names)], names, "each family once");
});

Deno.test("MetricsEndpoint measures for a scrape only if the last report is old: 15 s, or two intervals", async () => {
  for (const [intervalMs, ageMs] of [[3_000, 15_000], [60_000, 120_000]] as const) {
    await using world = new World({ intervalMs });
    for (const [passedMs, snapshots, time] of [[ageMs, 1, 0], [1, 2, ageMs + 1]] as const) {
      world.time.tick(passedMs);
      const text = await world.ask("GET /metrics HTTP/1.0\r\n\r\n");
      assertEquals(world.snapshots, snapshots);
      const measured = `\nkomari_measured_timestamp_seconds ${1000 + time / 1000}\n`;
      assertStringIncludes(text, measured);
    }
  }
});

withWorld.test("MetricsEndpoint refuses everything else", async (world) => {
  const statusOf = async (line: string) =>
    /^HTTP\/1\.1 (.*)$/m.exec(await world.ask(`${line}\r\n\r\n`))?.[1]?.trimEnd();
  const long = (length: number) => `GET /metrics HTTP/1.1\r\nA: ${"x".repeat(length)}`;
  await sameLater(statusOf, [
    ...cases(`
    GET / HTTP/1.1                 → 404 Not Found
    GET /metrics/ HTTP/1.1         → 404 Not Found
    POST /metrics HTTP/1.1         → 405 Method Not Allowed
    GET http://x/metrics HTTP/1.1  → 400 Bad Request
    nonsense                       → 400 Bad Request
    `),
    [long(9_000), "431 Request Header Fields Too Large"],
    [long(8_000), "200 OK"],
  ]);
});

withWorld.test("MetricsEndpoint closes its socket and its connections when the signal aborts", async (world) => {
  using silent = await world.connect();
  await realUntil(() => world.time.timers === 1);
  await world[Symbol.asyncDispose]();
  assertEquals(await realDeadline(silent.read(new Uint8Array(1)).catch(() => null)), null);
  await untilRefused(() => world.connect());
});

withWorld.test("MetricsEndpoint gives a request two seconds to arrive", async (world) => {
  const request = new TextEncoder().encode(SCRAPE);
  for (const [waitMs, words] of [[1_999, "HTTP/1.1 200 OK"], [2_000, ""]] as const) {
    using connection = await world.connect();
    await connection.write(request.subarray(0, 10));
    await realUntil(() => world.time.timers === 1);
    world.time.tick(waitMs);
    await connection.write(request.subarray(10)).catch(() => {});
    const answer = await new Response(connection.readable).text().catch(() => "");
    assertEquals(answer.slice(0, 15), words);
  }
});

/** Another address of this machine; what is sent to it stays here. */
const own = Deno.networkInterfaces().map(({ address }) => address)
  .find((address) => /^(?!127\.)[\d.]+$/.test(address)) ?? "";
const withAddresses = onlyIf(Deno.build.os === "linux" && own !== "");
const SCRAPE = "GET /metrics HTTP/1.1\r\n\r\n";

for (const network of ["192.0.2.", "::ffff:192.0.2."]) {
  withAddresses.test(`MetricsEndpoint serves 8 clients of ${network}0 at a time, a connection each, for a limited time`, async () => {
    await using world = new World({
      give: ({ accept, count }) => fromClient(accept, `${network}${count}`),
    });
    const silent: Deno.TcpConn[] = [];
    for (let n = 0; n < 8; n++) {
      silent.push(await world.connect());
      await realUntil(() => world.time.timers === n + 1);
    }
    const ninth = world.ask(SCRAPE);
    await world.closeAnother(9);
    assertStringIncludes(await ninth, "200 OK", "a ninth takes the oldest's place");
    // What arrives in the meantime gains no time.
    await silent[1]?.write(new TextEncoder().encode("GET /metrics HTTP/1.1\r\n"));
    world.time.tick(1_989);
    assertEquals(world.time.timers, 7);
    world.time.tick(1);
    for (const connection of silent) {
      const read = connection.read(new Uint8Array(1)).catch(() => null);
      assertEquals(await realDeadline(read), null);
      connection.close();
    }
    assertStringIncludes(await world.ask(SCRAPE), "200 OK");
  });
}

withAddresses.test("MetricsEndpoint serves one scrape at a time to a client, which shuts out no other, nor the next one", async () => {
  await using world = new World({ hostname: "0.0.0.0" });
  const { port } = world;
  // Of as many addresses as it has.
  const greedy = await Promise.all(Array.from({ length: 8 }, async (_, n) => {
    const socket = connectFrom(`127.0.0.${2 + n}`, port);
    await once(socket, "connect");
    return socket;
  }));
  for (let taken = 1; taken < 8; taken++) await world.closeAnother(2);
  await realUntil(() => world.time.timers === 1);
  assertStringIncludes(await askFrom(own, port), "200 OK");
  // All of loopback is one client.
  const next = askFrom("127.0.0.1", port);
  await world.closeAnother(2);
  assertStringIncludes(await next, "200 OK");
  await Promise.all(greedy.map((socket) => socket.closed || once(socket, "close")));
});

withWorld.test("MetricsEndpoint answers a scrape that comes in the pauses before its connection is closed for another", async (world) => {
  using first = await world.connect();
  await realUntil(() => world.time.timers === 1);
  const second = world.ask(SCRAPE);
  await realUntil(() => world.time.timers === 2);
  await world.time.run(5);
  await first.write(new TextEncoder().encode(SCRAPE));
  assertStringIncludes(await realDeadline(new Response(first.readable).text()), "200 OK");
  await world.time.run(5);
  assertStringIncludes(await realDeadline(second), "200 OK");
});

withWorld.test("MetricsEndpoint answers more than 20 scrapes a second at a distance of 25 ms", async (world) => {
  for (let n = 0; n < 21; n++) assertStringIncludes(await world.ask(SCRAPE), "200 OK");
  // The first pause is for two of them.
  for (const ms of [45, 25]) {
    const next = world.ask(SCRAPE);
    await realUntil(() => world.time.timers === 1);
    const pause = world.time.pass(ms - 1, { stepMs: 1 }).then(() => "none so far");
    assertEquals(await Promise.race([next, pause]), "none so far");
    await world.time.run(1);
    assertStringIncludes(await realDeadline(next), "200 OK");
  }
});

withWorld.test("MetricsEndpoint refuses names that DNS rebinding could bring", async (world) => {
  const request = (host: string) => `GET /metrics HTTP/1.1\r\n${host}\r\n\r\n`;
  const refused = [
    ...["Host: evil.example", "host:evil.example:9100", "Host : evil.example", "Host: 127.1"],
    ...["Host: localhost.evil.example", "Host: 127.0.0.1.evil.example", "Host: [evil.example]"],
    ...["Host: 127.0.0.1:9100.evil.example", "Host: [::1].evil.example", "Host: "],
    ...["Host: evil@127.0.0.1", "Host: 127.0.0.1\r\nHost: evil.example"],
  ];
  const words =
    /^HTTP\/1\.1 421 Misdirected Request\r\n.*\r\n\r\nUse an IP address, localhost, or /s;
  for (const host of refused) assertMatch(await world.ask(request(host)), words, host);
  for (const host of ["127.0.0.1:9100", "192.0.2.1", "[::1]:9100", "LOCALHOST:9100", "localhost"]) {
    assertStringIncludes(await world.ask(request(`Host: ${host}`)), "200 OK", host);
  }
});

Deno.test("acceptsHost() accepts the name that was given", () => {
  for (const host of ["Host: node-1.example.com", "host: Node-1.example.com:9100"]) {
    assertEquals(acceptsHost([host], "node-1.example.com"), true);
    assertEquals(acceptsHost([host], "127.0.0.1"), false);
  }
});

function connectFrom(localAddress: string, port: number): Socket {
  const host = localAddress.startsWith("127.") ? "127.0.0.1" : localAddress;
  const socket = connect({ host, port, localAddress });
  // A connection that is closed at once may be reset.
  socket.on("error", () => {});
  return socket;
}

/** What comes back to a request from another address of loopback. */
async function askFrom(localAddress: string, port: number): Promise<string> {
  const socket = connectFrom(localAddress, port);
  let text = "";
  socket.on("data", (data) => text += data);
  const ended = once(socket, "close");
  socket.write(SCRAPE);
  await ended;
  return text;
}

/** A connection that looks like one of a client. */
async function fromClient(accept: Accepting["accept"], hostname: string): Promise<Deno.TcpConn> {
  const connection = await accept();
  const { port } = connection.remoteAddr;
  const remoteAddr = { transport: "tcp", hostname, port } as const;
  Object.defineProperty(connection, "remoteAddr", { value: remoteAddr });
  return connection;
}

Deno.test("MetricsEndpoint pauses for 5 ms behind each connection that accept() can't give", async () => {
  let tried = 0;
  const full = new Error("too many open files");
  await using world = new World({
    give: ({ accept }) => tried++ < 10 ? Promise.reject(full) : accept(),
  });
  await world.time.run(49);
  assertEquals(tried, 10);
  await world.time.run(1);
  assertStringIncludes(await realDeadline(world.ask(SCRAPE)), "200 OK");
});

Deno.test("MetricsEndpoint answers within a second behind a burst of connections, however many", async () => {
  using other = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const gone = await Deno.connect({ hostname: "127.0.0.1", port: other.addr.port });
  gone.close();
  const accepted = { count: 0, backlog: Infinity };
  await using world = new World({
    give({ accept, ...now }) {
      Object.assign(accepted, now);
      return now.count < now.backlog ? Promise.resolve(gone) : accept();
    },
  });
  await realUntil(() => accepted.backlog < Infinity);
  // With a request each they would take 25 ms.
  assert(accepted.backlog * 25 < 1_000);
  for (let ms = 0; ms < accepted.backlog * 5; ms += 5) await world.time.run(5);
  assertEquals(accepted.count, accepted.backlog);
  assertStringIncludes(await realDeadline(world.ask(SCRAPE)), "200 OK");
});

Deno.test("MetricsEndpoint gives a client three seconds to take the response", async () => {
  let writes = 0;
  const write = () => (writes++, new Promise<number>(() => {}));
  await using world = new World({
    give: async ({ accept }) => Object.assign(await accept(), { write }),
  });
  const asked = world.ask(SCRAPE).catch(() => "");
  await realUntil(() => writes === 1);
  world.time.tick(2_999);
  assertEquals(world.time.timers, 1);
  world.time.tick(1);
  assertEquals(world.time.timers, 0);
  assertEquals(await realDeadline(asked), "");
});

withPromtool.test("MetricsEndpoint serves what Prometheus reads", async () => {
  await using world = new World();
  assertEquals(await complaints(await (await fetch(world.endpoint.url ?? "")).text()), []);
});
