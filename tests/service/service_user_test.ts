import { assertEquals, assertRejects } from "@std/assert";
import { UsageError } from "../../lib/config/usage_error.ts";
import { toolLine } from "../../lib/host/tool_runner.ts";
import { removeUser, serviceUser } from "../../lib/service/service_user.ts";
import { type Fakes, PaperSite, USERS } from "./fake_system.ts";

const { signal } = new AbortController();

async function userOf(fakes: Fakes, options: { asRoot?: boolean; site?: object } = {}) {
  await using paper = new PaperSite({ folders: [], fakes, site: options.site ?? {} });
  const { asRoot = false } = options;
  const asked = { service: "agent", asRoot, site: paper.site };
  const { name, make } = await serviceUser(asked, signal);
  return { name, make: make.map(toolLine), remove: removeUser(name, paper.site).map(toolLine) };
}

Deno.test("serviceUser() makes a user by the tools that there are", async () => {
  const { name, make } = await userOf(USERS);
  assertEquals([name, make.length], ["agent", 1]);
  const busybox = { id: "exit 1", adduser: "", addgroup: "", deluser: "", delgroup: "" };
  assertEquals(await userOf(busybox), {
    name: "agent",
    make: [
      "addgroup -S agent",
      "adduser -S -D -H -h /nonexistent -s /sbin/nologin -G agent agent",
    ],
    remove: ["deluser agent", "delgroup agent"],
  });
});

Deno.test("serviceUser() takes the user that is there", async () => {
  assertEquals((await userOf({ ...USERS, id: "echo 998" })).make, []);
});

Deno.test("serviceUser() makes none for root, for a user, and on a Mac", async () => {
  assertEquals((await userOf({}, { asRoot: true })).name, "root");
  assertEquals((await userOf({}, { site: { uid: 1000 } })).name, "");
  assertEquals((await userOf({}, { site: { os: "darwin", sudoUser: "ann" } })).name, "ann");
});

Deno.test("serviceUser() throws where there is no way to make one", async () => {
  await assertRejects(() => userOf({ id: "exit 1" }), UsageError, "neither useradd nor adduser");
  const asUser = { asRoot: true, site: { uid: 1000 } };
  await assertRejects(() => userOf(USERS, asUser), UsageError, "only root can");
});
