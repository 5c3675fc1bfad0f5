import { assertEquals } from "@std/assert";
import { withoutOwnVariables } from "../../lib/remote/exec_environment.ts";

Deno.test("withoutOwnVariables() leaves out what is the agent's own", () => {
  const environment = {
    PATH: "/bin",
    HOME: "/root",
    HTTP_PROXY: "http://proxy",
    AGENT_TOKEN: "secret",
    AGENT_AUTO_DISCOVERY_KEY: "secret",
    AGENT_CF_ACCESS_CLIENT_SECRET: "secret",
    agent_token: "secret",
    CREDENTIALS_DIRECTORY: "/run/credentials",
    NOTIFY_SOCKET: "/run/systemd/notify",
    WATCHDOG_USEC: "1",
    LISTEN_FDS: "1",
    JOURNAL_STREAM: "8:1",
    SSH_AGENT_PID: "1",
  };
  assertEquals(withoutOwnVariables(environment), {
    PATH: "/bin",
    HOME: "/root",
    HTTP_PROXY: "http://proxy",
    SSH_AGENT_PID: "1",
  });
});

Deno.test("withoutOwnVariables() gives a PATH where there is none", () => {
  assertEquals(withoutOwnVariables({}), {
    PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
  });
});
