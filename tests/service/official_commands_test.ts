import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { parseLaunchdCommand } from "../../lib/service/official_commands.ts";

const plist = Deno.readTextFileSync(
  new URL("../fixtures/official/com.komari.komari-agent.plist", import.meta.url),
);

Deno.test("parseLaunchdCommand() parses the official installer's property list", () => {
  assertEquals(parseLaunchdCommand(plist), {
    words: ["/usr/local/komari/agent", "-e", "https://panel.example.com/a&b", "-t", "token123"],
    env: { HTTPS_PROXY: "http://proxy.example.com:3128" },
    workingDirectory: "/usr/local/komari",
    user: "root",
  });
});

Deno.test("parseLaunchdCommand() leaves out what is commented out", () => {
  const old = "<key>ProgramArguments</key>\n<array><string>/old</string></array>";
  const text = `<!-- ${old}\n--><!-- ${old} -->${old.replace("old", "new")}`;
  assertEquals(parseLaunchdCommand(text).words, ["/new"]);
});

Deno.test("parseLaunchdCommand() decodes numeric entities", () => {
  const text =
    "<key>ProgramArguments</key><array><string>&#65;&#x42;&lt;&none;&#x110000;</string>" +
    "<string/></array>";
  assertEquals(parseLaunchdCommand(text).words, ["AB<&none;&#x110000;", ""]);
});

Deno.test("parseLaunchdCommand() returns no words when the text is no property list", () => {
  for (const text of ["", "bplist00", plist.slice(0, 500).replaceAll("array", "dict")]) {
    assertEquals(parseLaunchdCommand(text).words, []);
  }
  fc.assert(fc.property(fc.nat(plist.length), (length) => {
    parseLaunchdCommand(plist.slice(0, length));
  }));
});
