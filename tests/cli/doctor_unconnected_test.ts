import { assertEquals, assertStringIncludes } from "@std/assert";
import { notConnected } from "../../lib/cli/doctor_unconnected.ts";
import { wayTo } from "../../lib/cli/doctor_way.ts";
import { DialError } from "../../lib/net/errors.ts";
import { configOf } from "./fake_context.ts";

const { signal } = new AbortController();

Deno.test("notConnected() blames the firewall of an unreachable machine that answers pings", async () => {
  const of = async (host: string) => {
    const way = wayTo(configOf(["doctor", "-e", `http://${host}:81`, "-t", "x"]), [], []);
    const message = `Cannot connect to ${host} port 81: host is unreachable`;
    return await notConnected(new DialError(message, { stage: "connect" }), way, signal);
  };
  const { text, causes = [] } = await of("127.0.0.1");
  const words = "host is unreachable; a firewall there, or on the way, refuses it (by ICMP)";
  assertStringIncludes(text, words);
  assertStringIncludes(causes[0] ?? "", "have the firewall of that machine let port 81 pass");
  assertStringIncludes(causes[0] ?? "", "lift the ban of this machine's address: fail2ban-client");
  // To a broadcast address no ping is sent.
  assertEquals((await of("255.255.255.255")).text.includes("by ICMP"), false);
});
