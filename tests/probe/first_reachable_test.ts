import { assertEquals, assertRejects } from "@std/assert";
import { probeTcp, UnreachableError } from "../../lib/probe/first_reachable.ts";
import { sameLater } from "../cases.ts";
import { fakeConnect, realConnect } from "../net/fake_connect.ts";
import { FakeTime } from "../fake_time.ts";
import { sanitized } from "../sanitized_tests.ts";

const signal = new AbortController().signal;
const ADDRESSES = ["192.0.2.1", "2001:db8::1"];

sanitized.test("probeTcp() tries the next address for want of a route, for nothing else, and measures the handshake", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  using time = new FakeTime();
  const { port } = listener.addr;
  /** The addresses that are tried, and the outcome, where the first ones fail so. */
  const outcomeOf = async (codes: readonly string[]) => {
    const tried: string[] = [];
    using _ = fakeConnect(async (options) => {
      const code = codes[tried.push(options.hostname) - 1];
      time.tick(7);
      if (code !== undefined) throw Object.assign(new Error("it fails"), { code });
      return await realConnect({ ...options, hostname: "127.0.0.1" });
    });
    const ms = await probeTcp(ADDRESSES, { port, signal }).catch((error: Error) => error);
    if (typeof ms === "number") {
      using connection = await listener.accept();
      assertEquals(await connection.read(new Uint8Array(1)), null, "it is closed");
      return [tried.length, ms];
    }
    return [tried.length, ms instanceof UnreachableError, ms.message];
  };
  const noRoute = ["ENETUNREACH", "EHOSTUNREACH", "EADDRNOTAVAIL", "EAFNOSUPPORT"];
  await sameLater(outcomeOf, [
    [[], [1, 7]],
    ...noRoute.map((code) => [[code], [2, 7]] as const),
    [["EAFNOSUPPORT", "ENETUNREACH"], [2, true, "Cannot reach 192.0.2.1"]],
    ...["ECONNREFUSED", "ETIMEDOUT", "ENOBUFS"].map((code) =>
      [[code], [1, false, `Cannot connect to 192.0.2.1 port ${port}`]] as const
    ),
  ]);
  await assertRejects(() => probeTcp([], { port, signal }), UnreachableError, "no address");
});
