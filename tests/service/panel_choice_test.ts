import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { UsageError } from "../../lib/config/usage_error.ts";
import { readInstalledPanels } from "../../lib/service/panel_choice.ts";
import { CONFIG, type FakeSystem, machineOf, onOpenRc } from "./fake_system.ts";
import { asRoot } from "../only_on.ts";

/** Installs with these words, and gives the configuration then. */
async function installed(machine: FakeSystem, ...words: string[]) {
  await machine.install(["--gpu", ...words]);
  return machine.config();
}

const ONE = ["-e", "https://one.example", "-t", "t0ken-1"];
const TWO = ["-e", "https://two.example", "-t", "t0ken-2"];
const THREE = ["-e", "https://three.example", "-t", "t0ken-3"];
const first = { endpoint: "https://one.example", token: "t0ken-1", enable_gpu: true };
const second = { endpoint: "https://two.example", token: "t0ken-2" };

/** The lines about panels that were printed since the last call. */
function panelLines({ printed }: FakeSystem): string[] {
  return printed.splice(0).flatMap((line) => /^(?: {2})?Panel {2,}(.*)/.exec(line)?.[1] ?? []);
}

onOpenRc.test("install() sets the panels by the pairs given, and says who came, stayed and went", async (machine) => {
  assertEquals(await installed(machine, ...ONE), first);
  assertEquals(panelLines(machine), ["one.example"]);
  const added = await installed(machine, "-e", "https://one.example", ...TWO);
  assertEquals(added, { ...first, panels: [second] }, "one without a token keeps its own");
  assertEquals(panelLines(machine), ["one.example, as before", "two.example, new"]);
  assertEquals(await installed(machine), { ...first, panels: [second] }, "none given");
  assertEquals(panelLines(machine), ["one.example, as before", "two.example, as before"]);

  const changed = await installed(machine, ...TWO.slice(0, 2), "-t", "t0ken-2b", ...THREE);
  assertEquals(changed, {
    ...{ endpoint: "https://two.example", token: "t0ken-2b", enable_gpu: true },
    panels: [{ endpoint: "https://three.example", token: "t0ken-3" }],
  });
  assertEquals(panelLines(machine), [
    "two.example, with another token",
    "three.example, new",
    "one.example, dropped",
  ]);
  const { endpoint, token, panels } = await installed(machine, "-e", "https://three.example");
  assertEquals([endpoint, token, panels], ["https://three.example", "t0ken-3", undefined]);
});

onOpenRc.test("install() takes a new panel's token from a file, and the pairs from variables", async (machine) => {
  await installed(machine, ...ONE);
  machine.write("/token", "t0ken-2\n");
  const file = ["--token-file", `${machine.root}/token`];
  const given = ["-e", "https://two.example", ...file, "-e", "https://one.example"];
  const { endpoint, token, panels } = await installed(machine, ...given);
  assertEquals([endpoint, token], ["https://two.example", "t0ken-2"]);
  assertEquals(panels, [{ endpoint: "https://one.example", token: "t0ken-1" }]);
  await machine.install([], { env: { AGENT_ENDPOINT: "https://one.example" } });
  assertEquals(machine.config(), first);
});

onOpenRc.test("install() refuses a pair whose token nobody knows, and changes nothing", async (machine) => {
  await installed(machine, ...ONE, ...TWO, "-e", "https://two.example", "-t", "t0ken-2b");
  machine.calls();
  machine.write("/token", "t0ken");
  const before = [machine.tree(), machine.text(CONFIG)];
  const refused: [words: string[], message: string][] = [
    [
      ["-e", "https://three.example"],
      "Cannot install for https://three.example without its token: the service does not report to it",
    ],
    [["-e", "https://one.example", "-e", "https://three.example"], "without its token"],
    [["--token-file", `${machine.root}/token`], "Cannot use flag --token-file without --endpoint"],
    [["-t", "new"], "Cannot use flag --token without --endpoint: the service reports to several"],
    [[...ONE.slice(0, 2), ...TWO, "-t", "x"], "behind its endpoint"],
  ];
  for (const [words, message] of refused) {
    await assertRejects(() => installed(machine, ...words), UsageError, message);
    assertEquals([machine.tree(), machine.text(CONFIG)], before);
    assertEquals(machine.calls(), []);
  }
});

onOpenRc.test("install() refuses a pair without a token where nothing is installed", async (machine) => {
  const before = machine.tree();
  const two = ["-e", "https://two.example"];
  const why = "Cannot install for https://two.example without its token";
  const key = ["--auto-discovery", "k3y-of-the-panel"];
  for (const words of [[...ONE, ...two, ...key], [...ONE, ...two], [...two, ...ONE]]) {
    await assertRejects(() => installed(machine, ...words), UsageError, why);
  }
  assertEquals(machine.tree(), before);
});

asRoot.test("readInstalledPanels() takes nothing from another user's configuration", async () => {
  await using machine = machineOf("openrc");
  machine.write(CONFIG, JSON.stringify({ ...first, enable_remote_control: true }));
  const path = machine.root + CONFIG;
  assertEquals(readInstalledPanels(path).length, 1);
  Deno.chownSync(path, 65_534, 65_534);
  assertEquals(readInstalledPanels(path), []);
  await machine.install(ONE);
  assertEquals(machine.config().enable_remote_control, undefined);
});

onOpenRc.test("install() does not give one panel's token, key or rights to another", async (machine) => {
  await installed(machine, ...ONE, "--enable-remote-control");
  const one = ["-e", "https://one.example"];
  const { enable_remote_control, panels } = await installed(machine, ...one, ...TWO);
  assertEquals([enable_remote_control, panels], [true, [second]], "the first one's alone");
  const replaced = await installed(machine, ...TWO);
  assertEquals(replaced, { ...second, enable_gpu: true });

  await using own = machineOf("openrc");
  const registered = [...one, "--auto-discovery", "k3y-of-the-panel"];
  const { token } = await installed(own, ...registered, "--rediscover");
  assertEquals(token, undefined);
  const kept = { ...first, auto_discovery_key: "k3y-of-the-panel", rediscover: true };
  const { token: _, ...withoutToken } = { ...kept, panels: [second] };
  assertEquals(await installed(own, ...TWO, ...one), withoutToken);
  await assertRejects(() => installed(own, "-e", "https://three.example"), UsageError, "its token");
  const gone = await installed(own, ...TWO);
  assertEquals(gone, { ...second, enable_gpu: true }, "the key was the other panel's");
});

onOpenRc.test("install() takes a file that is named as it is, and the variable of all panels too", async (machine) => {
  await installed(machine, ...ONE, "--enable-remote-control");
  machine.write(
    "/own.json",
    JSON.stringify({ ...second, panels: [{ ...first, enable_gpu: undefined }] }),
  );
  await machine.install(["--config", `${machine.root}/own.json`]);
  const text = machine.config();
  assertEquals([text.endpoint, text.enable_remote_control], ["https://two.example", undefined]);
  assertEquals(text.panels?.[0]?.enable_remote_control, undefined);
  const ofAll = async (panel: object, env: Record<string, string> = {}) => {
    await machine.install([], { env: { AGENT_PANELS: JSON.stringify([panel]), ...env } });
    const { endpoint, token, panels } = machine.config();
    return [endpoint, token, panels];
  };
  assertEquals(await ofAll(second), [undefined, "t0ken-2", [second]]);
  const two = { ...second, interval: 5, enable_remote_control: true };
  const beside = { AGENT_ENDPOINT: "https://one.example", AGENT_TOKEN: "t0ken-1" };
  assertEquals(await ofAll(two, beside), ["https://one.example", "t0ken-1", [two]]);
});

onOpenRc.test("install() with --print says what becomes of the panels, and shows no token", async (machine) => {
  await installed(machine, ...ONE);
  machine.printed.length = 0;
  await installed(machine, ...TWO, "--print");
  assertEquals(machine.output.includes("t0ken"), false);
  assertEquals(panelLines(machine), ["two.example, new", "one.example, dropped"]);
  assertEquals(machine.config(), first);
});

onOpenRc.test("readInstalledPanels() reads panels in each form, and a token from its file", (machine) => {
  const read = (options: Record<string, unknown>) => {
    machine.write(CONFIG, JSON.stringify(options));
    return readInstalledPanels(machine.root + CONFIG).map((it) => `${it.endpoint} ${it.token}`);
  };
  machine.write("/token", "t0ken-1\n");
  const tokenFile = { endpoint: "https://one.example", token_file: `${machine.root}/token` };
  assertEquals(read(tokenFile), ["https://one.example t0ken-1"]);
  assertEquals(read({ panels: [second] }), ["https://two.example t0ken-2"]);
  assertEquals(read({}), []);
  assertEquals(readInstalledPanels(`${machine.root}/nowhere`), []);
  const unreadable = `${machine.root}${CONFIG}/nowhere`;
  assertThrows(() => readInstalledPanels(unreadable), Deno.errors.NotADirectory);
});
