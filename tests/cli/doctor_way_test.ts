import { assertEquals } from "@std/assert";
import { endpointPlace, wayTo, withDoubts } from "../../lib/cli/doctor_way.ts";
import { result } from "../../lib/cli/checks.ts";
import { configOf } from "./fake_context.ts";

const { signal } = new AbortController();

Deno.test("wayTo() connects to the addresses that were found, and resolves no name again", async () => {
  using server = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = server.addr;
  // Nothing listens there, so that a name server can't be asked.
  for (const args of [[], ["--custom-dns", "127.0.0.1:1"]]) {
    const url = `http://panel.invalid:${port}`;
    const way = wayTo(configOf(["doctor", "-e", url, "-t", "x", ...args]), []);
    way.addresses = ["127.0.0.1"];
    const { connection } = await way.dialer.connect(way.url, { signal });
    assertEquals(connection.remoteAddr.port, port);
    connection.close();
  }
});

Deno.test("withDoubts() puts doubts about the addresses first where a link has failed", async () => {
  const way = wayTo(configOf(["doctor", "-e", "http://p.example", "-t", "x"]), []);
  const failed = result("failed", "text", "advice");
  assertEquals(await withDoubts(way, Promise.resolve(failed)), failed);
  way.doubts = ["doubt"];
  const doubted = await withDoubts(way, Promise.resolve(failed));
  assertEquals(doubted, { status: "failed", text: "text", causes: ["doubt", "advice"] });
  const fine = result("ok", "text");
  assertEquals(await withDoubts(way, Promise.resolve(fine)), fine);
});

Deno.test("endpointPlace() is where the panel's address was read", () => {
  const file = "/etc/systemd/system/x.service.d/y.conf";
  const unit = [{ name: "Environment", value: "AGENT_ENDPOINT=", file }];
  const env = { AGENT_ENDPOINT: "http://p.example", AGENT_TOKEN: "x" };
  const flags = wayTo(configOf(["doctor", "-e", "http://p.example", "-t", "x"]), unit);
  assertEquals(endpointPlace(flags), "-e");
  assertEquals(endpointPlace(wayTo(configOf(["doctor"], env), [])), "variable AGENT_ENDPOINT");
  assertEquals(endpointPlace(wayTo(configOf(["doctor"], env), unit)), `AGENT_ENDPOINT in ${file}`);
  const installed = { ...configOf(["doctor"], env), isConfigInstalled: true };
  assertEquals(
    endpointPlace(wayTo(installed, unit)),
    `AGENT_ENDPOINT in ${file} (and then: systemctl daemon-reload && systemctl restart ` +
      "komari-agent-deno)",
  );
});
