import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { completions, runCompletions } from "../../lib/cli/completions.ts";
import { COMMAND_ROWS } from "../../lib/config/commands.ts";
import { OPTION_ROWS } from "../../lib/config/option_table.ts";
import { configOf, FakeContext } from "./fake_context.ts";

/** The words that bash offers for the last of these. */
async function offered(words: readonly string[]): Promise<string[]> {
  const script = `${completions("bash", "en")}
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
_komari_agent_deno
printf '%s\\n' "\${COMPREPLY[@]}"
`;
  const { stdout } = await new Deno.Command("bash", {
    args: ["-c", script, "bash", "komari-agent-deno", ...words],
    cwd: new URL(".", import.meta.url),
    // Nothing of the developer's own shell.
    clearEnv: true,
    env: { PATH: Deno.env.get("PATH") ?? "" },
  }).output();
  return new TextDecoder().decode(stdout).trim().split("\n");
}

Deno.test("completions() have bash offer commands, their second words and their own options", async () => {
  assertEquals(await offered(["tra"]), ["traffic"]);
  assertEquals(await offered(["traffic", ""]), ["show", "set"]);
  assertEquals(await offered(["help", "un"]), ["uninstall"]);
  assertEquals(await offered(["traffic", "set", "--u"]), ["--up"]);
  assertEquals(await offered(["traffic", "show", "--u"]), [""]);
  assertEquals(await offered(["--update-u"]), ["--update-url"]);
});

Deno.test("completions() have bash offer the values of an option", async () => {
  assertEquals(await offered(["--transport", ""]), ["auto", "http"]);
  assertEquals(await offered(["--config", "completions_t"]), ["completions_test.ts"]);
  assertEquals(await offered(["--token", ""]), [""]);
  assertEquals(await offered(["--gpu", "--disable-c"]), ["--disable-compression"]);
});

for (const shell of ["bash", "zsh", "fish"] as const) {
  Deno.test(`completions() for ${shell} have every flag and command`, () => {
    const script = completions(shell, "en");
    for (const { flag } of OPTION_ROWS) {
      if (flag !== undefined) assertStringIncludes(script, shell === "fish" ? `-l ${flag}` : flag);
    }
    for (const [name] of COMMAND_ROWS) {
      for (const word of name.split(" ")) assert(new RegExp(`\\b${word}\\b`).test(script), word);
    }
  });
}

Deno.test("completions() quote what a help text has in it", () => {
  assertStringIncludes(completions("zsh", "en"), "This node'\\''s secret");
  assertStringIncludes(completions("fish", "en"), "This node\\'s secret");
  assertStringIncludes(completions("fish", "zh"), "本节点的令牌");
});

Deno.test("completions() for fish and zsh say what each option takes", () => {
  const table: [flag: string, fish: string, zsh: string][] = [
    ["endpoint", "-l endpoint -s e -x -d 'The panel\\'s", "it has one]:value: '"],
    ["transport", '-l transport -x -a "auto http" -d ', "or HTTP only]:value:(auto http)'"],
    ["config", "-l config -r -F -d 'A JSON file", "comments are allowed]:FILE:_files'"],
    ["state-dir", "-l state-dir -r -F -d 'Folder for", "registration]:FOLDER:_files'"],
    ["gpu", "-l gpu -d 'Report use", "updated every 10 s]'"],
  ];
  const [fish, zsh] = [completions("fish", "en"), completions("zsh", "en")];
  for (const [flag, ofFish, ofZsh] of table) {
    const condition = /-n "__fish_seen_subcommand_from install" (.*)/;
    const line = fish.split("\n").map((line) => condition.exec(line)?.[1] ?? "")
      .find((line) => line.startsWith(`-l ${flag} `));
    assertEquals(line?.startsWith(ofFish), true, line);
    const spec = zsh.split("\n").find((line) => line.startsWith(`      '--${flag}[`));
    assertEquals(spec?.endsWith(ofZsh), true, spec);
  }
  assertStringIncludes(
    fish,
    '-n "__fish_seen_subcommand_from traffic; and not __fish_seen_subcommand_from show set" -f -a ' +
      "set -d 'set the month\\'s traffic'",
  );
  assertStringIncludes(
    fish,
    '-n "__fish_seen_subcommand_from traffic; and __fish_seen_subcommand_from set" -l up -x -d ',
  );
  assertStringIncludes(zsh, "      '-e[The panel'\\''s address");
  assertStringIncludes(zsh, "    config) choices=('show:check and show the configuration') ;;");
  assertStringIncludes(zsh, '    "traffic set") specs=(\n');
  const choices = (script: string, pattern: RegExp) =>
    Array.from(script.matchAll(pattern), ([, word = ""]) => word);
  const groups = ["traffic", "config", "completions"];
  assertEquals(choices(zsh, /^ {4}(\S+)\) choices=/gm), ['""|help', ...groups, "*"]);
  const bash = completions("bash", "en");
  assertEquals(choices(bash, /^ {6}(\S+)\) COMPREPLY=/gm), ['""|help', ...groups]);
});

Deno.test("runCompletions() prints those of the shell that the command names", () => {
  for (const shell of ["bash", "zsh", "fish"] as const) {
    const context = new FakeContext();
    assertEquals(runCompletions(configOf(["completions", shell]), context), 0);
    assertEquals(context.printed, completions(shell, "en"));
  }
});
