import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { findNfpm, pack, packageName } from "../../../build/package.ts";
import { buildPortable } from "../../../build/portable.ts";
import type { PackageKind } from "../../../lib/host/this_program.ts";
import { startTestPanel, type TestPanel } from "../../test_panel/test_panel.ts";
import { reports } from "./built_machine.ts";
import { lackOfTools, outputOf } from "./command.ts";
import { folderOfFile } from "./folder_of_file.ts";
import { MachineContainer } from "./machine_container.ts";
import { unless } from "../../only_on.ts";

const NAME = "komari-agent-deno";
const PROGRAM = `/usr/bin/${NAME}`;
const VERSIONS = ["1.0.0", "1.1.0"] as const;
const TIMESTAMP = 1_700_000_000;
/** What dpkg, the users' database and systemd write for themselves. */
const KEPT_BY_OTHERS =
  /^.(\/var\/lib\/dpkg\/|\/var\/log\/|\/var\/cache\/|\/etc\/(passwd|group|shadow|gshadow|subuid|subgid)-$|\/etc\/\.pwd\.lock$|\/var\/lib\/systemd\/)/;

const nfpm = await findNfpm(Deno.env.toObject());
const noNfpm = nfpm === undefined ? "no nfpm on the path or in $NFPM" : undefined;

/** Makes packages of a kind in two versions, from the portable build of this checkout. */
async function makePackages(kind: PackageKind, folder: string): Promise<void> {
  const programs = await folderOfFile("programs", async (folder) => {
    for (const version of VERSIONS) {
      await Deno.rename(await buildPortable({ version, folder }), `${folder}/${version}`);
    }
  });
  for (const version of VERSIONS) {
    const program = `${folder}/${version}`;
    await Deno.copyFile(`${programs}/${version}`, program);
    const info = { version, commit: "", repository: "", releaseKey: "" };
    const source = { info, arch: "amd64", form: "portable", program } as const;
    await pack({ ...source, timestamp: TIMESTAMP }, { kind, nfpm: nfpm ?? "", dist: folder });
  }
}

async function withPackages(
  kind: PackageKind,
  act: (folder: string) => Promise<void>,
): Promise<void> {
  await act(await folderOfFile(kind, (folder) => makePackages(kind, folder)));
}

interface World {
  readonly panel: TestPanel;
  readonly machine: MachineContainer;
}

/** A Debian with systemd that has the packages in `/build`, and a panel that it can reach. */
async function inWorld(act: (world: World) => Promise<void>): Promise<void> {
  await withPackages("deb", async (folder) => {
    using panel = await startTestPanel();
    const mounts = { "/usr/local/bin/deno": Deno.execPath(), "/build": folder };
    await using machine = await MachineContainer.start({ mounts });
    await act({ panel, machine });
    assertEquals(panel.state.violations, []);
  });
}

/** The file of a package, as a command within names it. */
function packageFile(version: string): string {
  const info = { version, commit: "", repository: "", releaseKey: "" };
  return `/build/${packageName({ info, arch: "amd64" }, "deb")}`;
}

/** What has changed on the disk by the package. */
async function changes(machine: MachineContainer, before: readonly string[]): Promise<string[]> {
  return (await machine.changes(before)).filter((line) => !KEPT_BY_OTHERS.test(line));
}

const noContainer = noNfpm ?? MachineContainer.missing();

const inContainer = unless(noContainer);

inContainer.test("a .deb is installed, configured, upgraded, removed and purged on a real systemd", () =>
  inWorld(async ({ panel, machine }) => {
    const before = await machine.files();
    const installed = await machine.run(`dpkg -i ${packageFile("1.0.0")}`);
    assertStringIncludes(installed, `sudo ${NAME} install -e`);
    for (const user of ["root", "nobody"]) {
      const { output } = await machine.tries(`runuser -u ${user} -- ${NAME} doctor`);
      assertStringIncludes(
        output.trimStart().slice(0, 300),
        "installed and not configured",
        user,
      );
      const { output: status } = await machine.tries(`runuser -u ${user} -- ${NAME} status`);
      assertStringIncludes(
        status,
        `name the panel: ${user === "root" ? "" : "sudo "}${NAME} install -e`,
        user,
      );
    }
    assertEquals((await machine.tries(`systemctl is-active ${NAME}`)).output, "inactive\n");
    assertEquals((await machine.tries(`systemctl is-enabled ${NAME}`)).output, "disabled\n");
    // Started by hand, it would end and be started again, for ever.
    await machine.run(`systemctl start ${NAME} 2>&1`);
    const idle = await machine.run(`systemctl show -P NRestarts -P SubState ${NAME}`);
    assertEquals(idle, "0\ndead\n");

    const outcome = await machine.run(
      `printenv TOKEN | ${NAME} install -e ${panel.url} --ip-services off --month-rotate 1 ` +
        "--token-file -",
      { TOKEN: panel.token },
    );
    assertStringIncludes(outcome, "apt brings them");
    await reports(panel);
    assertEquals(
      await machine.run(`stat -c '%a %U %G' /etc/${NAME}/config.json`),
      `640 root ${NAME}\n`,
    );
    const unit = await machine.run(`systemctl show -P FragmentPath ${NAME}`);
    assertEquals(unit.trim().replace(/^\/usr/, ""), `/lib/systemd/system/${NAME}.service`);
    const log = await machine.run(`journalctl -o cat -u ${NAME}`);
    assertStringIncludes(log, "this process is sealed by the kernel and the runtime");
    const update = await machine.tries(`${NAME} update --now`);
    assertEquals(update.code, 1);
    assertStringIncludes(update.output, "belongs to a package; apt updates it");
    const other = `AGENT_TOKEN=x /build/1.0.0 install -e ${panel.url}`;
    assertStringIncludes((await machine.tries(other)).output, "a package has installed it");
    assertEquals(
      (await changes(machine, before)).filter((line) => /^.\/(opt|usr\/local)\//.test(line)),
      [],
    );

    const config = await machine.run(`cat /etc/${NAME}/config.json`);
    const files = await machine.files();
    await machine.run(`dpkg -i ${packageFile("1.1.0")} </dev/null`);
    await reports(panel);
    assertEquals(await machine.run(`cat /etc/${NAME}/config.json`), config);
    assertEquals(await changes(machine, files), []);
    assertStringIncludes(await machine.run(`${NAME} status`), "1.1.0");

    await machine.run(`systemctl stop ${NAME} && systemctl disable ${NAME} 2>&1`);
    await machine.run(`dpkg -i ${packageFile("1.1.0")} </dev/null`);
    assertEquals((await machine.tries(`systemctl is-active ${NAME}`)).output, "inactive\n");
    await machine.run(`systemctl enable --now ${NAME} 2>&1`);
    await reports(panel);

    await machine.run(`dpkg -r ${NAME}`);
    assertEquals((await machine.run("ps -eo args")).includes("--config"), false);
    await machine.run(`dpkg -i ${packageFile("1.1.0")} </dev/null`);
    await reports(panel);

    await machine.run(`dpkg -P ${NAME}`);
    assertEquals((await machine.run("ps -eo args")).includes("--config"), false);
    assertEquals((await machine.run("cat /etc/passwd /etc/group")).includes(NAME), false);
    assertEquals(await changes(machine, before), []);
  }));

inContainer.test("a .deb takes over an agent that install has left there", () =>
  inWorld(async ({ panel, machine }) => {
    const before = await machine.files();
    const line = `/build/1.0.0 install -e ${panel.url} --ip-services off --month-rotate 1`;
    await machine.run(line, { AGENT_TOKEN: panel.token });
    await reports(panel);
    const config = JSON.parse(await machine.run(`cat /etc/${NAME}/config.json`));

    const outcome = await machine.run(`dpkg -i ${packageFile("1.1.0")} </dev/null`);
    assertStringIncludes(outcome, "is now the package's");
    await reports(panel);
    assertEquals(JSON.parse(await machine.run(`cat /etc/${NAME}/config.json`)), config);
    const services = await machine.run(
      `systemctl list-unit-files --no-legend '${NAME}*' | tr -s ' ' | cut -d' ' -f1-2`,
    );
    assertEquals(services, `${NAME}.service enabled\n`);
    const processes = (await machine.run("ps -eo args")).split("\n");
    const programs = processes.filter((line) => /--config \/etc/.test(line));
    assert(programs.length > 0 && programs.every((it) => it.includes(PROGRAM)), `${programs}`);
    const left = (await changes(machine, before)).filter((it) => /\/(opt|usr\/local)\//.test(it));
    assertEquals(left, []);
    assertEquals((await machine.tries(`ls /etc/${NAME}`)).output, "config.json\n");

    await machine.run(`dpkg -P ${NAME}`);
    assertEquals(await changes(machine, before), []);
  }));

inContainer.test("a .deb takes over an agent of root's in places of its own, and gives way to install again", () =>
  inWorld(async ({ panel, machine }) => {
    const places = "--install-dir /srv/agent --state-dir /srv/state --as-root --month-rotate 1";
    const line = `/build/1.0.0 install -e ${panel.url} --ip-services off ${places}`;
    await machine.run(line, { AGENT_TOKEN: panel.token });
    await reports(panel);

    await machine.run(`dpkg -i ${packageFile("1.1.0")} </dev/null`);
    await reports(panel);
    assertEquals(await machine.run("ls /srv"), "state\n");
    assertEquals(await machine.run("stat -c %U /srv/state"), `${NAME}\n`);
    const user = await machine.run(`systemctl show -P User ${NAME}`);
    assertEquals(user, `${NAME}\n`);

    await machine.run(`dpkg -r ${NAME}`);
    await machine.run("/build/1.0.0 install");
    await reports(panel);
    const unit = await machine.run(`systemctl show -P FragmentPath ${NAME}`);
    assertEquals(unit, `/etc/systemd/system/${NAME}.service\n`);
  }));

inContainer.test("the program of a .deb replaces the official agent and restores it", () =>
  inWorld(async ({ panel, machine }) => {
    const recorded = await Deno.readTextFile(
      new URL("../../fixtures/official/komari-agent.service", import.meta.url),
    );
    const unit = recorded.replace("https://panel.example.com", panel.url)
      .replace("-tokenWithADash", panel.token).replace("eth0,wg*", "*");
    await machine.write("/etc/systemd/system/komari-agent.service", unit);
    await machine.write("/opt/komari/agent", "#!/bin/sh\nexec sleep infinity\n", "755");
    await machine.run("systemctl daemon-reload && systemctl enable --now komari-agent 2>&1");
    await machine.run(`dpkg -i ${packageFile("1.0.0")}`);

    await machine.run(`${NAME} install --replace --ip-services off`);
    await reports(panel);
    assertEquals((await machine.tries("systemctl is-active komari-agent")).output, "inactive\n");
    await machine.run(`${NAME} uninstall --restore`);
    assertEquals((await machine.tries("systemctl is-active komari-agent")).output, "active\n");
    assertEquals((await machine.tries(`systemctl is-active ${NAME}`)).output, "inactive\n");
    assertEquals(await machine.run(`cat /etc/${NAME}/config.json`), "{}\n");
  }));

const noRpm = noNfpm ??
  (Deno.uid() === 0 ? lackOfTools("rpm", "busybox", "chroot") : "no root");

const withRpm = unless(noRpm);

withRpm.test("an .rpm is installed, upgraded and removed below a root of its own", () =>
  withPackages("rpm", async (folder) => {
    const root = `${folder}/root`;
    for (const path of ["/bin", "/etc", "/run", "/tmp"]) {
      await Deno.mkdir(root + path, { recursive: true });
    }
    // For the scripts of the package, which run within.
    const busybox = outputOf("sh", "-c", "command -v busybox").trim();
    await Deno.copyFile(busybox, `${root}/bin/busybox`);
    for (const tool of ["sh", "id", "tr", "sed", "mv", "rm", "readlink", "chmod", "chgrp"]) {
      await Deno.symlink("busybox", `${root}/bin/${tool}`);
    }
    const rpm = (...args: readonly string[]) =>
      outputOf("rpm", "--root", root, "--nodeps", ...args);
    const fileOf = (version: string) => {
      const info = { version, commit: "", repository: "", releaseKey: "" };
      return `${folder}/${packageName({ info, arch: "amd64" }, "rpm")}`;
    };
    const config = `${root}/etc/${NAME}/config.json`;

    assertStringIncludes(
      rpm("--ignorearch", "-i", fileOf("1.0.0")),
      "installed but not configured",
    );
    assertEquals(((await Deno.stat(config)).mode ?? 0) & 0o7777, 0o640);
    assertEquals(await Deno.readTextFile(`${root}/usr/lib/${NAME}/package`), "rpm\n");
    assertStringIncludes(await Deno.readTextFile(root + PROGRAM), "1.0.0");
    await Deno.writeTextFile(config, '{"endpoint":"https://p.example"}');
    assertEquals(rpm("--ignorearch", "-U", fileOf("1.1.0")), "");
    assertStringIncludes(await Deno.readTextFile(root + PROGRAM), "1.1.0");
    assertEquals(await Deno.readTextFile(config), '{"endpoint":"https://p.example"}');
    rpm("-e", NAME);
    const left = outputOf("sh", "-c", `cd ${root} && find . -name '*${NAME}*'; ls etc/${NAME}`);
    assertEquals(left, `./etc/${NAME}\nconfig.json.rpmsave\n`);
  }));

const noLintian = noNfpm ?? lackOfTools("lintian");

const withLintian = unless(noLintian);

withLintian.test("lintian finds no error in the .deb", () =>
  withPackages("deb", (folder) => {
    const info = { version: "1.1.0", commit: "", repository: "", releaseKey: "" };
    const path = `${folder}/${packageName({ info, arch: "amd64" }, "deb")}`;
    // It fails with each error.
    const findings = outputOf("lintian", "--allow-root", "--fail-on", "error", path);
    assertEquals(findings.split("\n").filter((line) => line.startsWith("E:")), []);

    return Promise.resolve();
  }));
