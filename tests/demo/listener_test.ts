import { assertEquals, assertGreater, assertRejects } from "@std/assert";
import { untilRefused } from "../free_port.ts";
import { Listener, type RequestHandler } from "../../lib/demo/listener.ts";
import { realDeadline } from "../real_deadline.ts";

const OK = "HTTP/1.1 200 OK";

const hello: RequestHandler["onRequest"] = (_request, response) => {
  response.end("hello");
  return Promise.resolve();
};
/** A listener that closes with its block. */
async function open(port: number, onRequest = hello): Promise<Listener & Disposable> {
  const listener = await Listener.open(port, { onRequest, onUpgrade: () => Promise.resolve() });
  return Object.assign(listener, { [Symbol.dispose]: () => listener.close() });
}
const text = async (port: number) => await (await fetch(`http://127.0.0.1:${port}/`)).text();

Deno.test("Listener.open() takes the next free port when one is taken", async () => {
  using first = await open(0);
  using second = await open(first.port);
  assertGreater(second.port, first.port);
  assertEquals(await text(second.port), "hello");
});

Deno.test("Listener.open() fails when the port is out of range", async () => {
  await assertRejects(() => open(70_000), Error, "Cannot listen on 127.0.0.1");
});

Deno.test("Listener refuses connections while it is paused and resumes on its port", async () => {
  using listener = await open(0);
  listener.pause();
  listener.pause();
  const { port } = listener;
  await untilRefused(() => Deno.connect({ hostname: "127.0.0.1", port }));
  await listener.resume();
  await listener.resume();
  assertEquals(await text(listener.port), "hello");
});

Deno.test("Listener.resume() waits for its port, of which a child may have a copy", async () => {
  using listener = await open(0);
  const { port } = listener;
  listener.pause();
  const copy = await open(port);
  assertEquals(copy.port, port);
  const resumed = listener.resume();
  await new Promise((turn) => void setImmediate(turn));
  copy.close();
  await resumed;
  assertEquals(await text(port), "hello");
});

Deno.test("Listener.close() ends every connection, also an exempt one", async () => {
  const listener: Listener = await open(0, (_request, response) => {
    listener.exempt(response.socket);
    response.write("begins");
    return Promise.resolve();
  });
  using connection = await Deno.connect({ hostname: "127.0.0.1", port: listener.port });
  await connection.write(new TextEncoder().encode("GET / HTTP/1.1\r\nHost: x\r\n\r\n"));
  const buffer = new Uint8Array(1_000);
  const begun = await realDeadline(connection.read(buffer));
  listener.close();
  const ended = await realDeadline(connection.read(buffer).catch(() => null));
  assertEquals([begun === null, ended], [false, null]);
});

Deno.test("Listener closes the connection when the handler fails", async () => {
  using listener = await open(0, () => Promise.reject(new Error("broken")));
  await assertRejects(() => text(listener.port), TypeError);
});

Deno.test("Listener.dropConnections() leaves the exempt ones open", async () => {
  using listener: Listener & Disposable = await open(0, (request, response) => {
    if (request.url === "/page") listener.exempt(response.socket);
    return hello(request, response);
  });
  const ask = async (connection: Deno.TcpConn, path: string) => {
    await connection.write(new TextEncoder().encode(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`));
    const buffer = new Uint8Array(1_000);
    const count = await realDeadline(connection.read(buffer)).catch(() => null);
    return new TextDecoder().decode(buffer.subarray(0, count ?? 0)).split("\r\n")[0];
  };
  const { port } = listener;
  using page = await Deno.connect({ hostname: "127.0.0.1", port });
  using agent = await Deno.connect({ hostname: "127.0.0.1", port });
  assertEquals([await ask(page, "/page"), await ask(agent, "/")], [OK, OK]);
  listener.dropConnections();
  const ended = await realDeadline(agent.read(new Uint8Array(1)).catch(() => null));
  assertEquals(ended, null);
  assertEquals(await ask(page, "/page"), OK);
});
