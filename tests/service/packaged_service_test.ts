import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { UsageError } from "../../lib/config/usage_error.ts";
import { readInstallContext } from "../../lib/service/install_context.ts";
import { planInstall } from "../../lib/service/install_plan.ts";
import { isPackageConfigured } from "../../lib/service/packaged_service.ts";
import { replaceNow } from "./official_machine.ts";
import {
  ARGS,
  CONFIG,
  configOf,
  type Fakes,
  type FakeSystem,
  machineOf,
  NAME,
} from "./fake_system.ts";
import { testsWith } from "../tests_with.ts";

const DROP_IN = `/etc/systemd/system/${NAME}.service.d/install.conf`;

/** A machine on which a package has put its files, and on which its program runs. */
function packaged(fakes: Fakes = {}, kind = "deb"): FakeSystem {
  const fake = machineOf("systemd", fakes, { folders: ["usr/bin"] });
  fake.write(`/usr/lib/${NAME}/package`, `${kind}\n`);
  fake.write(`/usr/bin/${NAME}`, "the program of the package");
  fake.write(CONFIG, "{}\n");
  fake.write(`/users/${NAME}`, "");
  Object.assign(fake.system, { program: { form: "binary", path: `${fake.root}/usr/bin/${NAME}` } });
  return fake;
}

const withPackage = testsWith(() => packaged());

withPackage.test("install() of a packaged program writes its configuration only, and uninstall() empties it", async (fake) => {
  const before = fake.tree().filter((line) => !line.includes("config.json"));
  await fake.install(ARGS);
  assertEquals(fake.calls().filter((line) => line.startsWith("systemctl")), [
    "systemctl daemon-reload",
    `systemctl restart ${NAME}.service`,
    `systemctl enable ${NAME}.service`,
    `systemctl show ${NAME}.service --property=…`,
    `systemctl is-active --quiet ${NAME}.service`,
  ]);
  assertEquals(fake.tree().filter((line) => !before.includes(line)), [
    `/etc/${NAME}/config.json 640`,
  ]);
  assertEquals(fake.config(), { endpoint: "https://p.example", token: "top-secret" });
  const printed = fake.output;
  assertStringIncludes(printed, "by its package: apt brings them");
  assertStringIncludes(printed, `sudo apt purge ${NAME}`);

  await fake.uninstall();
  assertEquals(fake.calls(), [
    `systemctl stop ${NAME}.service`,
    `systemctl disable ${NAME}.service`,
    `systemctl reset-failed ${NAME}.service`,
    "systemctl daemon-reload",
  ]);
  assertEquals(fake.text(CONFIG), "{}\n");
  assert(fake.tree().includes(`/etc/${NAME}/config.json 640`));
  assertEquals(fake.text(`/usr/bin/${NAME}`), "the program of the package");
  assertStringIncludes(fake.printed.at(-1) ?? "", "the package stays");
});

Deno.test("install() of a packaged program keeps options that are not given", async () => {
  await using fake = packaged({}, "rpm");
  await fake.install(ARGS, { env: { HTTPS_PROXY: "http://proxy:3128" } });
  await fake.install(["-i", "5"]);
  assertEquals(fake.config(), { endpoint: "https://p.example", interval: 5, token: "top-secret" });
  assertStringIncludes(fake.text(`/etc/${NAME}/environment`), "http://proxy:3128");
  assert(fake.tree().includes(`/etc/${NAME}/environment 600`));
  assertStringIncludes(fake.output, `sudo dnf remove ${NAME}`);
  await fake.install(["-e", "https://q.example", "-t", "another"]);
  const { endpoint, token } = fake.config();
  assertEquals([endpoint, token], ["https://q.example", "another"]);
});

Deno.test("install() of a packaged program adds to the unit what this machine needs, and takes it back", async () => {
  await using fake = packaged({ "systemd-run": "exit 226" });
  await fake.install([...ARGS, "--gpu"]);
  const text = fake.text(DROP_IN);
  assert(fake.tree().includes(`${DROP_IN} 644`));
  assertStringIncludes(text, "[Service]\n");
  assertStringIncludes(text, "PrivateDevices=no\n");
  assertStringIncludes(text, "ProtectSystem=no\n");
  assertEquals(text.includes("NoNewPrivileges"), false);

  await using wider = packaged();
  await wider.install([...ARGS, "--gpu"]);
  const lines = wider.text(DROP_IN).split("\n");
  assertEquals(lines.slice(1), ["[Service]", "PrivateDevices=no", ""]);
  await wider.install(["--unset", "gpu"]);
  assertEquals(wider.tree().some((line) => line.includes(".service.d")), false);
});

withPackage.test("install() of a packaged program refuses what its service can't have", async (fake) => {
  const before = fake.tree();
  const refused = async (more: readonly string[], why: string) =>
    void await assertRejects(() => fake.install([...ARGS, ...more]), UsageError, why);
  await refused(["--install-dir", "/srv/agent"], "leave out --install-dir");
  await refused(["--install-service-name", "node-2"], "leave out --install-service-name");
  await refused(["--as-root"], "leave out --as-root");
  const { tools } = fake.system;
  const all = { has: () => true, run: tools.run.bind(tools) };
  await Deno.rename(`${fake.root}/run/systemd`, `${fake.root}/run/openrc`);
  Object.assign(fake.system, { tools: all });
  await refused([], "its service is one of systemd, and this machine runs openrc");
  await Deno.rename(`${fake.root}/run/openrc`, `${fake.root}/run/systemd`);
  Object.assign(fake.system, { tools, uid: 1000, home: "/home/ann" });
  await refused([], "run this as root");
  await assertRejects(() => fake.uninstall(), Error, "run this as root");
  assertEquals(fake.tree(), before);
  assertEquals(fake.calls(), []);
});

withPackage.test("install() of another program refuses a second service beside a package's", async (fake) => {
  Object.assign(fake.system, { program: { form: "binary", path: `${fake.root}/usr/bin/other` } });
  fake.write("/usr/bin/other", "another program");
  const why = `a package has installed it; run \`sudo /usr/bin/${NAME} install\``;
  await assertRejects(() => fake.install(ARGS), UsageError, why);
  assertEquals(fake.calls(), []);
  await fake.install([...ARGS, "--install-service-name", "node-2"]);
  assert(fake.calls().includes("systemctl restart node-2.service"));
});

withPackage.test("install() of a packaged program names its Deno and its state folder where they are others", async (fake) => {
  const { path } = fake.system.program;
  // The service's user must get there.
  Deno.chmodSync(fake.root, 0o755);
  const deno = `${Deno.realPathSync(fake.root)}/usr/bin/other-deno`;
  Deno.writeTextFileSync(deno, "", { mode: 0o755 });
  Object.assign(fake.system, { program: { form: "portable", path }, denoPath: deno });
  await fake.install([...ARGS, "--state-dir", "/srv/state"]);
  assertEquals(fake.text(DROP_IN).split("\n").slice(1), [
    "[Service]",
    `Environment=DENO=${deno}`,
    "Environment=DENO_DIR=/srv/state/deno",
    "ReadWritePaths=/srv/state",
    "",
  ]);
  const config = configOf(["install", ...ARGS]);
  const { signal } = new AbortController();
  const context = await readInstallContext(config, fake.system, signal);
  for (const usual of ["/usr/local/bin/deno", "/usr/bin/deno"]) {
    const { service } = planInstall(config, { ...context, deno: usual });
    assertEquals(service.deno, "deno", "found on the path of the unit");
  }
  assert(fake.tree().includes("/srv/state/ 700"));
  assertEquals(fake.config().state_dir, "/srv/state");
});

withPackage.test("install() of a packaged program removes proxies that are not wanted any more", async (fake) => {
  const environment = `/etc/${NAME}/environment 600`;
  await fake.install(ARGS, { env: { HTTPS_PROXY: "http://proxy:3128" } });
  assert(fake.tree().includes(environment));
  await fake.install(["--unset", "https_proxy"]);
  assertEquals(fake.tree().includes(environment), false);
});

Deno.test("uninstall() of a packaged program removes all that install() and the agent have made", async () => {
  const made = ["traffic.json", "environment", "install.conf", "replaced.json"];
  const table = [
    [{ print: false }, []],
    [{ print: false, keepsState: true }, ["traffic.json"]],
    [{ print: false, keepsOfficialRecord: true }, ["replaced.json"]],
    [{ print: true }, made],
  ] as const;
  for (const [options, kept] of table) {
    await using fake = packaged({ "systemd-run": "exit 226" });
    await fake.install(ARGS, { env: { HTTPS_PROXY: "http://proxy:3128" } });
    fake.write(`/var/lib/${NAME}/traffic.json`, "{}");
    fake.write(`/etc/${NAME}/replaced.json`, "{}");
    fake.write(`/etc/${NAME}/environment.new`, "");
    fake.calls();
    await fake.uninstall(options);
    const tree = fake.tree().join("\n");
    assertEquals(made.filter((name) => tree.includes(`/${name} `)), kept);
    assertEquals(tree.includes("environment.new"), options.print);
    assertEquals(tree.includes(".service.d"), options.print);
    assertEquals(fake.text(CONFIG) === "{}\n", !options.print);
    assertEquals(fake.calls().length > 0, !options.print);
  }
});

withPackage.test("isPackageConfigured() is true once a package's program has a panel", async (fake) => {
  assertEquals(isPackageConfigured(fake.system), false);
  await fake.install(ARGS);
  const other = { ...fake.system, program: { form: "binary", path: "/usr/bin/true" } as const };
  assertEquals([isPackageConfigured(fake.system), isPackageConfigured(other)], [true, false]);
  await assertRejects(() => replaceNow(fake, fake.system), Error, `${NAME} is already installed`);
});
