import { TempFolder } from "../../temp_folder.ts";
import { assertEquals } from "@std/assert";
import { buildPortable } from "../../../build/portable.ts";
import { startTestPanel, type TestPanel } from "../../test_panel/test_panel.ts";
import { jsonFields, parseJson } from "../../../lib/parse/json.ts";
import { freePort } from "../../free_port.ts";
import { reports } from "./built_machine.ts";
import { succeeds } from "./command.ts";
import {
  type Diagnosis,
  type PlantedProblem,
  printDiagnoses,
  untilNamed,
} from "./planted_problem.ts";
import { MachineContainer } from "./machine_container.ts";
import { unless } from "../../only_on.ts";

const PROGRAM = "/build/komari-agent-deno-portable";
const SERVICE = "komari-agent-deno";
const STATE = `/var/lib/${SERVICE}`;
const DROP_IN = `/etc/systemd/system/${SERVICE}.service.d/planted.conf`;
const DROP_INS = DROP_IN.replace(/\/[^/]*$/, "");
const UNIT = `/etc/systemd/system/${SERVICE}.service`;
const INSTALLED = `/opt/${SERVICE}/${SERVICE}`;
const RECORD = `/etc/${SERVICE}/install.json`;
const TIMER = `/etc/systemd/system/${SERVICE}-update.timer`;
const BUSYBOX = "/usr/bin/busybox";

const lack = MachineContainer.missing() ??
  (succeeds("test", "-x", BUSYBOX) ? undefined : "no busybox, which pings");

/** A problem of the service, as lines of shell that make it and take it away. */
interface Row extends PlantedProblem {
  readonly plant: string;
  /** Absent where the advice has the command that does it. */
  readonly heal?: string;
  readonly statusCode: 0 | 1 | undefined;
  /** Whether the agent has to report first. */
  readonly reports?: boolean;
  /** A line of shell that succeeds when the agent has seen the problem. */
  readonly waitsFor?: string;
  /** Variables of the shell that runs the doctor. */
  readonly env?: Readonly<Record<string, string>>;
}

const RESTART = `systemctl daemon-reload && systemctl restart ${SERVICE}`;

/** A line of shell that goes on when another one succeeds, and fails when that never does. */
function until(line: string): string {
  return `for i in $(seq 1800); do { ${line}; } >/dev/null 2>&1 && break; sleep 0.1; done; { ${line}; }`;
}

/** Settings that take the place of those of the unit. */
function dropIn(...settings: readonly string[]): Pick<Row, "plant" | "heal"> {
  const text = ["[Service]", ...settings].join("\\n").replaceAll("%", "%%");
  return {
    plant: `mkdir -p ${DROP_INS} && printf '${text}\\n' >${DROP_IN} && { ` +
      `${RESTART} || true; }`,
    heal: `rm ${DROP_IN} && ${RESTART}`,
  };
}

/** A change of the unit's own file, by `sed`. */
function byHand(change: string): Pick<Row, "plant" | "heal"> {
  return {
    plant: `cp -p ${UNIT} /root/unit && sed -i '${change}' ${UNIT} && { ${RESTART} || true; }`,
    heal: `cp -p /root/unit ${UNIT} && ${RESTART}`,
  };
}

function rows({ url, token }: TestPanel, closing: number): Row[] {
  const failed = (
    check: string,
    ...words: string[]
  ) => ({ check, status: "failed", words } as const);
  const warning = (check: string, ...words: string[]) =>
    ({ check, status: "warning", words }) as const;
  const fine = { check: undefined, status: "ok", words: [] } as const;
  const { port } = new URL(url);
  const official = `[Service]\\nExecStart=/opt/komari/agent -e ${url} -t ${token}\\n`;
  return [
    { cause: "nothing", plant: "true", heal: "true", statusCode: 0, reports: true, ...fine },
    {
      cause: "a proxy that only the shell has",
      plant: "true",
      heal: "true",
      env: { HTTP_PROXY: "http://127.0.0.1:9" },
      statusCode: 0,
      reports: true,
      ...fine,
    },
    {
      cause: "no CAP_NET_RAW",
      ...dropIn("CapabilityBoundingSet=", "AmbientCapabilities="),
      statusCode: 0,
      reports: true,
      ...warning("ping", "may not open its socket"),
    },
    {
      cause: "a read-only state folder",
      ...dropIn(`ReadOnlyPaths=${STATE}`),
      statusCode: 0,
      reports: true,
      ...failed(
        "state",
        "the running agent says",
        "Read-only file system",
        `→ remove ReadOnlyPaths=${STATE} in ${DROP_IN}`,
      ),
    },
    {
      cause: "a state folder of another user",
      plant: `chown -R root: ${STATE} && chmod 700 ${STATE}`,
      statusCode: 0,
      reports: true,
      ...failed("state", "ermission denied", "1. give the folder to the agent's user: chown -R"),
    },
    {
      cause: "a configuration that the running service does not have yet",
      plant: `sed -i 's#${url}#http://127.0.0.1:${closing}#' /etc/${SERVICE}/config.json`,
      heal: `sed -i 's#http://127.0.0.1:${closing}#${url}#' /etc/${SERVICE}/config.json`,
      statusCode: 0,
      reports: true,
      ...warning(
        "agent",
        `and its configuration has 127.0.0.1:${closing} by now`,
        "→ have it use that",
      ),
    },
    {
      cause: "a state folder that a drop-in leaves out",
      ...dropIn("StateDirectory="),
      statusCode: 0,
      reports: true,
      ...failed("state", "Read-only file system", `→ remove StateDirectory= in ${DROP_IN}`),
    },
    {
      cause: "a condition that is not met",
      ...dropIn("", "[Unit]", "ConditionPathExists=/nothing"),
      statusCode: 1,
      ...failed("service", `ConditionPathExists=/nothing in ${DROP_IN}:4 is not met`),
    },
    {
      cause: "an assertion that is not met",
      ...dropIn("", "[Unit]", "AssertPathExists=/nothing"),
      statusCode: 1,
      ...failed("service", `AssertPathExists=/nothing in ${DROP_IN}:4 is not met`),
    },
    {
      cause: "a group that is not there",
      ...dropIn("Group=nobody-there"),
      statusCode: 1,
      ...failed("service", "(216/GROUP): there is no group nobody-there"),
    },
    {
      cause: "a line that systemd can't read",
      ...dropIn("ExecStart=", "ExecStart=./agent -t s3cret"),
      statusCode: 0,
      reports: true,
      ...warning(
        "service",
        "it can't be started again",
        `(bad-setting): ${DROP_IN}:3: Neither a valid executable name`,
      ),
    },
    {
      cause: "a folder of work that is not there",
      ...dropIn("WorkingDirectory=/nothing"),
      statusCode: 1,
      ...failed("service", "(200/CHDIR)", `(WorkingDirectory=/nothing in ${DROP_IN}:2)`),
    },
    {
      cause: "a misspelt file in the unit itself",
      ...byHand("s/config.json$/config.jsno/"),
      statusCode: 1,
      ...failed(
        "service",
        `Cannot read --config /etc/${SERVICE}/config.jsno: no such file; did you mean config.json?`,
        `→ correct ExecStart= in ${UNIT}`,
        "or have the unit written anew: komari-agent-deno install",
      ),
    },
    {
      cause: "a key in the unit itself that systemd does not know",
      ...byHand("s/^RestartSec=/RestartSecs=/"),
      statusCode: 0,
      reports: true,
      ...warning("service", `${UNIT}:15: Unknown key 'RestartSecs' in section [Service]`),
    },
    {
      cause: "another unit that it needs and that is not there",
      plant:
        `mkdir -p ${DROP_INS} && printf '[Unit]\\nRequires=nothing.service\\n' >${DROP_IN} && ` +
        "systemctl daemon-reload",
      heal: `rm ${DROP_IN} && ${RESTART}`,
      statusCode: 0,
      reports: true,
      ...warning(
        "service",
        `Requires=nothing.service in ${DROP_IN}:2 needs nothing.service, which`,
      ),
    },
    {
      cause: "a time after which systemd ends it",
      ...dropIn("RuntimeMaxSec=5"),
      // A doctor on a busy machine takes longer than that.
      waitsFor: `test "$(systemctl show -p NRestarts --value ${SERVICE})" -ge 2 && ` +
        `sed -i 's/=5$/=600/' ${DROP_IN} && systemctl daemon-reload`,
      statusCode: undefined,
      check: "service",
      status: "warning",
      words: ["systemd has started it again"],
    },
    {
      cause: "calls to the kernel that a drop-in forbids",
      ...dropIn("SystemCallFilter=", "SystemCallFilter=@basic-io @file-system @process @signal"),
      statusCode: 1,
      ...failed("service", "SystemCallFilter=@basic-io", DROP_IN),
    },
    {
      cause: "a configuration that is gone",
      plant:
        `mv /etc/${SERVICE}/config.json /tmp/config && { systemctl restart ${SERVICE} || true; }`,
      heal: `mv /tmp/config /etc/${SERVICE}/config.json && systemctl restart ${SERVICE}`,
      statusCode: 1,
      ...failed("panel", `the service's configuration /etc/${SERVICE}/config.json is not there`),
    },
    {
      cause: "an error that is repaired, and too many starts before",
      plant: `mkdir -p ${DROP_INS} && printf '[Unit]\\nStartLimitIntervalSec=600\\n` +
        `StartLimitBurst=2\\n[Service]\\nRestartSec=1\\n' >${DROP_IN} && ` +
        `systemctl daemon-reload && cp -p /etc/${SERVICE}/config.json /tmp/config && ` +
        `sed -i 's/"endpoint"/"endpiont"/' /etc/${SERVICE}/config.json && ` +
        `systemctl restart ${SERVICE}; until systemctl is-failed ${SERVICE}; do sleep 1; done; ` +
        `cp -p /tmp/config /etc/${SERVICE}/config.json`,
      heal: `rm ${DROP_IN} && systemctl daemon-reload && systemctl reset-failed ${SERVICE} && ` +
        `systemctl restart ${SERVICE}`,
      statusCode: 1,
      ...failed("service", "that is repaired by now", "→ start it: systemctl reset-failed"),
    },
    {
      cause: "a full disk",
      plant: `systemctl stop ${SERVICE} && mount -t tmpfs -o size=64k tmpfs ${STATE} && ` +
        `chown ${SERVICE}: ${STATE} && { dd if=/dev/zero of=${STATE}/big bs=1k || true; } && ` +
        `systemctl start ${SERVICE}`,
      heal: `systemctl stop ${SERVICE} && umount ${STATE} && systemctl start ${SERVICE}`,
      statusCode: 0,
      reports: true,
      ...failed("state", "No space left on device", "make room"),
    },
    {
      cause: "a deleted state folder",
      plant: `systemctl restart ${SERVICE} && ${
        until(`ls -l /proc/$(systemctl show -P MainPID ${SERVICE})/fd | grep month.state`)
      } && rm -r ${STATE}`,
      // By the advice's own command, after which the month goes on.
      heal: `sh -c "$(${PROGRAM} doctor --json | ` +
        `sed -n 's/.*"advice": "as root: \\(.*\\); then restart the agent".*/\\1/p')" && ` +
        `test -s ${STATE}/month.state && ${RESTART} && ` +
        until(
          `journalctl _PID=$(systemctl show -P MainPID ${SERVICE}) | grep "Continuing the month"`,
        ),
      statusCode: 0,
      reports: true,
      ...failed(
        "state",
        "month.state was deleted while the agent has it open",
        "→ as root: install",
      ),
    },
    {
      cause: "an address of metrics that is taken",
      ...dropIn(`Environment=AGENT_METRICS=127.0.0.1:${port}`),
      statusCode: 0,
      reports: true,
      ...failed("metrics", "the running agent says", `port ${port}`, "ss -ltnp"),
    },
    {
      cause: "a stopped service",
      plant: `systemctl stop ${SERVICE}`,
      statusCode: 1,
      ...failed("service", "it was stopped", `→ start it: systemctl start ${SERVICE}.service`),
    },
    {
      cause: "a masked unit",
      plant: `systemctl stop ${SERVICE} && mv ${UNIT} /tmp/unit && systemctl mask ${SERVICE}`,
      statusCode: 1,
      ...failed("service", "it is masked", `→ systemctl unmask ${SERVICE}.service`),
    },
    {
      cause: "a start that waits for another unit",
      plant: `systemctl stop ${SERVICE} && mkdir -p ${DROP_INS} && ` +
        `printf '[Unit]\\nAfter=slow.service\\n' >${DROP_IN} && systemctl daemon-reload && ` +
        "systemd-run --unit=slow --no-block -p Type=oneshot sleep 600 && sleep 1 && " +
        `systemctl start --no-block ${SERVICE}`,
      heal: `systemctl stop slow; rm ${DROP_IN} && ${RESTART}`,
      statusCode: 1,
      ...failed("service", "its start is queued", "slow.service", "→ see why that takes so long"),
    },
    {
      cause: "a user that is gone",
      ...dropIn("User=nobody-there"),
      statusCode: 1,
      ...failed(
        "service",
        "(217/USER): there is no user nobody-there",
        `User=nobody-there in ${DROP_IN}`,
      ),
    },
    {
      cause: "a user that was deleted while the service runs",
      plant: `sed -i '/^${SERVICE}:/d' /etc/passwd`,
      statusCode: 0,
      reports: true,
      ...warning(
        "service",
        `it can't be started again: there is no user ${SERVICE}`,
        "→ make the user again",
      ),
    },
    {
      cause: "a log that a drop-in takes away",
      ...dropIn("Environment=AGENT_INTERVAL=x", "StandardOutput=null"),
      statusCode: 1,
      ...failed("service", `StandardOutput=null in ${DROP_IN}:3 keeps what it said from the log`),
    },
    {
      cause: "a setting that is in no file any more, and that systemd still has",
      plant: `${dropIn("Environment=HTTP_PROXY=http://127.0.0.1:9").plant} && rm ${DROP_IN} && ` +
        `systemctl restart ${SERVICE}`,
      statusCode: 1,
      ...failed("connect", "the proxy 127.0.0.1", "1. have systemd read the unit's files"),
    },
    {
      cause: "a command before the program that does not end",
      plant:
        `mkdir -p ${DROP_INS} && printf '[Service]\\nExecStartPre=/bin/sleep 600\\n' >${DROP_IN} && ` +
        `systemctl daemon-reload && systemctl restart --no-block ${SERVICE}`,
      heal: `rm ${DROP_IN} && ${RESTART}`,
      waitsFor: `${PROGRAM} status | grep -q "(systemd) is being started"`,
      statusCode: 1,
      ...failed("service", "systemd is still starting it (start-pre)"),
    },
    {
      cause: "a program of a drop-in that is not there",
      ...dropIn("ExecStart=", "ExecStart=/opt/nothing/here"),
      statusCode: 1,
      ...failed("service", "(203/EXEC)", `→ name ${INSTALLED} in ExecStart= of ${DROP_IN}:3`),
    },
    {
      cause: "a file of variables that is not there",
      ...dropIn("EnvironmentFile=/etc/nothing"),
      statusCode: 1,
      ...failed("service", "no environment file /etc/nothing", `EnvironmentFile=/etc/nothing in`),
    },
    {
      cause: "a command before the program that fails",
      ...dropIn("ExecStartPre=/bin/true", "ExecStartPre=/bin/false"),
      statusCode: 1,
      ...failed("service", `/bin/false of ExecStartPre= in ${DROP_IN}:3 ended with code 1`),
    },
    {
      cause: "a configuration that a drop-in takes away",
      ...dropIn(`InaccessiblePaths=/etc/${SERVICE}`),
      statusCode: 1,
      ...failed("service", "permission denied", `InaccessiblePaths=/etc/${SERVICE} in ${DROP_IN}`),
    },
    {
      cause: "a folder of the program that is mounted with noexec",
      plant: `mount --bind /opt/${SERVICE} /opt/${SERVICE} && ` +
        `mount -o remount,bind,noexec /opt/${SERVICE} && { systemctl restart ${SERVICE} || true; }`,
      heal: `umount /opt/${SERVICE} && systemctl restart ${SERVICE}`,
      statusCode: 1,
      ...failed("service", "(203/EXEC)", `/opt/${SERVICE} is mounted with noexec`),
    },
    {
      cause: "a service that was disabled, and not started since",
      plant: `systemctl stop ${SERVICE} && systemctl disable ${SERVICE}`,
      statusCode: 1,
      ...failed("service", "nothing has started it", "→ start it, now and at boot: systemctl"),
    },
    {
      cause: "a second ExecStart=",
      plant: `mkdir -p ${DROP_INS} && printf '[Service]\\nExecStart=/bin/true\\n' >${DROP_IN} && ` +
        `systemctl daemon-reload && systemctl stop ${SERVICE}`,
      heal: `rm ${DROP_IN} && ${RESTART}`,
      statusCode: 1,
      ...failed(
        "service",
        "more than one ExecStart=",
        `an empty line ExecStart= above it in ${DROP_IN}`,
      ),
    },
    {
      cause: "a state folder that is a link to nothing",
      plant: `systemctl stop ${SERVICE} && mv ${STATE} /tmp/state && ln -s /nothing ${STATE} && ` +
        `systemctl start ${SERVICE}; sleep 1`,
      heal: `systemctl stop ${SERVICE}; rm -rf ${STATE} && mv /tmp/state ${STATE} && ` +
        `systemctl start ${SERVICE}`,
      statusCode: 1,
      ...failed("service", `${STATE} is a link to /nothing, which is not there`, `rm ${STATE}`),
    },
    {
      cause: "a stopped service that may not read its configuration",
      plant: `systemctl stop ${SERVICE} && chmod 600 /etc/${SERVICE}/config.json`,
      statusCode: 1,
      ...failed(
        "service",
        "it was stopped, and a start would fail: Cannot read --config",
        "→ let it",
      ),
    },
    {
      cause: "a process that was killed",
      plant: `systemctl kill -s KILL ${SERVICE}`,
      heal: `systemctl restart ${SERVICE}`,
      reports: true,
      waitsFor: `${PROGRAM} health`,
      statusCode: 0,
      ...warning("service", "before, its process was ended by SIGKILL", "too little memory"),
    },
    {
      cause: "another address of the panel in a drop-in",
      ...dropIn("Environment=AGENT_ENDPOINT=http://127.0.0.1:9"),
      statusCode: 1,
      ...failed("connect", `1. remove AGENT_ENDPOINT from ${DROP_IN}, which wins over ${url}`),
    },
    {
      cause: "LimitFSIZE",
      ...dropIn("LimitFSIZE=0"),
      statusCode: 1,
      ...failed("service", "LimitFSIZE=0", DROP_IN),
    },
    {
      cause: "LimitAS",
      ...dropIn("LimitAS=100M"),
      statusCode: 1,
      ...failed("service", "LimitAS=100M", DROP_IN),
    },
    {
      cause: "MemoryDenyWriteExecute",
      ...dropIn("MemoryDenyWriteExecute=yes"),
      statusCode: 1,
      ...failed("service", "MemoryDenyWriteExecute=yes", DROP_IN),
    },
    {
      cause: "LimitNPROC",
      ...dropIn("LimitNPROC=1"),
      statusCode: 1,
      ...failed("service", "LimitNPROC=1", DROP_IN),
    },
    {
      cause: "PrivateNetwork",
      ...dropIn("PrivateNetwork=yes"),
      statusCode: 1,
      ...failed("network", "but the loopback", `→ the service's unit takes`, DROP_IN),
    },
    {
      cause: "RestrictAddressFamilies",
      ...dropIn("RestrictAddressFamilies=", "RestrictAddressFamilies=AF_UNIX AF_NETLINK"),
      statusCode: 1,
      ...failed("network", "no socket of the network", "RestrictAddressFamilies=AF_UNIX", DROP_IN),
    },
    {
      cause: "another token in a drop-in",
      ...dropIn("Environment=AGENT_TOKEN=another"),
      statusCode: 1,
      ...failed(
        "token",
        `(AGENT_TOKEN in ${DROP_IN})`,
        `1. remove AGENT_TOKEN from ${DROP_IN}, which wins over the token of /etc/${SERVICE}`,
      ),
    },
    {
      cause: "a paused process",
      plant: `systemctl kill -s STOP ${SERVICE}`,
      statusCode: undefined,
      ...failed("agent", "was stopped by a signal (state T)", "→ let it go on: kill -CONT"),
    },
    ...["/health", ""].map((file): Row => ({
      cause: `a health file that is gone (/run/${SERVICE}${file})`,
      plant: `rm -r /run/${SERVICE}${file}`,
      heal: `systemctl restart ${SERVICE}`,
      statusCode: 1,
      ...failed("service", "its health file", "is not there", "systemctl restart"),
    })),
    {
      cause: "a record that is gone",
      plant: `mv ${RECORD} /tmp/record`,
      statusCode: 0,
      ...failed("service", "the record of its installation is not", "→ write the record anew"),
    },
    {
      cause: "a timer of updates that is not running",
      plant: `cp ${RECORD} /tmp/record && sed -i 's#"files": \\[#&"${TIMER}", #' ${RECORD} && ` +
        `printf '[Timer]\\nOnBootSec=1d\\n[Install]\\nWantedBy=timers.target\\n' >${TIMER}`,
      heal: `cp /tmp/record ${RECORD} && rm ${TIMER}`,
      statusCode: 0,
      reports: true,
      ...warning("service", "the timer of its updates is not running", "systemctl enable --now"),
    },
    {
      cause: "an older program on the disk",
      plant: `cp -p ${INSTALLED} /tmp/program && cp /older/komari-agent-deno-portable ${INSTALLED}`,
      heal: `cp -p /tmp/program ${INSTALLED}`,
      statusCode: 0,
      reports: true,
      ...warning("service", "is of version 1.0.0, and its program on the disk of version 0.9.0"),
    },
    {
      cause: "a zone that does not exist",
      ...dropIn("Environment=TZ=Mars/Olympus"),
      statusCode: 0,
      reports: true,
      ...warning("time_zone", "the zone of TZ=Mars/Olympus is unknown"),
    },
    {
      cause: "a link to a zone that does not exist",
      plant: "cp -P /etc/localtime /root/zone; ln -sf ../usr/share/zoneinfo/Asia/Beijing " +
        `/etc/localtime && ${RESTART}`,
      heal: `rm /etc/localtime && { cp -P /root/zone /etc/localtime || true; } && ${RESTART}`,
      statusCode: 0,
      reports: true,
      ...warning(
        "time_zone",
        "the zone of /etc/localtime, which leads to ../usr/share/zoneinfo/Asia/Beijing, is unknown",
        "timedatectl set-timezone",
      ),
    },
    {
      cause: "processors that this machine has not",
      ...dropIn("CPUAffinity=8000-8001"),
      statusCode: 1,
      ...failed("service", "does not start", "(215/CPUAFFINITY)", "this machine has the CPUs 0-"),
    },
    {
      cause: "/dev/null that is a file",
      plant: "rm /dev/null && touch /dev/null",
      statusCode: 0,
      reports: true,
      ...failed("dev_null", "/dev/null is no device", "→ make it anew: rm -f /dev/null && mknod"),
    },
    {
      cause: "/dev/null that is a file before the service starts",
      plant: "rm /dev/null && touch /dev/null && { " + `${RESTART} || true; }`,
      heal: "rm -f /dev/null && mknod -m 666 /dev/null c 1 3 && " + RESTART,
      statusCode: 1,
      ...failed("dev_null", "/dev/null is no device", "→ make it anew"),
    },
    {
      cause: "a systemctl that does not answer",
      plant: "printf '#!/bin/sh\nsleep 10\n' >/tmp/silent && chmod 755 /tmp/silent && " +
        "mount --bind /tmp/silent /usr/bin/systemctl",
      heal: "umount /usr/bin/systemctl",
      statusCode: undefined,
      reports: true,
      ...warning("service", `systemctl does not answer, so nothing is known of ${SERVICE}`),
    },
    {
      cause: "no ping",
      ...dropIn("InaccessiblePaths=/usr/bin/ping"),
      statusCode: 0,
      reports: true,
      ...warning(
        "ping",
        "/usr/bin/ping is there, and can't be started",
        `→ remove InaccessiblePaths=/usr/bin/ping in ${DROP_IN}`,
      ),
    },
    {
      cause: "metrics on a port that needs a right",
      ...dropIn("Environment=AGENT_METRICS=127.0.0.1:80"),
      statusCode: 0,
      reports: true,
      ...failed("metrics", "ermission denied", "→ ports below 1024 need a right"),
    },
    {
      cause: "a service that does not start at boot",
      plant: `systemctl disable ${SERVICE}`,
      statusCode: 0,
      reports: true,
      ...warning("service", "does not start at boot", `systemctl enable ${SERVICE}.service`),
    },
    {
      cause: "16 descriptors",
      ...dropIn("LimitNOFILE=16"),
      statusCode: 1,
      ...failed("service", "may have 16 files open at a time", `(LimitNOFILE=16 in ${DROP_IN}:2)`),
    },
    {
      cause: "8 descriptors, with which its shell reads no line",
      ...dropIn("LimitNOFILE=8"),
      statusCode: 1,
      ...failed("service", "with code 2", `(LimitNOFILE=8 in ${DROP_IN}:2)`, "→ raise that limit"),
    },
    {
      cause: "a setting that nobody knows to be a cause",
      ...dropIn("Environment=DENO_V8_FLAGS=--nothing", "PrivateTmp=yes"),
      statusCode: 1,
      ...failed(
        "service",
        `; the unit has more than \`install\` writes: DENO_V8_FLAGS (${DROP_IN}:2)`,
        `1. see whether it starts without ${DROP_IN}: mv ${DROP_IN} ${DROP_IN}.off && ${RESTART}`,
      ),
    },
    {
      cause: "a folder that a drop-in lets nobody run a program in",
      ...dropIn("NoExecPaths=/usr/local/bin"),
      statusCode: 1,
      ...failed("service", "and does not run", `(NoExecPaths=/usr/local/bin in ${DROP_IN}:2)`),
    },
    {
      cause: "a path to bind that is not there",
      ...dropIn("BindPaths=/nothing:/data"),
      statusCode: 1,
      ...failed("service", "(226/NAMESPACE)", `(BindPaths=/nothing:/data in ${DROP_IN}:2)`),
    },
    {
      cause: "a Deno behind a link into a home",
      plant: "mkdir -p /root/.deno && cp /usr/local/bin/deno /root/.deno/deno && " +
        `ln -s /root/.deno/deno /usr/local/sbin/deno && ${
          dropIn("Environment=DENO=/usr/local/sbin/deno").plant
        }`,
      heal: `rm /usr/local/sbin/deno ${DROP_IN} && ${RESTART}`,
      statusCode: 1,
      ...failed(
        "service",
        `it is there, and user ${SERVICE} may not use /root`,
        "install -m 755 /root/.deno/deno /usr/local/bin/deno.new && mv",
      ),
    },
    {
      cause: "a configuration that is a link into a home",
      plant: `mkdir -p /root/own && mv /etc/${SERVICE}/config.json /root/own/config.json && ` +
        `ln -s /root/own/config.json /etc/${SERVICE}/config.json && ` +
        `{ systemctl restart ${SERVICE} || true; }`,
      statusCode: 1,
      ...failed(
        "service",
        `user ${SERVICE} may not use /root`,
        "→ put the file itself in the place",
      ),
    },
    {
      cause: "another configuration with the time of the one before",
      plant: `cp -p /etc/${SERVICE}/config.json /root/config && ` +
        `sed -i 's/"month_rotate": 1/"month_rotate": 2/' /etc/${SERVICE}/config.json && ` +
        `touch -r /root/config /etc/${SERVICE}/config.json`,
      heal: `cp -p /root/config /etc/${SERVICE}/config.json && ${RESTART}`,
      statusCode: 0,
      reports: true,
      ...warning("agent", `/etc/${SERVICE}/config.json was changed since it has read that`),
    },
    {
      cause: "a key that is there twice",
      plant: `cp -p /etc/${SERVICE}/config.json /root/config && ` +
        `sed -i 's/"month_rotate"/"token": "old", &/' /etc/${SERVICE}/config.json && ` +
        `{ systemctl restart ${SERVICE} || true; }`,
      heal: `cp -p /root/config /etc/${SERVICE}/config.json && ${RESTART}`,
      statusCode: 1,
      ...failed("config", 'Cannot use key "token"', "it is there in line"),
    },
    {
      cause: "a unit that this one stops with",
      plant: "printf '[Service]\\nType=oneshot\\nRemainAfterExit=yes\\nExecStart=/bin/true\\n' " +
        `>/etc/systemd/system/vpn.service && mkdir -p ${DROP_INS} && ` +
        `printf '[Unit]\\nBindsTo=vpn.service\\nAfter=vpn.service\\n' >${DROP_IN} && ${RESTART} && ` +
        "systemctl stop vpn",
      heal: `rm ${DROP_IN} && ${RESTART}`,
      statusCode: 1,
      ...failed(
        "service",
        `by BindsTo=vpn.service in ${DROP_IN}:2 it stops with vpn.service, which does not run`,
        `1. start both: systemctl start vpn.service ${SERVICE}.service`,
      ),
    },
    {
      cause: "a unit that nothing wants at boot",
      plant: `cp -p ${UNIT} /root/unit && systemctl disable ${SERVICE} && ` +
        `sed -i '/Install/,$d' ${UNIT} && systemctl daemon-reload`,
      heal: `cp -p /root/unit ${UNIT} && systemctl daemon-reload && systemctl enable ${SERVICE}`,
      statusCode: 0,
      reports: true,
      ...warning("service", "does not start at boot", "→ start it at boot: systemctl add-wants"),
    },
    {
      cause: "a program that was cut off",
      plant: `truncate -s 200000 ${INSTALLED} && { systemctl restart ${SERVICE} || true; }`,
      statusCode: 1,
      ...failed("service", "is damaged: it has 200000 of", "→ put the program there again"),
    },
    {
      cause: "a saved proxy that is dead",
      plant: `printf 'HTTP_PROXY="http://127.0.0.1:9"\\n' >/etc/${SERVICE}/environment && ` +
        `mkdir -p ${DROP_INS} && ` +
        `printf '[Service]\\nEnvironmentFile=-/etc/${SERVICE}/environment\\n' >${DROP_IN} && ${RESTART}`,
      heal: `rm /etc/${SERVICE}/environment ${DROP_IN} && ${RESTART}`,
      statusCode: 1,
      ...failed("connect", "the proxy 127.0.0.1", "correct HTTP_PROXY"),
    },
    {
      cause: "a proxy of a drop-in that is dead",
      ...dropIn("Environment=HTTP_PROXY=http://127.0.0.1:9"),
      statusCode: 1,
      ...failed(
        "connect",
        "the proxy 127.0.0.1",
        `correct HTTP_PROXY (${DROP_IN}), which`,
      ),
    },
    {
      cause: "a proxy of all services that is dead",
      plant: "printf '[Manager]\\nDefaultEnvironment=A=1 HTTP_PROXY=http://127.0.0.1:9\\n' " +
        `>/etc/systemd/system.conf && ${RESTART}`,
      heal: `rm /etc/systemd/system.conf && ${RESTART}`,
      statusCode: 1,
      ...failed(
        "connect",
        "the proxy 127.0.0.1 port 9: connection refused\n",
        "1. see whether the proxy listens: nc -vz",
        "2. correct HTTP_PROXY (/etc/systemd/system.conf:2), which",
      ),
    },
    {
      cause: "a variable that systemd puts nothing in the place of",
      ...dropIn("Environment=AGENT_TOKEN=${KOMARI_TOKEN}"),
      statusCode: 1,
      ...failed(
        "token",
        `(AGENT_TOKEN in ${DROP_IN})`,
        "it is a variable, in whose place",
        "write the token itself",
      ),
    },
    {
      cause: "a limit of all services",
      plant: `printf '[Manager]\\nDefaultLimitAS=64M\\n' >/etc/systemd/system.conf && ` +
        `{ ${RESTART} || true; }`,
      heal: `rm /etc/systemd/system.conf && ${RESTART}`,
      statusCode: 1,
      ...failed("service", "(LimitAS=64M in /etc/systemd/system.conf:2)", "→ raise that limit"),
    },
    {
      cause: "a proxy of a file that a drop-in names, which is dead",
      plant: `echo HTTP_PROXY=http://127.0.0.1:9 >/etc/proxy && mkdir -p ${DROP_INS} && ` +
        `printf '[Service]\\nEnvironmentFile=/etc/proxy\\n' >${DROP_IN} && ${RESTART}`,
      heal: `rm ${DROP_IN} /etc/proxy && ${RESTART}`,
      statusCode: 1,
      ...failed(
        "connect",
        "the proxy 127.0.0.1 port 9: connection refused\n",
        "2. correct HTTP_PROXY (/etc/proxy), which",
      ),
    },
    {
      cause: "a firewall that lets the service reach nothing",
      ...dropIn("IPAddressDeny=any"),
      statusCode: 1,
      ...failed(
        "connect",
        `Cannot connect to 127.0.0.1 port ${port}`,
        `IPAddressDeny=any in ${DROP_IN}`,
      ),
    },
    {
      cause: "the official agent with the same token",
      plant:
        "mkdir -p /opt/komari && printf '#!/bin/sh\\nexec sleep infinity\\n' >/opt/komari/agent && " +
        "chmod 755 /opt/komari/agent && " +
        `printf '${official}' >/etc/systemd/system/komari-agent.service && ` +
        "systemctl daemon-reload && systemctl start komari-agent",
      heal: "systemctl stop komari-agent && rm /etc/systemd/system/komari-agent.service && " +
        "systemctl daemon-reload",
      statusCode: 0,
      reports: true,
      ...failed(
        "agents",
        "the official agent's service komari-agent",
        "systemctl disable --now komari-agent",
      ),
    },
    {
      cause: "another process with the same token",
      plant: "printf '#!/bin/sh\\nwhile :; do sleep 1; done\\n' >/tmp/komari-agent && " +
        `chmod 755 /tmp/komari-agent && systemd-run --unit=other /tmp/komari-agent -t ${token}`,
      heal: "systemctl stop other",
      statusCode: 0,
      reports: true,
      ...failed("agents", "another agent runs with the same token: komari-agent (process "),
    },
    {
      cause: "a second installation with the same token",
      plant: `AGENT_TOKEN=${token} ${PROGRAM} install -e ${url} --ip-services off ` +
        "--install-service-name komari-two",
      heal: "komari-two uninstall --install-service-name komari-two && " +
        `systemctl restart ${SERVICE}`,
      statusCode: undefined,
      ...failed(
        "agents",
        "another agent runs with the same token: komari-two (process ",
        " of komari-two.service)",
        "systemctl stop komari-two.service; systemctl disable komari-two.service",
      ),
    },
    {
      cause: "another agent with the same token in a file",
      plant: "printf '#!/bin/sh\\nwhile :; do sleep 1; done\\n' >/tmp/komari-agent && " +
        `chmod 755 /tmp/komari-agent && printf '%s\\n' ${token} >/tmp/token && ` +
        "systemd-run --unit=other /tmp/komari-agent --token-file /tmp/token",
      heal: "systemctl stop other",
      statusCode: 0,
      reports: true,
      ...failed("agents", "another agent runs with the same token: komari-agent (process "),
    },
    {
      cause: "a proxy that closes WebSockets after 2 s",
      ...dropIn(`Environment=AGENT_ENDPOINT=http://127.0.0.1:${closing}`),
      waitsFor: `${PROGRAM} health | grep -q "soon after they opened"`,
      statusCode: 0,
      ...failed(
        "connections",
        "were closed soon after they opened; the last 3 were open for ",
        "proxy in front of the panel",
        "wait longer (nginx: proxy_read_timeout 60s, or more)",
      ),
    },
    {
      cause: "a program that is gone",
      plant: `mv ${INSTALLED} /tmp/program && { systemctl restart ${SERVICE} || true; }`,
      statusCode: 1,
      ...failed("service", "(203/EXEC)", INSTALLED, "→ put the program there again"),
    },
    {
      cause: "a program that the unit itself looks for elsewhere",
      ...byHand(`s#^ExecStart=/opt/${SERVICE}/#ExecStart=/opt/elsewhere/#`),
      statusCode: 1,
      ...failed(
        "service",
        `/opt/elsewhere/${SERVICE} of ExecStart= in ${UNIT}:10 is not there`,
        `the program is installed as ${INSTALLED}`,
        `→ name ${INSTALLED} in ExecStart= of ${UNIT}:10, and then: ${RESTART}`,
        "or have the unit written anew: komari-agent-deno install",
      ),
    },
    {
      cause: "root as the user of a drop-in",
      ...dropIn("User=root"),
      statusCode: 0,
      reports: true,
      ...warning(
        "service",
        `runs as root, and was installed to run as ${SERVICE}: User=root in ${DROP_IN}`,
        "→ correct that setting, or remove it, and then: systemctl daemon-reload",
      ),
    },
    {
      cause: "a variable that a file exports",
      plant:
        `echo 'export HTTP_PROXY=http://127.0.0.1:9' >/etc/${SERVICE}/own && mkdir -p ${DROP_INS} && ` +
        `printf '[Service]\\nEnvironmentFile=/etc/${SERVICE}/own\\n' >${DROP_IN} && ${RESTART}`,
      heal: `rm ${DROP_IN} && ${RESTART}`,
      statusCode: 0,
      reports: true,
      ...warning("service", `/etc/${SERVICE}/own:1: no "export" before HTTP_PROXY`),
    },
    {
      cause: "a program that nobody may run",
      plant: `chmod a-x ${INSTALLED} && { systemctl restart ${SERVICE} || true; }`,
      statusCode: 1,
      ...failed("service", "(203/EXEC)", `→ let everybody use it: chmod a+rx ${INSTALLED}`),
    },
    {
      cause: "a drop-in with the right token that systemd has not read",
      plant: `cp -p /etc/${SERVICE}/config.json /root/config && ` +
        `sed -i 's#${token}#${"x".repeat(22)}#' /etc/${SERVICE}/config.json && ${RESTART} && ` +
        `mkdir -p ${DROP_INS} && printf '[Service]\\nEnvironment=AGENT_TOKEN=${token}\\n' >${DROP_IN} && ` +
        `systemctl restart ${SERVICE}`,
      heal: `rm ${DROP_IN} && cp -p /root/config /etc/${SERVICE}/config.json && ${RESTART}`,
      statusCode: 1,
      ...failed("token", "1. have systemd read the unit's files", `${DROP_IN} (AGENT_TOKEN) yet`),
    },
    {
      cause: "a configuration that its user may not read",
      plant: `chmod 600 /etc/${SERVICE}/config.json && { systemctl restart ${SERVICE} || true; }`,
      statusCode: 1,
      ...failed(
        "service",
        `/etc/${SERVICE}/config.json: permission denied; it belongs to user 0 with mode 0600`,
        `user ${SERVICE} may not use`,
        `→ let it: chmod g+r /etc/${SERVICE}/config.json`,
      ),
    },
  ];
}

/** The command of the first advice of a doctor on the cause. */
function advisedCommand(output: string): string {
  const { cause, checks } = jsonFields(parseJson(output.slice(output.indexOf("{"))));
  const found = (Array.isArray(checks) ? checks : []).find((it) => jsonFields(it).id === cause);
  const { advice, causes } = jsonFields(found);
  const [first] = Array.isArray(causes) ? causes : [advice];
  return String(first).replace(/^[^:&]*: /, "");
}

/** Starts an nginx before a panel that closes what the panel says nothing on for 2 s. */
async function startClosingProxy(
  folder: string,
  panel: string,
): Promise<{ port: number } & AsyncDisposable> {
  const port = freePort();
  await Deno.writeTextFile(
    `${folder}/nginx.conf`,
    `daemon off; pid ${folder}/pid; error_log ${folder}/error.log; events {}
    http { access_log off; server { listen 127.0.0.1:${port}; location / {
      proxy_pass ${panel}; proxy_http_version 1.1; proxy_read_timeout 2s;
      proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade; } } }`,
  );
  const nginx = new Deno.Command("nginx", {
    args: ["-c", `${folder}/nginx.conf`, "-p", folder],
    stdout: "null",
    stderr: "null",
  }).spawn();
  return {
    port,
    async [Symbol.asyncDispose]() {
      nginx.kill("SIGTERM");
      await nginx.status;
    },
  };
}

const here = unless(lack);

/** Machines that are diagnosed at the same time: most of it is waiting. */
const MACHINES = 2;

/** Plants its share of the problems on one machine, and gives what was said about each. */
async function diagnoses(mounts: Record<string, string>, share: number): Promise<Diagnosis[]> {
  using folder = new TempFolder();
  using panel = await startTestPanel();
  await using machine = await MachineContainer.start({ mounts });
  const options = "--ip-services off --month-rotate 1";
  await machine.run(`${PROGRAM} install -e ${panel.url} ${options}`, {
    AGENT_TOKEN: panel.token,
  });
  const found: Diagnosis[] = [];
  await using proxy = await startClosingProxy(folder.path, panel.url);
  for (const row of rows(panel, proxy.port).filter((_, index) => index % MACHINES === share)) {
    await machine.run(row.plant);
    if (row.waitsFor !== undefined) await machine.comes(row.waitsFor);
    if (row.reports) await reports(panel);
    let named = "";
    found.push(
      await untilNamed(row, async () => {
        const { code, output } = await machine.tries(`${PROGRAM} doctor --json`, row.env);
        named = output;
        const { code: statusCode } = await machine.tries(`${PROGRAM} status`);
        return { code, output, statusCode };
      }),
    );
    await machine.run(row.heal ?? advisedCommand(named));
    // A start is over for systemctl before systemd has given the folders to the service's user.
    await reports(panel);
  }
  // systemd writes the command of each unit there.
  await machine.tries(`${PROGRAM} doctor -t token-of-a-command-line`);
  const journal = await machine.run("journalctl --no-pager");
  assertEquals(journal.includes("token-of-a-command-line"), false);
  return found;
}

here.test("doctor names what is planted in a service of a real systemd", async () => {
  using folder = new TempFolder();
  await Deno.chmod(folder.path, 0o755);
  await buildPortable({ version: "1.0.0", folder: folder.path });
  await Deno.mkdir(`${folder.path}/older`);
  await buildPortable({ version: "0.9.0", folder: `${folder.path}/older` });
  const mounts = {
    "/usr/local/bin/deno": Deno.execPath(),
    "/build": folder.path,
    "/older": `${folder.path}/older`,
    "/usr/bin/ping": BUSYBOX,
  };
  const shares = Array.from({ length: MACHINES }, (_, share) => diagnoses(mounts, share));
  // What one has made goes with it, whatever becomes of the other.
  await Promise.allSettled(shares);
  printDiagnoses((await Promise.all(shares)).flat());
});
