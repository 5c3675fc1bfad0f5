import { assertEquals } from "@std/assert";
import { isSameTransport, transportName } from "../../lib/panel/transport.ts";
import { V1_POST, V1_WEBSOCKET, V2_POST, V2_WEBSOCKET } from "./transports.ts";

const ALL = [V1_POST, V1_WEBSOCKET, V2_POST, V2_WEBSOCKET];

Deno.test("transportName() names version and carrier", () => {
  assertEquals(ALL.map(transportName), ["v1 POST", "v1 WebSocket", "v2 POST", "v2 WebSocket"]);
});

Deno.test("isSameTransport() compares version and carrier, and takes absent ones for the same", () => {
  for (const a of [undefined, ...ALL]) {
    const same = [undefined, ...ALL].filter((b) => isSameTransport(a, b && { ...b }));
    assertEquals(same, [a]);
  }
});
