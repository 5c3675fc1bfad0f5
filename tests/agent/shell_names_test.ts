import { assertEquals } from "@std/assert";
import { sealNeeds, ShellNames } from "../../lib/agent/shell_names.ts";
import { Shell } from "../../lib/sandbox/shell.ts";
import { configOf } from "../metrics/config_of.ts";
import { realDeadline } from "../real_deadline.ts";
import { TestShell } from "../sandbox/test_shell.ts";

const { signal } = new AbortController();

/** Names by a shell whose `getent` is a script; without one it finds none. */
async function withGetent(
  script: string | undefined,
  use: (names: ShellNames) => Promise<void>,
): Promise<void> {
  await using shell = new TestShell({ programs: script === undefined ? {} : { getent: script } });
  await use(new ShellNames(shell));
}

Deno.test("sealNeeds() asks for what the options need, and no more", async () => {
  await withGetent('for name; do :; done; echo "127.0.0.1 STREAM $name"', async (names) => {
    const needsOf = async (...args: string[]) => {
      const needs = await sealNeeds(configOf(args), { names, shell: undefined, signal });
      return [needs.readsFiles, needs.bindsSockets, needs.looksAtFiles];
    };
    assertEquals(await needsOf("--month-rotate", "0"), [undefined, false, false]);
    assertEquals(await needsOf("--month-rotate", "1"), [undefined, false, true]);
    assertEquals(await needsOf("--month-rotate", "31"), [undefined, false, true]);
    assertEquals(await needsOf("--custom-dns", "192.0.2.53"), [undefined, true, false]);
    const shell = { user: 61234, staysRoot: "its shell stays" };
    const { user, rootShell } = await sealNeeds(configOf(), { names, shell, signal });
    assertEquals([user, rootShell], [61234, "its shell stays"]);
  });
  const without = new ShellNames(undefined);
  const { readsFiles } = await sealNeeds(configOf(), { names: without, shell: undefined, signal });
  assertEquals(readsFiles, "/bin/sh could not be started to resolve names with");
});

Deno.test("sealNeeds() waits for no shell when the agent is to end", async () => {
  await withGetent("sleep 1000", async (names) => {
    const ended = new AbortController();
    const needs = sealNeeds(configOf(), { names, shell: undefined, signal: ended.signal });
    ended.abort();
    assertEquals((await realDeadline(needs)).readsFiles, undefined);
  });
});

Deno.test("ShellNames resolves by the shell's getent", async () => {
  await withGetent('for name; do :; done; echo "127.0.0.1 STREAM $name"', async (names) => {
    assertEquals(await names.failure, undefined);
    assertEquals(await names.lookUp("panel.example"), ["127.0.0.1"]);
    assertEquals(await names.lookUpHosts("panel.example"), ["127.0.0.1"]);
  });
  await withGetent('[ "$2" = 127.0.0.1 ] && echo "127.0.0.1 STREAM"', async (names) => {
    assertEquals(await names.failure, undefined);
    assertEquals(await names.lookUp("localhost"), []);
  });
});

Deno.test("ShellNames resolves by the runtime where the shell can't, or there is none", async () => {
  const resolves = async (names: ShellNames) => {
    const failure = await names.failure;
    names.onSealed();
    assertEquals((await names.lookUp("localhost")).length > 0, true);
    assertEquals((await names.lookUpHosts("localhost")).length > 0, true);
    return failure;
  };
  for (const script of [undefined, "exit 1"]) {
    await withGetent(script, async (names) => {
      assertEquals(await resolves(names), 'there is no "getent" that resolves names');
    });
  }
  const without = "/bin/sh could not be started to resolve names with";
  assertEquals(await resolves(new ShellNames(undefined)), without);
  const shell = new Shell({ proc: "/proc" });
  await shell.close();
  // Whether there is a getent was not found out.
  const ended = "Cannot ask the shell: it has ended: it was closed";
  assertEquals(await resolves(new ShellNames(shell)), ended);
});

Deno.test("ShellNames reads nothing from the network before the seal", async () => {
  await withGetent(undefined, async (names) => {
    let found: readonly string[] | undefined;
    const looking = names.lookUp("localhost").then((addresses) => found = addresses);
    await names.failure;
    await new Promise((resolve) => setTimeout(resolve, 0));
    assertEquals(found, undefined);
    names.onSealed();
    await looking;
  });
});
