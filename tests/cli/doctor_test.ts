import { freePort } from "../free_port.ts";
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import {
  type CompletedCheck,
  NO_TIME_LEFT,
  ok,
  parseCheck,
  runChain,
} from "../../lib/cli/checks.ts";
import { allInShell, panelChains, runDoctor } from "../../lib/cli/doctor.ts";
import { afterReload, compareWithReports, lateCheck } from "../../lib/cli/doctor_completed.ts";
import { enableNow, findInstalled, installCommand } from "../../lib/cli/doctor_found_service.ts";
import { AS_SERVICE } from "../../lib/cli/doctor_as_service.ts";
import { machineChecks } from "../../lib/cli/doctor_machine.ts";
import { panelChain } from "../../lib/cli/doctor_panel.ts";
import { configCheck } from "../../lib/cli/doctor_program.ts";
import { displayWidth } from "../../lib/cli/help.ts";
import { translate } from "../../lib/cli/translate.ts";
import { isInContainer } from "../../lib/host/this_program.ts";
import type { Config } from "../../lib/config/config.ts";
import { NodeStore } from "../../lib/panel/node_store.ts";
import { startHttpProxy } from "../net/fake_proxies.ts";
import { replaced, withTexts } from "../replaced.ts";
import { FakeTime, realTurn } from "../fake_time.ts";
import { configOf as resolved, FakeContext } from "./fake_context.ts";
import { openHealth } from "../state/health_folder.ts";
import { withInstalledService } from "./installed_service.ts";
import { TOKEN, withPanel } from "./panel_to_check.ts";
import { onLinux } from "../only_on.ts";
import { inFolder, TempFolder } from "../temp_folder.ts";
import { OtherAgent } from "./other_agent.ts";

const HERE = { os: "linux", arch: "x86_64", health: undefined };

function configOf(args: readonly string[], env: Record<string, string> = {}): Config {
  return resolved(["doctor", ...args], env);
}

inFolder.test("runDoctor() exits with code 1 if a check has failed, else with 0", async (folder) => {
  using health = openHealth(folder.path);
  health.accepted(3000);
  await withPanel({}, async (url) => {
    for (const [token, expected] of [[TOKEN, 0], ["another", 1]] as const) {
      // With remote control this process is not sealed.
      const args = ["-e", url, "-t", token, "--enable-remote-control", "--json"];
      const more = ["--install-service-name", "no-such-service"];
      const config = configOf([...args, ...more], { RUNTIME_DIRECTORY: folder.path });
      const context = new FakeContext({ HOME: folder.path });
      assertEquals(await runDoctor(config, context), expected, context.printed);
      const { ok, checks } = JSON.parse(context.printed);
      assertEquals([ok, checks.length > 10], [expected === 0, true]);
    }
  });
});

Deno.test("the checks of doctor have a title in both languages, and ids of their own", () => {
  const config = configOf(["-e", "https://p.example", "-t", TOKEN]);
  const all = [configCheck(config), ...panelChain(config), ...machineChecks(config, HERE)];
  assertEquals(new Set(all.map(({ id }) => id)).size, all.length);
  const names = ["TLS", "WebSocket", "/dev/null"];
  for (const { title } of all) {
    assert(names.includes(title) || translate(title, "zh") !== title, title);
  }
});

Deno.test("panelChains() check each of several panels with its own token, and name it", async () => {
  await withPanel({}, async (url) => {
    using temp = new TempFolder();
    const file = `${temp.path}/file`;
    const other = url.replace("127.0.0.1", "localhost");
    const panels = [{ endpoint: url, token: TOKEN }, { endpoint: other, token: "wrong" }];
    Deno.writeTextFileSync(file, JSON.stringify({ panels }));
    const config = configOf(["--config", file]);
    const { signal } = new AbortController();
    const chains = await Promise.all(
      panelChains(config).map((chain) => Array.fromAsync(runChain(chain, { signal, secrets: [] }))),
    );
    const tokens = chains.flat().filter(({ id }) => id === "token");
    const expected = [[new URL(url).host, "ok"], [new URL(other).host, "failed"]];
    assertEquals(tokens.map(({ panel, status }) => [panel, status]), expected);
  });
  await withPanel({}, async (url) => {
    using temp = new TempFolder();
    const file = `${temp.path}/file`;
    const dead = { endpoint: `http://127.0.0.1:${freePort()}`, token: TOKEN };
    const usualPorts = [Number(new URL(url).port)];
    const { signal } = new AbortController();
    for (const [endpoint, isOffered] of [[url, false], ["http://panel.invalid", true]] as const) {
      Deno.writeTextFileSync(file, JSON.stringify({ panels: [dead, { endpoint, token: TOKEN }] }));
      const [chain = []] = panelChains(configOf(["--config", file]), { usualPorts });
      const checks = await Array.fromAsync(runChain(chain, { signal, secrets: [] }));
      const { text = "" } = checks.find(({ id }) => id === "connect") ?? {};
      assertEquals(text.includes(url), isOffered, text);
    }
  });
});

/** Runs the command without a service, and without a seal of this process. */
async function doctorIn(
  folder: string,
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<{ code: number; printed: string }> {
  const more = ["--enable-remote-control", "--install-service-name", "no-such-service"];
  const config = configOf([...args, ...more], { RUNTIME_DIRECTORY: folder });
  const context = new FakeContext({ HOME: folder, ...env });
  return { code: await runDoctor(config, context), printed: context.printed };
}

inFolder.test("runDoctor() shows each check in its order, and the sum", async (folder) => {
  using health = openHealth(folder.path);
  health.accepted(3000);
  await withPanel({}, async (url) => {
    const { printed } = await doctorIn(folder.path, ["-e", url, "-t", TOKEN]);
    const narrow = await doctorIn(folder.path, ["-e", url, "-t", TOKEN], { COLUMNS: "60" });
    for (const line of narrow.printed.split("\n")) assert(displayWidth(line) <= 60, line);
    const lines = printed.split("\n");
    const titles = lines.flatMap((line) => /^[✓!✗-] (.{18})/.exec(line)?.[1]?.trim() ?? []);
    assertEquals(titles.toSorted(), [
      ...["/dev/null", "Authorities", "Clock", "Configuration", "Connections"],
      ...isInContainer() ? ["Container"] : [],
      ...[
        "Disks",
        "ICMP probes",
        "Interfaces",
        "Measurements",
        "Name resolution",
        "Network",
        "Open files",
      ],
      ...["Other agents", "Panel", "Probes", "Remote control", "Round trip", "Running agent"],
      ...["Seal", "Service", "State folder", "TCP connection", "TLS", "Token", "Version"],
      "WebSocket",
    ]);
    const sum = lines.at(-2) ?? "";
    assert(/^(Everything is fine|\d failed, \d warnings?)\.$/.test(sum), sum);
    assertEquals([lines.at(-3), lines.at(-1)], ["", ""]);
  });
});

inFolder.test("runDoctor() puts a panel's name above its checks where there are several", async (folder) => {
  const panels = [1, 2].map((port) => ({
    endpoint: `http://127.0.0.1:${port}`,
    token: `t${port}`,
  }));
  Deno.writeTextFileSync(`${folder.path}/config.json`, JSON.stringify({ panels }));
  const config = configOf(["--config", `${folder.path}/config.json`], {
    RUNTIME_DIRECTORY: folder.path,
  });
  const context = new FakeContext({ HOME: folder.path });
  const doctor = { ...config, serviceName: "no-such-service", remoteControl: true };
  assertEquals(await runDoctor(doctor, context), 1);
  const lines = context.printed.split("\n");
  for (const port of [1, 2]) {
    const [at = 0, again = 0] = lines.flatMap((line, at) =>
      line === `127.0.0.1:${port}` ? [at] : []
    );
    assertStringIncludes(lines[at + 1] ?? "", "TCP connection");
    assertStringIncludes(lines[again + 1] ?? "", "Network", "what is fine stands below");
  }
});

Deno.test("runDoctor() shows the service and this machine beside a mistake in the configuration", async () => {
  const systemctl = 'case "$*" in *is-active*) exit 3 ;; *) echo LoadState=loaded ;; esac';
  const mistake = "Cannot use key x of /x.json: there is none of that name";
  const journalctl = `echo 'agent: ${mistake}'`;
  await withInstalledService({ systemctl, journalctl, getent: "" }, async ({ name, env }) => {
    const context = new FakeContext(env);
    const config = resolved(["doctor", "--json", "--install-service-name", name]);
    assertEquals(await runDoctor({ ...config, mistake, remoteControl: true }, context), 1);
    const { cause, checks } = JSON.parse(context.printed);
    const ids = checks.map(({ id }: { id: string }) => id);
    assertEquals(cause, "config");
    const service = checks.find(({ id }: { id: string }) => id === "service");
    assertEquals([service.status, service.follows], ["failed", "config"]);
    assertEquals([ids.includes("disks"), ids.includes("panel"), ids.includes("state")], [
      ...[true, false, false],
    ]);
  });
});

Deno.test("lateCheck() fails for checks that had no time, and names those that took it", () => {
  const check = { id: "dns", title: "Name resolution", ms: 3_700, ...ok("answered") };
  assertEquals(lateCheck([check], 18_000), []);
  const [late] = lateCheck(
    [check, { id: "tls", title: "TLS", ms: 0, ...NO_TIME_LEFT }],
    12_345,
  );
  assertEquals([late?.id, late?.status], ["time", "failed"]);
  const expected = "1 check had no time within 12.3 s; the longest: Name resolution (3.7 s)";
  assertEquals(late?.text, expected);
});

inFolder.test("runDoctor() prints its checks for the doctor that has started it, and has not failed", async (folder) => {
  const { code, printed } = await doctorIn(folder.path, ["-e", "http://127.0.0.1:1", "-t", TOKEN], {
    [AS_SERVICE]: "1",
  });
  const checks = printed.trim().split("\n").map((line) => JSON.parse(line).check);
  assertEquals(code, 0);
  const ids: string[] = checks.map(({ id }) => id);
  // Each is printed when it is complete.
  const ofPanel = "network dns connect tls panel clock round_trip token websocket".split(" ");
  const wanted =
    "dev_null authorities open_files interfaces measurements disks ping remote state seal";
  assertEquals(ids.toSorted(), [...ofPanel, ...wanted.split(" ")].toSorted());
  assertEquals(ids.slice(0, ofPanel.length), ofPanel, "first, where they wait for nothing");
  const lines = printed.trim().split("\n");
  assertEquals(lines.flatMap((line) => parseCheck(line, [])).length, checks.length);
});

inFolder.test("allInShell() seals this process when the checks beside it are made", async (folder) => {
  const args = ["-e", "http://127.0.0.1:1", "-t", TOKEN, "--state-dir", `${folder.path}/state`];
  // So the seal is a check that gives up nothing.
  const config = configOf([...args, "--enable-remote-control"]);
  const made: string[] = [];
  const onCheck = ({ id }: CompletedCheck) => void made.push(id);
  const options = { signal: new AbortController().signal, secrets: [], onCheck };
  const beside = Promise.withResolvers<void>();
  const checking = Array.fromAsync(
    allInShell(config, { unit: [], health: undefined, options, beside: beside.promise }),
  );
  const others = [...panelChain(config), ...machineChecks(config, HERE)];
  while (made.length < others.length) await realTurn();
  for (let turn = 0; turn < 100; turn++) await realTurn();
  assertEquals(made.length, others.length, "it waits for them");
  beside.resolve();
  assertEquals((await checking).at(-1)?.id, "seal");
});

inFolder.test("runDoctor() of another doctor advises on the installed service", async (folder) => {
  const path = `${folder.path}/config.json`;
  Deno.writeTextFileSync(path, JSON.stringify({ endpoint: "http://127.0.0.1:1", token: TOKEN }));
  const { printed } = await doctorIn(folder.path, ["--config", path], { [AS_SERVICE]: "1" });
  const words = "(and then: komari-agent-deno install --install-service-name no-such";
  assertStringIncludes(printed, words);
});

inFolder.test("runDoctor() of another doctor knows the settings of the unit", async (folder) => {
  const file = "/x.service";
  const settings = [
    { name: "Environment", value: "HTTP_PROXY=", file },
    { name: "StateDirectory", value: "state", file },
  ];
  const env = { [AS_SERVICE]: JSON.stringify(settings), HTTP_PROXY: "http://127.0.0.1:1" };
  const path = `${folder.path}/panels.json`;
  const panels = ["one", "two"].map((name) => ({
    endpoint: `http://${name}.invalid`,
    token: TOKEN,
  }));
  Deno.writeTextFileSync(path, JSON.stringify({ panels }));
  const state = ["--month-rotate", "1", "--state-dir", `${folder.path}/state`];
  for (const args of [["-e", "http://one.invalid", "-t", TOKEN], ["--config", path]]) {
    const config = configOf([...args, ...state], { ...env, RUNTIME_DIRECTORY: folder.path });
    const context = new FakeContext({ HOME: folder.path, ...env });
    await runDoctor({ ...config, serviceName: "no-such-service", remoteControl: true }, context);
    const { printed } = context;
    const checks = printed.trim().split("\n").map((line) => JSON.parse(line).check);
    for (const { advice, causes } of checks.filter(({ id }) => id === "connect")) {
      assertStringIncludes(`${advice} ${causes}`, file);
    }
    assertStringIncludes(printed, "is made by systemd at the next start");
  }
});

inFolder.test("runDoctor() uses the token that this node has registered with", async (folder) => {
  await withPanel({}, async (url) => {
    const store = new NodeStore(`${folder.path}/state`, { ignoreDamage: false });
    using opened = store;
    await opened.open();
    await opened.save({ endpoint: url, uuid: "u", token: TOKEN, registeredAtMs: 1 });
    const args = ["-e", url, "--auto-discovery", "key-of-the-panel", "--json"];
    const { printed } = await doctorIn(folder.path, [
      ...args,
      "--state-dir",
      `${folder.path}/state`,
    ]);
    const { checks } = JSON.parse(printed);
    const token = checks.find(({ id }: { id: string }) => id === "token");
    assertEquals([token.status, token.text], ["ok", "accepted"]);
    const without = ["-e", url, "--json", "--state-dir", `${folder.path}/state`];
    const { checks: others } = JSON.parse((await doctorIn(folder.path, without)).printed);
    const missing = others.find(({ id }: { id: string }) => id === "token");
    assertEquals([missing.status, missing.text], ["failed", "no token is configured"]);
  });
});

inFolder.test("runDoctor() shows no token that a server repeats, whichever panel's it is", async (folder) => {
  const stateFolder = `${folder.path}/state`;
  const ofContext = "t0ken-of-the-context";
  await using server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, ({ url }) => {
    const registered = new URL(url).searchParams.get("token") ?? "";
    return new Response(`<title>${ofContext} and ${registered}</title>`, { status: 404 });
  });
  const endpoint = `http://127.0.0.1:${server.addr.port}`;
  using store = new NodeStore(stateFolder, { ignoreDamage: false });
  await store.open();
  await store.save({ endpoint, uuid: "u", token: TOKEN, registeredAtMs: 1 });
  const args = ["-e", endpoint, "--auto-discovery", "key-of-the-panel", "--state-dir", stateFolder];
  const config = {
    ...configOf(args, { RUNTIME_DIRECTORY: folder.path }),
    ...{ serviceName: "no-such-service", remoteControl: true },
  };
  for (const isOfService of [false, true]) {
    const context = new FakeContext({
      HOME: folder.path,
      ...(isOfService && { [AS_SERVICE]: "1" }),
    });
    context.secrets.push(ofContext);
    await runDoctor(config, context);
    assertStringIncludes(context.printed, "… and …");
    for (const secret of [TOKEN, ofContext]) assertEquals(context.printed.includes(secret), false);
  }
});

Deno.test("panelChains() name the installed configuration that is gone", async () => {
  const { signal } = new AbortController();
  const unreadableConfig = "/etc/x/config.json";
  const [[check, ...others] = []] = panelChains(configOf([]), { unreadableConfig });
  assertEquals(others, []);
  const words = "configuration /etc/x/config.json is not there";
  assertStringIncludes((await check?.run(signal))?.text ?? "", words);
});

/** The checks of a doctor of an installed service, by their ids, and its exit code. */
async function doctorOfService(
  systemdRun: string,
  {
    panel = ["-e", "http://127.0.0.1:1", "-t", TOKEN],
    record,
    environment = "",
    unit,
    installed,
    reportsTo,
    mainPid = 0,
    properties = [],
    change = {},
    shell = {},
  }: {
    panel?: readonly string[];
    /** The text of the record of the installation, instead of a right one. */
    record?: string;
    /** The service's file of proxies. */
    environment?: string;
    /** The text of the unit's file. */
    unit?: string;
    /** The text of the installed configuration. */
    installed?: string;
    /** The panel that the running agent reports to, instead of no agent that runs. */
    reportsTo?: string;
    /** Variables of the shell. */
    shell?: Readonly<Record<string, string>>;
    /** The service's process, as systemd says. */
    mainPid?: number;
    /** What else systemd says, such as `LoadState=loaded`. */
    properties?: readonly string[];
    /** What the record of the installation has otherwise. */
    change?: Parameters<typeof withInstalledService>[2];
  } = {},
): Promise<{ code: number; ids: string[]; checks: Record<string, Record<string, unknown>> }> {
  const shown =
    `echo User=komari; echo MainPID=${mainPid}; echo "FragmentPath=\${0%/bin/*}/unit.service"`;
  const systemctl = `case "$*" in *show*) ${
    [shown, ...properties].join("; echo ")
  } ;; *is-*) exit 0 ;; *) exit 1 ;; esac`;
  const scripts = { systemctl, journalctl: "", "systemd-run": systemdRun };
  let found: Awaited<ReturnType<typeof doctorOfService>> | undefined;
  await withInstalledService(scripts, async ({ name, env, folder }) => {
    Deno.writeTextFileSync(`${folder}/environment`, environment);
    if (unit !== undefined) Deno.writeTextFileSync(`${folder}/unit.service`, unit);
    if (installed !== undefined) Deno.writeTextFileSync(`${folder}/config.json`, installed);
    Deno.mkdirSync(`${folder}/run`);
    using health = reportsTo === undefined ? undefined : openHealth(`${folder}/run`);
    const reported = { panel: reportsTo ?? "", sinceMs: Date.now(), failures: 0, probes: 0 };
    health?.setPanels([{ ...reported, shortConnections: 9 }], { now: true });
    const config = {
      ...configOf([...panel, "--json"], shell),
      ...{ serviceName: name, isConfigInstalled: true },
    };
    using _ = withTexts((path) => path.endsWith(`/${name}/install.json`) ? record : undefined);
    // As from the configuration's file, and not from the command line.
    const doctor = { ...config, origins: new Map(), remoteControl: true };
    const context = new FakeContext(env);
    const code = await runDoctor(doctor, context);
    const checks: { id: string }[] = JSON.parse(context.printed).checks;
    const byId = Object.fromEntries(checks.map((check) => [check.id, check]));
    found = { code, ids: checks.map(({ id }) => id), checks: byId };
  }, change);
  if (found === undefined) throw new Error("The doctor has not run");
  return found;
}

const OF_SERVICE = [
  ...["config", "service", "agent", "agents", "connections", "probes", "environment"],
];

Deno.test("runDoctor() shows what the doctor that runs as the service has found", async () => {
  const check = (id: string, status: string, text: string) =>
    `echo '${JSON.stringify({ check: { id, title: "X", status, text, ms: 7 } })}'`;
  const fine = check("dns", "ok", "fine");
  const secret = check("panel", "failed", `no ${TOKEN}`);
  const odd = check("panel", "odd", "not shown");
  const run = [fine, secret, odd, "echo noise"].join("\n");
  const variable = "Environment=NO_PROXY=x";
  const unit = `[Service]\n${variable}\n`;
  const { code, ids, checks } = await doctorOfService(run, { unit, properties: [variable] });
  const expected = [1, [...OF_SERVICE, "dns", "panel", "version"].toSorted()];
  assertEquals([code, ids.toSorted()], expected);
  assertStringIncludes(String(checks["environment"]?.text), "the service, as komari with its");
  assertMatch(String(checks["environment"]?.text), /has NO_PROXY \(\S+\/unit\.service\)/);
  assertEquals(checks["dns"], { id: "dns", status: "ok", text: "fine", ms: 7 });
  assertEquals(checks["panel"]?.text, "no …");
  const failed = Object.values(checks).filter(({ status }) => status === "failed");
  assertEquals(failed.map(({ id }) => id), ["panel", "service"], "no agent of it is seen");
});

Deno.test("runDoctor() tries in its shell what fails for the service, with the service's proxies", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const failed = { id: "connect", title: "X", status: "failed", text: "no", causes: ["a"], ms: 7 };
  const asService = `echo '${JSON.stringify({ check: failed })}'`;
  const panel = ["-e", `http://127.0.0.1:${listener.addr.port}`, "-t", TOKEN];
  for (
    const [environment, unit, works] of [
      ["", "", true],
      ["HTTP_PROXY=http://127.0.0.1:1", "", false],
      ["", "[Service]\nEnvironment=AGENT_ENDPOINT=http://127.0.0.1:1\n", false],
    ] as const
  ) {
    const { checks } = await doctorOfService(asService, { panel, environment, unit });
    assertEquals(String(checks["connect"]?.text).includes("tried again in this shell"), works);
  }
  const { checks } = await doctorOfService(asService, { panel, change: { user: "komari" } });
  assertStringIncludes(String(checks["connect"]?.causes), "a rule is for user komari alone");
});

Deno.test("runDoctor() misses the checks of a process that systemd has ended", async () => {
  const made = { id: "network", title: "X", status: "ok", text: "fine", ms: 7 };
  const { checks, code } = await doctorOfService(
    `echo '${JSON.stringify({ check: made })}'; exit 143`,
  );
  const { network, websocket, time } = checks;
  assertEquals([code, network?.text, websocket?.text], [1, "fine", NO_TIME_LEFT.text]);
  assertStringIncludes(String(time?.text), "8 checks had no time");
});

Deno.test("runDoctor() tries a proxy that its shell alone has", async () => {
  await using proxy = startHttpProxy();
  const url = `http://127.0.0.1:${proxy.port}`;
  const failed = { id: "connect", title: "X", status: "failed", text: "no", causes: ["a"], ms: 7 };
  const asService = `echo '${JSON.stringify({ check: failed })}'`;
  const panel = ["-e", "http://panel.invalid", "-t", TOKEN];
  const shell = { http_proxy: url };
  for (const [environment, works] of [["", true], [`HTTP_PROXY=${url}`, false]] as const) {
    const { checks } = await doctorOfService(asService, { panel, environment, shell });
    const { text, advice } = checks["connect"] ?? {};
    assertEquals(String(text).includes("which this shell has and the service has not"), works);
    assertEquals(String(advice).includes("in this shell: komari-agent-deno install"), works);
  }
});

Deno.test("runDoctor() tests from its shell where no check can run as the service", async () => {
  const { code, ids, checks } = await doctorOfService("echo Cannot start; exit 1");
  assertEquals([code, ids.length, new Set(ids).size], [1, 27, 27]);
  assertEquals(checks["environment"]?.status, "failed");
  assertStringIncludes(String(checks["environment"]?.text), "as it does: Cannot start");
  const proxied = await doctorOfService("exit 1", { environment: "HTTP_PROXY=http://127.0.0.1:2" });
  assertStringIncludes(String(proxied.checks["connect"]?.text), "the proxy 127.0.0.1 port 2");
  const unread = await doctorOfService("echo Cannot start; exit 1", { panel: [] });
  assertEquals(["state", "disks"].map((id) => unread.ids.includes(id)), [false, true]);
});

Deno.test("runDoctor() looks for no panel before a package's service is configured", async () => {
  const options = { panel: [], reportsTo: "p.example" };
  const { ids, checks } = await doctorOfService("exit 1", { ...options, installed: "{}\n" });
  assertEquals(ids.includes("panel"), false);
  assertEquals(String(checks["agent"]?.advice).includes("as root"), false);
});

Deno.test("runDoctor() knows the panel that the unit has the agent report to, and its proxy", async () => {
  const shell = { HTTP_PROXY: "http://127.0.0.1:1" };
  const unit =
    `[Service]\nEnvironment=AGENT_ENDPOINT=http://old.example HTTP_PROXY=${shell.HTTP_PROXY}\n`;
  for (const [text, isOther] of [[unit, false], ["[Service]\n", true]] as const) {
    const options = { unit: text, shell, reportsTo: "old.example" };
    const { checks } = await doctorOfService("exit 1", options);
    assertEquals(/proxy of .*unit\.service/.test(String(checks["connections"]?.causes)), !isOther);
    const found = String(checks["agent"]?.text);
    assertEquals(found.includes("its configuration has"), isOther, found);
  }
});

onLinux.test("runDoctor() knows the service's own process by its manager", async () => {
  using folder = new TempFolder();
  await using agent = await OtherAgent.start(folder.path, TOKEN);
  for (const [mainPid, status] of [[0, "failed"], [agent.pid, "ok"]] as const) {
    const { checks } = await doctorOfService("exit 1", { mainPid });
    assertEquals(checks["agents"]?.status, status);
  }
});

Deno.test("runDoctor() says that the record of the installation is damaged", async () => {
  const { checks } = await doctorOfService("exit 1", { record: "{" });
  assertStringIncludes(String(checks["service"]?.text), "/install.json: Cannot parse the");
  const advice = String(checks["service"]?.advice);
  assertStringIncludes(advice, "remove it, and write it anew: rm /");
  assertStringIncludes(advice, "komari-agent-deno install --install-service-name komari-test-");
});

Deno.test("runDoctor() ends within 20 s though the service manager, names and the panel hang", async () => {
  const hang = "exec sleep 600";
  const scripts = { systemctl: hang, journalctl: hang, "systemd-run": hang };
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const connections = Array.fromAsync(listener);
  await withInstalledService(scripts, async ({ name, env, folder }) => {
    const { port } = listener.addr;
    const panels = ["http", "https"].map((scheme) => ({
      endpoint: `${scheme}://127.0.0.1:${port}`,
      token: TOKEN,
    }));
    Deno.writeTextFileSync(`${folder}/panels.json`, JSON.stringify({ panels }));
    const args = ["--config", `${folder}/panels.json`, "--json"];
    const config = { ...configOf(args), serviceName: name, isConfigInstalled: true };
    const context = new FakeContext(env);
    using time = new FakeTime({ now: Date.now() });
    const running = runDoctor({ ...config, origins: new Map(), remoteControl: true }, context);
    const tookMs = await time.until(running, { withinMs: 20_000, stepMs: 100 });
    assertEquals(await running, 1);
    assert(tookMs > 5_000, "the panel was waited for");
    const { checks, cause } = JSON.parse(context.printed);
    assertEquals([cause, checks.length > 20], ["tls", true]);
  });
  listener.close();
  for (const connection of await connections) connection.close();
});

/** Reports of which nothing is known, and those that the panel took before. */
const UNKNOWN = {
  panel: "p",
  accepted: new Set<string>(),
  failing: new Set<string>(),
  explanation: "",
};
const ACCEPTED = { ...UNKNOWN, accepted: new Set(["p"]) };

Deno.test("compareWithReports() tells a link that fails while reports are accepted", () => {
  const link = { id: "panel", title: "P", text: "no answer", ms: 1, status: "failed" } as const;
  const agent = { ...link, id: "agent", text: "process 7", status: "ok" } as const;
  const reporting = { ...agent, kind: "reporting" } as const;
  const said = (agent: CompletedCheck) => compareWithReports([link, agent], UNKNOWN)[0]?.text;
  assertEquals(said(reporting), "no answer; the running agent's reports are accepted all the same");
  assertEquals(said(agent), "no answer", "the way may have broken since");
  const causes = ["see whether it listens on port 443: ss -ltn", "see whether a firewall is there"];
  const ruledOutByReports = causes.slice(0, 1);
  const refused = { ...link, id: "connect", causes, ruledOutByReports };
  const [connect] = compareWithReports([refused, reporting], UNKNOWN);
  assertStringIncludes(connect?.causes?.[0] ?? "", "limits how many connections one machine may");
  const shown = connect?.causes?.slice(1);
  assertEquals(shown, causes.slice(1), "something listens, since reports go on");
  const before = compareWithReports([refused, agent], ACCEPTED)[0]?.causes;
  assertStringIncludes(before?.[0] ?? "", "whether the panel has ended, or a server in front");
  assertEquals(before?.slice(1), causes.slice(1), "the address was the panel's");
  const elsewhere = { ...refused, text: "refused; a Komari panel answers at http://p:25774" };
  const [front] = compareWithReports([elsewhere, agent], ACCEPTED)[0]?.causes ?? [];
  assertStringIncludes(front ?? "", "whether the server in front of the panel has ended");
  assertEquals(compareWithReports([refused, agent], UNKNOWN)[0], refused);
  assertEquals(compareWithReports([link, agent], ACCEPTED)[0], link);
  const ofOther = { ...UNKNOWN, accepted: new Set(["other"]), failing: new Set(["q"]) };
  const two = [{ ...link, panel: "q" }, { ...link, panel: "other" }, reporting];
  const texts = compareWithReports(two, ofOther).map(({ text }) => text);
  assertEquals(texts.slice(0, 2), ["no answer", said(reporting)], "another panel's reports");
  const token = { ...link, id: "token" };
  const explained = { ...UNKNOWN, explanation: "it was started before" };
  const [, accepted] = compareWithReports([token, reporting], explained);
  assertEquals(accepted?.text, "process 7; it was started before");
  assertEquals(
    compareWithReports([link, reporting], explained)[1]?.text,
    "process 7",
    "the token is known",
  );
});

Deno.test("runDoctor() has systemd read the files of a unit that it can load", async () => {
  for (const [state, isAdvised] of [["loaded", true], ["masked", false]] as const) {
    const properties = ["NeedDaemonReload=yes", `LoadState=${state}`];
    const { checks } = await doctorOfService("exit 1", { properties });
    const { advice, causes } = checks["connect"] ?? {};
    assertEquals(`${advice} ${causes}`.includes("daemon-reload"), isAdvised, state);
  }
});

Deno.test("afterReload() begins with what systemd has not read yet", () => {
  const failed = { id: "connect", title: "TCP", text: "refused", ms: 1, status: "failed" } as const;
  const reload = "systemctl daemon-reload && systemctl restart x.service";
  const unit = (properties: Record<string, string>) => ({
    name: "x.service",
    property: (name: string) => ({ LoadState: "loaded", ...properties })[name] ?? "",
    settings: [],
  });
  const changed = unit({ NeedDaemonReload: "yes" });
  const { advice, causes = [] } = afterReload({ ...failed, causes: ["one", "two"] }, changed);
  assertEquals([advice, causes.length, causes[0]?.endsWith(reload)], [undefined, 3, true]);
  assertEquals(afterReload({ ...failed, advice: "one" }, changed).causes?.[1], "one");
  assertEquals(afterReload(failed, changed).advice?.endsWith(reload), true);
  const others = [{ ...failed, status: "ok" } as const, { ...failed, id: "disks" }];
  for (const other of others) assertEquals(afterReload(other, changed), other);
  const token = { ...failed, id: "token" };
  const unread = (name: string, value: string) =>
    afterReload(token, { ...unit({}), unread: [{ name, value, file: "/x.conf" }] }).advice ?? "";
  assertStringIncludes(
    unread("Environment", "AGENT_TOKEN=s3cret"),
    `systemd has not read /x.conf (AGENT_TOKEN) yet): ${reload}`,
  );
  assertEquals(unread("Nice", "5"), "", "no token comes by it");
});

Deno.test("findInstalled() knows that nothing starts a unit at boot which has no section for it", async () => {
  const of = async (wantedBy: string) => {
    const shown = `echo LoadState=loaded; echo UnitFileState=static; echo WantedBy=${wantedBy}`;
    const scripts = { systemctl: `case "$*" in show*) ${shown} ;; esac`, journalctl: "" };
    let found: Awaited<ReturnType<typeof findInstalled>> | undefined;
    await withInstalledService(scripts, async ({ name, env }) => {
      const config = { ...configOf([]), serviceName: name };
      const { signal } = new AbortController();
      found = await findInstalled(config, { env, isSeen: true, signal });
    }, { scope: "system" });
    return found?.state;
  };
  assertEquals((await of("multi-user.target"))?.isEnabled, true, "by a link of its own");
  const state = await of("");
  assert(state !== undefined);
  const wants = /^systemctl add-wants multi-user\.target \S+\.service$/;
  assertEquals([state.isEnabled, wants.test(state.enable)], [false, true]);
  assertEquals(enableNow(state), `${state.enable} && ${state.start}`);
  assertEquals(enableNow({ ...state, enable: "systemctl enable x" }), "systemctl enable x --now");
});

Deno.test("findInstalled() asks the manager that the service is of, and for the user that it names", async () => {
  const systemctl = 'case "$*" in "--user show"*) echo User=theirs ;; show*) echo User=its ;; esac';
  for (const [scope, user] of [["user", "theirs"], ["system", "its"]] as const) {
    const scripts = { systemctl, journalctl: "", getent: "exit 2" };
    await withInstalledService(scripts, async ({ name, env }) => {
      const config = { ...configOf([]), serviceName: name, configPath: "/not-the-service's" };
      const { signal } = new AbortController();
      const found = await findInstalled(config, { env, isSeen: false, signal });
      assertEquals(found.unit?.property("User"), user);
      assertEquals([found.isUserMissing, found.readConfig], [true, undefined]);
    }, { scope });
  }
});

inFolder.test("installCommand() is of this program where the installed one can't be run", (folder) => {
  const program = `${folder.path}/program`;
  Deno.writeTextFileSync(program, "");
  const of = (change: { program?: string; isDamaged?: boolean; form?: "binary" | "source" }) =>
    installCommand("komari-agent-deno", {
      record: { program: change.program ?? program },
      scope: "system",
      isDamaged: change.isDamaged ?? false,
    }, { form: change.form ?? "binary", path: "/srv/agent" });
  for (const [uid, sudo] of [[0, ""], [1000, "sudo "]] as const) {
    using _ = replaced(Deno, { uid: () => uid });
    assertEquals(of({}), `${sudo}komari-agent-deno install`);
    assertEquals(of({ isDamaged: true }), `${sudo}/srv/agent install`);
    assertEquals(of({ program: `${program}-gone` }), `${sudo}/srv/agent install`);
    assertEquals(of({ isDamaged: true, form: "source" }), `${sudo}komari-agent-deno install`);
  }
  const ofUser = { record: undefined, scope: "user", isDamaged: true } as const;
  const expected = "komari-agent-deno install --install-service-name node-2";
  assertEquals(installCommand("node-2", ofUser, { form: "binary", path: "/srv/agent" }), expected);
});
