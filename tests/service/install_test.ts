import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { UsageError } from "../../lib/config/usage_error.ts";
import { install } from "../../lib/service/install.ts";
import { readSavedProxies } from "../../lib/service/service_files.ts";
import { ORIGIN } from "../../lib/service/service_manager.ts";
import { VERSION } from "../../lib/version.ts";
import { acceptAt } from "../state/accept_at.ts";
import {
  ARGS,
  CONFIG,
  configOf,
  type FakeSystem,
  installNow,
  machineOf,
  NAME,
  onOpenRc,
  RELEASES,
} from "./fake_system.ts";

onOpenRc.test("install() creates everything on OpenRC, and uninstall() removes all of it", async (fake) => {
  const before = fake.tree();
  {
    using _agent = fake.acceptedAgent(`/run/${NAME}`);
    assertEquals(await fake.install(ARGS), undefined);
  }
  assertEquals(fake.calls(), [
    `useradd --system --user-group --shell /usr/sbin/nologin --home-dir /nonexistent --no-create-home ${NAME}`,
    `rc-service ${NAME} restart`,
    `rc-update add ${NAME} default`,
  ]);
  const made = fake.tree().filter((line) => !before.includes(line));
  assertEquals(made, [
    `/etc/init.d/${NAME} 755`,
    `/etc/${NAME}/ 755`,
    `/etc/${NAME}/config.json 640`,
    `/etc/${NAME}/install.json 644`,
    "/opt/ 755",
    `/opt/${NAME}/ 755`,
    `/opt/${NAME}/${NAME} 755`,
    `/run/${NAME}/ 755`,
    `/run/${NAME}/health.lock 600`,
    `/users/${NAME} 644`,
    `/usr/local/bin/${NAME} 777`,
    `/var/lib/${NAME}/ 700`,
  ]);
  assertEquals(fake.config(), { endpoint: "https://p.example", token: "top-secret" });
  assertEquals(fake.text(`/opt/${NAME}/${NAME}`), Deno.readTextFileSync(fake.system.program.path));
  const expected = `/opt/${NAME}/${NAME}`;
  assertEquals(Deno.readLinkSync(`${fake.root}/usr/local/bin/${NAME}`), expected);
  assertStringIncludes(fake.output, "p.example accepts its reports.");

  fake.write(`/var/lib/${NAME}/traffic.json`, "{}");
  fake.write(`/var/log/${NAME}.log`, "a line");
  fake.write(`/opt/${NAME}/${NAME}.old`, "the version before");
  await fake.uninstall();
  assertEquals(fake.calls(), [
    `rc-service ${NAME} stop`,
    `rc-update del ${NAME} default`,
    `userdel ${NAME}`,
    `groupdel ${NAME}`,
  ]);
  assertEquals(fake.tree(), before);
  await fake.uninstall();
  assertEquals(fake.calls(), []);
  assertStringIncludes(fake.printed.at(-1) ?? "", "Nothing is installed");
});

onOpenRc.test("install() updates an installation and keeps options that are not given", async (fake) => {
  const before = fake.tree();
  await fake.install([...ARGS, "-i", "2", "--gpu"], { env: { HTTPS_PROXY: "http://proxy:3128" } });
  const once = fake.tree();
  const environment = fake.text(`/etc/${NAME}/environment`);
  fake.calls();
  await fake.install(["-i", "5"]);
  assertEquals(fake.tree(), once);
  assertEquals(fake.calls(), [
    `rc-service ${NAME} restart`,
    `rc-update add ${NAME} default`,
    "tail -n 5 /var/log/komari-agent-deno.log",
    `rc-service ${NAME} status`,
  ]);
  assertEquals(fake.config(), {
    endpoint: "https://p.example",
    interval: 5,
    enable_gpu: true,
    token: "top-secret",
  });
  assertEquals(fake.text(`/etc/${NAME}/environment`), environment);
  assertStringIncludes(fake.text(`/etc/init.d/${NAME}`), "/environment");
  await fake.uninstall();
  assertEquals(fake.tree(), before, "what the first one has made goes too");
});

onOpenRc.test("install() removes the program from the previous folder when it moves", async (fake) => {
  await fake.install(ARGS);
  // As an update leaves it.
  fake.write(`/opt/${NAME}/${NAME}.old`, "the version before");
  await fake.install(["--install-dir", "/srv/agent"]);
  const programs = fake.tree().filter((line) => line.endsWith(`${NAME} 755`));
  assertEquals(programs, [`/etc/init.d/${NAME} 755`, `/srv/agent/${NAME} 755`]);
  assertEquals(fake.tree(`/opt/${NAME}`), []);
  await fake.install();
  assertEquals(fake.tree().filter((line) => line.endsWith(`${NAME} 755`)), programs);
});

onOpenRc.test("install() returns a reason and keeps the service running when no report is accepted", async (fake) => {
  const refusal = await fake.install(ARGS);
  assertEquals(refusal, "p.example accepted no report within 30 s");
  const printed = fake.output;
  const order = ["Uninstall", "Waiting up to 30 s for the first", "keeps trying", "panel: refused"]
    .map((words) => printed.indexOf(words));
  assertEquals(order.every((at) => at > 0) && order.toSorted((a, b) => a - b), order);
  assert(!fake.calls().some((line) => line.includes("stop")), "it keeps trying");
});

Deno.test("install() shows the last five lines of the log, no heading without any, and a service that does not run", async () => {
  const logs: [tail: string, shown: string[]][] = [
    ["printf '%s\\n' 3 4 5 6 7 8 9", ["5", "6", "7", "8", "9"]],
    ["", []],
  ];
  for (const [tail, shown] of logs) {
    await using fake = machineOf("openrc", { tail, "rc-service": '[ "$2" != status ]' });
    await fake.install(ARGS);
    const at = fake.printed.indexOf("Last lines of its log:");
    assertEquals(fake.printed.at(-1), `This finds out why: ${NAME} doctor`);
    assertEquals(at === -1 ? [] : fake.printed.slice(at + 1, -1), shown.map((line) => `  ${line}`));
    assertStringIncludes(fake.output, "was started but is not running");
  }
});

onOpenRc.test("install() ignores a report from before the start, and of a dead agent", async (fake) => {
  let health = "";
  {
    using agent = fake.acceptedAgent(`/run/${NAME}`);
    health = fake.text(`/run/${NAME}/health`);
    acceptAt(agent, { intervalMs: 1000, atMs: Date.now() - 86_400_000 });
    assertStringIncludes(await fake.install(ARGS) ?? "", "no report");
  }
  // A dead agent leaves its health behind.
  fake.write(`/run/${NAME}/health`, health);
  assertStringIncludes(await fake.install() ?? "", "no report");
});

Deno.test("install() takes the report of an agent that is faster than what follows its start", async () => {
  await using fake = machineOf("openrc", { "rc-update": "/bin/sleep 0.02" });
  const { signal } = new AbortController();
  const { tools } = fake.system;
  using agent = fake.acceptedAgent(`/run/${NAME}`);
  acceptAt(agent, { intervalMs: 60_000, atMs: 0 });
  const run: typeof tools.run = async (command, options) => {
    const result = await tools.run(command, options);
    if (command.tool === "rc-service") agent.accepted(60_000);
    return result;
  };
  const system = { ...fake.system, tools: { ...tools, run } };
  assertEquals(await install(configOf(["install", ...ARGS]), system, { signal }), undefined);
});

/** Lets the panels answer so when the token is tried, and gives what was asked for. */
function askedPanels(fake: FakeSystem, answer: (asked: readonly string[]) => boolean): string[] {
  const asked: string[] = [];
  const isTokenKnown: FakeSystem["system"]["isTokenKnown"] = ({ endpoint, token }) => {
    asked.push([endpoint, token, ...fake.calls()].join(" "));
    return Promise.resolve(answer(asked));
  };
  Object.assign(fake.system, { isTokenKnown });
  return asked;
}

onOpenRc.test("install() tries the token first, and changes nothing when the panel rejects it", async (fake) => {
  const asked = askedPanels(fake, ({ length }) => length === 1);
  await fake.install(ARGS);
  assertEquals(asked, ["https://p.example top-secret"], "nothing was run before");
  const before = fake.tree();
  fake.calls();
  const words = ["-e", "https://panel.example", "-t", "wr0ng", "--install-dir", "/srv/x"];
  const why = "https://panel.example does not know this token";
  const error = await assertRejects(() => fake.install(words), Error, why);
  assertEquals(error.message.includes("wr0ng"), false);
  assertEquals([fake.tree(), fake.calls()], [before, []]);
});

onOpenRc.test("install() tries the token of each panel, and none where the node registers itself", async (fake) => {
  const asked = askedPanels(fake, ({ length }) => length === 1);
  const words = ["-e", "https://a.example", "-t", "one", "-e", "https://b.example", "-t", "two"];
  const why = "https://b.example does not know this token";
  await assertRejects(() => fake.install(words), Error, why);
  assertEquals(asked.splice(0), ["https://a.example one", "https://b.example two"]);
  await fake.install(["-e", "https://p.example", "--auto-discovery", "k3y-of-the-panel"]);
  assertEquals(asked, []);
});

onOpenRc.test("install() continues when the panel can't be asked about the token", async (fake) => {
  Object.assign(fake.system, { isTokenKnown: () => Promise.reject(new Error("it is down")) });
  await fake.install(ARGS);
  assertStringIncludes(fake.output, "the token could not be checked: it is down");
  assertStringIncludes(fake.output, "Installed");
  const secrets: string[] = [];
  await fake.install(["-e", "https://p.example"], { secrets });
  assertEquals(secrets.includes("top-secret"), true, "of the installation before");
  const signal = AbortSignal.abort(new Error("stopped"));
  await assertRejects(() => fake.install(ARGS, { signal }), Error, "stopped");
});

onOpenRc.test("install() with --print shows every file and command without secrets, and changes nothing", async (fake) => {
  const before = fake.tree();
  const asked = askedPanels(fake, () => true);
  const key = ["--auto-discovery", "k3y-of-the-panel"];
  const words = [...ARGS, ...key, "--print", "--header", 'X-Key: very"secret'];
  const env = { HTTP_PROXY: "http://me:pass$word@proxy" };
  assertEquals(await fake.install(words, { env }), undefined);
  assertEquals([fake.tree(), fake.calls(), asked], [before, [], []]);
  const printed = fake.output;
  assertEquals(printed.includes("could not be checked"), false);
  const cases = [
    `File /etc/${NAME}/config.json (mode 0640, group of ${NAME})`,
    '"endpoint": "https://p.example"',
    '"auto_discovery_key": "…"',
    "supervisor=supervise-daemon",
    "Run useradd --system",
    `Run rc-service ${NAME} restart`,
    `File /opt/${NAME}/${NAME} (mode 0755), a copy of`,
  ];
  for (const shown of cases) assertStringIncludes(printed, shown);
  for (
    const secret of [
      "top-secret",
      'very"secret',
      'very\\"secret',
      "pass$word",
      "pass\\$word",
      "k3y",
    ]
  ) {
    assert(!printed.includes(secret), secret);
  }
});

onOpenRc.test("install() checks the token with the authority of the installation, by its file or its record", async (fake) => {
  const pem = "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n";
  const authority = `${fake.root}/ca.pem`;
  fake.write("/ca.pem", pem);
  const asked: (readonly string[])[] = [];
  const isTokenKnown = ({ caCerts }: { caCerts: readonly string[] }) => {
    asked.push(caCerts);
    return Promise.resolve(true);
  };
  Object.assign(fake.system, { isTokenKnown });
  await fake.install([...ARGS, "--ca-cert", authority]);
  await fake.install();
  fake.write("/own.json", '{"endpoint": "https://p.example", "token": "t"}');
  const own = ["--config", `${fake.root}/own.json`];
  await fake.install(own);
  assertEquals(asked, [[pem], [pem], [pem]]);
  await fake.install([...own, "--unset", "ca-cert"]);
  assertEquals(asked.at(-1), []);
});

Deno.test("install() with --print runs nothing of systemd's, for root and for a user", async () => {
  for (const [kind, name] of [["systemd", NAME], ["user", "ann"]] as const) {
    const fakes = { id: `echo ${name}`, systemctl: "exit 1", "systemd-run": "exit 226" };
    await using fake = machineOf(kind, fakes);
    const before = fake.tree();
    await fake.install([...ARGS, "--print"]);
    assertEquals([fake.tree(), fake.calls()], [before, []]);
    assertStringIncludes(fake.output, `restart ${NAME}.service`);
  }
});

Deno.test("install() refuses the name of another service, and uninstall() then has nothing of it", async () => {
  const unit = "/etc/systemd/system/shop.service";
  const words = [...ARGS, "--install-service-name", "shop"];
  const theirs = [
    ...[unit, "/usr/lib/systemd/system/shop.service", "/opt/shop/shop", "/var/log/shop.log"],
    ...["/var/lib/shop/orders.db", "/run/shop/socket"],
  ];
  for (const path of theirs) {
    await using fake = machineOf("systemd", {}, { folders: ["etc/systemd/system"] });
    fake.write(path, "theirs");
    const before = fake.tree();
    const why = `Cannot install as shop: ${path} is there`;
    await assertRejects(() => fake.install(words), UsageError, why);
    await fake.uninstall({ serviceName: "shop" });
    assertEquals(fake.tree(), before);
    // As after the loss of a record, or with a state that was kept.
    fake.write(unit, `# ${ORIGIN}\n`);
    await fake.install(words);
  }
});

Deno.test("install() takes a further name for a program that is run from its place, with kept state", async () => {
  await using fake = machineOf("systemd");
  const path = "/opt/two/two";
  for (const kept of [path, "/var/lib/two/lock", "/run/two/health"]) fake.write(kept, "ours");
  Deno.symlinkSync(`${fake.root}/opt`, `${fake.root}/link`);
  Object.assign(fake.system, { program: { form: "binary", path: `${fake.root}/link/two/two` } });
  await fake.install([...ARGS, "--install-service-name", "two"]);
  assertEquals(fake.text(path), "ours");
});

onOpenRc.test("install() takes a folder that is written in another form, and uninstall() then knows it", async (fake) => {
  const before = fake.tree();
  const words = ["--state-dir", "/srv/a//./b/../state/", "--install-dir", "/srv/program/"];
  await fake.install([...ARGS, ...words]);
  assertEquals(fake.config().state_dir, "/srv/a/state");
  await fake.install();
  await fake.uninstall();
  assertEquals(fake.tree(), before);
});

onOpenRc.test("install() makes an empty folder its own, where uninstall() then leaves what others have put", async (fake) => {
  Deno.mkdirSync(`${fake.root}/srv/data`, { recursive: true });
  await fake.install([...ARGS, "--state-dir", "/srv/data"]);
  for (const name of ["lock", "month.state", "deno/dep", "photo.jpg"]) {
    fake.write(`/srv/data/${name}`, "");
  }
  await fake.uninstall();
  assertEquals(fake.tree("/srv/data"), ["/srv/data/photo.jpg 644"]);
  assert(fake.calls().includes("chown -h 0:0 /srv/data"));
  assertEquals(fake.printed.at(-1), "Kept /srv/data/photo.jpg, which install did not create.");
});

onOpenRc.test("install() keeps the owner of an existing state folder", async (fake) => {
  fake.write("/srv/data/photo.jpg", "mine");
  await fake.install([...ARGS, "--state-dir", "/srv/data"]);
  await fake.uninstall();
  assertEquals(fake.text("/srv/data/photo.jpg"), "mine");
  assert(fake.tree().includes("/srv/data/ 755"), "whose folder it is stays as it is");
});

onOpenRc.test("install() keeps the service's user, and returns it to its own when --as-root=false", async (fake) => {
  const again = async (...words: string[]) => {
    await fake.install(words);
    return /command_user='(.*)'/.exec(fake.text(`/etc/init.d/${NAME}`))?.[1];
  };
  await fake.install([...ARGS, "--as-root"]);
  assertEquals(await again(), "root:root");
  fake.calls();
  assertEquals(await again("--as-root=false"), `${NAME}:${NAME}`);
  const handed = `chown -hR ${NAME}: /var/lib/${NAME}`;
  assertEquals(fake.calls().filter((line) => line.startsWith("chown")), [handed]);
  assertEquals(await again(), `${NAME}:${NAME}`);
  assertEquals(fake.calls().filter((line) => line.startsWith("chown")), []);
  assertEquals(await again("--as-root"), "root:root");
  await again("--as-root=false", "--state-dir", "/srv/state");
  const given = fake.calls().filter((line) => line.startsWith("chown"));
  assertEquals(given, [], "root has written nothing into a folder that is new");
});

onOpenRc.test("install() removes the cache of the service's user from the state folder before root uses it", async (fake) => {
  const state = `${fake.system.root}/var/lib/${NAME}`;
  const removed = async (...words: string[]) => {
    Deno.mkdirSync(`${state}/deno`, { recursive: true });
    fake.calls();
    await fake.install(words);
    return fake.calls().filter((line) => line.startsWith("rm "));
  };
  const expected = [`rm -rf /var/lib/${NAME}/deno`];
  assertEquals(await removed(...ARGS), []);
  assertEquals(await removed("--as-root"), expected);
  assertEquals(await removed(), []);
  await fake.uninstall({ keepsState: true });
  assertEquals(await removed(...ARGS, "--as-root"), expected);
});

Deno.test("install() stops at a failed step, and uninstall() removes what was made, or was to be", async () => {
  const table = [
    [{ "rc-service": "echo no such runlevel >&2; exit 1" }, 'restart": no such runlevel'],
    [{ useradd: "exit 4" }, "useradd"],
  ] as const;
  for (const [fakes, why] of table) {
    await using fake = machineOf("openrc", fakes);
    const before = fake.tree();
    await assertRejects(() => fake.install(ARGS), Error, why);
    await fake.uninstall();
    assertEquals(fake.tree(), before);
  }
});

Deno.test("install() plans mount namespaces unless services can't have one", async () => {
  for (const [code, hasThem] of [[1, true], [226, false]] as const) {
    await using fake = machineOf("systemd", { "systemd-run": `exit ${code}` });
    await fake.install(ARGS);
    const unit = fake.text(`/etc/systemd/system/${NAME}.service`);
    assertEquals(unit.includes("ProtectSystem=strict"), hasThem, `${code}`);
    assertEquals(fake.output.includes("Sandbox: partial"), !hasThem);
    assertStringIncludes(unit, "NoNewPrivileges=yes");
  }
});

Deno.test("install() creates the log file on a Mac for the sudo user", async () => {
  await using fake = machineOf("mac");
  const before = fake.tree();
  await fake.install(ARGS);
  assertEquals(fake.calls().slice(0, 4), [
    // The configuration is root's, and the service's user may read it.
    `chmod +a user:ann allow read /etc/${NAME}/config.json`,
    `launchctl bootout system/${NAME}`,
    `launchctl bootstrap system /Library/LaunchDaemons/${NAME}.plist`,
    `launchctl enable system/${NAME}`,
  ]);
  assertStringIncludes(fake.text(`/Library/LaunchDaemons/${NAME}.plist`), "<string>ann</string>");
  assert(fake.tree().includes(`/var/log/${NAME}.log 640`));
  await fake.uninstall();
  assertEquals(fake.tree(), before);
});

Deno.test("install() and uninstall() refuse to change root's installation without root", async () => {
  await using fake = machineOf("systemd", {}, { folders: ["home/ann"] });
  await fake.install(ARGS);
  const before = fake.tree();
  Object.assign(fake.system, { uid: 1000, home: "/home/ann" });
  const why = "root has installed it";
  await assertRejects(() => fake.install(ARGS), UsageError, why);
  await assertRejects(() => fake.uninstall(), Error, why);
  assertEquals(fake.tree(), before);
});

Deno.test("install() refuses invalid requests before any change", async () => {
  const source = { form: "source", path: "/x/main.ts" } as const;
  const table: [string[], Partial<FakeSystem["system"]>, why: string][] = [
    [[], {}, "Cannot install without --endpoint URL"],
    [[...ARGS], { program: source }, "from sources"],
    [[...ARGS], { uid: 1000 }, "without root"],
    [[...ARGS], { os: "darwin" }, "the service's user"],
  ];
  for (const [words, system, why] of table) {
    await using fake = machineOf("openrc", {}, { system });
    const before = fake.tree();
    await assertRejects(() => fake.install(words), UsageError, why);
    assertEquals([fake.tree(), fake.calls()], [before, []]);
  }
});

onOpenRc.test("install() hands root's updates absolute paths, and what is given now before what was", async (fake) => {
  const config = configOf(["install", ...ARGS, ...RELEASES]);
  const explicitOptions = new Map(config.explicitOptions).set("ca_cert", "own/ca.pem");
  const assertHas = (key: string, value: string) => {
    assertEquals(JSON.parse(fake.text(`/etc/${NAME}/install.json`)).rootOptions[key], value);
    assertStringIncludes(fake.text(`/etc/init.d/${NAME}-update`), value);
  };
  await installNow({ ...config, explicitOptions }, fake.system);
  assertHas("ca_cert", "/srv/here/own/ca.pem");
  await fake.install(["--unset", "ca-cert", "--update-url", "https://newer.example"]);
  assertHas("update_url", "https://newer.example");
});

const RECORD = `/etc/${NAME}/install.json`;

onOpenRc.test("install() with --pin stays at its version until that is unset", async (machine) => {
  const install = (...words: string[]) => machine.install(words);
  const record = () => JSON.parse(machine.text(RECORD)).pinned;
  const hasUpdates = () => machine.tree().some((line) => line.includes(`${NAME}-update`));
  await install(...ARGS, ...RELEASES);
  assertEquals([record(), hasUpdates()], ["", true]);
  await install("--pin");
  assertEquals([record(), hasUpdates()], [VERSION, false]);
  assertStringIncludes(machine.output, `off: pinned to version ${VERSION}`);
  await install("-i", "5");
  assertEquals([record(), hasUpdates()], [VERSION, false], "it stays");

  // The program that installs now is another version than the one that is pinned.
  machine.write(
    RECORD,
    machine.text(RECORD).replace(`"pinned": "${VERSION}"`, '"pinned": "0.0.7"'),
  );
  const before = machine.tree();
  const why = `Cannot install version ${VERSION}: ${NAME} is pinned to version 0.0.7; use --pin`;
  await assertRejects(() => install("-i", "6"), UsageError, why);
  assertEquals(machine.tree(), before);
  await install("--pin");
  assertEquals(record(), VERSION);
  const [config, pinned] = [machine.text(CONFIG), machine.text(RECORD)];
  machine.write(CONFIG, config.replace('"pin": true', '"pin": false'));
  machine.write(RECORD, pinned.replace(`"pinned": "${VERSION}"`, '"pinned": "0.0.7"'));
  await install();
  assertEquals([record(), hasUpdates()], ["", true], "its owner has changed the configuration");
  await install("--pin");
  await install("--unset", "pin");
  assertEquals([record(), hasUpdates()], ["", true]);
});

const ENVIRONMENT = `/etc/${NAME}/environment`;

function savedProxies({ root }: FakeSystem): Record<string, string> {
  return readSavedProxies(root + ENVIRONMENT) ?? {};
}

onOpenRc.test("install() removes options that --unset or off return to their default", async (machine) => {
  const more = ["--metrics", "9100", "--gpu", "-i", "2", "--mirror", "https://m.x"];
  await machine.install([...ARGS, ...more]);
  await machine.install(["--unset", "metrics", "--unset", "AGENT_ENABLE_GPU", "--mirror", "off"]);
  const expected = { endpoint: "https://p.example", interval: 2, token: "top-secret" };
  assertEquals(machine.config(), expected);
  const record = JSON.parse(machine.text(`/etc/${NAME}/install.json`));
  assertEquals(record.rootOptions, {});
});

onOpenRc.test("install() keeps the comments of a hand-written configuration", async (machine) => {
  await machine.install(ARGS);
  const text = '// Paris\n{\n  "endpoint": "https://p.example", // nginx\n' +
    '  "token": "top-secret",\n  /* asked by them */ "interval": 2\n}\n';
  machine.write(CONFIG, text);
  await machine.install([]);
  assertEquals(machine.text(CONFIG), text);
  await machine.install(["-i", "5", "--gpu"]);
  const shown = machine.text(CONFIG);
  assertStringIncludes(shown, '/* asked by them */ "interval": 5');
  assertStringIncludes(shown, '"enable_gpu": true');
  await machine.install(["--unset", "gpu,interval"]);
  assertStringIncludes(machine.text(CONFIG), "// Paris\n");
});

onOpenRc.test("install() changes and removes saved proxies like options", async (machine) => {
  const first = { HTTP_PROXY: "http://one:3128", HTTPS_PROXY: 'http://me:pa$"s@one:3128' };
  await machine.install(ARGS, { env: first });
  assertEquals(savedProxies(machine), first);
  const env = { HTTP_PROXY: "http://two:3128", no_proxy: "localhost" };
  await machine.install([], { env });
  const second = { ...first, HTTP_PROXY: "http://two:3128", NO_PROXY: "localhost" };
  assertEquals(savedProxies(machine), second);

  machine.printed.length = 0;
  await machine.install(["--print"]);
  assertEquals(machine.output.includes('pa\\$\\"s'), false);

  // The shell that removes one may have it in its environment.
  await machine.install(["--unset", "HTTP_PROXY", "--unset", "no_proxy"], { env: first });
  assertEquals(savedProxies(machine), { HTTPS_PROXY: first.HTTPS_PROXY });
  await machine.install(["--unset", "https_proxy"]);
  assertEquals(machine.tree().some((line) => line.includes("environment")), false);
});
