import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { buildPortable } from "../../../build/portable.ts";
import { startTestPanel, type TestPanel } from "../../test_panel/test_panel.ts";
import { ReleaseServer } from "../../update/release_server.ts";
import { MachineContainer } from "./machine_container.ts";

const PROGRAM = "/build/komari-agent-deno-portable";
const SERVICE = "komari-agent-deno";
const UPDATE = `${SERVICE}-update`;

/** It passes for a newer version until it has to report. */
const BROKEN = `#!/bin/sh\n[ "$1" = version ] && echo '{"version": "1.3.0"}' || exit 9\n`;

const lack = MachineContainer.missing();
if (lack !== undefined) console.log(`systemd is not tried: ${lack}`);

interface World {
  readonly panel: TestPanel;
  readonly machine: MachineContainer;
  readonly releases: ReleaseServer;
  /** Version 1.3.0 of this checkout; 1.2.3 lies on the machine. */
  readonly newer: Uint8Array<ArrayBuffer>;
}

async function inWorld(act: (world: World) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.chmod(folder, 0o755);
    const newer = await Deno.readFile(await buildPortable({ version: "1.3.0", folder }));
    await buildPortable({ version: "1.2.3", folder });
    const panel = await startTestPanel();
    await using releases = new ReleaseServer();
    try {
      const mounts = { "/usr/local/bin/deno": Deno.execPath(), "/build": folder };
      await using machine = await MachineContainer.start({ mounts });
      await act({ panel, machine, releases, newer });
    } finally {
      panel.close();
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Waits until the panel hears from a version. */
async function reportsAs(version: string, { state }: TestPanel): Promise<void> {
  const end = performance.now() + 120_000;
  while (state.basicInfos.at(-1)?.value.version !== version) {
    assert(performance.now() < end, `version ${version} never reported`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

async function log({ machine }: World, unit: string): Promise<string> {
  return await machine.run(`journalctl -u ${unit} --no-pager -o cat`);
}

Deno.test({
  name:
    "the timer's unit updates what was installed on a real systemd, and takes back what is broken",
  ignore: lack !== undefined,
  fn: () =>
    inWorld(async (world) => {
      const { panel, machine, releases, newer } = world;
      const before = await machine.files();
      const source = `--update-url ${releases.url} --update-key ${releases.keys.publicKey}`;
      const options = `-e ${panel.url} --ip-services off ${source}`;
      await machine.run(`${PROGRAM} install ${options}`, { AGENT_TOKEN: panel.token });
      await reportsAs("1.2.3", panel);
      await machine.run(`systemctl is-active --quiet ${UPDATE}.timer`);

      releases.publish("1.3.0", newer);
      await machine.run(`systemctl start ${UPDATE} || { journalctl -u ${UPDATE} -o cat; exit 1; }`);
      await reportsAs("1.3.0", panel);
      const done = await log(world, UPDATE);
      assertStringIncludes(done, "Updated from version 1.2.3 to 1.3.0");
      assertEquals(done.includes(panel.token), false);
      const place = `/opt/${SERVICE}/${SERVICE}`;
      assertStringIncludes(await machine.run(`${place} version`), "1.3.0");
      assertStringIncludes(await machine.run(`${place}.old version`), "1.2.3");
      assertEquals(await machine.run(`stat -c '%a %U' ${place}`), "755 root\n");

      releases.publish("1.4.0", BROKEN.replace("1.3.0", "1.4.0"));
      assertEquals((await machine.tries(`systemctl start ${UPDATE}`)).code, 1);
      await machine.run(`systemctl is-active --quiet ${SERVICE}`);
      assertStringIncludes(
        await log(world, UPDATE),
        "1.3.0 is installed again, and 1.4.0 will not be tried again within a week",
      );
      assertStringIncludes(await machine.run(`${place} version`), "1.3.0");
      await machine.run(`systemctl start ${UPDATE}`);
      assertStringIncludes(
        await log(world, UPDATE),
        "1.4.0 is available, but failed on this machine within a week",
      );

      await machine.run(`${PROGRAM} uninstall`);
      assertEquals(await machine.changes(before), []);
      assertEquals(panel.state.violations, []);
    }),
});

Deno.test({
  name: "an agent that nobody would start again is left alone on a real systemd",
  ignore: lack !== undefined,
  fn: () =>
    inWorld(async (world) => {
      const { panel, machine, releases, newer } = world;
      releases.publish("1.3.0", newer);
      const path = "/opt/own/agent";
      await machine.run(`mkdir -p /opt/own && cp ${PROGRAM} ${path}`);
      const line = `${path} -e ${panel.url} --ip-services off </dev/null >/dev/null 2>&1 &`;
      const pid = `${path} health --json | sed -n 's/.*"pid": \\([0-9]*\\).*/\\1/p'`;
      // From the shell of a user who has gone, and left behind by a service that goes on.
      for (
        const start of [line, `systemd-run --quiet -E AGENT_TOKEN sh -c '(${line}) && sleep 1000'`]
      ) {
        await machine.run(start, { AGENT_TOKEN: panel.token });
        await machine.comes(`${path} health`);
        const source = `--update-url ${releases.url} --update-key ${releases.keys.publicKey}`;
        const update = `${path} update --now ${source}`;
        const { code, output } = await machine.tries(update);
        assertEquals(code, 1, output);
        assertStringIncludes(output, "belongs to no service");
        await machine.run(`${path} health && kill $(${pid})`);
        await machine.comes(`! ${path} health`);
      }
    }),
});
