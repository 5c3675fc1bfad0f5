import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { parseOpenrcCommand, parseProcdCommand } from "../../lib/service/official_commands.ts";

function fixture(name: string): string {
  return Deno.readTextFileSync(new URL(`../fixtures/official/${name}`, import.meta.url));
}

Deno.test("parseOpenrcCommand() parses the official installer's script", () => {
  assertEquals(parseOpenrcCommand(fixture("komari-agent.openrc")), {
    words: [
      "/opt/komari/agent",
      "-e",
      "https://panel.example.com",
      "-t",
      "token123",
      "--include-mountpoint",
      "/;/data disk",
    ],
    env: {},
    workingDirectory: "/opt/komari",
    user: "root",
  });
});

Deno.test("parseProcdCommand() parses the official installer's script", () => {
  assertEquals(parseProcdCommand(fixture("komari-agent.procd")), {
    words: [
      "/opt/komari/agent",
      "-e",
      "https://panel.example.com",
      "-t",
      "token123",
      "--interval",
      "1.5",
    ],
    env: {},
    workingDirectory: "",
    user: "root",
  });
});

Deno.test("parseProcdCommand() takes the user in quotes or without", () => {
  for (const user of ["ann", "'ann'", '"ann"']) {
    assertEquals(parseProcdCommand(`  procd_set_param user ${user}\n`).user, "ann");
  }
  assertEquals(parseProcdCommand("# procd_set_param user ann\n").user, "");
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

Deno.test("parseOpenrcCommand() and parseProcdCommand() accept any text", () => {
  const line = fc.constantFrom(
    "command=$A",
    "A=$command$command",
    "PROG='",
    "ARGS=$ARGS",
    "export X=",
  );
  fc.assert(fc.property(fc.array(fc.oneof(line, fc.string())), (lines) => {
    parseOpenrcCommand(lines.join("\n"));
    parseProcdCommand(lines.join("\n"));
  }));
  assertEquals(parseOpenrcCommand("").words, []);
  assertEquals(parseProcdCommand("ARGS=-x").words, []);
});
