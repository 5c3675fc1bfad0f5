import { assertEquals } from "@std/assert";
import { VERSION } from "../../lib/version.ts";
import { ARGS, type FakeSystem, machineOf, NAME, RELEASES } from "./fake_system.ts";

/** The lines of a summary of an installation that nobody accepts. */
async function summary(
  words: readonly string[],
  { kind = "openrc", prepare = () => {} }: {
    kind?: "openrc" | "user";
    prepare?: (fake: FakeSystem) => void;
  } = {},
): Promise<string[]> {
  await using fake = machineOf(kind);
  prepare(fake);
  await fake.install([...ARGS, ...words]);
  const at = fake.printed.findIndex((line) => line.startsWith("Waiting"));
  return fake.printed.slice(0, at);
}

Deno.test("install() says what it has installed", async () => {
  assertEquals(await summary(RELEASES), [
    `Installed ${NAME} ${VERSION}:`,
    `  Program        /opt/${NAME}/${NAME}`,
    `  Configuration  /etc/${NAME}/config.json`,
    "  Panel          p.example",
    `  Service        ${NAME} (openrc), as user ${NAME}`,
    `  Updates        every 6 h, by ${NAME}-update`,
    `  Log            tail -f /var/log/${NAME}.log`,
    `  Uninstall      ${NAME} uninstall`,
  ]);
});

Deno.test("install() says how a service with another name, as root, is uninstalled", async () => {
  const words = ["--install-service-name", "node-2", "--as-root", "--enable-remote-control"];
  const prepare = (fake: FakeSystem) => fake.write("/usr/local/bin/node-2", "");
  assertEquals(await summary(words, { prepare }), [
    `Installed ${NAME} ${VERSION}:`,
    "  Program        /opt/node-2/node-2",
    "  Configuration  /etc/node-2/config.json",
    "  Panel          p.example",
    "  Service        node-2 (openrc), as user root",
    "  Updates        off: this build has no release address",
    "  Log            tail -f /var/log/node-2.log",
    "  Uninstall      /opt/node-2/node-2 uninstall --install-service-name node-2",
    "  /usr/local/bin/node-2 was not created: another file has that name",
  ]);
});

Deno.test("install() says why there are no updates", async () => {
  const off = async (words: readonly string[]) =>
    (await summary(words)).find((line) => line.startsWith("  Updates"))?.slice(17);
  assertEquals(await off([...RELEASES, "--pin"]), `off: pinned to version ${VERSION}`);
  assertEquals(await off([...RELEASES, "--disable-auto-update"]), "off");
  const without = await off(RELEASES.slice(0, 2));
  assertEquals(without, "off: this build has no key to verify releases with");
});

Deno.test("install() makes the folder of root's command, and says whose remote control it is", async () => {
  const lines = await summary(["--enable-remote-control"], {
    prepare: ({ root }) => Deno.removeSync(`${root}/usr/local/bin`),
  });
  assertEquals(lines.slice(7), [
    `  Uninstall      ${NAME} uninstall`,
    "  Remote control runs as that user, not as root; see --as-root",
  ]);
});

Deno.test("install() says what a user's own service needs", async () => {
  const program = `/home/ann/.local/share/${NAME}/${NAME}`;
  assertEquals(await summary([], { kind: "user" }), [
    `Installed ${NAME} ${VERSION}:`,
    `  Program        ${program}`,
    `  Configuration  /home/ann/.config/${NAME}/config.json`,
    "  Panel          p.example",
    `  Service        ${NAME} (systemd), of this user`,
    "  Updates        off: this build has no release address",
    `  Log            journalctl --user -u ${NAME} -f`,
    `  Uninstall      ${program} uninstall`,
    `  Command        /home/ann/.local/bin/${NAME}`,
    "  /home/ann/.local/bin is new: log in again, so that it is in the PATH",
    "  The service stops when you log out; to keep it, root runs: loginctl enable-linger ann",
  ]);
});
