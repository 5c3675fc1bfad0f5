import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { UsageError } from "../../lib/config/usage_error.ts";
import { readInstallContext } from "../../lib/service/install_context.ts";
import { planInstall } from "../../lib/service/install_plan.ts";
import { isPackageConfigured } from "../../lib/service/packaged_service.ts";
import type { TargetSystem } from "../../lib/service/target_system.ts";
import { uninstall } from "../../lib/service/uninstall.ts";
import { replaceNow } from "./official_machine.ts";
import { configOf, type Fakes, FakeSystem, installNow, USERS } from "./fake_system.ts";

const { signal } = new AbortController();
const NAME = "komari-agent-deno";
const ARGS = ["install", "-e", "https://p.example", "-t", "top-secret"];
const DROP_IN = `/etc/systemd/system/${NAME}.service.d/install.conf`;

const SYSTEMD: Fakes = {
  ...USERS,
  systemctl: "",
  "systemd-run": "",
  journalctl: "echo panel: refused",
};

/** A machine on which a package has put its files. */
function packaged(
  { fakes = SYSTEMD, kind = "deb" }: { fakes?: Fakes; kind?: string } = {},
): { fake: FakeSystem; system: TargetSystem } {
  const fake = new FakeSystem({ folders: ["run/systemd/system", "usr/bin"], fakes });
  fake.write(`/usr/lib/${NAME}/package`, `${kind}\n`);
  fake.write(`/usr/bin/${NAME}`, "the program of the package");
  fake.write(`/etc/${NAME}/config.json`, "{}\n");
  fake.write(`/users/${NAME}`, "");
  const program = { form: "binary", path: `${fake.root}/usr/bin/${NAME}` } as const;
  return { fake, system: { ...fake.system, program } };
}

Deno.test("install() of a packaged program writes its configuration only, and uninstall() empties it", async () => {
  const { fake, system } = packaged();
  await using _ = fake;
  const before = fake.tree().filter((line) => !line.includes("config.json"));
  await installNow(configOf(ARGS), system);
  assertEquals(fake.calls().filter((line) => line.startsWith("systemctl")), [
    "systemctl daemon-reload",
    `systemctl restart ${NAME}.service`,
    `systemctl enable ${NAME}.service`,
    `systemctl is-active --quiet ${NAME}.service`,
  ]);
  assertEquals(fake.tree().filter((line) => !before.includes(line)), [
    `/etc/${NAME}/config.json 640`,
  ]);
  assertEquals(JSON.parse(fake.text(`/etc/${NAME}/config.json`)), {
    endpoint: "https://p.example",
    token: "top-secret",
  });
  const printed = fake.printed.join("\n");
  assertStringIncludes(printed, "by its package: apt brings them");
  assertStringIncludes(printed, `sudo apt purge ${NAME}`);

  await uninstall(system, { serviceName: NAME, print: false, signal });
  assertEquals(fake.calls(), [
    `systemctl stop ${NAME}.service`,
    `systemctl disable ${NAME}.service`,
    `systemctl reset-failed ${NAME}.service`,
    "systemctl daemon-reload",
  ]);
  assertEquals(fake.text(`/etc/${NAME}/config.json`), "{}\n");
  assert(fake.tree().includes(`/etc/${NAME}/config.json 640`));
  assertEquals(fake.text(`/usr/bin/${NAME}`), "the program of the package");
  assertStringIncludes(fake.printed.at(-1) ?? "", "the package stays");
});

Deno.test("install() of a packaged program keeps options that are not given", async () => {
  const { fake, system } = packaged({ kind: "rpm" });
  await using _ = fake;
  await installNow(configOf(ARGS, { env: { HTTPS_PROXY: "http://proxy:3128" } }), system);
  await installNow(configOf(["install", "-i", "5"], { root: fake.root }), system);
  assertEquals(JSON.parse(fake.text(`/etc/${NAME}/config.json`)), {
    endpoint: "https://p.example",
    interval: 5,
    token: "top-secret",
  });
  assertStringIncludes(fake.text(`/etc/${NAME}/environment`), "http://proxy:3128");
  assert(fake.tree().includes(`/etc/${NAME}/environment 600`));
  assertStringIncludes(fake.printed.join("\n"), `sudo dnf remove ${NAME}`);
  const elsewhere = ["install", "-e", "https://q.example", "-t", "another"];
  await installNow(configOf(elsewhere, { root: fake.root }), system);
  const { endpoint, token } = JSON.parse(fake.text(`/etc/${NAME}/config.json`));
  assertEquals([endpoint, token], ["https://q.example", "another"]);
});

Deno.test("install() of a packaged program adds to the unit what this machine needs, and takes it back", async () => {
  const { fake, system } = packaged({ fakes: { ...SYSTEMD, "systemd-run": "exit 226" } });
  await using _ = fake;
  await installNow(configOf([...ARGS, "--gpu"]), system);
  const text = fake.text(DROP_IN);
  assert(fake.tree().includes(`${DROP_IN} 644`));
  assertStringIncludes(text, "[Service]\n");
  assertStringIncludes(text, "PrivateDevices=no\n");
  assertStringIncludes(text, "ProtectSystem=no\n");
  assertEquals(text.includes("NoNewPrivileges"), false);

  const wider = packaged();
  await using __ = wider.fake;
  await installNow(configOf([...ARGS, "--gpu"]), wider.system);
  assertEquals(
    wider.fake.text(DROP_IN).split("\n").slice(1),
    ["[Service]", "PrivateDevices=no", ""],
  );
  await installNow(configOf(ARGS), wider.system);
  assertEquals(wider.fake.tree().some((line) => line.includes(".service.d")), false);
});

Deno.test("install() of a packaged program refuses what its service can't have", async () => {
  const { fake, system } = packaged();
  await using _ = fake;
  const before = fake.tree();
  for (
    const [more, reason] of [
      [["--install-dir", "/srv/agent"], "leave out --install-dir"],
      [["--install-service-name", "node-2"], "leave out --install-service-name"],
      [["--as-root"], "leave out --as-root"],
    ] as const
  ) {
    await assertRejects(() => installNow(configOf([...ARGS, ...more]), system), UsageError, reason);
  }
  await assertRejects(
    () => installNow(configOf(ARGS), { ...system, uid: 1000, home: "/home/ann" }),
    UsageError,
    "run this as root",
  );
  const tools = { ...system.tools, has: () => true, run: system.tools.run.bind(system.tools) };
  await Deno.rename(`${fake.root}/run/systemd`, `${fake.root}/run/openrc`);
  await assertRejects(
    () => installNow(configOf(ARGS), { ...system, tools }),
    UsageError,
    "its service is one of systemd, and this machine runs openrc",
  );
  await Deno.rename(`${fake.root}/run/openrc`, `${fake.root}/run/systemd`);
  const ann = { ...system, uid: 1000, home: "/home/ann" };
  const options = { serviceName: NAME, print: false, signal };
  await assertRejects(() => uninstall(ann, options), Error, "run this as root");
  assertEquals(fake.tree(), before);
  assertEquals(fake.calls(), []);
});

Deno.test("install() of another program refuses a second service beside a package's", async () => {
  const { fake } = packaged();
  await using _ = fake;
  await assertRejects(
    () => installNow(configOf(ARGS), fake.system),
    UsageError,
    `a package has installed it; run \`sudo /usr/bin/${NAME} install\``,
  );
  assertEquals(fake.calls(), []);
  await installNow(configOf([...ARGS, "--install-service-name", "node-2"]), fake.system);
  assert(fake.calls().includes("systemctl restart node-2.service"));
});

Deno.test("install() of a packaged program names its Deno and its state folder where they are others", async () => {
  const { fake, system } = packaged();
  await using _ = fake;
  const { path } = system.program;
  const words = [...ARGS, "--state-dir", "/srv/state"];
  // The service's user must get there.
  Deno.chmodSync(fake.root, 0o755);
  const deno = `${Deno.realPathSync(fake.root)}/usr/bin/other-deno`;
  Deno.writeTextFileSync(deno, "", { mode: 0o755 });
  const program = { form: "portable", path } as const;
  await installNow(configOf(words), { ...system, program, denoPath: deno });
  assertEquals(fake.text(DROP_IN).split("\n").slice(1), [
    "[Service]",
    `Environment=DENO=${deno}`,
    "Environment=DENO_DIR=/srv/state/deno",
    "ReadWritePaths=/srv/state",
    "",
  ]);
  const config = configOf(ARGS);
  const context = await readInstallContext(config, { ...system, program, denoPath: deno }, signal);
  for (const usual of ["/usr/local/bin/deno", "/usr/bin/deno"]) {
    const { service } = planInstall(config, { ...context, deno: usual });
    assertEquals(service.deno, "deno", "found on the path of the unit");
  }
  assert(fake.tree().includes("/srv/state/ 700"));
  assertEquals(JSON.parse(fake.text(`/etc/${NAME}/config.json`)).state_dir, "/srv/state");
});

Deno.test("install() of a packaged program removes proxies that are not wanted any more", async () => {
  const { fake, system } = packaged();
  await using _ = fake;
  const environment = `/etc/${NAME}/environment 600`;
  await installNow(configOf(ARGS, { env: { HTTPS_PROXY: "http://proxy:3128" } }), system);
  assert(fake.tree().includes(environment));
  const words = ["install", "--unset", "https_proxy"];
  await installNow(configOf(words, { root: fake.root }), system);
  assertEquals(fake.tree().includes(environment), false);
});

Deno.test("uninstall() of a packaged program removes all that install() and the agent have made", async () => {
  const made = ["traffic.json", "environment", "install.conf", "replaced.json"];
  for (
    const [options, kept] of [
      [{ print: false }, []],
      [{ print: false, keepsState: true }, ["traffic.json"]],
      [{ print: false, keepsOfficialRecord: true }, ["replaced.json"]],
      [{ print: true }, made],
    ] as const
  ) {
    const { fake, system } = packaged({ fakes: { ...SYSTEMD, "systemd-run": "exit 226" } });
    await using _ = fake;
    await installNow(configOf(ARGS, { env: { HTTPS_PROXY: "http://proxy:3128" } }), system);
    fake.write(`/var/lib/${NAME}/traffic.json`, "{}");
    fake.write(`/etc/${NAME}/replaced.json`, "{}");
    fake.write(`/etc/${NAME}/environment.new`, "");
    fake.calls();
    await uninstall(system, { serviceName: NAME, signal, ...options });
    const tree = fake.tree().join("\n");
    assertEquals(made.filter((name) => tree.includes(`/${name} `)), kept);
    assertEquals(tree.includes("environment.new"), options.print);
    assertEquals(tree.includes(".service.d"), options.print);
    assertEquals(fake.text(`/etc/${NAME}/config.json`) === "{}\n", !options.print);
    assertEquals(fake.calls().length > 0, !options.print);
  }
});

Deno.test("isPackageConfigured() is true once a package's program has a panel", async () => {
  const { fake, system } = packaged();
  await using _ = fake;
  assertEquals(isPackageConfigured(system), false);
  await installNow(configOf(ARGS), system);
  assertEquals([isPackageConfigured(system), isPackageConfigured(fake.system)], [true, false]);
  await assertRejects(() => replaceNow(fake, system), Error, `${NAME} is already installed`);
});
