import { assertEquals } from "@std/assert";
import { officialAgentIn } from "../../lib/service/official_agent.ts";

function found(binary: string, serviceName: string) {
  return officialAgentIn({
    manager: "systemd",
    scope: "system",
    serviceName,
    unitPath: "/unit",
    command: { words: [binary, "-e", "x"], env: {}, workingDirectory: "/opt", user: "root" },
  });
}

Deno.test("officialAgentIn() recognizes the official agent by its program", () => {
  for (
    const [binary, name] of [
      ["/opt/komari/agent", "whatever"],
      ["/usr/local/bin/komari-agent", "monitor"],
      ["/root/komari-agent-linux-amd64", "monitor"],
      ["/srv/monitor/agent", "komari-agent2"],
      ["/srv/monitor/agent", "com.komari.monitor"],
    ] as const
  ) {
    const agent = found(binary, name);
    assertEquals(agent?.binary, binary);
    assertEquals(agent?.args, ["-e", "x"]);
    assertEquals(agent?.serviceName, name);
  }
});

Deno.test("officialAgentIn() ignores this agent and other programs", () => {
  for (
    const [binary, name] of [
      ["/opt/komari-agent-deno/komari-agent-deno", "komari-agent-deno"],
      ["/opt/komari-agent-deno-linux-amd64", "komari-agent"],
      ["/opt/zabbix/agent", "zabbix"],
      ["/opt/komari/komari", "komari"],
      ["", "komari-agent"],
    ] as const
  ) assertEquals(found(binary, name), undefined);
});
