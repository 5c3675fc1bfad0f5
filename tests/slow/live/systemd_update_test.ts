import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { writeChecksums } from "../../../build/compile.ts";
import { buildPortable } from "../../../build/portable.ts";
import { signRelease } from "../../../build/sign_release.ts";
import { startTestPanel, type TestPanel } from "../../test_panel/test_panel.ts";
import { ReleaseKeys } from "../../update/release_keys.ts";
import { ReleaseServer } from "../../update/release_server.ts";
import { writeFastDeno } from "../fast_deno.ts";
import { PROGRAM, quickWhen, SERVICE } from "./built_machine.ts";
import { folderOfFile } from "./folder_of_file.ts";
import { MachineContainer } from "./machine_container.ts";
import { PATIENCE_MS } from "../../patience.ts";
import { unless } from "../../only_on.ts";

const UPDATE = `${SERVICE}-update`;

/** It passes for a newer version until it has to report. */
const BROKEN = `#!/bin/sh\n[ "$1" = version ] && echo '{"version": "1.3.0"}' || exit 9\n`;

const lack = MachineContainer.missing();

interface World {
  readonly panel: TestPanel;
  readonly machine: MachineContainer;
  readonly releases: ReleaseServer;
  /** Version 1.3.0 of this checkout; 1.2.3 lies on the machine. */
  readonly newer: Uint8Array<ArrayBuffer>;
}

async function inWorld(act: (world: World) => Promise<void>): Promise<void> {
  const deno = "/usr/local/bin/deno";
  const build = await folderOfFile("build", async (folder) => {
    await Deno.rename(await buildPortable({ version: "1.3.0", folder }), `${folder}/newer`);
    await buildPortable({ version: "1.2.3", folder });
    await writeFastDeno("quick_timers", { folder, deno, folderWithin: "/build" });
  });
  const newer = await Deno.readFile(`${build}/newer`);
  using panel = await startTestPanel();
  await using releases = new ReleaseServer();
  const mounts = { [deno]: Deno.execPath(), "/build": build };
  await using machine = await MachineContainer.start({ mounts });
  await act({ panel, machine, releases, newer });
}

/** Waits until the panel hears from a version. */
async function reportsAs(version: string, { state }: TestPanel): Promise<void> {
  const end = performance.now() + PATIENCE_MS;
  while (state.basicInfos.at(-1)?.value.version !== version) {
    assert(performance.now() < end, `version ${version} never reported`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

async function log({ machine }: World, unit: string): Promise<string> {
  return await machine.run(`journalctl -u ${unit} --no-pager -o cat`);
}

const here = unless(lack);

here.test("the timer's unit updates what was installed on a real systemd, and takes back what is broken", () =>
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

    // It has a minute to report, for which nobody need wait.
    const variables = Object.entries(quickWhen(`! systemctl is-active --quiet ${SERVICE}`));
    const quick = variables.map(([name, value]) => `Environment="${name}=${value}"`);
    const dropIn = `/etc/systemd/system/${UPDATE}.service.d/quick.conf`;
    await machine.write(dropIn, ["[Service]", ...quick, ""].join("\n"));
    await machine.run("systemctl daemon-reload");
    releases.publish("1.4.0", BROKEN.replace("1.3.0", "1.4.0"));
    assertEquals((await machine.tries(`systemctl start ${UPDATE}`)).code, 1);
    await machine.run(`systemctl is-active --quiet ${SERVICE}`);
    await machine.comes(`${PROGRAM} status | grep -q "Last report   accepted"`);
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

    await machine.run(`rm -r ${dropIn.replace(/\/[^/]*$/, "")} && ${PROGRAM} uninstall`);
    assertEquals(await machine.changes(before), []);
    assertEquals(panel.state.violations, []);
  }));

/** Releases as the workflow makes them, on a mirror that passes on nothing but their files. */
class Mirror implements AsyncDisposable {
  readonly keys = new ReleaseKeys();
  readonly folder = Deno.makeTempDirSync();
  /** Paths that were asked for. */
  readonly paths: string[] = [];
  latest = "";
  /** A version under whose name it serves another one. */
  renamed: [name: string, of: string] = ["", ""];
  readonly #server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    (request) => this.#answer(new URL(request.url).pathname),
  );

  get prefix(): string {
    return `http://127.0.0.1:${this.#server.addr.port}`;
  }

  /** Builds a version of this checkout for that repository, with its checksums and signature. */
  async release(version: string): Promise<string> {
    const dist = `${this.folder}/v${version}`;
    await Deno.mkdir(dist, { mode: 0o755 });
    const { publicKey: releaseKey } = this.keys;
    const path = await buildPortable({ version, folder: dist, repository: "o/n", releaseKey });
    await writeChecksums(dist, { paths: [path], version });
    await signRelease(dist, this.keys);
    return path;
  }

  async #answer(path: string): Promise<Response> {
    this.paths.push(path);
    const [, tag = "", name = ""] =
      /^\/https:\/\/github\.com\/o\/n\/releases\/(latest\/download|download\/v[\d.]+)\/([\w.-]+)$/
        .exec(path) ?? [];
    const named = tag === "latest/download" ? `v${this.latest}` : tag.slice("download/".length);
    const version = named === this.renamed[0] ? this.renamed[1] : named;
    const bytes = await Deno.readFile(`${this.folder}/${version}/${name}`).catch(() => undefined);
    return bytes === undefined ? new Response("no", { status: 404 }) : new Response(bytes);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
    await Deno.remove(this.folder, { recursive: true });
  }
}

here.test("an installed agent updates through a mirror without any API, and goes back by a version's name", async () => {
  await using mirror = new Mirror();
  await Deno.chmod(mirror.folder, 0o755);
  const first = await mirror.release("1.2.3");
  await mirror.release("1.3.0");
  mirror.latest = "1.3.0";
  using panel = await startTestPanel({ generation: "main" });
  const mounts = { "/usr/local/bin/deno": Deno.execPath(), "/build": mirror.folder };
  await using machine = await MachineContainer.start({ mounts });
  const before = await machine.files();
  const program = first.replace(mirror.folder, "/build");
  const options = `-e ${panel.url} --ip-services off --mirror ${mirror.prefix}`;
  await machine.run(`${program} install ${options}`, { AGENT_TOKEN: panel.token });
  await reportsAs("1.2.3", panel);

  const json = JSON.parse(await machine.run(`${SERVICE} update --json`));
  assertEquals(json, { present: "1.2.3", newest: "1.3.0", verdict: "newer" });
  await machine.run(`systemctl start ${UPDATE} || { journalctl -u ${UPDATE} -o cat; exit 1; }`);
  await reportsAs("1.3.0", panel);

  const back = await machine.run(`${SERVICE} update --now --install-version 1.2.3`);
  assertStringIncludes(back, "Going back from version 1.3.0 to 1.2.3, which was asked for");
  assertStringIncludes(back, "Updated from version 1.3.0 to 1.2.3, which reports");
  assertStringIncludes(back, "Automatic updates go on to newer versions");
  await reportsAs("1.2.3", panel);
  // By a panel's order, within the limits of the unit that it starts.
  await machine.run(`${SERVICE} update --now`);
  await reportsAs("1.3.0", panel);
  await machine.run(`${SERVICE} install --as-root --enable-remote-control --allow-downgrade`);
  await reportsAs("1.3.0", panel);
  await machine.comes(`journalctl -u ${SERVICE} -o cat | grep -q 'Remote control is on'`);
  const end = performance.now() + PATIENCE_MS;
  while (!panel.switchVersion("1.2.3")) {
    assert(performance.now() < end, "the agent takes no order");
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  await reportsAs("1.2.3", panel);
  const log = await machine.run(`journalctl -o cat -u ${SERVICE} -u ${UPDATE}-1.2.3`);
  assertStringIncludes(log, "Updating to version 1.2.3, as the panel has ordered");
  assertStringIncludes(log, "Going back from version 1.3.0 to 1.2.3");
  await machine.comes(`! systemctl is-active --quiet ${UPDATE}-1.2.3`);

  await machine.run(`${SERVICE} install --pin`);
  assertEquals(
    (await machine.tries(`systemctl is-active ${UPDATE}.timer`)).output,
    "inactive\n",
  );
  const pinned = await machine.tries(`${SERVICE} update --now`);
  assertEquals(pinned.code, 1, pinned.output);
  assertStringIncludes(pinned.output, "the service is pinned to version 1.2.3");
  await machine.run(`${SERVICE} install --unset pin`);
  await machine.run(`systemctl is-active --quiet ${UPDATE}.timer`);
  const none = await machine.tries(`${SERVICE} update --now --install-version 9.9.9`);
  assertEquals(none.code, 1, none.output);
  assertStringIncludes(none.output, "releases/download/v9.9.9/SHA256SUMS");
  // A mirror that serves one version under the name of another.
  mirror.renamed = ["v1.1.0", "v1.3.0"];
  const wrong = await machine.tries(`${SERVICE} update --now --install-version 1.1.0`);
  assertEquals(wrong.code, 1, wrong.output);
  assertStringIncludes(wrong.output, 'Cannot find version 1.1.0: the server offers "1.3.0"');

  assertEquals(mirror.paths.filter((path) => path.includes("api.github.com")), []);
  await machine.run(`${SERVICE} uninstall`);
  assertEquals(await machine.changes(before), []);
  assertEquals(panel.state.violations, []);
});
