import { assertEquals, assertThrows } from "@std/assert";
import { DarwinConnectionCollector } from "../../lib/metrics/connections_darwin.ts";
import { fakeSource } from "./fake_host.ts";

const connections = (text: string | undefined) =>
  new DarwinConnectionCollector(fakeSource(() => text));

Deno.test("DarwinConnectionCollector.collect() gives the kernel's counts", () => {
  const text = "net.inet.tcp.pcbcount: 214\nnet.inet.udp.pcbcount: 67";
  assertEquals(connections(text).collect(), { tcp: 214, udp: 67 });
  assertEquals(connections(undefined).collect(), undefined);
});

for (
  const text of [
    "",
    "net.inet.tcp.pcbcount: 214",
    "net.inet.tcp.pcbcount: -1\nnet.inet.udp.pcbcount: 1",
  ]
) {
  Deno.test(`DarwinConnectionCollector.collect() throws when the output is ${JSON.stringify(text)}`, () => {
    assertThrows(() => connections(text).collect(), SyntaxError, "pcbcount");
  });
}
