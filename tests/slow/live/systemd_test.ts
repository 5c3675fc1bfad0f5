import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { buildPortable } from "../../../build/portable.ts";
import { panelFault } from "../../test_panel/faults.ts";
import { startTestPanel, type TestPanel } from "../../test_panel/test_panel.ts";
import { skipReason } from "./command.ts";
import { MachineContainer } from "./machine_container.ts";

const PROGRAM = "/build/komari-agent-deno-portable";
const SERVICE = "komari-agent-deno";
const OFFICIAL = "/etc/systemd/system/komari-agent.service";
/** What stands in for the official agent: all that counts is whether it runs. */
const OFFICIAL_PROGRAM = "#!/bin/sh\nexec sleep infinity\n";

const lack = MachineContainer.missing();

interface World {
  readonly panel: TestPanel;
  readonly machine: MachineContainer;
}

/** A machine with a build of this checkout, and a panel that it can reach. */
async function inWorld(act: (world: World) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.chmod(folder, 0o755);
    await buildPortable({ version: "1.0.0", folder });
    const panel = await startTestPanel();
    try {
      const mounts = { "/usr/local/bin/deno": Deno.execPath(), "/build": folder };
      await using machine = await MachineContainer.start({ mounts });
      await act({ panel, machine });
    } finally {
      panel.close();
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Waits for a report that comes from now on. */
async function reports({ state }: TestPanel): Promise<void> {
  const before = state.reports.length;
  const end = performance.now() + 60_000;
  while (state.reports.length === before) {
    assert(performance.now() < end, "no report came");
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

function install({ panel }: World, options = ""): [line: string, env: Record<string, string>] {
  const line = `${PROGRAM} install -e ${panel.url} --ip-services off ${options}`;
  return [line, { AGENT_TOKEN: panel.token }];
}

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

Deno.test({
  name: "install, reboot and uninstall on a real systemd" + skipReason(lack),
  ignore: lack !== undefined,
  fn: () =>
    inWorld(async (world) => {
      const { panel, machine } = world;
      const before = await machine.files();
      const outcome = await machine.run(...install(world, "--month-rotate 1"));
      assertStringIncludes(outcome, "journalctl -u komari-agent-deno");
      assertEquals(outcome.includes(panel.token), false);
      await reports(panel);
      assertEquals(panel.state.violations, []);

      await machine.run(`systemctl is-active --quiet ${SERVICE}`);
      const log = await machine.run(`journalctl -o cat -u ${SERVICE}`);
      assertStringIncludes(log, "this process is sealed by the kernel and the runtime");
      const processes = await machine.run("ps -eo user:32,args");
      assertEquals(processes.includes(panel.token), false);
      const own = processes.split("\n").filter((line) => line.includes("--config"));
      assertEquals(own.length > 0 && own.every((line) => line.startsWith(`${SERVICE} `)), true);
      assertEquals(
        (await machine.run(
          `stat -c '%a %U %n' /etc/${SERVICE}/config.json /var/lib/${SERVICE} /opt/${SERVICE}/${SERVICE}`,
        )).split("\n").slice(0, 3),
        [
          `640 root /etc/${SERVICE}/config.json`,
          `700 ${SERVICE} /var/lib/${SERVICE}`,
          `755 root /opt/${SERVICE}/${SERVICE}`,
        ],
      );
      const security = await machine.run(`systemd-analyze security --no-pager ${SERVICE}`);
      const exposure = Number(/Overall exposure level for \S+: ([\d.]+)/.exec(security)?.[1]);
      assert(exposure < 3, security);
      // The agent has to be able to read what root leaves for it.
      const taken = await machine.run(`${PROGRAM} traffic set --up 7GiB`);
      assertStringIncludes(taken, "The running agent has taken over the totals");
      assertMatch(taken, /^Up +7\.0 GiB/m);
      await machine.run(`systemctl stop ${SERVICE}`);
      assertMatch(await machine.run(`${PROGRAM} traffic set --up 5GiB`), /^Up +5\.0 GiB/m);
      await machine.run(`systemctl start ${SERVICE}`);
      await reports(panel);

      const files = await machine.files();
      await machine.run(...install(world));
      assertEquals(await machine.changes(files), []);
      await reports(panel);

      await machine.reboot();
      await reports(panel);

      await machine.run(`${PROGRAM} uninstall`);
      await machine.run(`${PROGRAM} uninstall`);
      assertEquals(await machine.changes(before), []);
      assertEquals((await machine.run("ps -eo args")).includes("--config"), false);
      assertEquals((await machine.run("cat /etc/passwd")).includes(SERVICE), false);
    }),
});

Deno.test({
  name: "install returns to what worked before on a real systemd" + skipReason(lack),
  ignore: lack !== undefined,
  fn: () =>
    inWorld(async (world) => {
      const { panel, machine } = world;
      const before = await machine.files();
      await machine.run(...install(world, "-i 2 --as-root"));
      await reports(panel);
      const files = await machine.files();
      const sums = "md5sum /etc/komari-agent-deno/* /etc/systemd/system/komari-agent-deno*";
      const content = await machine.run(sums);
      const typo = "http://127.0.0.1:9";
      for (
        const [options, env, named] of [
          [`-e ${typo} --as-root=false --gpu`, {}, "127.0.0.1:9"],
          [
            `--install-dir /srv/other`,
            { HTTP_PROXY: "http://127.0.0.1:9" },
            new URL(panel.url).host,
          ],
        ] as const
      ) {
        const line = `${PROGRAM} install ${options}`;
        const { code, output } = await machine.tries(line, { AGENT_TOKEN: panel.token, ...env });
        assertEquals(code, 1, output);
        assertStringIncludes(output, `${named} has accepted no report: `);
        assertStringIncludes(output, "It is back, and the panel accepts its reports.");
        await reports(panel);
        assertEquals(await machine.changes(files), []);
        assertEquals(await machine.run(sums), content);
        assertStringIncludes(await machine.run("ps -eo user:32,args"), "root ");
        assertEquals((await machine.run("cat /etc/passwd")).includes(SERVICE), false);
      }

      // Ctrl-C in the midst of it, and a hang-up of ssh.
      for (const [signal, exit] of [["INT", 130], ["HUP", 129]] as const) {
        const cut = machine.tries(`exec ${PROGRAM} install -e ${typo}`, {
          AGENT_TOKEN: panel.token,
        });
        await machine.comes(`grep -q 127.0.0.1:9 /etc/${SERVICE}/config.json`);
        await machine.run(`pkill -${signal} -f 'install -[e] ${typo}'`);
        assertEquals((await cut).code, exit);
        assertEquals(await machine.run(sums), content);
        await reports(panel);
      }

      const other = await startTestPanel();
      try {
        const both = `-e ${other.url} -t ${other.token} -e ${panel.url}`;
        const added = await machine.run(`${PROGRAM} install ${both}`);
        assertStringIncludes(added, `Panel          ${new URL(other.url).host}, new`);
        assertStringIncludes(added, `Panel          ${new URL(panel.url).host}, as before`);
        await Promise.all([reports(other), reports(panel)]);
        const dead = await machine.tries(`${PROGRAM} install ${both} -e ${typo} -t t0ken`);
        assertEquals(dead.code, 1, dead.output);
        assertStringIncludes(dead.output, "Left out 127.0.0.1:9, where no report is accepted");
        await Promise.all([reports(other), reports(panel)]);
        const options = `-e ${other.url} --as-root=false`;
        const dropped = await machine.run(`${PROGRAM} install ${options}`);
        assertStringIncludes(dropped, `Panel          ${new URL(panel.url).host}, dropped`);
        await reports(other);
      } finally {
        other.close();
      }
      await machine.run(`${PROGRAM} uninstall`);
      assertEquals(await machine.changes(before), []);
      assertEquals(panel.state.violations, []);
    }),
});

Deno.test({
  name: "install --replace and uninstall --restore on a real systemd" + skipReason(lack),
  ignore: lack !== undefined,
  fn: () =>
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
    }),
});

Deno.test({
  name: "install --replace puts the official agent back on a real systemd" + skipReason(lack),
  ignore: lack !== undefined,
  fn: () =>
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
      await panel.setFault(panelFault("502-html"));
      const outcome = await machine.tries(`${PROGRAM} install --replace --ip-services off`);
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
    }),
});

Deno.test({
  name: "install and uninstall as a user whom no systemd answers" + skipReason(lack),
  ignore: lack !== undefined,
  fn: () =>
    inWorld(async (world) => {
      const { machine } = world;
      await machine.run("useradd -m ann");
      const asAnn = (line: string): string =>
        "cd /home/ann && setpriv --reuid ann --regid ann --clear-groups " +
        // As of the root session it comes from.
        `env HOME=/home/ann DENO_DIR=/tmp/deno-of-ann XDG_RUNTIME_DIR=/run ${line}`;
      const before = await machine.files();
      const [line, env] = install(world);
      const refused = await machine.tries(asAnn(line), env);
      assertEquals(refused.code, 2, refused.output);
      assertStringIncludes(refused.output, "Cannot install for this user: its service manager");
      assertStringIncludes(refused.output, "loginctl enable-linger ann");
      assertEquals(await machine.changes(before), []);

      await machine.run("loginctl enable-linger ann");
      await machine.comes("systemctl is-active --quiet user@1000");
      await machine.run(asAnn(line), env);
      await reports(world.panel);
      await machine.run("loginctl disable-linger ann && systemctl stop user@1000");
      const removed = await machine.run(asAnn(`${PROGRAM} uninstall`));
      assertStringIncludes(removed, "does not answer");
      assertEquals(await machine.changes(before), []);
    }),
});

Deno.test({
  name: "install, replace and uninstall as a user of a real systemd" + skipReason(lack),
  ignore: lack !== undefined,
  fn: () =>
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
    }),
});
