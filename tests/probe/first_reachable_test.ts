import { assert, assertEquals, assertRejects } from "@std/assert";
import { connectFirstReachable, probeTcp } from "../../lib/probe/first_reachable.ts";
import { UnreachableError } from "../../lib/probe/first_reachable.ts";
import { fakeConnect, realConnect } from "../net/fake_connect.ts";
import { CLOSED_PORT } from "../free_port.ts";
import { sanitized } from "../sanitized_tests.ts";

const signal = new AbortController().signal;

/** Fails as the kernel does when it has no way to an address. */
class NoRoute extends Error {
  readonly code: string;

  constructor(message: string, code = "ENETUNREACH") {
    super(message);
    this.code = code;
  }
}

Deno.test("connectFirstReachable() tries the next address for want of a route, for nothing else", async () => {
  const codes = ["ENETUNREACH", "EHOSTUNREACH", "EADDRNOTAVAIL", "EAFNOSUPPORT"];
  for (const code of [...codes, "ECONNREFUSED", "ETIMEDOUT", "ENOBUFS"]) {
    const tried: string[] = [];
    using _ = fakeConnect(({ hostname }) => {
      tried.push(hostname);
      return Promise.reject(new NoRoute("no route", code));
    });
    const addresses = ["192.0.2.1", "192.0.2.2"];
    await assertRejects(() => connectFirstReachable(addresses, { port: 80, signal }), Error);
    assertEquals(tried.length, codes.includes(code) ? 2 : 1, code);
  }
});

sanitized.test("connectFirstReachable() uses the second address when there is no route to the first", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const tried: string[] = [];
  using _ = fakeConnect((options) => {
    tried.push(options.hostname);
    if (options.hostname === "192.0.2.1") return Promise.reject(new NoRoute("no route"));
    return realConnect({ ...options, hostname: "127.0.0.1" });
  });
  const { port } = listener.addr;
  const addresses = ["192.0.2.1", "2001:db8::1"];
  const { connection } = await connectFirstReachable(addresses, { port, signal });
  connection.close();
  assertEquals(tried, addresses);
  (await listener.accept()).close();
  const alone = () => connectFirstReachable(["192.0.2.1"], { port: 80, signal });
  await assertRejects(alone, UnreachableError, "Cannot reach 192.0.2.1");
});

sanitized.test("connectFirstReachable() rejects with the signal's reason when a black hole never answers", async () => {
  const controller = new AbortController();
  using _ = fakeConnect(({ signal }) =>
    new Promise((_, reject) => {
      signal.addEventListener("abort", () => reject(new Error("the socket's own error")));
    })
  );
  const dialled = connectFirstReachable(["192.0.2.1"], { port: 80, signal: controller.signal });
  controller.abort(new Error("enough"));
  await assertRejects(() => dialled, Error, "enough");
});

for (const hostname of ["127.0.0.1", "::1"]) {
  Deno.test(`probeTcp() measures a handshake with ${hostname} and closes the connection`, async () => {
    using listener = Deno.listen({ hostname, port: 0 });
    const accepted = listener.accept();
    const ms = await probeTcp([hostname], { port: listener.addr.port, signal });
    assert(ms > 0, `${ms}`);
    using connection = await accepted;
    assertEquals(await connection.read(new Uint8Array(1)), null);
  });
}

Deno.test("probeTcp() rejects when the port is closed", async () => {
  const probing = () => probeTcp(["127.0.0.1", "::1"], { port: CLOSED_PORT, signal });
  const error = await assertRejects(probing, Error, `to 127.0.0.1 port ${CLOSED_PORT}`);
  assert(error.cause instanceof Deno.errors.ConnectionRefused);
});
