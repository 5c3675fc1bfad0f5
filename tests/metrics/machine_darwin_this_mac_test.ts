import { assertRejects } from "@std/assert";
import { resolveConfig } from "../../lib/config/config.ts";
import { UsageError } from "../../lib/config/usage_error.ts";
import { openMachine } from "../../lib/metrics/open_machine.ts";

function config(args: string[], env: Record<string, string> = {}) {
  return resolveConfig({
    args: [...args, "--dry-run"],
    env,
    readText: () => "",
    readMode: () => undefined,
  });
}

const MAC = { os: "darwin", arch: "aarch64" };

Deno.test("openMac() refuses what only Linux has", async () => {
  await assertRejects(
    () => openMachine(config(["--enable-remote-control"]), MAC),
    UsageError,
    "remote control",
  );
  await assertRejects(
    () => openMachine(config([], { HOST_PROC: "/host/proc" }), MAC),
    UsageError,
    "HOST_PROC",
  );
});
