import {
  assert,
  assertEquals,
  assertGreaterOrEqual,
  assertMatch,
  assertStringIncludes,
} from "@std/assert";
import { loopbackTasks } from "../../../lib/demo/stand_in_panel.ts";
import { panelFault } from "../../test_panel/faults.ts";
import { startTestPanel } from "../../test_panel/test_panel.ts";
import { outputOf, succeeds } from "./command.ts";
import { podmanArguments } from "./compose.ts";
import { ContainerImage } from "./container_image.ts";
import { dryRun } from "./dry_run.ts";
import { registersOnce } from "./kubernetes_pod.ts";
import { onlyIf } from "../../only_on.ts";

const VERSION = "9.8.7";
/** The user of the image. */
const UID = 65532;
const COMPOSE = Deno.readTextFileSync(new URL("../../../compose.yaml", import.meta.url));
const CONFINED = ["--network=none", "--read-only", "--cap-drop=ALL", "--cap-add=NET_RAW"];

const missing = ContainerImage.missing();
const skipped = missing === undefined ? "" : ` (skipped: ${missing})`;

const here = onlyIf(missing === undefined);

here.test(`the image's agent reports the host, as the example says${skipped}`, async (t) => {
  await using image = await ContainerImage.build(VERSION);
  await t.step("it has the agent, what that needs, and nothing else", () => hasLittle(image));
  await t.step("its user may ping by the file's own right", () => pings(image));
  await t.step("without that right, a probe says so", () => isForbidden(image));
  await t.step("names are resolved by a program of its own", () => resolves(image));
  await t.step("it is known as an image to the agent within", () => isKnown(image));
  await t.step("it starts without a network, rights and a place to write", async () => {
    const { code, output } = await image.run(CONFINED, ["version"]);
    assertEquals(code, 0, output);
    assertStringIncludes(output, `komari-agent-deno ${VERSION}`);
  });
  await t.step("it reports the host, probes, tells its health, and ends when told", () => {
    return reports(image);
  });
  await t.step("a pod of Kubernetes registers its node once and reports it", () => {
    return registersOnce(image);
  });
});

function hasLittle(image: ContainerImage): void {
  const root = image.files();
  const found = outputOf("sh", "-c", `cd ${root} && find . -type f | sort`).trim().split("\n");
  const libraries = found.filter((path) => /^\.\/lib(64)?\//.test(path));
  assert(libraries.every((path) => /\/(ld-linux[^/]*|lib\w+)\.so\.\d+$/.test(path)), found.join());
  assertEquals(found.filter((path) => !libraries.includes(path)), [
    "./.komari-agent-container",
    "./bin/chown",
    "./bin/deno",
    "./bin/getent",
    "./bin/ping",
    "./bin/sh",
    "./etc/group",
    "./etc/nsswitch.conf",
    "./etc/os-release",
    "./etc/passwd",
    "./etc/ssl/certs/ca-certificates.crt",
    "./komari-agent-deno",
  ]);
  assertEquals(
    image.podman.output("image", "inspect", "--format={{.User}}", image.name).trim(),
    `${UID}:${UID}`,
  );
  assertEquals(Deno.statSync(`${root}/var/lib/komari-agent-deno`).uid, UID);
}

/** Other than podman, Docker gives no user but root's the rights that were added. */
function pings(image: ContainerImage): void {
  const asUser = ["chroot", `--userspec=${UID}:${UID}`, image.files()];
  const output = outputOf("env", ...asUser, "/bin/ping", "-n", "-c", "1", "--", "127.0.0.1");
  assertStringIncludes(output, "1 packets received");
}

async function resolves(image: ContainerImage): Promise<void> {
  const options = ["--add-host=panel.example:192.0.2.7"];
  const { output } = await image.run(
    [...CONFINED, ...options, "--entrypoint=/bin/getent"],
    ["ahosts", "panel.example"],
  );
  assertMatch(output, /^192\.0\.2\.7 +STREAM/m);
}

async function isForbidden(image: ContainerImage): Promise<void> {
  const options = ["--network=none", "--cap-drop=ALL", "--entrypoint=/bin/sh"];
  const { output } = await image.run(options, ["-c", "ping -n -c 1 -- 127.0.0.1"]);
  assertStringIncludes(output, "Operation not permitted");
}

async function isKnown(image: ContainerImage): Promise<void> {
  const code =
    'import { isInContainerImage } from "/source/lib/host/this_program.ts"; console.log(isInContainerImage())';
  const options = ["--entrypoint=/bin/deno"];
  for (const name of ["deno.json", "lib"]) {
    const path = new URL(`../../../${name}`, import.meta.url).pathname;
    options.push(`--volume=${path}:/source/${name}:ro`);
  }
  const { output } = await image.run([...CONFINED, ...options], ["eval", code]);
  assertStringIncludes(output, "true");
}

async function reports(image: ContainerImage): Promise<void> {
  const secret = await Deno.makeTempFile();
  const panel = await startTestPanel();
  panel.state.tasks = loopbackTasks(panel.port);
  try {
    await Deno.writeTextFile(secret, panel.token);
    await Deno.chmod(secret, 0o400);
    await Deno.chown(secret, UID, UID);
    const surroundings = {
      variables: { AGENT_ENDPOINT: panel.url },
      secrets: { "komari-token": secret },
      volumes: { state: image.newName() },
    };
    const host = await dryRun(["--month-rotate", "1"]);
    const name = image.start([
      ...podmanArguments(COMPOSE, surroundings),
      ...["--env=AGENT_IP_SERVICES=off", "--env=AGENT_INTERVAL=1"],
      "--env=AGENT_ALLOW_LOCAL_PROBES=1",
    ]);
    await panel.state.until(({ pingResults }) => {
      const answered = pingResults.filter(({ value }) => value.valueMs >= 0);
      return new Set(answered.map(({ value }) => value.pingType)).size === 3;
    });
    const { version, ...facts } = panel.state.columns;
    const { version: _own, ...factsOfHost } = host.basicInfo;
    assertEquals(version, VERSION);
    assertEquals(facts, factsOfHost);
    const report = panel.state.reports.at(-1)?.value;
    assert(report !== undefined);
    assertEquals(report.ram?.total, host.report.ram.total);
    assertEquals(report.disk?.total, host.report.disk.total);
    assertGreaterOrEqual(report.uptime ?? 0, host.report.uptime);
    assertEquals(report.message, "");
    assertEquals(panel.state.violations, []);
    const { podman } = image;
    assertMatch(
      (await podman.tries("logs", name)).output,
      /sealed by the kernel and the runtime$/m,
    );

    await podman.comesTo(0, "healthcheck", "run", name);
    await panel.setFault(panelFault("silence"));
    await podman.comesTo(1, "healthcheck", "run", name);
    await panel.setFault(undefined);
    await podman.comesTo(0, "healthcheck", "run", name);

    await podman.tries("stop", "--time", "10", name);
    const state = "{{.State.ExitCode}} {{.State.OOMKilled}}";
    assertEquals(podman.output("inspect", `--format=${state}`, name).trim(), "0 false");
    const { output } = await podman.tries("logs", name);
    assertStringIncludes(output, "agent: Stopped");
    const volume = podman.output(
      "volume",
      "inspect",
      "--format={{.Mountpoint}}",
      surroundings.volumes.state,
    );
    assert(succeeds("test", "-s", `${volume.trim()}/month.state`), outputOf("ls", volume.trim()));
  } finally {
    panel.close();
    await Deno.remove(secret);
  }
}
