import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { parseOpenrcCommand } from "../../lib/service/official_commands.ts";

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
