import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { parseOpenrcCommand, parseSystemdCommand } from "../../lib/service/official_commands.ts";

function fixture(name: string): string {
  return Deno.readTextFileSync(new URL(`../fixtures/official/${name}`, import.meta.url));
}

Deno.test("parseOpenrcCommand() parses the official installer's script", () => {
  assertEquals(parseOpenrcCommand(fixture("komari-agent.openrc")), {
    words: [
      ...["/opt/komari/agent", "-e", "https://panel.example.com", "-t", "token123"],
      ...["--include-mountpoint", "/;/data disk"],
    ],
    env: {},
    workingDirectory: "/opt/komari",
    user: "root",
  });
});

Deno.test("parseOpenrcCommand() expands variables of the script", () => {
  const text = `
DIR=/opt/komari
A=$B
B=$A
export HTTPS_PROXY="http://proxy:1"
command="\${DIR}/agent"
command_args="-t $A $UNKNOWN"
command_user="komari:komari"
`;
  const parsed = parseOpenrcCommand(text);
  assertEquals(parsed.words[0], "/opt/komari/agent");
  assertEquals(parsed.words.at(-1), "$UNKNOWN");
  assertEquals(parsed.env, { HTTPS_PROXY: "http://proxy:1" });
  assertEquals(parsed.user, "komari");
});

Deno.test("parseOpenrcCommand() accepts any text", () => {
  const line = fc.constantFrom(
    "command=$A",
    "A=$command$command",
    "command='",
    "command_args=$command_args",
    "export X=",
  );
  fc.assert(fc.property(fc.array(fc.oneof(line, fc.string())), (lines) => {
    parseOpenrcCommand(lines.join("\n"));
  }));
  assertEquals(parseOpenrcCommand("").words, []);
});

function refuse(path: string): string {
  throw new Deno.errors.NotFound(path);
}

Deno.test("parseSystemdCommand() parses the official installer's unit", () => {
  assertEquals(parseSystemdCommand(fixture("komari-agent.service"), refuse), {
    words: [
      ...["/opt/komari/agent", "-e", "https://panel.example.com", "-t", "-tokenWithADash"],
      ...["--month-rotate", "5", "--include-nics", "eth0,wg*", "--disable-web-ssh"],
    ],
    env: {},
    workingDirectory: "/opt/komari",
    user: "root",
  });
});

Deno.test("parseSystemdCommand() reads Environment= and EnvironmentFile=", () => {
  const text = `[Service]
Environment=AGENT_TOKEN=of-unit "AGENT_INCLUDE_NICS=a b" PERCENT=50%%
Environment='AGENT_ENDPOINT=https://x'
EnvironmentFile=-/etc/default/missing
EnvironmentFile=/etc/default/agent
ExecStart=-/opt/komari/agent -e \${AGENT_ENDPOINT} $ARGS
`;
  const files: Record<string, string> = {
    "/etc/default/agent": '# c\nAGENT_TOKEN="of file"\nARGS=-i 5\nno line\n1=2\n',
  };
  const parsed = parseSystemdCommand(text, (path) => files[path] ?? refuse(path));
  assertEquals(parsed.env, {
    AGENT_TOKEN: "of file",
    AGENT_INCLUDE_NICS: "a b",
    PERCENT: "50%",
    AGENT_ENDPOINT: "https://x",
    ARGS: "-i 5",
  });
  assertEquals(parsed.words, ["/opt/komari/agent", "-e", "https://x", "-i", "5"]);
});

Deno.test("parseSystemdCommand() lets a drop-in override settings", () => {
  const dropIn = `
[Unit]
ExecStart=/not/here
[Service]
Environment=
Environment=A=2
ExecStart=
ExecStart=:/opt/komari/agent -t $$x
User=komari
`;
  const text = `[Service]\nEnvironment=B=1\nExecStart=/opt/komari/agent -t old\n${dropIn}`;
  const parsed = parseSystemdCommand(text, refuse);
  assertEquals(parsed.env, { A: "2" });
  assertEquals(parsed.words, ["/opt/komari/agent", "-t", "$$x"]);
  assertEquals(parsed.user, "komari");
});

Deno.test("parseSystemdCommand() takes each prefix off a program and a folder", () => {
  for (const prefix of ["-", "@", "+", "!", "!!", "|", "-+", ""]) {
    const text =
      `[Service]\nWorkingDirectory=-/srv/50%%\nExecStart=${prefix}/opt/komari/agent 5%% $A\n` +
      "Environment=A=b\n";
    const { words, workingDirectory } = parseSystemdCommand(text, refuse);
    assertEquals(words, ["/opt/komari/agent", "5%", "b"], prefix);
    assertEquals(workingDirectory, "/srv/50%");
  }
});

Deno.test("parseSystemdCommand() reads quoted values and comments of an EnvironmentFile=", () => {
  const file = `; X=1\n  # Y=2\nA='one two'\nB="three"\nC='four"\r\nD=e=f\n`;
  const { env } = parseSystemdCommand("[Service]\nEnvironmentFile=/x\n", () => file);
  assertEquals(env, { A: "one two", B: "three", C: `'four"`, D: "e=f" });
});

Deno.test("parseSystemdCommand() returns no words when there is no ExecStart=", () => {
  const texts = ["", "[Service]", "[Service]\nExecStart=", "[Service\nExecStart=/x", "=\n[]\n"];
  for (const text of texts) assertEquals(parseSystemdCommand(text, refuse).words, []);
});

Deno.test("parseSystemdCommand() accepts any text", () => {
  const line = fc.constantFrom("[Service]", "ExecStart=/a $B", "Environment=B='", "\\", "# x", "=");
  fc.assert(fc.property(fc.array(fc.oneof(line, fc.string())), (lines) => {
    parseSystemdCommand(lines.join("\n"), refuse);
  }));
});
