import { assert, assertEquals, assertRejects } from "@std/assert";
import { ARGS, type FakeSystem, machineOf, NAME, onOpenRc } from "./fake_system.ts";
import { testsWith } from "../tests_with.ts";

async function installed(): Promise<FakeSystem> {
  const fake = machineOf("systemd", {}, { folders: ["etc/systemd/system"] });
  await fake.install(ARGS);
  fake.calls();
  return fake;
}

const whileInstalled = testsWith(() => installed());

whileInstalled.test("uninstall() with --print shows what would be removed, and changes nothing", async (fake) => {
  const program = `/opt/${NAME}/${NAME}`;
  // Of this list everything is there, and nothing else.
  const paths = [`${program}.old`, `${program}.update/update.state`, `/var/lib/${NAME}/state`];
  for (const path of paths) fake.write(path, "");
  fake.printed.length = 0;
  const before = fake.tree();
  await fake.uninstall({ print: true });
  assertEquals(fake.tree(), before);
  assertEquals(fake.calls(), []);
  assertEquals(fake.printed, [
    `Run systemctl stop ${NAME}.service`,
    `Run systemctl disable ${NAME}.service`,
    `Run systemctl reset-failed ${NAME}.service`,
    `Remove /etc/systemd/system/${NAME}.service`,
    `Remove /etc/${NAME}/config.json`,
    `Remove /opt/${NAME}/${NAME}`,
    `Remove /opt/${NAME}/${NAME}.old`,
    `Remove /usr/local/bin/${NAME}`,
    "Run systemctl daemon-reload",
    `Remove /var/lib/${NAME} and everything in it`,
    `Remove /opt/${NAME}/${NAME}.update and everything in it`,
    `Run userdel ${NAME}`,
    `Run groupdel ${NAME}`,
    `Remove /etc/${NAME}/install.json`,
    `Remove /opt/${NAME} if it is empty`,
    `Remove /etc/${NAME} if it is empty`,
    "Remove /opt if it is empty",
  ]);
});

onOpenRc.test("uninstall() keeps the state when keepsState, and install() uses it again", async (fake) => {
  const before = fake.tree();
  await fake.install(ARGS);
  const state = `/var/lib/${NAME}/traffic.state`;
  fake.write(state, "the month's traffic");
  fake.printed.length = 0;
  await fake.uninstall({ keepsState: true, print: true });
  const ofState = fake.printed.filter((line) => line.includes("/var/lib"));
  assertEquals(ofState, [`Run chown -hR 0:0 /var/lib/${NAME}`]);
  fake.printed.length = 0;
  await fake.uninstall({ keepsState: true });
  assertEquals(fake.printed, [
    `Removed ${NAME}, with its service and configuration; its state stays in /var/lib/${NAME}`,
  ]);
  assertEquals(fake.text(state), "the month's traffic");
  const calls = fake.calls();
  const [chown = -1, deluser = -1] = ["chown -hR 0:0", "userdel"].map((words) =>
    calls.findIndex((call) => call.startsWith(words))
  );
  assert(chown !== -1 && chown < deluser, `${[chown, deluser]}: root's before its user goes`);
  const expected = [`/var/lib/${NAME}/ 700`, `${state} 644`];
  assertEquals(fake.tree().filter((line) => !before.includes(line)), expected);

  fake.calls();
  await fake.install(ARGS);
  assert(fake.calls().includes(`chown -hR ${NAME}: /var/lib/${NAME}`), "of the new user");
  assertEquals(fake.text(state), "the month's traffic");
  await fake.uninstall();
  assertEquals(fake.tree(), before);
});

whileInstalled.test("uninstall() keeps a link to another target, and files that it did not create", async (fake) => {
  const link = `${fake.root}/usr/local/bin/${NAME}`;
  await Deno.remove(link);
  await Deno.symlink("/bin/true", link);
  fake.write(`/etc/${NAME}/notes.txt`, "mine");
  fake.write(`/etc/${NAME}/o\n\u2192 run it`, "");
  await fake.uninstall();
  assertEquals([Deno.readLinkSync(link), fake.text(`/etc/${NAME}/notes.txt`)], [
    "/bin/true",
    "mine",
  ]);
  const kept = [`/etc/${NAME}/notes.txt`, `/etc/${NAME}/o?-> run it`];
  const lines = kept.map((path) => `Kept ${path}, which install did not create.`);
  assertEquals(fake.printed.slice(-2).sort(), lines);
});

Deno.test("uninstall() says that a user stays who could not be removed", async () => {
  await using fake = machineOf("systemd", { userdel: "exit 8" });
  await fake.install(ARGS);
  await fake.uninstall();
  const line = `Kept the user ${NAME}, who could not be removed.`;
  assertEquals(fake.printed.at(-1), line);
});

Deno.test("uninstall() keeps a user that existed before", async () => {
  await using fake = machineOf("systemd");
  fake.write(`/users/${NAME}`, "");
  await fake.install(ARGS);
  await fake.uninstall();
  assert(fake.tree().some((line) => line.startsWith(`/users/${NAME}`)));
});

whileInstalled.test("uninstall() continues when the service is already gone", async (fake) => {
  const { tools } = fake.system;
  const run = () => Promise.resolve({ code: 5, output: "Unit not loaded." });
  Object.assign(fake.system, { tools: { has: () => true, run } });
  // The manager itself has to answer, which is all that may not fail.
  await assertRejects(() => fake.uninstall(), Error, "daemon-reload");
  Object.assign(fake.system, { tools });
  await fake.uninstall();
  assert(!fake.tree().some((line) => line.includes(`/${NAME}`)));
});

whileInstalled.test("uninstall() throws when the record is damaged", async (fake) => {
  fake.write(`/etc/${NAME}/install.json`, "{}");
  await assertRejects(() => fake.uninstall(), Error, "Cannot read");
});

Deno.test("install() lets a user's service outlive his logout, and uninstall() ends that", async () => {
  await using fake = machineOf("user");
  for (let n = 0; n < 2; n++) await fake.install(ARGS);
  await fake.uninstall();
  const lingers = fake.calls().filter((line) => line.startsWith("loginctl"));
  const [enable, disable] = ["enable", "disable"]
    .map((verb) => `loginctl --no-ask-password ${verb}-linger ann`);
  assertEquals(lingers, [enable, enable, disable]);
});

onOpenRc.test("install() and uninstall() leave a command alone that somebody else has put there", async (fake) => {
  const command = `/usr/local/bin/${NAME}`;
  fake.write(command, "theirs");
  await fake.install(ARGS);
  assert(fake.output.includes(`  Uninstall      /opt/${NAME}/${NAME} uninstall`), fake.output);
  await fake.uninstall();
  assertEquals(fake.text(command), "theirs");
});
