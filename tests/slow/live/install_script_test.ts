import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { buildPortable, PORTABLE_NAME } from "../../../build/portable.ts";
import { startTestPanel } from "../../test_panel/test_panel.ts";
import { MachineContainer } from "./machine_container.ts";
import { unless } from "../../only_on.ts";

const KEY = "d1scovery-k3y";
const ROOT = decodeURIComponent(new URL("../../..", import.meta.url).pathname);
const BUSYBOX = "/usr/bin/busybox";
const STATE = "/var/lib/komari-agent-deno/auto-discovery.state";

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

const lack = MachineContainer.missing() ?? (isFile(BUSYBOX) ? undefined : "no busybox");

/** Serves one release, behind a mirror's prefix. */
async function serveRelease(): Promise<Deno.HttpServer<Deno.NetAddr>> {
  const folder = await Deno.makeTempDir();
  const program = await Deno.readFile(await buildPortable({ version: "1.0.0", folder }));
  await Deno.remove(folder, { recursive: true });
  const sum = new Uint8Array(await crypto.subtle.digest("SHA-256", program)).toHex();
  const base = "/https://github.com/some/where/releases/latest/download";
  return Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, ({ url }) => {
    const { pathname } = new URL(url);
    if (pathname === `${base}/SHA256SUMS`) return new Response(`${sum}  ${PORTABLE_NAME}\n`);
    if (pathname === `${base}/${PORTABLE_NAME}`) return new Response(program);
    return new Response("Not Found", { status: 404 });
  });
}

const here = unless(lack);

here.test("install.sh with a key makes one node of a machine, before and after a reboot", async () => {
  const panel = await startTestPanel({ discoveryKey: KEY });
  const server = await serveRelease();
  const report = async () => {
    const { reports } = panel.state.counts;
    await panel.state.until(({ counts }) => counts.reports > reports);
  };
  try {
    await using machine = await MachineContainer.start({
      mounts: {
        "/usr/local/bin/deno": Deno.execPath(),
        // There is nothing else to download by.
        "/usr/local/bin/wget": BUSYBOX,
        "/install.sh": `${ROOT}install.sh`,
      },
    });
    const mirror = `http://127.0.0.1:${server.addr.port}/`;
    const said = await machine.run(
      `cat /install.sh | sh -s -- --portable --install-ghproxy ${mirror} -e ${panel.url} ` +
        `--auto-discovery ${KEY} --ip-services off --disable-auto-update`,
      { KOMARI_AGENT_REPOSITORY: "some/where" },
    );
    assertStringIncludes(said, "Verified komari-agent-deno 1.0.0");
    await report();
    const [node] = panel.registrations;
    assert(node !== undefined);
    assertMatch(await machine.run(`stat -L -c '%a %U' ${STATE}`), /^600 (?!root)/);
    assertStringIncludes(await machine.run(`cat ${STATE}`), node.token);
    for (
      const place of [
        "ps -eo args",
        "journalctl --no-pager",
        "cat /etc/systemd/system/komari-agent-deno*",
      ]
    ) {
      const text = await machine.run(place);
      assertEquals([text.includes(KEY), text.includes(node.token)], [false, false], place);
    }
    assertEquals([said.includes(KEY), said.includes(node.token)], [false, false]);

    await machine.reboot();
    await report();
    assertEquals(panel.registrations.length, 1);
    assertEquals(panel.state.violations, []);
    await machine.run("/opt/komari-agent-deno/komari-agent-deno uninstall");
    assertEquals((await machine.tries(`cat ${STATE}`)).code, 1);
  } finally {
    await server.shutdown();
    panel.close();
  }
});
