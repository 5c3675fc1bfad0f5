import { assert, assertEquals, assertRejects } from "@std/assert";
import fc from "fast-check";
import { Relay } from "../../lib/probe/http.ts";
import { RawServer, write } from "./raw_server.ts";

const signal = new AbortController().signal;

const GREETING = [5, 1, 0];
const ASK_NAME = [5, 1, 0, 3, 3, 97, 46, 98, 0, 80];
const ASK_IPV4 = [5, 1, 0, 1, 127, 0, 0, 1, 0, 80];
const ASK_IPV6 = [5, 1, 0, 4, ...Array(16).fill(0), 0, 80];

function connect(relay: Relay): Promise<Deno.TcpConn> {
  return Deno.connect({ hostname: "127.0.0.1", port: Number(new URL(relay.url).port) });
}

async function take(from: Deno.TcpConn, length: number): Promise<number[]> {
  const taken: number[] = [];
  const buffer = new Uint8Array(length);
  while (taken.length < length) {
    const count = await from.read(buffer.subarray(taken.length));
    if (count === null) break;
    taken.push(...buffer.subarray(taken.length, taken.length + count));
  }
  return taken;
}

Deno.test("Relay leads to its address, whatever host it is asked for, and passes bytes both ways", async () => {
  for (const ask of [ASK_NAME, ASK_IPV4, ASK_IPV6]) {
    const server = new RawServer((_, connection) => write(connection, "bye"));
    {
      const beforeMs = performance.now();
      using relay = new Relay(["127.0.0.1"], { port: server.port, signal });
      using client = await connect(relay);
      // A byte at a time, as a network may deliver it.
      for (const byte of GREETING) await client.write(Uint8Array.of(byte));
      assertEquals(await take(client, 2), [5, 0]);
      for (const byte of ask) await client.write(Uint8Array.of(byte));
      assertEquals(await take(client, 10), [5, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
      const startedAtMs = await relay.started;
      assert(startedAtMs > beforeMs && startedAtMs < performance.now());
      await write(client, "hello");
      assertEquals(await take(client, 9), [..."bye"].map((letter) => letter.charCodeAt(0)));
      assertEquals(server.requests, ["hello"]);
    }
    await server.close();
  }
});

Deno.test("Relay serves no second connection", async () => {
  using relay = new Relay(["127.0.0.1"], { port: 1, signal });
  using first = await connect(relay);
  await first.write(Uint8Array.from(GREETING));
  await take(first, 2);
  await assertRejects(() => connect(relay), Deno.errors.ConnectionRefused);
});

Deno.test("Relay.started rejects when the address refuses, or the client hangs up", async () => {
  const server = new RawServer(() => Promise.resolve());
  await server.close();
  using refused = new Relay(["127.0.0.1"], { port: server.port, signal });
  using client = await connect(refused);
  await client.write(Uint8Array.from(GREETING));
  await client.write(Uint8Array.from(ASK_NAME));
  await assertRejects(() => refused.started, Error, `Cannot connect to 127.0.0.1 port`);
  using alone = new Relay(["127.0.0.1"], { port: 1, signal });
  (await connect(alone)).close();
  await assertRejects(() => alone.started, Error, "Cannot relay: the client closed the connection");
});

Deno.test("Relay closes what it dials after it was disposed of", async () => {
  const { promise: dialled, resolve } = Promise.withResolvers<void>();
  const { promise: wanted, resolve: release } = Promise.withResolvers<void>();
  const server = new RawServer(() => Promise.resolve("keep"));
  const relay = new Relay(["127.0.0.1"], {
    port: server.port,
    signal,
    connect: async (options) => {
      resolve();
      await wanted;
      return await Deno.connect(options);
    },
  });
  using client = await connect(relay);
  await client.write(Uint8Array.from([...GREETING, ...ASK_NAME]));
  await dialled;
  relay[Symbol.dispose]();
  release();
  await assertRejects(() => relay.started, Error, "the relay was closed");
  assertEquals((await take(client, 100)).length, 2);
  await server.close();
});

Deno.test("Relay.started rejects when the relay is disposed of before anybody came", async () => {
  const relay = new Relay(["127.0.0.1"], { port: 1, signal });
  relay[Symbol.dispose]();
  relay[Symbol.dispose]();
  await assertRejects(() => relay.started, Error);
});

Deno.test("Relay gets over whatever a stranger says to it", async () => {
  const server = new RawServer(() => Promise.resolve());
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 600 }), async (bytes) => {
      using relay = new Relay(["127.0.0.1"], { port: server.port, signal });
      using client = await connect(relay);
      await client.write(bytes);
      await client.closeWrite();
      await relay.started.catch((error) => assert(error instanceof Error));
    }),
    { numRuns: 50 },
  );
  await server.close();
});
