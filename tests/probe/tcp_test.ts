import { assert, assertEquals, assertRejects } from "@std/assert";
import { delay } from "@std/async/delay";
import { UnreachableError } from "../../lib/probe/reach.ts";
import { type Connect, probeTcp } from "../../lib/probe/tcp.ts";

const signal = new AbortController().signal;

/** Fails as the kernel does when it has no way to an address. */
class NoRoute extends Error {
  readonly code = "ENETUNREACH";
}

for (const hostname of ["127.0.0.1", "::1"]) {
  Deno.test(`probeTcp() measures a handshake with ${hostname} and closes the connection`, async () => {
    using listener = Deno.listen({ hostname, port: 0 });
    const accepted = listener.accept();
    const ms = await probeTcp([hostname], { port: listener.addr.port, signal });
    assert(ms > 0 && ms < 1000, `${ms}`);
    using connection = await accepted;
    assertEquals(await connection.read(new Uint8Array(1)), null);
  });
}

Deno.test("probeTcp() rejects when the port is closed", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  const error = await assertRejects(
    () => probeTcp(["127.0.0.1", "::1"], { port, signal }),
    Error,
    `Cannot connect to 127.0.0.1 port ${port}`,
  );
  assert(error.cause instanceof Deno.errors.ConnectionRefused);
});

Deno.test("probeTcp() takes the second address when there is no way to the first", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const tried: string[] = [];
  const connect: Connect = (options) => {
    tried.push(options.hostname);
    if (options.hostname === "192.0.2.1") return Promise.reject(new NoRoute("no route"));
    return Deno.connect({ ...options, hostname: "127.0.0.1" });
  };
  await probeTcp(["192.0.2.1", "2001:db8::1"], { port: listener.addr.port, signal, connect });
  assertEquals(tried, ["192.0.2.1", "2001:db8::1"]);
  (await listener.accept()).close();
  await assertRejects(
    () => probeTcp(["192.0.2.1"], { port: 80, signal, connect }),
    UnreachableError,
    "Cannot reach 192.0.2.1",
  );
});

Deno.test("probeTcp() rejects with the signal's reason when a black hole never answers", async () => {
  const controller = new AbortController();
  const connect: Connect = ({ signal }) =>
    new Promise((_, reject) => {
      signal.addEventListener("abort", () => reject(new Error("the socket's own error")));
    });
  const probe = probeTcp(["192.0.2.1"], { port: 80, signal: controller.signal, connect });
  controller.abort(new Error("enough"));
  await assertRejects(() => probe, Error, "enough");
});

Deno.test("probeTcp() leaves no connection behind when it is aborted at any moment", async () => {
  const count = () => [...Deno.readDirSync("/proc/self/fd")].length;
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  let open = 0;
  const serve = async () => {
    try {
      for await (const connection of listener) {
        open++;
        connection.read(new Uint8Array(1)).catch(() => null).then(() => {
          connection.close();
          open--;
        });
      }
    } catch {
      // The test is over.
    }
  };
  const served = serve();
  const one = async (index: number) => {
    const controller = new AbortController();
    const probe = probeTcp(["127.0.0.1"], { port, signal: controller.signal }).catch(() => {});
    setTimeout(() => controller.abort(), index % 3);
    await probe;
  };
  // What the runtime opens once for all is not a leak.
  await Promise.all(Array.from({ length: 16 }, (_, index) => one(index)));
  while (open > 0) await delay(1);
  const before = count();
  for (let round = 0; round < 50; round++) {
    await Promise.all(Array.from({ length: 16 }, (_, i) => one(i)));
  }
  while (open > 0) await delay(1);
  assertEquals(count(), before);
  listener.close();
  await served;
});
