import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  systemdArgument,
  systemdUnit,
  systemdUpdateTimer,
  systemdUpdateUnit,
  systemdWord,
} from "../../lib/service/systemd.ts";
import { expandSystemdWords, splitSystemdWords } from "../../lib/service/official_commands.ts";
import { ESCAPED_PLAN, golden, SYSTEM_PLAN, USER_PLAN } from "./service_plans.ts";
import { TempFolder } from "../temp_folder.ts";

Deno.test("systemdUnit() sandboxes the system service", () => {
  assertEquals(systemdUnit(SYSTEM_PLAN), golden("usual.service"));
});

Deno.test("systemdUnit() quotes blanks, quotes, % and $", () => {
  assertEquals(systemdUnit(ESCAPED_PLAN), golden("odd.service"));
});

Deno.test("systemdUnit() has no sandbox for remote control as root", () => {
  const plan = { ...SYSTEM_PLAN, user: "root", sandbox: "none" } as const;
  assertEquals(systemdUnit(plan), golden("root.service"));
});

Deno.test("systemdUnit() has no mount namespace when the machine forbids it", () => {
  const unit = systemdUnit({ ...SYSTEM_PLAN, sandbox: "no mounts" });
  assertEquals(/^(Protect|Private|ReadWrite).*/m.exec(unit)?.[0], undefined);
  assert(
    unit.includes("NoNewPrivileges=yes") && unit.includes("CapabilityBoundingSet=CAP_NET_RAW"),
  );
});

Deno.test("systemdUnit() of a user's service has no settings that need root", () => {
  assertEquals(systemdUnit(USER_PLAN), golden("user.service"));
});

Deno.test({
  name: "systemdUnit() makes a unit that systemd takes, exposed at most 3 of 10",
  ignore: !hasAnalyze(),
  async fn() {
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
  },
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

Deno.test("systemdUpdateUnit() updates as root, separately from the agent", () => {
  assertEquals(systemdUpdateUnit(SYSTEM_PLAN), golden("usual-update.service"));
});

Deno.test("systemdUpdateUnit() reads the proxies and keeps Deno's cache from the agent", () => {
  assertEquals(systemdUpdateUnit(ESCAPED_PLAN), golden("odd-update.service"));
});

Deno.test("systemdUpdateUnit() uses the user's folders", () => {
  assertEquals(systemdUpdateUnit(USER_PLAN), golden("user-update.service"));
});

Deno.test("systemdUpdateTimer() fires after boot and every 6 h", () => {
  assertEquals(systemdUpdateTimer(), golden("update.timer"));
});

/** What a path or a value may have: everything but line feeds and other control characters. */
const words = fc.string({ minLength: 1 }).filter((word) => !/\p{Cc}/u.test(word));

Deno.test("systemdWord() is read back unchanged", () => {
  fc.assert(fc.property(words, (word) => {
    const [read, ...more] = splitSystemdWords(systemdWord(word).replaceAll("%%", "%"));
    assertEquals([read, more], [word, []]);
  }));
});

Deno.test("systemdArgument() expands no variable", () => {
  fc.assert(fc.property(words, (word) => {
    const split = splitSystemdWords(systemdArgument(word).replaceAll("%%", "%"));
    assertEquals(expandSystemdWords(split, { HOME: "x" }), [word]);
  }));
});
