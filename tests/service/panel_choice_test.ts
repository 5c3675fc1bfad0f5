import { assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { UsageError } from "../../lib/config/usage_error.ts";
import { choosePanels, readInstalledPanels } from "../../lib/service/panel_choice.ts";
import { configOf, FakeSystem, installNow, USERS } from "./fake_system.ts";

const NAME = "komari-agent-deno";
const CONFIG = `/etc/${NAME}/config.json`;

/** A machine on which the agent is installed for https://one.example. */
class Machine extends FakeSystem {
  constructor() {
    super({
      folders: ["run/openrc", "etc/init.d", "var/log"],
      fakes: { ...USERS, "rc-update": "", "rc-service": "", tail: "" },
    });
  }

  async install(...words: string[]): Promise<Record<string, unknown>> {
    const config = configOf(["install", "--gpu", ...words], { root: this.root });
    await installNow(config, this.system);
    return JSON.parse(this.text(CONFIG));
  }
}

const ONE = ["-e", "https://one.example", "-t", "t0ken-1"];
const TWO = ["-e", "https://two.example", "-t", "t0ken-2"];
const THREE = ["-e", "https://three.example", "-t", "t0ken-3"];
const first = { endpoint: "https://one.example", token: "t0ken-1", enable_gpu: true };
const second = { endpoint: "https://two.example", token: "t0ken-2" };

Deno.test("install() asks what becomes of the installed panel when another one is given", async () => {
  await using machine = new Machine();
  assertEquals(await machine.install(...ONE), first);
  machine.calls();
  const before = machine.tree();
  const error = await assertRejects(() => machine.install(...TWO), UsageError);
  assertEquals(
    error.message,
    "Cannot install for https://two.example: the service reports to https://one.example; use " +
      "--add to report to both, or --replace-panel to report only to the new one",
  );
  assertEquals([machine.tree(), machine.calls()], [before, []]);
  assertEquals(JSON.parse(machine.text(CONFIG)), first);
  assertEquals(await machine.install("-e", "https://one.example", "-t", "new"), {
    ...first,
    token: "new",
  }, "the same panel is brought up to date without a question");
});

Deno.test("install() reports to all panels with --add", async () => {
  await using machine = new Machine();
  await machine.install("--add", ...ONE);
  assertEquals(await machine.install("--add", ...TWO), { ...first, panels: [second] });
  const third = { endpoint: "https://three.example", token: "t0ken-3" };
  const all = { ...first, panels: [second, third] };
  assertEquals(await machine.install("--add", ...THREE), all);
  assertEquals(await machine.install(), all, "they stay when nothing is given");
});

Deno.test("install() with --add --print shows no token", async () => {
  await using machine = new Machine();
  await machine.install(...ONE);
  machine.printed.length = 0;
  await machine.install("--add", ...TWO, "--print");
  const printed = machine.printed.join("\n");
  assertStringIncludes(printed, "https://two.example");
  assertEquals(printed.includes("t0ken"), false);
});

Deno.test("install() reports only to the new panel with --replace-panel", async () => {
  await using machine = new Machine();
  await machine.install(...ONE);
  await machine.install("--add", ...THREE);
  const second = { ...first, endpoint: "https://two.example", token: "t0ken-2" };
  assertEquals(await machine.install("--replace-panel", ...TWO), second);
  const { panels } = await machine.install("--replace-panel", ...ONE, ...THREE);
  assertEquals(panels, [{ endpoint: "https://three.example", token: "t0ken-3" }]);
});

Deno.test("choosePanels() gives remote control to no panel that was not named", async () => {
  await using machine = new Machine();
  await machine.install(...ONE);
  const refused = ["--add", ...TWO, "--enable-remote-control"];
  await assertRejects(() => machine.install(...refused), UsageError, "--enable-remote-control");
  const installed = readInstalledPanels(machine.root + CONFIG);
  const config = configOf(["install", "-e", "https://two.example", "--add"].concat(
    ["--auto-discovery", "k3y-of-the-panel"],
  ));
  assertThrows(() => choosePanels(config, installed), UsageError, "--add without a token");
  assertEquals(readInstalledPanels(`${machine.root}/nowhere`), undefined);
  const unreadable = `${machine.root}${CONFIG}/nowhere`;
  assertThrows(() => readInstalledPanels(unreadable), Deno.errors.NotADirectory);
  await machine.install("--enable-remote-control");
  const { enable_remote_control, panels } = await machine.install("--add", ...TWO);
  assertEquals([enable_remote_control, panels], [true, [second]], "the first one's alone");
});

Deno.test("choosePanels() keeps what is set for a panel, and hides each token", () => {
  const two = {
    endpoint: "https://two.example",
    token: "t0ken-2",
    intervalSeconds: 5,
    remoteControl: true,
    remoteFiles: true,
  };
  const installed = {
    endpoint: "https://one.example",
    token: "t0ken-1",
    remoteControl: false,
    panels: [two],
  };
  const config = choosePanels(configOf(["install", "--add", ...THREE]), installed);
  const three = {
    endpoint: "https://three.example",
    token: "t0ken-3",
    intervalSeconds: undefined,
    remoteControl: false,
    remoteFiles: false,
  };
  assertEquals([config.endpoint, config.token], ["https://one.example", "t0ken-1"]);
  assertEquals(config.furtherPanels, [two, three]);
  assertEquals(JSON.parse(config.explicitOptions.get("panels") ?? ""), [
    { endpoint: two.endpoint, token: two.token, interval: 5, enable_remote_control: true },
    { endpoint: three.endpoint, token: three.token },
  ]);
  assertEquals(config.explicitOptions.get("endpoint"), "https://one.example");
  for (const token of ["t0ken-1", "t0ken-2", "t0ken-3"]) {
    assertEquals(config.secrets.includes(token), true, token);
  }
});

Deno.test("choosePanels() makes no two nodes of one panel the same", () => {
  const panel = (name: string, token: string) => ({
    ...{ endpoint: `https://${name}.example`, token, intervalSeconds: undefined },
    ...{ remoteControl: false, remoteFiles: false },
  });
  const [first, ...panels] = [
    ...[panel("one", "a"), panel("one", "b"), panel("two", "c"), panel("two", "d")],
  ] as const;
  const installed = { ...first, panels };
  const nodes = (name: string, token: string, ...more: string[]) => {
    const words = ["install", "-e", `https://${name}.example`, "-t", token, ...more];
    const config = choosePanels(configOf(words), installed);
    return [config, ...config.furtherPanels].map(({ token }) => token).join(" ");
  };
  for (const [name, token] of [["one", "a"], ["one", "b"], ["two", "c"], ["two", "d"]] as const) {
    assertEquals(nodes(name, token), "a b c d", "nothing is new");
  }
  assertEquals([nodes("one", "x"), nodes("two", "x")], ["x b c d", "a b x d"]);
  const untold = choosePanels(configOf(["install", "-e", "https://two.example"]), installed);
  const kept = untold.furtherPanels.map(({ token }) => token);
  assertEquals([untold.token, ...kept].join(" "), "a b c d", "without a token each keeps its own");
  for (const option of ["--replace-panel", "--add"]) {
    assertEquals(nodes("one", "b", option), "a b c d", `${option} of one that is there`);
  }
  assertEquals(nodes("one", "a", "-e", "https://three.example", "-t", "e"), "a e", "given now");
});
