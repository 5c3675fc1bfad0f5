import { assertEquals } from "@std/assert";
import { agentVariables, environmentText } from "../../lib/service/service_environment.ts";
import { SYSTEM_PLAN } from "./service_plans.ts";

const ODD = `http://me:p"a$$w\`o\\r'd%20@proxy:3128/ #x`;

Deno.test("environmentText() is read unchanged by a shell", () => {
  const text = environmentText({ HTTP_PROXY: ODD, NO_PROXY: "a,b" });
  const { stdout } = new Deno.Command("sh", {
    args: ["-c", `${text}\nprintf '%s|%s' "$HTTP_PROXY" "$NO_PROXY"`],
  }).outputSync();
  assertEquals(new TextDecoder().decode(stdout), `${ODD}|a,b`);
});

Deno.test("environmentText() escapes only what systemd unescapes", () => {
  const text = environmentText({ HTTP_PROXY: ODD });
  const shown = text.split("\n")[1];
  assertEquals(shown, 'HTTP_PROXY="http://me:p\\"a\\$\\$w\\`o\\\\r\'d%20@proxy:3128/ #x"');
});

Deno.test("agentVariables() names the agent's folders, and Deno for a portable build", () => {
  assertEquals(agentVariables(SYSTEM_PLAN), {
    STATE_DIRECTORY: "/var/lib/komari-agent-deno",
    RUNTIME_DIRECTORY: "/run/komari-agent-deno",
  });
  assertEquals(agentVariables({ ...SYSTEM_PLAN, deno: "/usr/bin/deno" }).DENO, "/usr/bin/deno");
});
