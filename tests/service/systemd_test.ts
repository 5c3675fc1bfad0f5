import { assert, assertEquals } from "@std/assert";
import { systemdUnit } from "../../lib/service/systemd.ts";
import { ESCAPED_PLAN, golden, SYSTEM_PLAN, USER_PLAN } from "./service_plans.ts";

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
      const folder = await Deno.makeTempDir();
      try {
        const path = `${folder}/${plan.name}.service`;
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
      } finally {
        await Deno.remove(folder, { recursive: true });
      }
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
