import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { UsageError } from "../../lib/config/usage_error.ts";
import { VERSION } from "../../lib/version.ts";
import { ARGS, CONFIG, machineOf, NAME, onOpenRc, RELEASES } from "./fake_system.ts";

const RECORD = `/etc/${NAME}/install.json`;

onOpenRc.test("install() with --pin stays at its version until that is unset", async (machine) => {
  const install = (...words: string[]) => machine.install(words);
  const record = () => JSON.parse(machine.text(RECORD)).pinned;
  const hasUpdates = () => machine.tree().some((line) => line.includes(`${NAME}-update`));
  await install(...ARGS, ...RELEASES);
  assertEquals([record(), hasUpdates()], ["", true]);
  await install("--pin");
  assertEquals([record(), hasUpdates()], [VERSION, false]);
  assertStringIncludes(machine.output, `off: pinned to version ${VERSION}`);
  await install("-i", "5");
  assertEquals([record(), hasUpdates()], [VERSION, false], "it stays");

  // The program that installs now is another version than the one that is pinned.
  machine.write(
    RECORD,
    machine.text(RECORD).replace(`"pinned": "${VERSION}"`, '"pinned": "0.0.7"'),
  );
  const before = machine.tree();
  const why = `Cannot install version ${VERSION}: ${NAME} is pinned to version 0.0.7; use --pin`;
  await assertRejects(() => install("-i", "6"), UsageError, why);
  assertEquals(machine.tree(), before);
  await install("--pin");
  assertEquals(record(), VERSION);
  const [config, pinned] = [machine.text(CONFIG), machine.text(RECORD)];
  machine.write(CONFIG, config.replace('"pin": true', '"pin": false'));
  machine.write(RECORD, pinned.replace(`"pinned": "${VERSION}"`, '"pinned": "0.0.7"'));
  await install();
  assertEquals([record(), hasUpdates()], ["", true], "its owner has changed the configuration");
  await install("--pin");
  await install("--unset", "pin");
  assertEquals([record(), hasUpdates()], ["", true]);
});

Deno.test("install() without root makes the folder of the command, and names it", async () => {
  const home = "/home/ann";
  await using machine = machineOf("user");
  const before = machine.tree();
  await machine.install(ARGS);
  const link = `${home}/.local/bin/${NAME}`;
  const expected = `${home}/.local/share/${NAME}/${NAME}`;
  assertEquals(Deno.readLinkSync(machine.root + link), expected);
  const printed = machine.output;
  assertStringIncludes(printed, `  Command        ${link}`);
  assertStringIncludes(printed, `${home}/.local/bin is new: log in again`);
  await machine.uninstall();
  assertEquals(machine.tree(), before);
});
