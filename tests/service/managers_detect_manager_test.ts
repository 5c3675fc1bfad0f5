import { assertEquals, assertThrows } from "@std/assert";
import { UsageError } from "../../lib/config/usage_error.ts";
import { detectManager } from "../../lib/service/managers.ts";
import { type Fakes, PaperSite } from "./fake_system.ts";

async function detected(folders: string[], fakes: Fakes = {}, site = {}): Promise<string> {
  await using paper = new PaperSite({ folders, fakes, site });
  return detectManager(paper.site);
}

Deno.test("detectManager() knows each by what runs, not by what is installed", async () => {
  assertEquals(await detected(["run/systemd/system", "run/openrc"]), "systemd");
  assertEquals(await detected(["run/openrc"], { "rc-service": "" }), "openrc");
  assertEquals(await detected(["sbin/procd"]), "procd");
  assertEquals(await detected([], {}, { os: "darwin" }), "launchd");
  assertEquals(await detected(["run/systemd/system"], {}, { uid: 1000 }), "systemd");
});

Deno.test("detectManager() throws where there is none, and where users have no services", async () => {
  await using bare = new PaperSite({ folders: ["usr/lib/systemd/system"], fakes: {} });
  assertThrows(() => detectManager(bare.site), UsageError, "neither systemd");
  await using procd = new PaperSite({ folders: ["sbin/procd"], fakes: {}, site: { uid: 1000 } });
  assertThrows(() => detectManager(procd.site), UsageError, "procd has no services of users");
});
