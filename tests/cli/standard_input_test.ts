import { assertEquals, assertMatch, assertThrows } from "@std/assert";
import { ownPlaces } from "../own_places.ts";
import { readOwnText, readStandardInput } from "../../lib/cli/standard_input.ts";
import { replaced } from "../replaced.ts";
import { TempFolder } from "../temp_folder.ts";

const MAIN = new URL("../../main.ts", import.meta.url).pathname;

/** Runs `config show` with that on standard input. */
async function show(input: string): Promise<{ code: number; output: string }> {
  using home = new TempFolder();
  // Not the configuration that may be installed on this machine.
  const path = `${home.path}/config.json`;
  await Deno.writeTextFile(path, "{}");
  const words = ["config", "show", "--config", path, "--token-file", "-"];
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", MAIN, ...words],
    env: { NO_COLOR: "1", ...ownPlaces(home.path) },
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(input));
  await writer.close();
  const { code, stdout, stderr } = await child.output();
  const decoder = new TextDecoder();
  return { code, output: decoder.decode(stdout) + decoder.decode(stderr) };
}

Deno.test("--token-file - reads the token from standard input, and refuses an empty one", async () => {
  const { code, output } = await show("the-token\n");
  assertEquals(code, 0, output);
  assertMatch(output, /^ *token +\*+ +flag --token-file$/m);
  assertEquals(output.includes("the-token"), false);
  const empty = await show("\n");
  assertEquals(empty.code, 2);
  assertMatch(empty.output, /Cannot use --token-file -: it is empty/);
});

/** What is read at a terminal where these keys are pressed, and what happens to the terminal. */
function atTerminal(keys: string, read: () => void): string[] {
  const events: string[] = [];
  const pressed = [...new TextEncoder().encode(keys)];
  using _keyboard = replaced(Deno.stdin, {
    isTerminal: () => true,
    setRaw: (mode: boolean) => void events.push(mode ? "raw" : "restored"),
    readSync(into: Uint8Array) {
      const key = pressed.shift();
      if (key === undefined) return null;
      into[0] = key;
      return 1;
    },
  });
  using _screen = replaced(Deno.stderr, {
    writeSync(bytes: Uint8Array) {
      events.push(JSON.stringify(new TextDecoder().decode(bytes)));
      return bytes.length;
    },
  });
  read();
  return events;
}

Deno.test("readStandardInput() reads a hidden line at a terminal, and restores the terminal", () => {
  const lines: string[] = [];
  for (const keys of ["grüx\x7fn\rrest", "two\nrest", "end\x04", "gone"]) {
    const events = atTerminal(keys, () => lines.push(readStandardInput("en")));
    assertEquals(events, ['"Token: "', "raw", "restored", '"\\n"']);
  }
  assertEquals(lines, ["grün", "two", "end", "gone"]);
  const interrupted = atTerminal("t0k\x03en\r", () => {
    assertThrows(() => readStandardInput("zh"), Error, "interrupted");
  });
  assertEquals(interrupted, ['"令牌："', "raw", "restored", '"\\n"']);
});

Deno.test("readOwnText() says whose a file is that this user may not read, and the command that helps", () => {
  const denied = () => {
    throw new Deno.errors.PermissionDenied("denied");
  };
  const of = (owner: number | undefined, uid: number, path = "/run/token") => {
    const statSync = () => owner === undefined ? denied() : { uid: owner, mode: 0o100600 };
    using _ = replaced<object>(Deno, {
      readTextFileSync: denied,
      statSync,
      uid: () => uid,
      gid: () => 44,
    });
    return assertThrows(() => readOwnText(path), Error).message;
  };
  const config = "/etc/x/config.json";
  const texts = [of(0, 1000), of(1000, 1000), of(0, 65532), of(0, 997, config), of(undefined, 7)];
  assertEquals(
    texts.join("\n"),
    `\
user 1000 may not read it, which is user 0's with mode 600 → chown 1000 /run/token
user 1000 may not read it, which is user 1000's with mode 600 → chmod u+r /run/token
user 65532 may not read it, which is user 0's with mode 600 → chown 65532 /run/token (on the host: the file that is mounted there)
user 997 may not read it, which is user 0's with mode 600 → chgrp 44 ${config} && chmod g+r ${config}
user 7 may not enter its folder → see which one: namei -l /run/token`,
  );
  assertThrows(() => readOwnText("/nowhere"), Deno.errors.NotFound);
});
