import { assertEquals, assertStringIncludes } from "@std/assert";
import { panelFault } from "../../test_panel/faults.ts";
import {
  hasFailed,
  install,
  inWorld,
  PROGRAM,
  quickWhen,
  reports,
  SERVICE,
  type World,
} from "./built_machine.ts";
import { MachineContainer } from "./machine_container.ts";
import { unless } from "../../only_on.ts";

const OFFICIAL = "/etc/systemd/system/komari-agent.service";
/** What stands in for the official agent: all that counts is whether it runs. */
const OFFICIAL_PROGRAM = "#!/bin/sh\nexec sleep infinity\n";

const lack = MachineContainer.missing();

/** Puts an official agent there, as its installer does, and starts it. */
async function putOfficial({ panel, machine }: World, token: string): Promise<void> {
  const recorded = await Deno.readTextFile(
    new URL("../../fixtures/official/komari-agent.service", import.meta.url),
  );
  const unit = recorded.replace("https://panel.example.com", panel.url)
    .replace("-tokenWithADash", token).replace("eth0,wg*", "*");
  await machine.write(OFFICIAL, unit);
  await machine.write("/opt/komari/agent", OFFICIAL_PROGRAM, "755");
  const timestamp = Math.trunc(Date.now() / 1000) - 60;
  const entries = { lo: [{ timestamp, tx: 5 * 2 ** 40, rx: 7 * 2 ** 40 }] };
  await machine.write("/opt/komari/net_static.json", JSON.stringify({ interfaces: entries }));
  await machine.run("systemctl daemon-reload && systemctl enable --now komari-agent 2>&1");
}

/** Whether the official agent runs and starts with the machine. */
async function officialState({ machine }: World): Promise<string> {
  const { output } = await machine.tries(
    "systemctl is-active komari-agent; systemctl is-enabled komari-agent",
  );
  return output.trim().replace("\n", " ");
}

const here = unless(lack);

here.test("install --replace and uninstall --restore on a real systemd", () =>
  inWorld(async (world) => {
    const { panel, machine } = world;
    const none = await machine.tries(`${PROGRAM} install --replace`);
    assertEquals(none.code, 1, none.output);
    assertStringIncludes(none.output, "Cannot find an official agent");

    await putOfficial(world, panel.token);
    const before = await machine.files();
    const printed = await machine.run(`${PROGRAM} install --replace --print`);
    assertEquals(printed.includes(panel.token), false);
    assertEquals(await machine.changes(before), []);
    assertEquals(await officialState(world), "active enabled");

    const outcome = await machine.run(`${PROGRAM} install --replace --ip-services off`);
    assertEquals(outcome.includes(panel.token), false);
    assertStringIncludes(outcome, "uninstall --restore");
    await reports(panel);
    assertEquals(panel.state.violations, []);
    assertEquals(await officialState(world), "inactive disabled");
    const config = JSON.parse(await machine.run(`cat /etc/${SERVICE}/config.json`));
    assertEquals([config.endpoint, config.token], [panel.url, panel.token]);
    assertEquals([config.month_rotate, config.include_nics], [5, ["*"]]);
    const log = await machine.run(`journalctl -u ${SERVICE} -o cat`);
    assertStringIncludes(log, "Imported the month's traffic");

    const restored = await machine.run(`${PROGRAM} uninstall --restore`);
    assertStringIncludes(restored, "komari-agent");
    assertEquals(await officialState(world), "active enabled");
    assertEquals(await machine.changes(before), []);
  }));

here.test("install --replace puts the official agent back on a real systemd", () =>
  inWorld(async (world) => {
    const { panel, machine } = world;
    await putOfficial(world, "wrong-token");
    const before = await machine.files();
    const refused = await machine.tries(`${PROGRAM} install --replace --ip-services off`);
    assertEquals(refused.code, 1, refused.output);
    assertStringIncludes(refused.output, "does not know this token, so nothing was changed");
    assertEquals(await officialState(world), "active enabled");
    assertEquals(await machine.changes(before), []);

    // A panel that is down says nothing about the token.
    await panel.setFault(panelFault("server-error"));
    const line = `${PROGRAM} install --replace --ip-services off`;
    const outcome = await machine.tries(line, quickWhen(hasFailed("502")));
    assertEquals(outcome.code, 1, outcome.output);
    assertStringIncludes(outcome.output, "was restored and is running again");
    assertEquals(await officialState(world), "active enabled");
    assertEquals(await machine.changes(before), []);

    // Cut off in the midst of it: nothing is left to put it back but the user.
    const killed = machine.tries(`exec ${PROGRAM} install --replace --ip-services off`);
    await machine.comes(`systemctl is-active --quiet ${SERVICE}`);
    await machine.run(`pkill -KILL -f 'install --[r]eplace'`);
    await killed;
    assertEquals(await officialState(world), "inactive enabled");
    await machine.run(`${PROGRAM} uninstall --restore`);
    assertEquals(await officialState(world), "active enabled");
    assertEquals(await machine.changes(before), []);

    const stopped = machine.tries(`exec ${PROGRAM} install --replace --ip-services off`);
    await machine.comes(`systemctl is-active --quiet ${SERVICE}`);
    await machine.run(`pkill -INT -f 'install --[r]eplace'`);
    assertEquals((await stopped).code, 130);
    assertEquals(await officialState(world), "active enabled");
    assertEquals(await machine.changes(before), []);
  }));

here.test("install, replace and uninstall as a user of a real systemd", () =>
  inWorld(async (world) => {
    const { panel, machine } = world;
    await machine.run("useradd -m ann && loginctl enable-linger ann");
    await machine.comes("systemctl is-active --quiet user@1000");
    const asAnn = (line: string): string => {
      const places = "DENO_DIR=/tmp/deno-of-ann XDG_RUNTIME_DIR=/run/user/1000";
      return `su ann -c 'cd && export ${places} && ${line}'`;
    };
    const before = await machine.files();
    const [line, env] = install(world);
    await machine.run(asAnn(line), env);
    await reports(panel);
    await machine.reboot();
    await reports(panel);
    await machine.run(asAnn(`${PROGRAM} uninstall`));
    assertEquals(await machine.changes(before), []);

    await machine.write("/opt/komari/agent", OFFICIAL_PROGRAM, "755");
    await machine.write(
      "/home/ann/.config/systemd/user/komari-agent.service",
      `[Service]\nExecStart=/opt/komari/agent -e ${panel.url} -t ${panel.token}\n` +
        "[Install]\nWantedBy=default.target\n",
    );
    await machine.run("chown -R ann /home/ann/.config");
    const state = "systemctl --user is-active komari-agent";
    await machine.run(asAnn("systemctl --user enable --now komari-agent 2>&1"));
    const official = await machine.files();
    await machine.run(asAnn(`${PROGRAM} install --replace --ip-services off`));
    await reports(panel);
    assertEquals((await machine.tries(asAnn(state))).output, "inactive\n");
    await machine.run(asAnn(`${PROGRAM} uninstall --restore`));
    assertEquals(await machine.run(asAnn(state)), "active\n");
    assertEquals(await machine.changes(official), []);
    assertEquals(panel.state.violations, []);
  }));
