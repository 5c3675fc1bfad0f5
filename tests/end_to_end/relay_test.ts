import { echoServer } from "../net/raw_server.ts";
import { realUntil } from "../real_deadline.ts";
import { Relay } from "../relay.ts";

Deno.test("Relay.resetWhenHeld() sees what comes by a connection that is opened meanwhile", async () => {
  await using server = echoServer();
  await using relay = await Relay.open(server.port, { delayMs: 0 });
  const cut = relay.resetWhenHeld("/path");
  const port = Number(new URL(relay.url).port);
  using client = await Deno.connect({ hostname: "127.0.0.1", port });
  await realUntil(() => server.accepted > 0);
  await client.write(new TextEncoder().encode("GET /path HTTP/1.1\r\n\r\n"));
  await cut;
});
