import { assertEquals } from "@std/assert";
import { Programs } from "../../lib/host/programs.ts";
import { loginAccount, withoutOwnVariables } from "../../lib/remote/exec_environment.ts";

/** A machine that has these programs and folders. */
function machine(paths: string[], folders: string[]): Programs {
  const programs = new Programs();
  programs.isProgram = (path) => paths.includes(path);
  programs.isFolder = (path) => folders.includes(path);
  return programs;
}

const passwd =
  "root:x:0:0::/root:/bin/zsh\nagent:x:9:9::/var/agent:/usr/sbin/nologin\nx:x:8:8::./x:\n";

const table = [
  ["its own", 0, ["/bin/zsh", "/bin/bash"], ["/root"], ["root", "/root", "/bin/zsh"]],
  [
    "the system's bash where there are three",
    0,
    [...["/usr/local/bin/bash", "/usr/bin/bash", "/bin/bash"]],
    ["/root"],
    ["root", "/root", "/bin/bash"],
  ],
  ["bash where its own is missing", 0, ["/bin/bash"], ["/root"], ["root", "/root", "/bin/bash"]],
  [
    "bash where nobody logs in",
    9,
    ["/usr/sbin/nologin", "/usr/bin/bash"],
    ["/var/agent"],
    ["agent", "/var/agent", "/usr/bin/bash"],
  ],
  ["bash of the ports where it is", 9, ["/usr/local/bin/bash"], [], [
    "agent",
    "/",
    "/usr/local/bin/bash",
  ]],
  ["sh where there is no bash", 9, ["/usr/sbin/nologin"], [], ["agent", "/", "/bin/sh"]],
  ["sh where none is named, and no odd home", 8, [], ["./x"], ["x", "/", "/bin/sh"]],
  ["sh where the account is unknown", 1000, [], [], ["1000", "/", "/bin/sh"]],
] as const;
for (const [what, uid, programs, folders, account] of table) {
  Deno.test(`loginAccount() takes ${what}`, () => {
    const [name, home, shell] = account;
    const found = loginAccount(machine([...programs], [...folders]), { uid, passwd });
    assertEquals(found, { name, home, shell });
  });
}

Deno.test("loginAccount() knows root where there is no list of accounts", () => {
  assertEquals(loginAccount(machine([], ["/root"]), { uid: 0, passwd: "" }), {
    name: "root",
    home: "/root",
    shell: "/bin/sh",
  });
});

Deno.test("loginAccount() takes bash in place of each program that lets nobody log in", () => {
  for (const shell of ["/sbin/nologin", "/bin/false", "/usr/bin/true"]) {
    const found = loginAccount(machine([shell, "/bin/bash"], []), {
      uid: 7,
      passwd: `service:x:7:7::/:${shell}\n`,
    });
    assertEquals(found.shell, "/bin/bash", shell);
  }
});

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
