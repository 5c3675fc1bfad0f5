import { assertEquals, assertGreater, assertRejects } from "@std/assert";
import { Listener, type RequestHandler } from "../../lib/demo/listener.ts";
import { realDeadline } from "../real_deadline.ts";

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

Deno.test("Listener.close() ends every connection", async () => {
  const listener: Listener = await open(0, (_request, response) => {
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
