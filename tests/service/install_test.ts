import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { UsageError } from "../../lib/config/usage_error.ts";
import { uninstall } from "../../lib/service/uninstall.ts";
import { configOf, type Fakes, FakeSystem, installNow, PUBLIC_KEY, USERS } from "./fake_system.ts";
import { acceptAt } from "../state/accept_at.ts";

const { signal } = new AbortController();
const NAME = "komari-agent-deno";
const ARGS = ["install", "-e", "https://p.example", "-t", "top-secret"];
/** What a build of the sources does not know by itself. */
const RELEASES = ["--update-url", "https://u.example", "--update-key", PUBLIC_KEY];

const OPENRC: Fakes = {
  ...USERS,
  "rc-update": "",
  "rc-service": "",
  tail: "echo panel: refused",
};

function openrc(system: ConstructorParameters<typeof FakeSystem>[0]["system"] = {}): FakeSystem {
  return new FakeSystem({
    folders: ["run/openrc", "etc/init.d", "var/log"],
    fakes: OPENRC,
    system,
  });
}

Deno.test("install() creates everything on OpenRC, and uninstall() removes all of it", async () => {
  await using fake = openrc();
  const { system } = fake;
  const before = fake.tree();
  {
    using _agent = closing(fake.acceptedAgent(`/run/${NAME}`));
    assertEquals(await installNow(configOf(ARGS), system), undefined);
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
  assertEquals(JSON.parse(fake.text(`/etc/${NAME}/config.json`)), {
    endpoint: "https://p.example",
    token: "top-secret",
  });
  assertEquals(fake.text(`/opt/${NAME}/${NAME}`), Deno.readTextFileSync(system.program.path));
  assertEquals(
    Deno.readLinkSync(`${fake.root}/usr/local/bin/${NAME}`),
    `/opt/${NAME}/${NAME}`,
  );
  assertStringIncludes(fake.printed.join("\n"), "p.example accepts its reports.");

  fake.write(`/var/lib/${NAME}/traffic.json`, "{}");
  fake.write(`/var/log/${NAME}.log`, "a line");
  fake.write(`/opt/${NAME}/${NAME}.old`, "the version before");
  await uninstall(system, { serviceName: NAME, print: false, signal });
  assertEquals(fake.calls(), [
    `rc-service ${NAME} stop`,
    `rc-update del ${NAME} default`,
    `userdel ${NAME}`,
    `groupdel ${NAME}`,
  ]);
  assertEquals(fake.tree(), before);
  await uninstall(system, { serviceName: NAME, print: false, signal });
  assertEquals(fake.calls(), []);
  assertStringIncludes(fake.printed.at(-1) ?? "", "Nothing is installed");
});

Deno.test("install() updates an installation and keeps options that are not given", async () => {
  await using fake = openrc();
  const { system, root } = fake;
  const before = fake.tree();
  const first = configOf([...ARGS, "-i", "2", "--gpu"], {
    env: { HTTPS_PROXY: "http://proxy:3128" },
  });
  await installNow(first, system);
  const once = fake.tree();
  const environment = fake.text(`/etc/${NAME}/environment`);
  fake.calls();
  const again = configOf(["install", "-i", "5"], { root });
  await installNow(again, system);
  assertEquals(fake.tree(), once);
  assertEquals(fake.calls(), [
    `rc-service ${NAME} restart`,
    `rc-update add ${NAME} default`,
    "tail -n 5 /var/log/komari-agent-deno.log",
    `rc-service ${NAME} status`,
  ]);
  assertEquals(JSON.parse(fake.text(`/etc/${NAME}/config.json`)), {
    endpoint: "https://p.example",
    interval: 5,
    enable_gpu: true,
    token: "top-secret",
  });
  assertEquals(fake.text(`/etc/${NAME}/environment`), environment);
  assertStringIncludes(fake.text(`/etc/init.d/${NAME}`), "/environment");
  await uninstall(system, { serviceName: NAME, print: false, signal });
  assertEquals(fake.tree(), before, "what the first one has made goes too");
});

Deno.test("install() removes the program from the previous folder when it moves", async () => {
  await using fake = openrc();
  const { system, root } = fake;
  await installNow(configOf(ARGS), system);
  // As an update leaves it.
  fake.write(`/opt/${NAME}/${NAME}.old`, "the version before");
  const moved = configOf(["install", "--install-dir", "/srv/agent"], { root });
  await installNow(moved, system);
  const programs = fake.tree().filter((line) => line.endsWith(`${NAME} 755`));
  assertEquals(programs, [`/etc/init.d/${NAME} 755`, `/srv/agent/${NAME} 755`]);
  assertEquals(fake.tree(`/opt/${NAME}`), []);
  await installNow(configOf(["install"], { root }), system);
  assertEquals(fake.tree().filter((line) => line.endsWith(`${NAME} 755`)), programs);
});

Deno.test("install() returns a reason and keeps the service running when no report is accepted", async () => {
  await using fake = openrc();
  const refusal = await installNow(configOf(ARGS), fake.system);
  assertEquals(refusal, "p.example accepted no report within 30 s");
  const printed = fake.printed.join("\n");
  const order = [
    "Uninstall",
    "Waiting up to 30 s for the first",
    "keeps trying",
    "panel: refused",
  ]
    .map((words) => printed.indexOf(words));
  assertEquals(order.every((at) => at > 0) && order.toSorted((a, b) => a - b), order);
  assert(!fake.calls().some((line) => line.includes("stop")), "it keeps trying");
});

Deno.test("install() shows the last five lines of the log, and no heading without any", async () => {
  const logs: [tail: string, shown: string[]][] = [
    ["printf '%s\\n' 3 4 5 6 7 8 9", ["5", "6", "7", "8", "9"]],
    ["", []],
  ];
  for (const [tail, shown] of logs) {
    const fakes = { ...OPENRC, tail };
    await using fake = new FakeSystem({ folders: ["run/openrc", "etc/init.d"], fakes });
    await installNow(configOf(ARGS), fake.system);
    const at = fake.printed.indexOf("Last lines of its log:");
    assertEquals(at === -1 ? [] : fake.printed.slice(at + 1), shown.map((line) => `  ${line}`));
  }
});

Deno.test("install() reports that the service is not running", async () => {
  await using fake = new FakeSystem({
    folders: ["run/openrc", "etc/init.d"],
    fakes: { ...OPENRC, "rc-service": '[ "$2" != status ]' },
  });
  await installNow(configOf(ARGS), fake.system);
  assertStringIncludes(fake.printed.join("\n"), "was started but is not running");
});

Deno.test("install() ignores a report from before the start", async () => {
  await using fake = openrc();
  using agent = closing(fake.acceptedAgent(`/run/${NAME}`));
  acceptAt(agent, { intervalMs: 1000, atMs: Date.now() - 86_400_000 });
  const refusal = await installNow(configOf(ARGS), fake.system);
  assertStringIncludes(refusal ?? "", "no report");
});

Deno.test("install() tries the token first, and changes nothing when the panel rejects it", async () => {
  await using fake = openrc();
  const asked: string[] = [];
  let accepts = true;
  const system = {
    ...fake.system,
    isTokenKnown: ({ endpoint, token }: { endpoint: string; token: string }) => {
      asked.push(`${endpoint} ${token} ${fake.calls().join()}`);
      return Promise.resolve(accepts);
    },
  };
  await installNow(configOf(ARGS), system);
  assertEquals(asked.length, 1);
  assertEquals(asked[0]?.trim().split(" ").length, 2, "nothing was run before");
  const before = fake.tree();
  fake.calls();
  accepts = false;
  const words = [
    "install",
    "-e",
    "https://panel.example",
    "-t",
    "wr0ng",
    "--install-dir",
    "/srv/x",
  ];
  const error = await assertRejects(
    () => installNow(configOf(words), system),
    Error,
    "https://panel.example does not know this token",
  );
  assertEquals(error.message.includes("wr0ng"), false);
  assertEquals([fake.tree(), fake.calls()], [before, []]);
});

Deno.test("install() tries the token of each panel", async () => {
  await using fake = openrc();
  const asked: string[] = [];
  const system = {
    ...fake.system,
    isTokenKnown: ({ endpoint, token }: { endpoint: string; token: string }) => {
      asked.push(`${endpoint} ${token}`);
      return Promise.resolve(asked.length === 1);
    },
  };
  const words = ["install", "-e", "https://a.example", "-t", "one", "-e", "https://b.example"];
  await assertRejects(
    () => installNow(configOf([...words, "-t", "two"]), system),
    Error,
    "https://b.example does not know this token",
  );
  assertEquals(asked, ["https://a.example one", "https://b.example two"]);
});

Deno.test("install() tries no token where the node registers itself", async () => {
  await using fake = openrc();
  let asked = 0;
  const isTokenKnown = () => Promise.resolve(++asked > 1);
  const words = ["install", "-e", "https://p.example", "--auto-discovery", "k3y-of-the-panel"];
  await installNow(configOf(words), { ...fake.system, isTokenKnown });
  assertEquals(asked, 0);
});

Deno.test("install() continues when the panel can't be asked about the token", async () => {
  await using fake = openrc();
  const system = { ...fake.system, isTokenKnown: () => Promise.reject(new Error("it is down")) };
  await installNow(configOf(ARGS), system);
  assertStringIncludes(fake.printed.join("\n"), "the token could not be checked: it is down");
  assertStringIncludes(fake.printed.join("\n"), "Installed");
  const stop = AbortSignal.abort(new Error("stopped"));
  await assertRejects(() => installNow(configOf(ARGS), system, { signal: stop }), Error, "stopped");
});

Deno.test("install() with --print shows every file and command without secrets, and changes nothing", async () => {
  await using fake = openrc();
  const before = fake.tree();
  const config = configOf([...ARGS, "--print", "--header", 'X-Key: very"secret'], {
    env: { HTTP_PROXY: "http://me:pass$word@proxy" },
  });
  const isTokenKnown = () => Promise.reject(new Error("no panel is asked"));
  assertEquals(await installNow(config, { ...fake.system, isTokenKnown }), undefined);
  assertEquals(fake.tree(), before);
  assertEquals(fake.calls(), []);
  const printed = fake.printed.join("\n");
  assertEquals(printed.includes("could not be checked"), false);
  for (
    const shown of [
      `File /etc/${NAME}/config.json (mode 0640, group of ${NAME})`,
      '"endpoint": "https://p.example"',
      "supervisor=supervise-daemon",
      "Run useradd --system",
      `Run rc-service ${NAME} restart`,
      `File /opt/${NAME}/${NAME} (mode 0755), a copy of`,
    ]
  ) assertStringIncludes(printed, shown);
  for (const secret of ["top-secret", 'very"secret', 'very\\"secret', "pass$word", "pass\\$word"]) {
    assert(!printed.includes(secret), secret);
  }
});

Deno.test("install() checks the token with the authority of the installation, by its file or its record", async () => {
  await using fake = openrc();
  const pem = "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n";
  const authority = `${fake.root}/ca.pem`;
  fake.write("/ca.pem", pem);
  const asked: (readonly string[])[] = [];
  const isTokenKnown = ({ caCerts }: { caCerts: readonly string[] }) => {
    asked.push(caCerts);
    return Promise.resolve(true);
  };
  const system = { ...fake.system, isTokenKnown };
  await installNow(configOf([...ARGS, "--ca-cert", authority]), system);
  await installNow(configOf(["install"], { root: fake.root }), system);
  fake.write("/own.json", '{"endpoint": "https://p.example", "token": "t"}');
  const own = ["install", "--config", `${fake.root}/own.json`];
  await installNow(configOf(own, { root: fake.root }), system);
  assertEquals(asked, [[pem], [pem], [pem]]);
  await installNow(configOf([...own, "--unset", "ca-cert"], { root: fake.root }), system);
  assertEquals(asked.at(-1), []);
});

Deno.test("install() with --print runs nothing of systemd's, for root and for a user", async () => {
  for (const [uid, home] of [[0, "/root"], [1000, "/home/ann"]] as const) {
    await using fake = new FakeSystem({
      folders: ["run/systemd/system", home.slice(1)],
      fakes: {
        id: `echo ${uid === 0 ? NAME : "ann"}`,
        systemctl: "exit 1",
        "systemd-run": "exit 226",
        loginctl: "",
      },
      system: { uid, home },
    });
    const before = fake.tree();
    await installNow(configOf([...ARGS, "--print"]), fake.system);
    assertEquals([fake.tree(), fake.calls()], [before, []]);
    assertStringIncludes(fake.printed.join("\n"), `restart ${NAME}.service`);
  }
});

Deno.test("install() keeps the owner of an existing state folder", async () => {
  await using fake = openrc();
  fake.write("/srv/data/photo.jpg", "mine");
  const config = configOf([...ARGS, "--state-dir", "/srv/data"]);
  await installNow(config, fake.system);
  await uninstall(fake.system, { serviceName: NAME, print: false, signal });
  assertEquals(fake.text("/srv/data/photo.jpg"), "mine");
  assert(fake.tree().includes("/srv/data/ 755"), "whose folder it is stays as it is");
  assertStringIncludes(fake.printed.join("\n"), "/srv/data existed before");
  assertStringIncludes(fake.printed.at(-1) ?? "", "/srv/data/photo.jpg stays");
});

Deno.test("install() creates a user service without root", async () => {
  const home = "/home/ann";
  await using fake = new FakeSystem({
    folders: ["run/systemd/system", "home/ann", "run/user/1000"],
    fakes: { id: '[ "$*" = -un ] && echo ann', systemctl: "", loginctl: "", journalctl: "" },
    system: { uid: 1000, home, userRuntimeDir: "/run/user/1000" },
  });
  const before = fake.tree();
  await installNow(configOf([...ARGS, ...RELEASES]), fake.system);
  assertEquals(fake.calls(), [
    "systemctl --user show --property=Version",
    "systemctl --user daemon-reload",
    `systemctl --user restart ${NAME}.service`,
    `systemctl --user enable ${NAME}.service`,
    `systemctl --user enable --now ${NAME}-update.timer`,
    "loginctl --no-ask-password enable-linger ann",
    `journalctl --user -u ${NAME}.service -n 20 --no-pager -o cat`,
    `systemctl --user is-active --quiet ${NAME}.service`,
  ]);
  const made = fake.tree().filter((line) => !before.includes(line));
  assert(made.every((line) => line.startsWith(home)), made.join("\n"));
  const folder = `${home}/.config/${NAME}/`;
  for (const line of [`${folder} 700`, `${folder}config.json 600`]) {
    assert(made.includes(line), line);
  }
  assertStringIncludes(fake.printed.join("\n"), "root runs: loginctl enable-linger ann");
  assertEquals(
    JSON.parse(fake.text(`${home}/.config/${NAME}/config.json`)).state_dir,
    `${home}/.local/state/${NAME}`,
  );
  await uninstall(fake.system, { serviceName: NAME, print: false, signal });
  assertStringIncludes(fake.calls().join("\n"), "disable-linger ann");
  assertEquals(fake.tree(), before);
});

Deno.test("install() writes nothing when the user's service manager does not answer", async () => {
  await using fake = new FakeSystem({
    folders: ["run/systemd/system", "home/ann"],
    fakes: {
      id: "echo ann",
      systemctl: "echo Failed to connect to bus: No medium found >&2; exit 1",
    },
    system: { uid: 1000, home: "/home/ann" },
  });
  const before = fake.tree();
  const refused = await assertRejects(
    () => installNow(configOf(ARGS), fake.system),
    UsageError,
    "Cannot install for this user: its service manager does not answer (Failed to connect to " +
      "bus: No medium found)",
  );
  for (const way of ["with ssh", "machinectl shell ann@", "enable-linger ann", "/run/user/1000"]) {
    assertStringIncludes(refused.message, way);
  }
  assertEquals(fake.tree(), before);
  assertEquals(fake.calls(), ["systemctl --user show --property=Version"]);
});

Deno.test("install() keeps the service's user root when installed so before", async () => {
  await using fake = openrc();
  await installNow(configOf([...ARGS, "--as-root"]), fake.system);
  const again = configOf(["install"], { root: fake.root });
  await installNow(again, fake.system);
  assertStringIncludes(fake.text(`/etc/init.d/${NAME}`), "command_user='root:root'");
});

Deno.test("install() returns the service to its own user when --as-root=false", async () => {
  await using fake = new FakeSystem({
    folders: ["run/openrc", "etc/init.d", "var/log"],
    fakes: { ...OPENRC, chown: "" },
  });
  const { system, root } = fake;
  const again = async (...words: string[]) => {
    const config = configOf(["install", ...words], { root });
    await installNow(config, system);
    return /command_user='(.*)'/.exec(fake.text(`/etc/init.d/${NAME}`))?.[1];
  };
  await installNow(configOf([...ARGS, "--as-root"]), system);
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

Deno.test("install() enables no lingering for root, whose service is the system's", async () => {
  const id = `[ "$1" = -un ] && echo root && exit\n${USERS.id}`;
  await using fake = new FakeSystem({
    folders: ["run/systemd/system"],
    fakes: { ...USERS, id, systemctl: "", "systemd-run": "", journalctl: "", loginctl: "" },
  });
  await installNow(configOf(ARGS), fake.system);
  assertEquals(fake.calls().filter((line) => line.startsWith("loginctl")), []);
});

Deno.test("install() records that it enabled lingering", async () => {
  await using fake = new FakeSystem({
    folders: ["run/systemd/system", "home/ann", "run/user/1000", "var/lib/systemd/linger"],
    fakes: {
      id: "echo ann",
      systemctl: "",
      journalctl: "",
      loginctl: 'file="$ROOT/var/lib/systemd/linger/$3"\n' +
        'case $2 in enable-linger) : >"$file" ;; *) /bin/rm "$file" ;; esac',
    },
    system: { uid: 1000, home: "/home/ann", userRuntimeDir: "/run/user/1000" },
  });
  const before = fake.tree();
  for (let round = 0; round < 2; round++) {
    await installNow(configOf(ARGS), fake.system);
  }
  assert(!fake.printed.join("\n").includes("The service stops when you log out"));
  await uninstall(fake.system, { serviceName: NAME, print: false, signal });
  assertEquals(fake.tree(), before);
});

Deno.test("install() removes the timer when updates are turned off", async () => {
  await using fake = new FakeSystem({
    folders: ["run/systemd/system"],
    fakes: { ...USERS, systemctl: "", journalctl: "" },
  });
  const timer = `/etc/systemd/system/${NAME}-update.timer`;
  await installNow(configOf([...ARGS, ...RELEASES]), fake.system);
  assertStringIncludes(fake.text(timer), "OnUnitActiveSec=6h");
  fake.calls();
  const config = configOf(["install", "--disable-auto-update"], { root: fake.root });
  await installNow(config, fake.system);
  assert(!fake.tree().some((line) => line.startsWith(timer)));
  assertStringIncludes(fake.calls().join("\n"), `disable --now ${NAME}-update.timer`);
});

Deno.test("install() stops at a failed step, and uninstall() removes what was created", async () => {
  await using fake = new FakeSystem({
    folders: ["run/openrc", "etc/init.d"],
    fakes: { ...OPENRC, "rc-service": "echo no such runlevel >&2; exit 1" },
  });
  const before = fake.tree();
  await assertRejects(
    () => installNow(configOf(ARGS), fake.system),
    Error,
    `Cannot run "rc-service ${NAME} restart": no such runlevel`,
  );
  await uninstall(fake.system, { serviceName: NAME, print: false, signal });
  assertEquals(fake.tree(), before);
});

Deno.test("install() records first what it is going to make, so that uninstall() can end it", async () => {
  await using fake = new FakeSystem({
    folders: ["run/openrc", "etc/init.d"],
    fakes: { ...OPENRC, useradd: "exit 4" },
  });
  const before = fake.tree();
  await assertRejects(() => installNow(configOf(ARGS), fake.system), Error, "useradd");
  await uninstall(fake.system, { serviceName: NAME, print: false, signal });
  assertEquals(fake.tree(), before);
});

Deno.test("install() plans mount namespaces where nothing is known against them", async () => {
  for (const body of ["exit 1", "exit 0"]) {
    await using fake = new FakeSystem({
      folders: ["run/systemd/system"],
      fakes: { ...USERS, systemctl: "", journalctl: "", "systemd-run": body },
    });
    await installNow(configOf(ARGS), fake.system);
    assertStringIncludes(fake.text(`/etc/systemd/system/${NAME}.service`), "ProtectSystem=strict");
  }
});

Deno.test("install() plans no mount namespace when services can't have one", async () => {
  await using fake = new FakeSystem({
    folders: ["run/systemd/system"],
    fakes: { ...USERS, systemctl: "", journalctl: "", "systemd-run": "exit 226" },
  });
  await installNow(configOf(ARGS), fake.system);
  const unit = fake.text(`/etc/systemd/system/${NAME}.service`);
  assert(!unit.includes("ProtectSystem") && unit.includes("NoNewPrivileges=yes"));
  assertStringIncludes(fake.printed.join("\n"), "Sandbox: partial");
});

Deno.test("install() creates no timer when the build has no release address", async () => {
  await using fake = new FakeSystem({
    folders: ["run/systemd/system"],
    fakes: { ...USERS, systemctl: "", journalctl: "" },
  });
  await installNow(configOf(ARGS), fake.system);
  assert(!fake.tree().some((line) => line.includes("update.timer")));
  assertStringIncludes(fake.printed.join("\n"), "off: this build has no release address");
});

Deno.test("install() sets the Deno of a portable build", async () => {
  await using fake = openrc();
  const { path } = fake.system.program;
  const system = { ...fake.system, program: { form: "portable", path } as const };
  await installNow(configOf([...ARGS, "--as-root"]), system);
  const script = fake.text(`/etc/init.d/${NAME}`);
  assertStringIncludes(script, `export DENO='${Deno.realPathSync(Deno.execPath())}'`);
  assertStringIncludes(script, `export DENO_DIR='/var/lib/${NAME}/deno'`);
});

Deno.test("install() creates the log file on a Mac for the sudo user", async () => {
  await using fake = new FakeSystem({
    folders: ["Library/LaunchDaemons", "var/log", "users"],
    fakes: { id: `echo ${Deno.uid()}`, chmod: "", launchctl: "", tail: "" },
    system: { os: "darwin", sudoUser: "ann" },
  });
  const before = fake.tree();
  await installNow(configOf(ARGS), fake.system);
  assertEquals(fake.calls().slice(0, 4), [
    // The configuration is root's, and the service's user may read it.
    `chmod +a user:ann allow read /etc/${NAME}/config.json`,
    `launchctl bootout system/${NAME}`,
    `launchctl bootstrap system /Library/LaunchDaemons/${NAME}.plist`,
    `launchctl enable system/${NAME}`,
  ]);
  assertStringIncludes(fake.text(`/Library/LaunchDaemons/${NAME}.plist`), "<string>ann</string>");
  assert(fake.tree().includes(`/var/log/${NAME}.log 640`));
  await uninstall(fake.system, { serviceName: NAME, print: false, signal });
  assertEquals(fake.tree(), before);
});

Deno.test("install() and uninstall() refuse to change root's installation without root", async () => {
  await using fake = new FakeSystem({
    folders: ["run/systemd/system", "home/ann"],
    fakes: { ...USERS, systemctl: "", journalctl: "" },
  });
  await installNow(configOf(ARGS), fake.system);
  const before = fake.tree();
  const ann = { ...fake.system, uid: 1000, home: "/home/ann" };
  const why = "root has installed it";
  await assertRejects(() => installNow(configOf(ARGS), ann), UsageError, why);
  const options = { serviceName: NAME, print: false, signal };
  await assertRejects(() => uninstall(ann, options), Error, why);
  assertEquals(fake.tree(), before);
});

Deno.test("install() refuses invalid requests before any change", async () => {
  await using fake = openrc();
  const before = fake.tree();
  const refused = async (
    args: readonly string[],
    system: Partial<typeof fake.system>,
    why: string,
  ) => {
    const promise = installNow(configOf(args), { ...fake.system, ...system });
    await assertRejects(() => promise, UsageError, why);
  };
  await refused(["install"], {}, "Cannot install without --endpoint URL");
  await refused(ARGS, { program: { form: "source", path: "/x/main.ts" } }, "from sources");
  await refused(ARGS, { uid: 1000 }, "without root");
  await refused([...ARGS, "--install-service-name", "Node@2"], {}, "Cannot create a user");
  await refused(ARGS, { os: "darwin" }, "the service's user");
  assertEquals(fake.tree(), before);
  assertEquals(fake.calls(), []);
});

Deno.test("install() keeps paths of options absolute, for root's updates too", async () => {
  await using fake = openrc();
  const config = configOf([...ARGS, ...RELEASES]);
  const explicitOptions = new Map(config.explicitOptions).set("ca_cert", "own/ca.pem");
  await installNow({ ...config, explicitOptions }, fake.system);
  const { rootOptions } = JSON.parse(fake.text(`/etc/${NAME}/install.json`));
  assertEquals(rootOptions.ca_cert, "/srv/here/own/ca.pem");
  assertStringIncludes(fake.text(`/etc/init.d/${NAME}-update`), "/srv/here/own/ca.pem");
});

Deno.test("install() takes what is given now before what root gave earlier, for root's updates too", async () => {
  await using fake = openrc();
  await installNow(configOf([...ARGS, ...RELEASES]), fake.system);
  const words = ["install", "--update-url", "https://newer.example"];
  await installNow(configOf(words, { root: fake.root }), fake.system);
  const { rootOptions } = JSON.parse(fake.text(`/etc/${NAME}/install.json`));
  assertEquals(rootOptions.update_url, "https://newer.example");
  assertStringIncludes(fake.text(`/etc/init.d/${NAME}-update`), "https://newer.example");
});

Deno.test("install() keeps the auto-discovery key readable for the service only", async () => {
  await using fake = openrc();
  const args = [
    "install",
    "-e",
    "https://p.example",
    "--auto-discovery",
    "the-key-of-it",
    "--print",
  ];
  await installNow(configOf(args), fake.system);
  const printed = fake.printed.join("\n");
  assertStringIncludes(printed, '"auto_discovery_key": "…"');
  assert(!printed.includes("the-key"));
});

function closing<T extends { close(): void }>(it: T): T & Disposable {
  return Object.assign(it, { [Symbol.dispose]: () => it.close() });
}
