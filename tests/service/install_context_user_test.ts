import { assertEquals, assertRejects } from "@std/assert";
import { UsageError } from "../../lib/config/usage_error.ts";
import { toolLine } from "../../lib/host/tool_runner.ts";
import { removeUserCommands, serviceUser } from "../../lib/service/install_context.ts";
import { type Fakes, FakeSystem, USERS } from "./fake_system.ts";

const { signal } = new AbortController();

async function userOf(fakes: Fakes, options: { asRoot?: boolean; system?: object } = {}) {
  await using fake = new FakeSystem({ folders: [], fakes, system: options.system ?? {} });
  const { asRoot = false } = options;
  const asked = { service: "agent", asRoot, system: fake.system };
  const { name, createCommands } = await serviceUser(asked, signal);
  return {
    name,
    createCommands: createCommands.map(toolLine),
    remove: removeUserCommands(name, fake.system).map(toolLine),
  };
}

Deno.test("serviceUser() creates a user with the available tools", async () => {
  const { name, createCommands } = await userOf(USERS);
  assertEquals([name, createCommands.length], ["agent", 1]);
  const busybox = { id: "exit 1", adduser: "", addgroup: "", deluser: "", delgroup: "" };
  assertEquals(await userOf(busybox), {
    name: "agent",
    createCommands: [
      "addgroup -S agent",
      "adduser -S -D -H -h /nonexistent -s /sbin/nologin -G agent agent",
    ],
    remove: ["deluser agent", "delgroup agent"],
  });
});

Deno.test("serviceUser() uses an existing user, unless others share its group", async () => {
  const { name, createCommands } = await userOf({ ...USERS, id: "echo agent" });
  assertEquals([name, createCommands], ["agent", []]);
  const why = "Cannot run the service as the user agent: its group is nogroup";
  await assertRejects(() => userOf({ ...USERS, id: "echo nogroup" }), UsageError, why);
});

Deno.test("serviceUser() creates no user for root, for a user's service and on a Mac", async () => {
  assertEquals((await userOf({}, { asRoot: true })).name, "root");
  assertEquals((await userOf({}, { system: { uid: 1000 } })).name, "");
  assertEquals((await userOf({}, { system: { os: "darwin", sudoUser: "ann" } })).name, "ann");
});

Deno.test("serviceUser() throws when no user can be created", async () => {
  const lacking: readonly Fakes[] = [{}, { adduser: "" }, { addgroup: "" }];
  for (const tools of lacking) {
    const fakes = { id: "exit 1", ...tools };
    await assertRejects(() => userOf(fakes), UsageError, "neither useradd nor adduser");
  }
  const asUser = { asRoot: true, system: { uid: 1000 } };
  await assertRejects(() => userOf(USERS, asUser), UsageError, "without root");
  for (const sudoUser of ["", "root"]) {
    const ofRoot = { system: { os: "darwin", sudoUser } };
    await assertRejects(() => userOf(USERS, ofRoot), UsageError, "run this with sudo as that user");
  }
});
