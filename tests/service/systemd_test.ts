import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  systemdArgument,
  systemdUnit,
  systemdUpdateTimer,
  systemdUpdateUnit,
  systemdWord,
} from "../../lib/service/systemd.ts";
import { splitShellWords } from "../../lib/parse/shell_words.ts";
import { ESCAPED_PLAN, golden, SYSTEM_PLAN, USER_PLAN } from "./service_plans.ts";
import { TempFolder } from "../temp_folder.ts";
import { onlyIf } from "../only_on.ts";

const ROOT_PLAN = { ...SYSTEM_PLAN, user: "root", sandbox: "none" } as const;

const GOLDENS: [file: string, text: string, what: string][] = [
  ["usual.service", systemdUnit(SYSTEM_PLAN), "sandboxes the system service"],
  ["odd.service", systemdUnit(ESCAPED_PLAN), "quotes blanks, quotes, % and $"],
  ["root.service", systemdUnit(ROOT_PLAN), "has no sandbox for remote control as root"],
  ["user.service", systemdUnit(USER_PLAN), "of a user has no settings that need root"],
  ["usual-update.service", systemdUpdateUnit(SYSTEM_PLAN), "updates as root, apart from the agent"],
  ["odd-update.service", systemdUpdateUnit(ESCAPED_PLAN), "keeps Deno's cache from the agent"],
  ["user-update.service", systemdUpdateUnit(USER_PLAN), "updates in the user's folders"],
  ["update.timer", systemdUpdateTimer(), "fires after boot and every 6 h"],
];

for (const [file, text, what] of GOLDENS) {
  Deno.test(`${file} of systemd ${what}`, () => assertEquals(text, golden(file)));
}

Deno.test("systemdUnit() has no mount namespace when the machine forbids it", () => {
  const unit = systemdUnit({ ...SYSTEM_PLAN, sandbox: "no mounts" });
  assertEquals(/^(Protect|Private|ReadWrite).*/m.exec(unit)?.[0], undefined);
  assert(
    unit.includes("NoNewPrivileges=yes") && unit.includes("CapabilityBoundingSet=CAP_NET_RAW"),
  );
});

const here = onlyIf(hasAnalyze());

here.test("systemdUnit() makes a unit that systemd takes, exposed at most 3 of 10", async () => {
  for (const plan of [SYSTEM_PLAN, ESCAPED_PLAN, { ...SYSTEM_PLAN, usesDevices: true }]) {
    using folder = new TempFolder();
    const path = `${folder.path}/${plan.name}.service`;
    await Deno.writeTextFile(path, systemdUnit(plan));
    const verified = await analyze("verify", path);
    // The program is not there; that is all there may be to say.
    const troubles = verified.split("\n").filter((line) =>
      line.includes(plan.name) && !line.includes("is not executable")
    );
    assertEquals(troubles, []);
    const judged = await analyze("security", "--offline=true", "--no-pager", path);
    const exposure = Number(/exposure level for .*: ([\d.]+)/.exec(judged)?.[1]);
    assert(exposure <= 3, judged);
  }
});

async function analyze(...args: string[]): Promise<string> {
  const { stdout, stderr } = await new Deno.Command("systemd-analyze", { args }).output();
  return new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
}

/** Whether there is one that judges files without a running systemd, as since version 250. */
function hasAnalyze(): boolean {
  try {
    const { stdout } = new Deno.Command("systemd-analyze", { args: ["--version"] }).outputSync();
    return Number(/^systemd (\d+)/.exec(new TextDecoder().decode(stdout))?.[1]) >= 250;
  } catch {
    return false;
  }
}

/** What a path or a value may have: everything but line feeds and other control characters. */
const words = fc.string({ minLength: 1 }).filter((word) => !/\p{Cc}/u.test(word));

Deno.test("systemdWord() and systemdArgument() are read back unchanged", () => {
  // systemd reads %% as %, and in arguments $$ as $; the rest of its quotes is a shell's.
  const read = (text: string) => splitShellWords(text.replaceAll("%%", "%"));
  fc.assert(fc.property(words, (word) => {
    assertEquals(read(systemdWord(word)), [word]);
    const argument = systemdArgument(word);
    assertEquals(argument.replaceAll("$$", "").includes("$"), false);
    assertEquals(read(argument.replaceAll("$$", "$")), [word]);
  }));
});
