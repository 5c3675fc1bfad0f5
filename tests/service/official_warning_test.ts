import { assertEquals, assertStringIncludes } from "@std/assert";
import { withoutOfficialWarning } from "../../lib/service/official_warning.ts";
import { OfficialMachine, replaceNow } from "./official_machine.ts";

const WARNING = [
  "[Komari] Remote control is enabled on this device",
  "panel.example can execute commands and read or modify files on this device as root.",
  "",
  "If you did not set this up, somebody else did.",
  "",
  "Uninstall Komari Agent: https://docs.example/uninstall",
  "",
].join("\n");

Deno.test("withoutOfficialWarning() takes the warning away, and nothing else", () => {
  for (const [before, after] of [["Welcome.\n", "Bye.\n"], ["", ""], ["\n\n", ""]] as const) {
    assertEquals(withoutOfficialWarning(before + WARNING + after), before + after);
    assertEquals(withoutOfficialWarning(before + WARNING + WARNING + after), before + after);
  }
  assertEquals(withoutOfficialWarning(`Welcome.\n${WARNING.trimEnd()}`), "Welcome.\n");
  const others = [
    "",
    "Welcome.\n",
    "[Komari] Remote control is enabled\n" + "other lines\n".repeat(20),
    `quoted: ${WARNING}`,
    WARNING.replace("Uninstall Komari Agent", "Uninstall"),
  ];
  for (const text of others) assertEquals(withoutOfficialWarning(text), text);
});

Deno.test("withoutOfficialWarning() takes at most twelve lines between the first and the last", () => {
  const [first = "", last = ""] = [WARNING.split("\n")[0], WARNING.split("\n").at(-2)];
  const block = (lines: number) => `${first}\n${"a line\n".repeat(lines)}${last}\n`;
  assertEquals(withoutOfficialWarning(`Welcome.\n${block(12)}Bye.\n`), "Welcome.\nBye.\n");
  assertEquals(withoutOfficialWarning(block(13)), block(13));
});

Deno.test("removeOfficialWarnings() cleans up once the official agent is replaced", async () => {
  await using machine = new OfficialMachine();
  const script = "/etc/update-motd.d/99-komari-agent-warning";
  machine.write("/etc/motd", `Welcome.\n${WARNING}`);
  machine.write(script, "#!/bin/sh\n# Komari Agent managed MOTD warning\necho x\n");
  {
    using _panel = machine.accepting();
    assertEquals(await replaceNow(machine, machine.system), undefined);
  }
  assertEquals(machine.text("/etc/motd"), "Welcome.\n");
  assertEquals(machine.tree().some((line) => line.startsWith(script)), false);
  assertStringIncludes(machine.printed.join("\n"), "warning from /etc/motd");
  // Somebody has started the other one by hand, and replaces it again.
  machine.write("/etc/motd", `Welcome.\n${WARNING}`);
  {
    using _panel = machine.accepting();
    assertEquals(await replaceNow(machine, machine.system), undefined);
  }
  assertEquals(machine.text("/etc/motd"), "Welcome.\n");
});

Deno.test("printOfficialWarnings() lists with --print what would be removed, and removes nothing", async () => {
  await using machine = new OfficialMachine();
  const script = "/etc/update-motd.d/99-komari-agent-warning";
  await replaceNow(machine, machine.system, ["--print"]);
  assertEquals(machine.printed.join("\n").includes("motd"), false);
  machine.write("/etc/motd", `Welcome.\n${WARNING}`);
  machine.write(script, "#!/bin/sh\n# Komari Agent managed MOTD warning\necho x\n");
  const before = machine.tree();
  await replaceNow(machine, machine.system, ["--print"]);
  assertEquals(machine.printed.slice(-2), [
    "Remove the official agent's warning from /etc/motd",
    `Remove ${script}`,
  ]);
  assertEquals(machine.tree(), before);
  assertEquals(machine.text("/etc/motd"), `Welcome.\n${WARNING}`);
});

Deno.test("removeOfficialWarnings() leaves files alone that are not the official agent's", async () => {
  await using machine = new OfficialMachine();
  const script = "/etc/update-motd.d/99-komari-agent-warning";
  machine.write("/etc/motd", "Welcome.\n");
  machine.write(script, "#!/bin/sh\necho mine\n");
  {
    using _panel = machine.accepting();
    assertEquals(await replaceNow(machine, machine.system), undefined);
  }
  assertEquals(machine.text("/etc/motd"), "Welcome.\n");
  assertEquals(machine.text(script), "#!/bin/sh\necho mine\n");
  assertEquals(machine.printed.join("\n").includes("warning"), false);
});

Deno.test("removeOfficialWarnings() follows no link, and reads no large file", async () => {
  await using machine = new OfficialMachine();
  const script = "/etc/update-motd.d/99-komari-agent-warning";
  const mark = "# Komari Agent managed MOTD warning\n";
  machine.write("/etc/elsewhere", WARNING);
  Deno.symlinkSync(`${machine.root}/etc/elsewhere`, `${machine.root}/etc/motd`);
  machine.write(script, mark + " ".repeat(256 * 1024 + 1 - mark.length));
  {
    using _panel = machine.accepting();
    assertEquals(await replaceNow(machine, machine.system), undefined);
  }
  assertEquals(machine.text("/etc/elsewhere"), WARNING);
  assertEquals(machine.tree().some((line) => line.startsWith(script)), true);
  machine.write(script, mark + " ".repeat(256 * 1024 - mark.length));
  {
    using _panel = machine.accepting();
    assertEquals(await replaceNow(machine, machine.system), undefined);
  }
  assertEquals(machine.tree().some((line) => line.startsWith(script)), false);
});
