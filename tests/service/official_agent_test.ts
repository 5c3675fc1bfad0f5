import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import {
  boundedReader,
  findOfficialAgents,
  isOfficialProgram,
  officialAgentWarning,
  trustedReader,
} from "../../lib/service/official_agent.ts";
import { type ManagerKind, MANAGERS, ORIGIN } from "../../lib/service/service_manager.ts";
import fc from "fast-check";
import { same } from "../cases.ts";
import { configOf, FakeSystem, installNow } from "./fake_system.ts";
import { OfficialMachine } from "./official_machine.ts";
import { TempFolder } from "../temp_folder.ts";

Deno.test("isOfficialProgram() knows the official agent by its program, and no other as it", () => {
  const official = [
    ["/opt/komari/agent", "whatever"],
    ["/usr/local/bin/komari-agent", "monitor"],
    ["/root/komari-agent-linux-amd64", "monitor"],
    ["/srv/monitor/agent", "komari-agent2"],
    ["/srv/monitor/agent", "com.komari.monitor"],
    ["/Users/some/.komari/agent", "whatever"],
  ] as const;
  const others = [
    ["/opt/komari-agent-deno/komari-agent-deno", "komari-agent-deno"],
    ["/opt/komari-agent-deno-linux-amd64", "komari-agent"],
    ["/opt/zabbix/agent", "zabbix"],
    ["/opt/komari/komari", "komari"],
    ["", "komari-agent"],
  ] as const;
  const found = [...official, ...others].filter(([binary, name]) =>
    isOfficialProgram(binary, name)
  );
  assertEquals(found, [...official]);
});

function fixture(name: string): string {
  return Deno.readTextFileSync(new URL(`../fixtures/official/${name}`, import.meta.url));
}

/** A root with these files in it, which is gone after `look`. */
function inRoot(files: Record<string, string>, look: (root: string) => void): void {
  using root = new TempFolder();
  for (const [path, text] of Object.entries(files)) {
    Deno.mkdirSync(`${root.path}${path.slice(0, path.lastIndexOf("/"))}`, { recursive: true });
    Deno.writeTextFileSync(root.path + path, text);
  }
  look(root.path);
}

function namesIn(root: string, kind: ManagerKind, scope: "system" | "user" = "system"): string[] {
  return findOfficialAgents(kind, { root, home: "/home/me" }, scope).map((agent) =>
    `${agent.serviceName} ${agent.unitPath} ${agent.binary} ${agent.args.length}`
  );
}

const UNIT = fixture("komari-agent.service");

Deno.test("findOfficialAgents() finds systemd units of the official agent only", () => {
  inRoot({
    "/etc/systemd/system/komari-agent.service": UNIT,
    "/etc/systemd/system/komari-agent.service.d/10.conf": "[Service]\nMemoryMax=64M\n",
    "/etc/systemd/system/komari-agent.service.d/ignored": "[Service]\nExecStart=/bin/false\n",
    "/etc/systemd/system/ssh.service": "[Service]\nExecStart=/usr/sbin/sshd -D\n",
    "/etc/systemd/system/komari-agent-deno.service":
      "[Service]\nExecStart=/opt/komari-agent-deno/komari-agent-deno --config x\n",
    "/etc/systemd/system/komari-agent-two.service": `# ${ORIGIN}\n${UNIT}`,
    "/etc/systemd/system/b.service": UNIT.replaceAll("/opt/komari", "/srv/komari"),
    "/etc/systemd/system/agent@.service": UNIT,
    "/etc/systemd/system/.hidden.service": UNIT,
    "/etc/systemd/system/large.service": UNIT + "#".repeat(300_000),
    "/home/me/.config/systemd/user/other.service": UNIT,
  }, (root) => {
    Deno.symlinkSync("komari-agent.service", `${root}/etc/systemd/system/alias.service`);
    assertEquals(namesIn(root, "systemd"), [
      "b /etc/systemd/system/b.service /srv/komari/agent 9",
      "komari-agent /etc/systemd/system/komari-agent.service /opt/komari/agent 9",
    ]);
    assertEquals(namesIn(root, "openrc"), []);
    assertEquals(namesIn(root, "systemd", "user"), [
      "other /home/me/.config/systemd/user/other.service /opt/komari/agent 9",
    ]);
  });
});

/** What is read of a service's file, as words apart by `|`. */
function readOf(kind: ManagerKind, text: string): string {
  let read = "";
  const path = {
    systemd: "/etc/systemd/system/komari-agent.service",
    openrc: "/etc/init.d/komari-agent",
    launchd: "/Library/LaunchDaemons/komari-agent.plist",
  }[kind];
  inRoot({ [path]: text }, (root) => {
    for (const it of findOfficialAgents(kind, { root, home: "" }, "system")) {
      read = [it.binary, ...it.args, `in ${it.workingDirectory}`, it.handWritten].join("|");
    }
  });
  return read;
}

Deno.test("findOfficialAgents() reads what the official installers write", () => {
  const unit =
    "/opt/komari/agent|-e|https://panel.example.com|-t|-tokenWithADash|--month-rotate|5|" +
    "--include-nics|eth0,wg*|--disable-web-ssh|in /opt/komari|";
  assertEquals(readOf("systemd", UNIT), unit);
  const script =
    "/opt/komari/agent|-e|https://panel.example.com|-t|token123|--include-mountpoint|" +
    "/;/data disk|in /opt/komari|";
  assertEquals(readOf("openrc", fixture("komari-agent.openrc")), script);
  const plist = "/usr/local/komari/agent|-e|https://panel.example.com/a&b|-t|token123|" +
    "in /usr/local/komari|";
  assertEquals(readOf("launchd", fixture("com.komari.komari-agent.plist")), plist);
});

Deno.test("findOfficialAgents() names what was added to a service by hand", async () => {
  const end = (kind: ManagerKind) => (text: string) => readOf(kind, text).split("|").at(-1);
  const start = "[Service]\nExecStart=/opt/komari/agent -e x";
  await same(end("systemd"), [
    [`${start}\n`, ""],
    [`${start}\n[Service]\nMemoryMax=64M\n`, ""],
    [`${start}\nEnvironment=AGENT_TOKEN=t\n`, "Environment="],
    [`${start}\n EnvironmentFile = /etc/default/agent\n`, "EnvironmentFile ="],
    [`${start} \\\n -t t\n`, "\\"],
    [`${start} $ARGS\n`, "$ARGS"],
    [`${start} \${TOKEN}\n`, "\${"],
    [`${start}\nExecStart=\nExecStart=/opt/komari/agent\n`, "ExecStart="],
  ]);
  const script = fixture("komari-agent.openrc");
  await same(end("openrc"), [
    [`${script}\nexport HTTPS_PROXY="http://proxy:1"\n`, "export HTTPS_PROXY"],
    [
      script.replace("-t token123", "-t $TOKEN"),
      /^command_args=.*(?=token123)/m.exec(script)?.[0] + "$",
    ],
  ]);
  const variables = "<key>EnvironmentVariables</key><dict></dict><key>WorkingDirectory";
  const plist = fixture("com.komari.komari-agent.plist").replace(
    "<key>WorkingDirectory",
    variables,
  );
  assertEquals(end("launchd")(plist), "EnvironmentVariables");
});

Deno.test("findOfficialAgents() accepts any text", () => {
  const line = fc.constantFrom(
    "[Service]",
    "ExecStart=/opt/komari/agent '",
    "command='",
    "<array>",
  );
  const lines = fc.array(fc.oneof(line, fc.string()));
  const read = (lines: string[]) => MANAGERS.forEach((kind) => readOf(kind, lines.join("\n")));
  fc.assert(fc.property(lines, read), { numRuns: 30 });
});

Deno.test("boundedReader() throws when a file is large or not regular, trustedReader() also when others can change it", () => {
  const most = "x".repeat(256 * 1024);
  inRoot({ "/a/b": "text", "/most": most, "/more": `${most}x` }, (root) => {
    const read = boundedReader(root);
    assertEquals([read("/a/b"), read("/most")], ["text", most]);
    const words = "it is not a regular file of at most 256 KiB";
    for (const path of ["/a", "/more"]) assertThrows(() => read(path), Error, words);
    assertThrows(() => boundedReader("")("/dev/null"), Error, words);
    assertThrows(() => read("/a/c"), Deno.errors.NotFound);
    const trusted = trustedReader(root);
    assertEquals([trusted("/a/b"), trusted("/most")], ["text", most]);
    // What the link leads to is root's, and the link is another user's.
    Deno.symlinkSync(`${root}/most`, `${root}/a/link`);
    Deno.chmodSync(`${root}/a`, 0o777);
    for (const path of ["/a/b", "/a/link"]) assertThrows(() => trusted(path), Error, "others can");
  });
});

const { signal } = new AbortController();
const SHORT_UNIT = "[Service]\nExecStart=/opt/komari/agent -e https://p.example -t secret\n";

Deno.test("officialAgentWarning() names all running agents of system and user", async () => {
  await using fake = new FakeSystem({
    folders: ["home/ann"],
    fakes: { systemctl: '[ "$3" != idle.service ]' },
    system: { uid: 1000, home: "/home/ann" },
  });
  const own = "/home/ann/.config/systemd/user";
  assertEquals(await officialAgentWarning("systemd", fake.system, signal), undefined);
  fake.write(`${own}/mine.service`, SHORT_UNIT);
  fake.write("/etc/systemd/system/idle.service", SHORT_UNIT);
  const userManager = await officialAgentWarning("systemd", fake.system, signal) ?? "";
  assertStringIncludes(userManager, "is running too (mine): ");
  assertStringIncludes(userManager, "run `install --replace`");
  fake.write("/etc/systemd/system/komari-agent.service", SHORT_UNIT);
  const ofBoth = await officialAgentWarning("systemd", fake.system, signal) ?? "";
  assertStringIncludes(ofBoth, "is running too (mine, komari-agent): ");
  assertStringIncludes(ofBoth, "`install --replace` as root");
});

Deno.test("install() warns when an official agent is running", async () => {
  await using machine = new OfficialMachine();
  const config = configOf(["install", "-e", "https://p.example", "-t", "secret"]);
  await installNow(config, machine.system);
  const lines = machine.printed.filter((line) => line.includes("official agent"));
  assertEquals(lines.length, 1);
  assertStringIncludes(lines[0] ?? "", "is running too (komari-agent)");
});
