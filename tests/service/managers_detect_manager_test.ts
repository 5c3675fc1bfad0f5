import { assertEquals, assertThrows } from "@std/assert";
import { UsageError } from "../../lib/config/usage_error.ts";
import { detectManager } from "../../lib/service/managers.ts";
import { type Fakes, FakeSystem } from "./fake_system.ts";

async function detected(folders: string[], fakes: Fakes = {}, system = {}): Promise<string> {
  await using fake = new FakeSystem({ folders, fakes, system });
  return detectManager(fake.system);
}

Deno.test("detectManager() detects the running manager, not an installed one", async () => {
  assertEquals(await detected(["run/systemd/system", "run/openrc"]), "systemd");
  assertEquals(await detected(["run/openrc"], { "rc-service": "" }), "openrc");
  assertEquals(await detected([], {}, { os: "darwin" }), "launchd");
  assertEquals(await detected(["run/systemd/system"], {}, { uid: 1000 }), "systemd");
});

Deno.test("detectManager() throws when there is no manager, or none for users", async () => {
  await using bare = new FakeSystem({ folders: ["usr/lib/systemd/system"], fakes: {} });
  assertThrows(() => detectManager(bare.system), UsageError, "neither systemd");
  // Containers of Alpine have the folder, and nothing that starts services.
  await using openrc = new FakeSystem({ folders: ["run/openrc"], fakes: {} });
  assertThrows(() => detectManager(openrc.system), UsageError, "neither systemd");
  const fakes = { "rc-service": "" };
  await using user = new FakeSystem({ folders: ["run/openrc"], fakes, system: { uid: 1000 } });
  assertThrows(() => detectManager(user.system), UsageError, "openrc has no services of users");
});
