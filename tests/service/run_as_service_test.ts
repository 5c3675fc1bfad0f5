import { assert, assertEquals } from "@std/assert";
import {
  asServiceCommand,
  environmentFiles,
  settingsUser,
  settingsVariables,
  showSettingsCommand,
} from "../../lib/service/run_as_service.ts";
import { systemdUnit } from "../../lib/service/systemd.ts";
import { SYSTEM_PLAN } from "./service_plans.ts";

/** As systemd 252 shows a unit that loses its capability, beside settings that are not set. */
const SHOWN = `StateDirectory=komari-agent-deno
Environment=DENO=/usr/local/bin/deno "HTTPS_PROXY=http://proxy.example:3128" D=e "F=\\\${a}\\\`\\\\\\\$"
EnvironmentFiles=/etc/komari-agent-deno/environment (ignore_errors=yes)
EnvironmentFiles=/etc/a file (ignore_errors=no)
UMask=0022
LimitNOFILE=524288
LimitNOFILESoft=1024
LimitAS=infinity
CapabilityBoundingSet=
AmbientCapabilities=
User=komari-agent-deno
WorkingDirectory=
SystemCallFilter=~
SystemCallErrorNumber=2147483646
RestrictAddressFamilies=AF_INET AF_UNIX
`;
const OPTIONS = {
  scope: "system",
  words: ["/opt/agent", "doctor"],
  variables: { X: "1" },
  timeoutMs: 13_000,
} as const;

Deno.test("asServiceCommand() takes over what is set, and no capability where there is none", () => {
  const { tool, args } = asServiceCommand(SHOWN, OPTIONS);
  assertEquals(tool, "systemd-run");
  assertEquals(args.slice(0, 4), ["--quiet", "--wait", "--collect", "--pipe"]);
  const settings = args.flatMap((word, at) => word === "-p" ? [args[at + 1]] : []);
  assertEquals(settings, [
    "RuntimeMaxSec=13",
    "TimeoutStopSec=1",
    "User=komari-agent-deno",
    "UMask=0022",
    "CapabilityBoundingSet=",
    "ReadWritePaths=-/var/lib/komari-agent-deno",
    "RestrictAddressFamilies=AF_INET AF_UNIX",
    'Environment=DENO=/usr/local/bin/deno "HTTPS_PROXY=http://proxy.example:3128" D=e "F=${a}`\\\\$"',
    "LimitNOFILE=1024:524288",
    "EnvironmentFile=-/etc/komari-agent-deno/environment",
    "EnvironmentFile=-/etc/a file",
  ]);
  const state = "--setenv=STATE_DIRECTORY=/var/lib/komari-agent-deno";
  assertEquals(args.slice(-5), [state, "--setenv=X=1", "--", "/opt/agent", "doctor"]);
  assertEquals(args.includes("--user"), false);
});

Deno.test("asServiceCommand() runs a user's service by that user's manager", () => {
  const { args } = asServiceCommand(SHOWN, { ...OPTIONS, scope: "user" });
  assertEquals(args[0], "--user");
  const settings = args.flatMap((word, at) => word === "-p" ? [args[at + 1]?.split("=")[0]] : []);
  assertEquals(settings, [
    ...["RuntimeMaxSec", "TimeoutStopSec", "UMask", "Environment", "LimitNOFILE"],
    ...["EnvironmentFile", "EnvironmentFile"],
  ]);
  assertEquals(showSettingsCommand("x", "user").args.slice(0, 3), ["--user", "show", "x.service"]);
});

Deno.test("showSettingsCommand() asks for everything that is taken over", () => {
  const [, , properties = ""] = showSettingsCommand("x", "system").args;
  for (const name of ["User", "LimitNOFILE", "LimitNOFILESoft", "EnvironmentFiles"]) {
    assert(properties.slice("--property=".length).split(",").includes(name), name);
  }
});

Deno.test("settings tell user, variables and files of variables", () => {
  assertEquals(settingsUser(SHOWN), "komari-agent-deno");
  assertEquals(settingsUser(""), "");
  assertEquals(settingsVariables(SHOWN), ["DENO", "HTTPS_PROXY", "D", "F"]);
  assertEquals(environmentFiles(SHOWN), ["/etc/komari-agent-deno/environment", "/etc/a file"]);
});

Deno.test("asServiceCommand() takes over all that a unit or a drop-in can take away", () => {
  // What starts and ends the service, and what a process has for itself.
  const others =
    /^(ExecStart|Restart|RestartSec|LimitCORE|(Runtime|State)Directory(Mode)?|KeyringMode|RemoveIPC)=/;
  const unit = systemdUnit(SYSTEM_PLAN).split("[Service]\n")[1]?.split("\n\n")[0] ?? "";
  const ofUnit = unit.split("\n").filter((line) => /^[A-Z]/.test(line) && !others.test(line));
  const ofDropIns = [
    ...["Group=g", "SupplementaryGroups=video", "UMask=0077", "WorkingDirectory=/srv"],
    ...["RootDirectory=/srv/root", "MemoryDenyWriteExecute=yes", "PrivateNetwork=yes"],
    ...["PrivateUsers=yes", "NetworkNamespacePath=/run/netns/x", "ProtectProc=invisible"],
    ...["ProcSubset=pid", "ReadWritePaths=/srv", "ReadOnlyPaths=/srv", "InaccessiblePaths=/srv"],
    ...["TemporaryFileSystem=/srv", "IPAddressAllow=any", "IPAddressDeny=any"],
    ...["Environment=A=b", "UnsetEnvironment=A", "StateDirectory=x"],
  ];
  assert(ofUnit.length > 20, "the whole unit");
  const limits = ["LimitNOFILE", "LimitNPROC", "LimitAS"];
  const shown = [...ofUnit, ...ofDropIns, ...limits.flatMap((it) => [`${it}=9`, `${it}Soft=8`])];
  const { args } = asServiceCommand(shown.join("\n"), OPTIONS);
  const settings = args.flatMap((word, at) => word === "-p" ? [args[at + 1] ?? ""] : []);
  // The folder is written, and is not given to the user.
  const ofRun = ofDropIns.map((it) => it.replace("StateDirectory=", "ReadWritePaths=-/var/lib/"));
  const wanted = [...ofUnit, ...ofRun, ...limits.map((it) => `${it}=8:9`)];
  const bounds = ["RuntimeMaxSec=13", "TimeoutStopSec=1"];
  assertEquals(settings.toSorted(), [...wanted, ...bounds].toSorted());
  const ofUser = asServiceCommand(shown.join("\n"), { ...OPTIONS, scope: "user" }).args;
  assertEquals(
    ofUser.flatMap((word, at) => word === "-p" ? [ofUser[at + 1]?.split("=")[0]] : []),
    [
      ...["RuntimeMaxSec", "TimeoutStopSec"],
      ...["UMask", "WorkingDirectory", "Environment", "UnsetEnvironment", ...limits],
    ],
  );
  const [, , properties = ""] = showSettingsCommand("x", "system").args;
  const asked = new Set(properties.slice("--property=".length).split(","));
  assertEquals(shown.map((line) => line.replace(/=.*/, "")).filter((it) => !asked.has(it)), []);
});
