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
