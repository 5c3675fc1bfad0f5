import { assertEquals, assertStringIncludes } from "@std/assert";
import {
  authoritiesResult,
  descriptorCheck,
  machineChecks,
  measurementsResult,
  remoteResult,
} from "../../lib/cli/doctor_machine.ts";
import { sealCheck } from "../../lib/cli/doctor_seal.ts";
import { askedMounts, askMounts, disksResult, fullResult } from "../../lib/cli/doctor_disks.ts";
import { failedPing } from "../../lib/cli/doctor_ping.ts";
import { attempt } from "../../lib/attempt.ts";
import type { CheckResult } from "../../lib/cli/checks.ts";
import type { Config } from "../../lib/config/config.ts";
import type { UnitSetting } from "../../lib/service/loaded_unit.ts";
import type { PanelHealth } from "../../lib/state/health_file.ts";
import type { Health } from "../../lib/state/health_reader.ts";
import { StartedProcesses } from "../started_processes.ts";
import { writeRecordedMachine } from "../metrics/recorded_machine.ts";
import { freePort } from "../free_port.ts";
import { asRoot, onLinux } from "../only_on.ts";
import { realUntil } from "../real_deadline.ts";
import { replaced } from "../replaced.ts";
import { inContainerImage } from "./container_image.ts";
import { configOf as resolved } from "./fake_context.ts";
import { inFolder, TempFolder } from "../temp_folder.ts";
import { healthOf, problemHealth } from "./seen_health.ts";
import { adviceText } from "./advice_text.ts";

const started = new StartedProcesses();

function configOf(...args: readonly string[]): Config {
  return resolved(["doctor", ...args]);
}

/** The result of the check of this id. */
async function resultOf(
  id: string,
  config: Config,
  health?: Health,
  unit: readonly UnitSetting[] = [],
): Promise<CheckResult> {
  const options = { os: "linux", arch: "x86_64", health, unit };
  const checks = [...machineChecks(config, options), sealCheck(config, options)];
  const check = checks.find((check) => check.id === id);
  if (check === undefined) throw new Error(`There is no check ${id}`);
  return await check.run(new AbortController().signal);
}

Deno.test("machineChecks() are in their order, and metrics among them where they are served", () => {
  const machine = { os: "linux", arch: "x86_64", health: undefined, isContained: false };
  const idsOf = (...args: string[]) =>
    machineChecks(configOf(...args), machine).map(({ id }) => id).join(" ");
  assertEquals(
    idsOf(),
    "dev_null authorities open_files interfaces measurements disks ping remote state",
  );
  const expected =
    "dev_null authorities open_files interfaces measurements disks ping remote state metrics";
  assertEquals(idsOf("--metrics", "9100"), expected);
});

Deno.test("machineChecks() say of a container that what it sees is reported, unless it shows the host's", async () => {
  const machine = { os: "linux", arch: "x86_64", health: undefined, isContained: true };
  const [check] = machineChecks(configOf(), machine);
  const { status, text } = await check?.run(new AbortController().signal) ?? {};
  assertEquals([check?.id, status], ["container", "skipped"]);
  assertStringIncludes(text ?? "", "--network host --pid host -v /:/host:ro,rslave");
  const inHost = { ...configOf(), hostProc: "/host/proc" };
  const installed = { ...configOf(), isConfigInstalled: true };
  for (const config of [inHost, installed]) {
    assertEquals(machineChecks(config, machine)[0]?.id, "dev_null");
  }
});

Deno.test("descriptorCheck() fails below 64 files", async () => {
  const table: [limit: number | undefined, status: string, text: string][] = [
    [undefined, "ok", "not limited"],
    [64, "ok", "64 at a time"],
    [63, "failed", "63 at a time"],
  ];
  for (const [limit, status, text] of table) {
    const found = await descriptorCheck(limit).run(new AbortController().signal);
    assertEquals([found.status, found.text], [status, text]);
    assertEquals(found.advice?.includes("LimitNOFILE="), status === "ok" ? undefined : true);
  }
});

Deno.test("machineChecks() name the interfaces that count, and warn where none does", async () => {
  const fine = await resultOf("interfaces", configOf("--include-nics", "lo"));
  assertEquals([fine.status, /^lo counted, \d+ left out$/.test(fine.text)], ["ok", true]);
  const none = await resultOf("interfaces", configOf("--include-nics", "none-of-these"));
  assertEquals(none.status, "warning");
  assertStringIncludes(
    none.text,
    "--include-nics none-of-these matches no interface, so no traffic is counted; those of this machine: lo",
  );
  assertEquals(none.causes, [
    "name what is here: --include-nics NAMES",
    "or leave that option out: --unset include-nics",
  ]);
});

Deno.test("machineChecks() name a mount point that was asked for and is not mounted", async () => {
  const found = await resultOf("disks", configOf("--include-mountpoint", "/;/not-mounted"));
  assertEquals(found.status, "warning");
  assertStringIncludes(
    found.text,
    "--include-mountpoint /not-mounted is not mounted; those of this machine: /",
  );
  assertStringIncludes(found.causes?.[0] ?? "", "findmnt --verify; mount /not-mounted");
});

Deno.test("machineChecks() say how another machine's /proc comes into a container", async () => {
  const config = { ...configOf(), hostProc: "/host/no-proc" };
  const { status, text, advice } = await resultOf("interfaces", config);
  assertEquals([status, text], [
    "failed",
    "Cannot read /host/no-proc/stat: HOST_PROC must be a Linux machine's /proc",
  ]);
  assertStringIncludes(advice ?? "", "docker run -v /:/host:ro,rslave -e HOST_PROC=/host/proc");
});

onLinux.test("machineChecks() name an unknown time zone of the host whose /proc this is", async () => {
  using folder = new TempFolder();
  const hostProc = writeRecordedMachine("amd-workstation", folder.path);
  const file = `${folder.path}/etc/localtime`;
  // Nowhere are these the hours.
  Deno.writeTextFileSync(file, "TZif2\n<+1234>-12:34\n");
  using _ = replaced(Deno.env, { get: () => undefined });
  const { text } = await resultOf("time_zone", { ...configOf("--month-rotate", "1"), hostProc });
  assertStringIncludes(text, `the zone of ${file} is unknown`);
});

Deno.test("machineChecks() name the disks that count, and warn where none does", async () => {
  const none = await resultOf("disks", configOf("--include-mountpoint", "/none-of-these"));
  assertEquals(
    [none.status, none.text],
    ["warning", "--include-mountpoint /none-of-these is not mounted, so no disk space is counted"],
  );
  const fine = await resultOf("disks", configOf("--include-mountpoint", "/proc"));
  assertEquals([fine.status, /^\/proc counted, \d+ left out$/.test(fine.text)], ["ok", true]);
});

Deno.test("machineChecks() fail for probes that the panel wants and the agent can't run", async () => {
  const panel: PanelHealth = { panel: "p", sinceMs: 0, failures: 0, probes: 1, kinds: { icmp: 1 } };
  const health = { ...problemHealth("ping", "no socket"), panels: [panel] };
  assertEquals((await resultOf("ping", configOf(), health)).status, "failed");
  assertEquals(started.children(), [], "its shell has ended");
});

asRoot.test("machineChecks() try ping as the user that a sealed agent is", async () => {
  for (const [args, uid] of [[[], 65534], [["--enable-remote-control"], undefined]] as const) {
    const uids: (number | undefined)[] = [];
    using _ = replaced(Deno, {
      Command: class extends Deno.Command {
        constructor(command: string | URL, options?: Deno.CommandOptions) {
          super(command, options);
          uids.push(options?.uid);
        }
      },
    });
    await resultOf("ping", configOf(...args));
    assertEquals(uids.at(0), uid);
  }
});

inFolder.test("machineChecks() know the state folder that the unit makes", async (folder) => {
  const config = configOf("--month-rotate", "1", "--state-dir", `${folder.path}/x`);
  const unit = [{ name: "StateDirectory", value: "x", file: "/x.service" }];
  const { text } = await resultOf("state", config, undefined, unit);
  assertStringIncludes(text, "is made by systemd at the next start");
});

Deno.test("machineChecks() believe the agent that serves metrics", async () => {
  const config = configOf("--metrics", "127.0.0.1:9100");
  const fine = await resultOf("metrics", config, healthOf());
  assertEquals([fine.status, fine.text], ["ok", "the agent serves them on 127.0.0.1 port 9100"]);
  const table: [reason: string, advice: string][] = [
    ["Cannot assign requested address", "no interface here has 127.0.0.1: choose an address"],
    ["address already in use", 'stop what listens there (ss -ltnp "sport = :9100")'],
  ];
  for (const [reason, advice] of table) {
    const found = await resultOf("metrics", config, problemHealth("metrics", reason));
    assertEquals(found.status, "failed");
    assertStringIncludes(adviceText(found), advice);
  }
});

Deno.test("machineChecks() name an address of metrics that no interface has", async () => {
  const { status, advice = "" } = await resultOf(
    "metrics",
    configOf("--metrics", "192.0.2.7:9100"),
  );
  assertEquals(status, "failed");
  assertStringIncludes(advice, "no interface here has 192.0.2.7");
});

Deno.test("machineChecks() try the address of metrics where no agent runs", async () => {
  const hostname = "127.0.0.1";
  const found = async (port: number) => {
    const { status, text } = await resultOf(
      "metrics",
      configOf("--metrics", `${hostname}:${port}`),
    );
    return status === "ok" ? text : status;
  };
  const port = freePort();
  assertEquals(await found(port), `127.0.0.1 port ${port} is free`);
  // A child that another test is just starting may have a copy of what doctor has listened on.
  let taken: Deno.Listener | undefined;
  await realUntil(() => (taken ??= attempt(() => Deno.listen({ hostname, port }))) !== undefined);
  using _ = taken;
  assertEquals(await found(port), "failed");
});

Deno.test("machineChecks() say how the running agent is sealed, and warn of a gap", async () => {
  const whole = "sealed by the kernel and the runtime";
  const control = ["--enable-remote-control"];
  const table: [seal: string, args: string[], status: string][] = [
    [whole, [], "ok"],
    [`${whole}, but files can be read: there is no "getent"`, [], "warning"],
    ["sealed by the runtime only: no filters", [], "warning"],
    ["not sealed: remote control is on", control, "ok"],
  ];
  for (const [seal, args, status] of table) {
    const found = await resultOf("seal", configOf(...args), healthOf({ seal }));
    assertEquals([found.status, found.text], [status, seal]);
  }
  for (const health of [undefined, healthOf()]) {
    const { status, text } = await resultOf("seal", configOf(...control), health);
    assertEquals([status, text], ["skipped", "not used: remote control is on"]);
  }
});

Deno.test("measurementsResult() says what of a report can't be measured", () => {
  const collector = (subject: string, error?: Error) => ({
    subject,
    sources: () => ({}),
    collect() {
      if (error !== undefined) throw error;
      return {};
    },
  });
  const fine = measurementsResult({ collectors: [collector("memory")] });
  assertEquals([fine.status, fine.text], ["ok", "all that a report has"]);
  const hidden = new Error("Cannot list all processes in /proc");
  const collectors = [collector("memory"), collector("processes", hidden)];
  const { status, text, advice } = measurementsResult({ collectors });
  assertEquals([status, text], [
    "warning",
    `can't be measured, and the panel does not show it: processes: ${hidden.message}`,
  ]);
  assertStringIncludes(advice ?? "", "mount /proc without hidepid");
  const unit = [{ name: "ProtectProc", value: "invisible", file: "/x.conf" }];
  const byUnit = measurementsResult({ collectors }, { unit }).advice ?? "";
  assertStringIncludes(byUnit, "remove ProtectProc=invisible in /x.conf, and then: systemctl");
});

Deno.test("remoteResult() says whether a panel may run commands here, and as whom", () => {
  const installed = { ...configOf("--enable-remote-control"), isConfigInstalled: true };
  const off = remoteResult({ ...configOf(), isConfigInstalled: true }, undefined);
  assertEquals(off.status, "skipped");
  const asked = problemHealth("remote", "a command of the panel was refused");
  const { status, text, advice } = remoteResult(configOf(), asked);
  assertEquals([status, text], [
    "warning",
    "the running agent says: remote control is off: a command of the panel was refused",
  ]);
  assertStringIncludes(advice ?? "", "if the panel is to run commands");
  assertStringIncludes(off.text, "on: komari-agent-deno install --enable-remote-control");
  const of = (uid: number, config = installed) => {
    using _owner = replaced(Deno, { statSync: () => ({ uid }) as Deno.FileInfo });
    return remoteResult(config, healthOf()).text;
  };
  assertEquals(of(0), "on, as root");
  assertStringIncludes(of(4_000_000), "on, as user 4000000, with its rights alone; for those of");
  assertStringIncludes(of(4_000_000), "komari-agent-deno install --as-root");
  assertEquals(of(4_000_000, configOf("--enable-remote-control")).includes("--as-root"), false);
});

Deno.test("failedPing() is a failure where a panel has the agent probe by it", () => {
  const panel: PanelHealth = { panel: "p", sinceMs: 0, failures: 0, probes: 1 };
  const table: [health: Health | undefined, status: string][] = [
    [undefined, "warning"],
    [healthOf({ panels: [panel, { ...panel, kinds: { icmp: 0, tcp: 2 } }] }), "warning"],
    [healthOf({ panels: [panel, { ...panel, kinds: { icmp: 1 } }] }), "failed"],
  ];
  for (const [health, status] of table) {
    const found = failedPing("no socket", { health, isContained: false });
    assertEquals([found.status, found.text], [status, "they don't work: no socket"]);
    assertEquals(found.advice, undefined);
  }
});

Deno.test("failedPing() tells a ping that a firewall does not let out", () => {
  const kindOf = (reason: string) => failedPing(reason, { health: undefined }).kind;
  const unsent = "Cannot ping 127.0.0.1: ping: sendto: Operation not permitted";
  assertEquals(kindOf(unsent), "unsent");
  assertEquals(kindOf("Cannot ping 127.0.0.1: no answer"), undefined);
});

inFolder.test("failedPing() says how all users may run a ping that only some may", (folder) => {
  const file = `${folder.path}/ping`;
  Deno.writeTextFileSync(file, "", { mode: 0o755 });
  const advice = (reason = 'there is no "ping"') =>
    failedPing(reason, { health: undefined, file }).advice ?? "";
  assertEquals(advice().includes("chmod"), false);
  Deno.chmodSync(file, 0o750);
  assertEquals(advice(), `let all users run it: chmod 755 ${file}`);
  const unit = [{ name: "InaccessiblePaths", value: folder.path, file: "/x.conf" }];
  const hidden = failedPing('there is no "ping"', { health: undefined, file, unit, name: "x" });
  const start = `remove InaccessiblePaths=${folder.path} in /x.conf, and then: `;
  assertEquals(hidden.advice?.startsWith(start), true, hidden.advice);
  assertEquals(advice('"ping" may not open its socket').includes("chmod"), false, "it has started");
});

Deno.test("failedPing() names the setting of the unit that takes the right from it", () => {
  const of = (...settings: [name: string, value: string][]) => {
    const unit = settings.map(([name, value], at) => ({ name, value, file: `/${at}.conf` }));
    return failedPing('"ping" may not open its socket', { health: undefined, unit }).advice;
  };
  const own = [["AmbientCapabilities", "CAP_NET_RAW"]] as [string, string][];
  assertEquals(of(...own), undefined);
  const removed = of(["ProtectSystem", "strict"]) ?? "";
  assertStringIncludes(removed, "written anew, which has no AmbientCapabilities= by now: komari");
  const words = "remove PrivateUsers=yes in /1.conf";
  assertStringIncludes(of(...own, ["PrivateUsers", "yes"]) ?? "", words);
  const shown = of(...own, ["AmbientCapabilities", ""]) ?? "";
  assertStringIncludes(shown, "remove AmbientCapabilities= in /1.conf");
  assertStringIncludes(
    of(...own, ["AmbientCapabilities", ""], ["CapabilityBoundingSet", ""]) ?? "",
    "remove AmbientCapabilities= in /1.conf, CapabilityBoundingSet= in /2.conf, and then",
  );
  assertStringIncludes(
    of(...own, ["CapabilityBoundingSet", "~CAP_NET_RAW"]) ?? "",
    "remove CapabilityBoundingSet=~CAP_NET_RAW in /",
  );
});

Deno.test("failedPing() says in a container how it is started, but not of a service in there", () => {
  const unit = [{ name: "User", value: "x", file: "/u" }];
  const advice = (options: Partial<Parameters<typeof failedPing>[1]>) =>
    failedPing('"ping" may not open its socket', { health: undefined, ...options }).advice ?? "";
  assertStringIncludes(advice({ isContained: true }), "--cap-add NET_RAW, and in Docker");
  assertEquals(advice({ isContained: true, unit }).includes("in Docker"), false);
  assertEquals(advice({ isContained: false }).includes("in Docker"), false);
});

Deno.test("failedPing() does not take what this user may not for the running agent's trouble", () => {
  const reason = 'Cannot ping 127.0.0.1: "ping" may not open its socket';
  const of = (uid: number | null, health = healthOf()) => {
    using _owner = replaced(Deno, { statSync: () => ({ uid, mode: 0o755 }) as Deno.FileInfo });
    return failedPing(reason, { health }).status;
  };
  assertEquals(of((Deno.uid() ?? 0) + 1), "skipped");
  assertEquals(of(Deno.uid()), "warning", "the same user");
  assertEquals(of((Deno.uid() ?? 0) + 1, problemHealth("ping", "no socket")), "warning");
});

Deno.test("failedPing() claims that ping is missing only where it is not on the disk", () => {
  const reason = 'Cannot ping 127.0.0.1: there is no "ping" command: install it';
  const { text } = failedPing(reason, { health: undefined, file: "/bin/ping" });
  assertEquals(text, "they don't work: /bin/ping is there, and can't be started");
  using _ = replaced(Deno, {
    statSync: () => {
      throw new Deno.errors.NotFound();
    },
  });
  const none = failedPing(reason, { health: undefined });
  const expected = [`they don't work: there is no "ping" command`, "install it"];
  assertEquals([none.text, none.advice], expected);
  const words = '"ping" may not open its socket: run the agent as root, or widen ping_group_range';
  const unable = failedPing(`${words} (ping: denied (you?))`, { health: undefined });
  assertEquals([unable.text, unable.advice], [
    `they don't work: "ping" may not open its socket (ping: denied (you?))`,
    "run the agent as root, or widen ping_group_range",
  ]);
  const other = failedPing("no reply", { health: undefined, file: "/bin/ping" });
  assertEquals(other.text, "they don't work: no reply");
});

Deno.test("in the container image advice is about the container", async () => {
  await inContainerImage(() => {
    for (const reason of ["may not open its socket", "grant it CAP_NET_RAW"]) {
      const words = "--cap-add NET_RAW";
      assertStringIncludes(adviceText(failedPing(reason, { health: undefined })), words);
    }
    assertEquals(failedPing("no answer", { health: undefined }).advice, undefined);
  });
});

Deno.test("askMounts() names the file systems that do not answer, and those without any space", async () => {
  type Answer = Parameters<typeof askMounts>[1]["statfs"];
  const statfs: Answer = (path) => {
    if (path === "/gone") return Promise.reject(new Error("gone"));
    const bavail = path === "/full" ? 0 : 7;
    return path === "/nfs"
      ? new Promise(() => {})
      : Promise.resolve({ blocks: 9, bavail, files: 0, ffree: 0 });
  };
  const found = await askMounts(["/", "/nfs", "/gone", "/full"], { statfs, timeoutMs: 1 });
  assertEquals(found, { hanging: ["/nfs"], full: ["/full"] });
});

Deno.test("fullResult() names a disk without any space, which is not read-only", () => {
  const mountinfo = "1 0 8:1 / / rw - ext4 /dev/vda rw\n2 1 8:2 / /full rw - ext4 /dev/vdb rw\n" +
    "3 1 8:3 / /iso ro - iso9660 /dev/sr0 ro\n";
  assertEquals(fullResult(["/iso"], mountinfo), undefined);
  const { status, text } = fullResult(["/iso", "/full"], mountinfo) ?? {};
  assertEquals([
    status,
    text?.startsWith("/full is full: it has no space for users other than root"),
  ], ["warning", true]);
});

Deno.test("disksResult() is a failure where a counted disk hangs, else a warning", () => {
  const mount = (mountPoint: string, counted: boolean) => {
    return { mountPoint, source: "/dev/vda", type: "ext4", counted, rule: "" };
  };
  const all = [mount("/", true), mount("/data", true), mount("/nfs", false)];
  const resultOf = (...hanging: string[]) => {
    const { status, text } = disksResult(all, hanging, configOf());
    return `${status} ${text}`;
  };
  assertEquals(resultOf(), "ok /, /data counted, 1 left out");
  assertEquals(resultOf("/data"), "failed /data does not answer within 3 s");
  assertEquals(resultOf("/nfs"), "warning /nfs does not answer within 3 s");
  assertEquals(resultOf("/nfs", "/"), "failed /nfs, / does not answer within 3 s");
  assertEquals(disksResult([mount("/nfs", false)], [], configOf()).status, "warning");
});

Deno.test("askedMounts() are the counted ones and those that may hang, but no automounts", () => {
  const mount = (mountPoint: string, type: string, counted = false) => {
    return { mountPoint, source: "x", type, counted, rule: "" };
  };
  const all = [
    ...[mount("/", "ext4", true), mount("/run", "tmpfs"), mount("/old", "ext2")],
    ...[mount("/nfs", "nfs4"), mount("/sshfs", "fuse.sshfs"), mount("/auto", "autofs")],
    ...[mount("/wanted", "tmpfs", true)],
  ];
  assertEquals(askedMounts(all), ["/", "/nfs", "/sshfs", "/wanted"]);
});

Deno.test("authoritiesResult() names the store and the files added to it, and how those may be used that are left out", () => {
  const ignored = [
    { file: "/x/a.crt", reason: "it can't be read" },
    { file: "/x/b.crt", reason: "there is no certificate in PEM in it" },
  ];
  const system = { certificates: [], files: ["/x/c.crt"], ignored };
  const { status, causes } = authoritiesResult(system, undefined);
  assertEquals([status, causes], ["warning", [
    "let everybody read it: chmod a+r /x/a.crt",
    "see what is in it: openssl x509 -noout -text -in /x/b.crt",
  ]]);
  const text = (store?: string) => authoritiesResult({ ...system, ignored: [] }, store).text;
  assertEquals(text(), "the built-in ones, and of this system c.crt");
  assertEquals(text("system"), "those of DENO_TLS_CA_STORE=system, and of this system c.crt");
});
