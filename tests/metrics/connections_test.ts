import { assertEquals, assertThrows } from "@std/assert";
import { LocalHost } from "../../lib/host/local_host.ts";
import { ConnectionCollector } from "../../lib/metrics/connections.ts";
import { fakeSource } from "./fake_host.ts";

const IPV4 = "sockets: used 290\nTCP: inuse 9 orphan 0 tw 4 alloc 12 mem 3\nUDP: inuse 2 mem 1\n";
const IPV6 = "TCP6: inuse 6\nUDP6: inuse 3\n";
const none = fakeSource(() => undefined);

Deno.test("ConnectionCollector.collect() adds both families and TIME_WAIT", () => {
  const connections = new ConnectionCollector(fakeSource(() => IPV4), fakeSource(() => IPV6));
  assertEquals(connections.collect(), { tcp: 19, udp: 5 });
});

Deno.test("ConnectionCollector.collect() counts IPv4 only on a machine without IPv6", () => {
  assertEquals(new ConnectionCollector(fakeSource(() => IPV4), none).collect(), {
    tcp: 13,
    udp: 2,
  });
});

Deno.test("ConnectionCollector.collect() returns undefined without the file", () => {
  assertEquals(new ConnectionCollector(none, fakeSource(() => IPV6)).collect(), undefined);
});

Deno.test("ConnectionCollector.collect() counts the rest when a protocol is missing, and names it", () => {
  const ipv6 = { text: "UDP6: inuse 3\n" };
  const connections = new ConnectionCollector(fakeSource(() => IPV4), fakeSource(() => ipv6.text));
  assertEquals(connections.collect(), { tcp: 13, udp: 5 });
  assertEquals(connections.missingPart()?.message, "Cannot read sockstat6: no line of TCP");
  ipv6.text = IPV6;
  assertEquals(connections.collect(), { tcp: 19, udp: 5 });
  assertEquals(connections.missingPart(), undefined);
});

Deno.test("ConnectionCollector.collect() throws when a file is malformed", () => {
  const malformed = new ConnectionCollector(
    fakeSource(() => IPV4),
    fakeSource(() => "TCP6: inuse\n"),
  );
  assertThrows(() => malformed.collect(), SyntaxError, '"TCP6: inuse"');
});

Deno.test({
  name: "ConnectionCollector.collect() sees a socket open and close on the machine",
  ignore: Deno.build.os !== "linux",
  fn() {
    const host = new LocalHost();
    const connections = new ConnectionCollector(
      host.open("/proc/net/sockstat"),
      host.open("/proc/net/sockstat6"),
    );
    // Other programs open sockets as well: by a hundred they don't.
    const before = connections.collect()?.tcp ?? 0;
    const listeners = Array.from(
      { length: 200 },
      () => Deno.listen({ hostname: "127.0.0.1", port: 0 }),
    );
    const during = connections.collect()?.tcp ?? 0;
    for (const listener of listeners) listener.close();
    const after = connections.collect()?.tcp ?? 0;
    assertEquals([during - before > 100, during - after > 100], [true, true]);
  },
});
