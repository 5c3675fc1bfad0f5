import { assertEquals, assertThrows } from "@std/assert";
import { DarwinConnections } from "../../lib/metrics/connections_darwin.ts";
import { paperSource } from "./fake_host.ts";

const connections = (text: string | undefined) => new DarwinConnections(paperSource(() => text));

Deno.test("DarwinConnections.collect() gives the kernel's counts", () => {
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
  Deno.test(`DarwinConnections.collect() throws when the output is ${JSON.stringify(text)}`, () => {
    assertThrows(() => connections(text).collect(), SyntaxError, "pcbcount");
  });
}
