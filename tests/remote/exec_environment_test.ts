import { assertEquals } from "@std/assert";
import { cases, same } from "../cases.ts";
import { Programs } from "../../lib/host/programs.ts";
import { loginAccount, withoutOwnVariables } from "../../lib/remote/exec_environment.ts";

/** A machine that has these programs and folders. */
function machine(paths: string[], folders: string[]): Programs {
  const programs = new Programs();
  programs.isProgram = (path) => paths.includes(path);
  programs.isFolder = (path) => folders.includes(path);
  return programs;
}

const PASSWD = `root:x:0:0::/root:/bin/zsh
agent:x:9:9::/var/agent:/usr/sbin/nologin
no:x:7:7::/:/bin/false
x:x:8:8::./x:
`;

/** Programs and folders of a machine, the user, and the account with its home and shell. */
const ACCOUNTS = `
/bin/zsh /bin/bash | /root | 0 → root /root /bin/zsh
/usr/local/bin/bash /usr/bin/bash /bin/bash | /root | 0 → root /root /bin/bash
/usr/sbin/nologin /usr/bin/bash | /var/agent | 9 → agent /var/agent /usr/bin/bash
/usr/local/bin/bash | | 9 → agent / /usr/local/bin/bash
/usr/sbin/nologin | | 9 → agent / /bin/sh
/bin/false /bin/bash | | 7 → no / /bin/bash
| ./x | 8 → x / /bin/sh
| | 1000 → 1000 / /bin/sh
`;

Deno.test("loginAccount() takes a home that is there, and a shell that can be started", () =>
  same((row: string) => {
    const [programs = "", folders = "", uid] = row.split("|").map((it) => it.trim());
    const words = (text: string) => text.split(" ").filter((word) => word !== "");
    const account = loginAccount(machine(words(programs), words(folders)), Number(uid), PASSWD);
    return `${account.name} ${account.home} ${account.shell}`;
  }, cases(ACCOUNTS)));

Deno.test("loginAccount() knows root where there is no list of accounts", () => {
  const account = { name: "root", home: "/root", shell: "/bin/sh" };
  assertEquals(loginAccount(machine([], ["/root"]), 0, ""), account);
});

const OWN =
  "AGENT_TOKEN AGENT_CF_ACCESS_CLIENT_SECRET agent_token CREDENTIALS_DIRECTORY NOTIFY_SOCKET";
const OWN_OF_SYSTEMD = "WATCHDOG_USEC LISTEN_FDS JOURNAL_STREAM";

Deno.test("withoutOwnVariables() leaves out what is the agent's own, and gives a PATH", () => {
  const passes = (name: string) => withoutOwnVariables({ [name]: "x" })[name] === "x";
  same(passes, [
    ...`${OWN} ${OWN_OF_SYSTEMD}`.split(" ").map((name) => [name, false] as const),
    ...["PATH", "HOME", "HTTP_PROXY", "SSH_AGENT_PID"].map((name) => [name, true] as const),
  ]);
  const PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
  assertEquals(withoutOwnVariables({}), { PATH });
});
