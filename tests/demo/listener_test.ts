import { assertEquals, assertGreater, assertRejects } from "@std/assert";
import { Listener, type RequestHandler } from "../../lib/demo/listener.ts";

const hello: RequestHandler["onRequest"] = (_request, response) => {
  response.end("hello");
  return Promise.resolve();
};
const open = (port: number, onRequest = hello) =>
  Listener.open(port, { onRequest, onUpgrade: () => Promise.resolve() });
const text = async (port: number) => await (await fetch(`http://127.0.0.1:${port}/`)).text();

Deno.test("Listener.open() takes the next free port when one is taken", async () => {
  const first = await open(0);
  const second = await open(first.port);
  try {
    assertGreater(second.port, first.port);
    assertEquals(await text(second.port), "hello");
  } finally {
    first.close();
    second.close();
  }
});

Deno.test("Listener.open() fails when the port is out of range", async () => {
  await assertRejects(() => open(70_000), Error, "Cannot listen on 127.0.0.1");
});

Deno.test("Listener refuses connections while it is paused and resumes on its port", async () => {
  const listener = await open(0);
  try {
    listener.pause();
    listener.pause();
    await assertRejects(
      () => Deno.connect({ hostname: "127.0.0.1", port: listener.port }),
      Deno.errors.ConnectionRefused,
    );
    await listener.resume();
    await listener.resume();
    assertEquals(await text(listener.port), "hello");
  } finally {
    listener.close();
  }
});

Deno.test("Listener closes the connection when the handler fails", async () => {
  const listener = await open(0, () => Promise.reject(new Error("broken")));
  try {
    await assertRejects(() => text(listener.port), TypeError);
  } finally {
    listener.close();
  }
});
