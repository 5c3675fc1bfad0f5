import { assertEquals, assertThrows } from "@std/assert";
import { UsageError } from "../../lib/config/usage_error.ts";
import { requireChangeable } from "../../lib/service/changeable.ts";
import type { Step } from "../../lib/service/install_step.ts";
import { restoring } from "../restoring.ts";
import { onOpenRc } from "./fake_system.ts";

onOpenRc.test("requireChangeable() names a file, or the folder of one, that nobody may change", (machine) => {
  machine.write("/opt/x/program", "old");
  machine.write("/etc/x/config.json", "{}");
  const steps: Step[] = [
    { tool: "true", args: [] },
    { do: "file", path: "/opt/x/program", text: "new", mode: 0o755 },
    { do: "file", path: "/opt/x/not-there", text: "new", mode: 0o755 },
    { do: "remove", path: "/etc/x/config.json" },
  ];
  const check = () => requireChangeable(steps, { verb: "install", system: machine.system });
  const { mode } = Deno.statSync(`${machine.root}/opt/x/program`);
  check();
  assertEquals(Deno.statSync(`${machine.root}/opt/x/program`).mode, mode);
  using _ = restoring(Deno, "chmodSync");
  for (const immutable of ["/opt/x/program", "/opt/x", "/etc/x/config.json"]) {
    Deno.chmodSync = (path) => {
      if (path !== machine.root + immutable) return;
      throw new Deno.errors.PermissionDenied(
        `Operation not permitted (os error 1): chmod '${path}'`,
      );
    };
    const words = `Cannot install: the kernel refuses to change ${machine.root}${immutable}, so`;
    assertThrows(check, UsageError, words);
  }
  // A file system that is read-only says so at the first change.
  Deno.chmodSync = () => {
    throw new Deno.errors.PermissionDenied("Permission denied (os error 13): chmod");
  };
  check();
});
