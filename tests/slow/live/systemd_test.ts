import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { startTestPanel } from "../../test_panel/test_panel.ts";
import {
  hasFailed,
  install,
  inWorld,
  PROGRAM,
  quickWhen,
  reports,
  SERVICE,
} from "./built_machine.ts";
import { MachineContainer } from "./machine_container.ts";
import { unless } from "../../only_on.ts";

const lack = MachineContainer.missing();

const here = unless(lack);

here.test("install, reboot and uninstall on a real systemd", () =>
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
    const paths = [
      `/etc/${SERVICE}/config.json`,
      `/var/lib/${SERVICE}`,
      `/opt/${SERVICE}/${SERVICE}`,
    ];
    const modes = await machine.run(`stat -c '%a %U' ${paths.join(" ")}`);
    assertEquals(modes, `640 root\n700 ${SERVICE}\n755 root\n`);
    const security = await machine.run(`systemd-analyze security --no-pager ${SERVICE}`);
    const exposure = Number(/Overall exposure level for \S+: ([\d.]+)/.exec(security)?.[1]);
    assert(exposure < 3, security);
    // The agent has to be able to read what root leaves for it.
    const taken = await machine.run(`${PROGRAM} traffic set --up 7GiB`);
    assertStringIncludes(taken, "The running agent uses these totals");
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
  }));

here.test("install returns to what worked before on a real systemd", () =>
  inWorld(async (world) => {
    const { panel, machine } = world;
    const before = await machine.files();
    await machine.run(...install(world, "-i 2 --as-root"));
    await reports(panel);
    const files = await machine.files();
    const sums = "md5sum /etc/komari-agent-deno/* /etc/systemd/system/komari-agent-deno*";
    const content = await machine.run(sums);
    const typo = "http://127.0.0.1:9";
    const quick = quickWhen(hasFailed("127.0.0.1 port 9"));
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
      const { code, output } = await machine.tries(line, {
        ...quick,
        AGENT_TOKEN: panel.token,
        ...env,
      });
      assertEquals(code, 1, output);
      assertStringIncludes(output, `${named} has accepted no report: `);
      assertStringIncludes(output, "It is back, and the panel accepts its reports.");
      assertStringIncludes(await machine.run(`${PROGRAM} status`), "Last report   accepted");
      await reports(panel);
      assertEquals(await machine.changes(files), []);
      assertEquals(await machine.run(sums), content);
      assertStringIncludes(await machine.run("ps -eo user:32,args"), "root ");
      assertEquals((await machine.run("cat /etc/passwd")).includes(SERVICE), false);
    }

    // Ctrl-C in the midst of it, and a hang-up of ssh.
    for (const [signal, exit] of [["INT", 130], ["HUP", 1]] as const) {
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
      const dead = await machine.tries(
        `${PROGRAM} install ${both} -e ${typo} -t t0ken`,
        quick,
      );
      assertEquals(dead.code, 1, dead.output);
      assertStringIncludes(dead.output, "127.0.0.1:9 has accepted no report");
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
  }));

here.test("install and uninstall as a user whom no systemd answers", () =>
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
    assertStringIncludes(refused.output, "Cannot use this user's service manager");
    assertStringIncludes(refused.output, "loginctl enable-linger ann");
    assertEquals(await machine.changes(before), []);

    await machine.run("loginctl enable-linger ann");
    await machine.comes("systemctl is-active --quiet user@1000");
    await machine.run(asAnn(line), env);
    await reports(world.panel);
    await machine.run("loginctl disable-linger ann && systemctl stop user@1000");
    const alone = await machine.tries(asAnn(`${PROGRAM} uninstall`));
    assertEquals(alone.code, 2, alone.output);
    assertStringIncludes(alone.output, "does not answer");
    await machine.run("loginctl enable-linger ann");
    await machine.comes("systemctl is-active --quiet user@1000");
    await machine.run(asAnn(`${PROGRAM} uninstall`));
    await machine.run("loginctl disable-linger ann && systemctl stop user@1000");
    assertEquals(await machine.changes(before), []);
  }));
