import { assertEquals } from "@std/assert";
import { isOfficialProgram } from "../../lib/service/official_agent.ts";

Deno.test("isOfficialProgram() recognizes the official agent by its program", () => {
  for (
    const [binary, name] of [
      ["/opt/komari/agent", "whatever"],
      ["/usr/local/bin/komari-agent", "monitor"],
      ["/root/komari-agent-linux-amd64", "monitor"],
      ["/srv/monitor/agent", "komari-agent2"],
      ["/srv/monitor/agent", "com.komari.monitor"],
      ["/Users/some/.komari/agent", "whatever"],
    ] as const
  ) assertEquals(isOfficialProgram(binary, name), true, binary);
});

Deno.test("isOfficialProgram() ignores this agent and other programs", () => {
  for (
    const [binary, name] of [
      ["/opt/komari-agent-deno/komari-agent-deno", "komari-agent-deno"],
      ["/opt/komari-agent-deno-linux-amd64", "komari-agent"],
      ["/opt/zabbix/agent", "zabbix"],
      ["/opt/komari/komari", "komari"],
      ["", "komari-agent"],
    ] as const
  ) assertEquals(isOfficialProgram(binary, name), false, binary);
});
