import { assertEquals, assertNotEquals } from "@std/assert";
import { ReleaseKeys } from "../update/release_keys.ts";
import { servicePaths } from "../../lib/service/service_manager.ts";
import { makeCertificate } from "../net/test_authority.ts";
import { asRoot } from "../only_on.ts";
import { TempFolder } from "../temp_folder.ts";
import { startTestPanel } from "../test_panel/test_panel.ts";
import { AgentProcess } from "./agent_process.ts";
import { until } from "./setup.ts";
import { RawServer } from "../net/raw_server.ts";

const NAME = "komari-agent-deno";
const AUTHORITIES = "/etc/pki/ca-trust/source/anchors";
const FOREIGN_ID = 4711;
const PUBLIC_ADDRESS = "8.8.4.4";
const DISCOVERY_KEY = "d1scovery-k3y";

asRoot.test("the program uses what is installed on its machine: configuration, record, authorities, an official agent", async () => {
  using folder = new TempFolder();
  const certificate = await makeCertificate();
  if (certificate === undefined) return;
  using panel = await startTestPanel({ discoveryKey: DISCOVERY_KEY });
  await using front = new RawServer((it) => it.leadTo(panel.port), { certificate });
  const paths = servicePaths(NAME, { uid: 0, home: "", userRuntimeDir: "", os: "linux" });
  // Nobody's agent is below it.
  Deno.chmodSync(folder.path, 0o755);
  for (const path of [paths.configFolder, AUTHORITIES]) {
    Deno.mkdirSync(`${folder.path}${path}`, { recursive: true });
  }
  Deno.copyFileSync("/etc/passwd", `${folder.path}/etc/passwd`);
  Deno.writeTextFileSync(`${folder.path}${AUTHORITIES}/own.crt`, certificate.authority);
  const config = `${folder.path}${paths.config}`;
  // The helper shell knows the name, and the sealed process does not.
  Deno.writeTextFileSync(`${folder.path}/etc/hosts`, "127.0.0.1 panel.test\n");
  const name = `panel.test:${front.port}`;
  const text = { endpoint: `https://${name}`, auto_discovery_key: DISCOVERY_KEY };
  Deno.writeTextFileSync(config, JSON.stringify(text), { mode: 0o600 });
  panel.state.tasks = [{ id: 7, name: "p", type: "tcp", target: name, interval: 1 }];
  const through = [
    "unshare",
    "-m",
    "sh",
    "-c",
    `mount --bind ${folder.path}/etc /etc && mount --bind ${folder.path}/run /run && exec "$0" "$@"`,
  ];
  // A machine with systemd.
  Deno.mkdirSync(`${folder.path}/run/systemd/system`, { recursive: true });
  const start = (...args: readonly string[]) =>
    new AgentProcess(args, { through, env: { RUNTIME_DIRECTORY: `${folder.path}/run` } });

  await using addresses = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    () => new Response(PUBLIC_ADDRESS),
  );
  const asked = `http://panel.test:${addresses.addr.port}/`;
  await using _agent = start("-i", "0.2", "--ip-services", asked);
  await until(panel, ({ reports, pingResults }) => reports.length >= 1 && pingResults.length >= 1);
  await until(panel, ({ columns }) => columns["ipv4"] === PUBLIC_ADDRESS);
  assertNotEquals(panel.state.pingResults[0]?.value.valueMs, -1);
  {
    await using another = start();
    await another.says("an agent is running already");
    assertEquals((await another.ends()).code, 1);
  }
  Deno.chownSync(config, FOREIGN_ID, FOREIGN_ID);
  {
    await using another = start();
    await another.says(`another user (id ${FOREIGN_ID}) owns it`);
    assertEquals((await another.ends()).code, 2);
  }
  Deno.removeSync(config);
  const record = {
    ...{ ...paths, service: NAME, manager: "systemd", scope: "system", program: "/opt/agent" },
    ...{ user: "", createdUser: false, enabledLinger: "", pinned: "" },
    ...{ files: [], links: [], folders: [], trees: [] },
    rootOptions: {
      update_url: `https://127.0.0.1:${front.port}/releases`,
      update_key: new ReleaseKeys().publicKey,
    },
  };
  Deno.writeTextFileSync(`${folder.path}${paths.record}`, JSON.stringify(record));
  await using update = start("update", "--check");
  await update.says("the server answers a page of HTML");
  assertEquals((await update.ends()).code, 1);
  Deno.removeSync(`${folder.path}${paths.record}`);
  const units = `${folder.path}/etc/systemd/system`;
  Deno.mkdirSync(units, { recursive: true });
  const unit = "[Service]\nExecStart=/opt/komari/agent -e https://p.example -t t0ken\n" +
    "Environment=HTTPS_PROXY=http://p.example\n";
  Deno.writeTextFileSync(`${units}/komari-agent.service`, unit);
  await using replacement = start("install", "--replace");
  await replacement.says("komari-agent.service: it was edited by hand (Environment=)");
  assertEquals((await replacement.ends()).code, 2);
});
