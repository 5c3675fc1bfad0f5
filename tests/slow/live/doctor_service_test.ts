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

/** The problems: a name, what makes it, how it goes away (`heal:`), and after the arrow what is said; `⏎` ends a line. */
function rows({ url, token }: TestPanel, closing: number): Row[] {
  const { port } = new URL(url);
  const official = `[Service]\\nExecStart=/opt/komari/agent -e ${url} -t ${token}\\n`;
  return `
# nothing
true
heal: true
→ ok:
# a proxy that only the shell has
true
heal: true
env: HTTP_PROXY=http://127.0.0.1:9
→ ok:
# no CAP_NET_RAW
drop-in: CapabilityBoundingSet= | AmbientCapabilities=
→ ping warning: may not open its socket
# a read-only state folder
drop-in: ReadOnlyPaths=${STATE}
→ state failed: the running agent says | Read-only file system | → remove ReadOnlyPaths=${STATE} in ${DROP_IN}
# a state folder of another user
chown -R root: ${STATE} && chmod 700 ${STATE}
→ state failed: ermission denied | 1. give the folder to the agent's user: chown -R
# a configuration that the running service does not have yet
sed -i 's#${url}#http://127.0.0.1:${closing}#' /etc/${SERVICE}/config.json
heal: sed -i 's#http://127.0.0.1:${closing}#${url}#' /etc/${SERVICE}/config.json
→ agent warning: and its configuration has 127.0.0.1:${closing} by now | → have it use that
# a state folder that a drop-in leaves out
drop-in: StateDirectory=
→ state failed: Read-only file system | → remove StateDirectory= in ${DROP_IN}
# a condition that is not met
drop-in:  | [Unit] | ConditionPathExists=/nothing
→ service failed: ConditionPathExists=/nothing in ${DROP_IN}:4 is not met
# an assertion that is not met
drop-in:  | [Unit] | AssertPathExists=/nothing
→ service failed: AssertPathExists=/nothing in ${DROP_IN}:4 is not met
# a group that is not there
drop-in: Group=nobody-there
→ service failed: (216/GROUP): there is no group nobody-there
# a line that systemd can't read
drop-in: ExecStart= | ExecStart=./agent -t s3cret
→ service warning: it can't be started again | (bad-setting): ${DROP_IN}:3: Neither a valid executable name
# a folder of work that is not there
drop-in: WorkingDirectory=/nothing
→ service failed: (200/CHDIR) | (WorkingDirectory=/nothing in ${DROP_IN}:2)
# a misspelt file in the unit itself
sed: s/config.json$/config.jsno/
→ service failed: Cannot read --config /etc/${SERVICE}/config.jsno: no such file; did you mean config.json? | → correct ExecStart= in ${UNIT} | or have the unit written anew: komari-agent-deno install
# a key in the unit itself that systemd does not know
sed: s/^RestartSec=/RestartSecs=/
→ service warning: ${UNIT}:15: Unknown key 'RestartSecs' in section [Service]
# another unit that it needs and that is not there
mkdir -p ${DROP_INS} && printf '[Unit]\\nRequires=nothing.service\\n' >${DROP_IN} && systemctl daemon-reload
heal: rm ${DROP_IN} && ${RESTART}
→ service warning: Requires=nothing.service in ${DROP_IN}:2 needs nothing.service, which
# a time after which systemd ends it
drop-in: RuntimeMaxSec=5
waits: test "$(systemctl show -p NRestarts --value ${SERVICE})" -ge 2 && sed -i 's/=5$/=600/' ${DROP_IN} && systemctl daemon-reload
→ service warning exit=undefined: systemd has started it again
# calls to the kernel that a drop-in forbids
drop-in: SystemCallFilter= | SystemCallFilter=@basic-io @file-system @process @signal
→ service failed: SystemCallFilter=@basic-io | ${DROP_IN}
# a configuration that is gone
mv /etc/${SERVICE}/config.json /tmp/config && { systemctl restart ${SERVICE} || true; }
heal: mv /tmp/config /etc/${SERVICE}/config.json && systemctl restart ${SERVICE}
→ panel failed exit=1: the service's configuration /etc/${SERVICE}/config.json is not there
# an error that is repaired, and too many starts before
mkdir -p ${DROP_INS} && printf '[Unit]\\nStartLimitIntervalSec=600\\nStartLimitBurst=2\\n[Service]\\nRestartSec=1\\n' >${DROP_IN} && systemctl daemon-reload && cp -p /etc/${SERVICE}/config.json /tmp/config && sed -i 's/"endpoint"/"endpiont"/' /etc/${SERVICE}/config.json && systemctl restart ${SERVICE}; until systemctl is-failed ${SERVICE}; do sleep 1; done; cp -p /tmp/config /etc/${SERVICE}/config.json
heal: rm ${DROP_IN} && systemctl daemon-reload && systemctl reset-failed ${SERVICE} && systemctl restart ${SERVICE}
→ service failed: that is repaired by now | → start it: systemctl reset-failed
# a full disk
systemctl stop ${SERVICE} && mount -t tmpfs -o size=64k tmpfs ${STATE} && chown ${SERVICE}: ${STATE} && { dd if=/dev/zero of=${STATE}/big bs=1k || true; } && systemctl start ${SERVICE}
heal: systemctl stop ${SERVICE} && umount ${STATE} && systemctl start ${SERVICE}
→ state failed: No space left on device | make room
# a deleted state folder
systemctl restart ${SERVICE} && ${
    until(`ls -l /proc/$(systemctl show -P MainPID ${SERVICE})/fd | grep month.state`)
  } && rm -r ${STATE}
heal: sh -c "$(${PROGRAM} doctor --json | sed -n 's/.*"advice": "as root: \\(.*\\); then restart the agent".*/\\1/p')" && test -s ${STATE}/month.state && ${RESTART} && ${
    until(`journalctl _PID=$(systemctl show -P MainPID ${SERVICE}) | grep "Continuing the month"`)
  }
→ state failed: month.state was deleted while the agent has it open | → as root: install
# an address of metrics that is taken
drop-in: Environment=AGENT_METRICS=127.0.0.1:${port}
→ metrics failed: the running agent says | port ${port} | ss -ltnp
# a stopped service
systemctl stop ${SERVICE}
→ service failed: it was stopped | → start it: systemctl start ${SERVICE}.service
# a masked unit
systemctl stop ${SERVICE} && mv ${UNIT} /tmp/unit && systemctl mask ${SERVICE}
→ service failed: it is masked | → systemctl unmask ${SERVICE}.service
# a start that waits for another unit
systemctl stop ${SERVICE} && mkdir -p ${DROP_INS} && printf '[Unit]\\nAfter=slow.service\\n' >${DROP_IN} && systemctl daemon-reload && systemd-run --unit=slow --no-block -p Type=oneshot sleep 600 && sleep 1 && systemctl start --no-block ${SERVICE}
heal: systemctl stop slow; rm ${DROP_IN} && ${RESTART}
→ service failed: its start is queued | slow.service | → see why that takes so long
# a user that is gone
drop-in: User=nobody-there
→ service failed: (217/USER): there is no user nobody-there | User=nobody-there in ${DROP_IN}
# a user that was deleted while the service runs
sed -i '/^${SERVICE}:/d' /etc/passwd
→ service warning: it can't be started again: there is no user ${SERVICE} | → make the user again
# a log that a drop-in takes away
drop-in: Environment=AGENT_INTERVAL=x | StandardOutput=null
→ service failed: StandardOutput=null in ${DROP_IN}:3 keeps what it said from the log
# a setting that is in no file any more, and that systemd still has
${
    dropIn("Environment=HTTP_PROXY=http://127.0.0.1:9").plant
  } && rm ${DROP_IN} && systemctl restart ${SERVICE}
→ connect failed exit=1: the proxy 127.0.0.1 | 1. have systemd read the unit's files
# a command before the program that does not end
mkdir -p ${DROP_INS} && printf '[Service]\\nExecStartPre=/bin/sleep 600\\n' >${DROP_IN} && systemctl daemon-reload && systemctl restart --no-block ${SERVICE}
heal: rm ${DROP_IN} && ${RESTART}
waits: ${PROGRAM} status | grep -q "(systemd) is being started"
→ service failed: systemd is still starting it (start-pre)
# a program of a drop-in that is not there
drop-in: ExecStart= | ExecStart=/opt/nothing/here
→ service failed: (203/EXEC) | → name ${INSTALLED} in ExecStart= of ${DROP_IN}:3
# a file of variables that is not there
drop-in: EnvironmentFile=/etc/nothing
→ service failed: no environment file /etc/nothing | EnvironmentFile=/etc/nothing in
# a command before the program that fails
drop-in: ExecStartPre=/bin/true | ExecStartPre=/bin/false
→ service failed: /bin/false of ExecStartPre= in ${DROP_IN}:3 ended with code 1
# a configuration that a drop-in takes away
drop-in: InaccessiblePaths=/etc/${SERVICE}
→ service failed: permission denied | InaccessiblePaths=/etc/${SERVICE} in ${DROP_IN}
# a folder of the program that is mounted with noexec
mount --bind /opt/${SERVICE} /opt/${SERVICE} && mount -o remount,bind,noexec /opt/${SERVICE} && { systemctl restart ${SERVICE} || true; }
heal: umount /opt/${SERVICE} && systemctl restart ${SERVICE}
→ service failed: (203/EXEC) | /opt/${SERVICE} is mounted with noexec
# a service that was disabled, and not started since
systemctl stop ${SERVICE} && systemctl disable ${SERVICE}
→ service failed: nothing has started it | → start it, now and at boot: systemctl
# a second ExecStart=
mkdir -p ${DROP_INS} && printf '[Service]\\nExecStart=/bin/true\\n' >${DROP_IN} && systemctl daemon-reload && systemctl stop ${SERVICE}
heal: rm ${DROP_IN} && ${RESTART}
→ service failed: more than one ExecStart= | an empty line ExecStart= above it in ${DROP_IN}
# a state folder that is a link to nothing
systemctl stop ${SERVICE} && mv ${STATE} /tmp/state && ln -s /nothing ${STATE} && systemctl start ${SERVICE}; sleep 1
heal: systemctl stop ${SERVICE}; rm -rf ${STATE} && mv /tmp/state ${STATE} && systemctl start ${SERVICE}
→ service failed: ${STATE} is a link to /nothing, which is not there | rm ${STATE}
# a stopped service that may not read its configuration
systemctl stop ${SERVICE} && chmod 600 /etc/${SERVICE}/config.json
→ service failed: it was stopped, and a start would fail: Cannot read --config | → let it
# a process that was killed
systemctl kill -s KILL ${SERVICE}
heal: systemctl restart ${SERVICE}
waits: ${PROGRAM} health
→ service warning: before, its process was ended by SIGKILL | too little memory
# another address of the panel in a drop-in
drop-in: Environment=AGENT_ENDPOINT=http://127.0.0.1:9
→ connect failed exit=1: 1. remove AGENT_ENDPOINT from ${DROP_IN}, which wins over ${url}
# LimitFSIZE
drop-in: LimitFSIZE=0
→ service failed: LimitFSIZE=0 | ${DROP_IN}
# LimitAS
drop-in: LimitAS=100M
→ service failed: LimitAS=100M | ${DROP_IN}
# MemoryDenyWriteExecute
drop-in: MemoryDenyWriteExecute=yes
→ service failed: MemoryDenyWriteExecute=yes | ${DROP_IN}
# LimitNPROC
drop-in: LimitNPROC=1
→ service failed: LimitNPROC=1 | ${DROP_IN}
# PrivateNetwork
drop-in: PrivateNetwork=yes
→ network failed exit=1: but the loopback | → the service's unit takes | ${DROP_IN}
# RestrictAddressFamilies
drop-in: RestrictAddressFamilies= | RestrictAddressFamilies=AF_UNIX AF_NETLINK
→ network failed exit=1: no socket of the network | RestrictAddressFamilies=AF_UNIX | ${DROP_IN}
# another token in a drop-in
drop-in: Environment=AGENT_TOKEN=another
→ token failed exit=1: (AGENT_TOKEN in ${DROP_IN}) | 1. remove AGENT_TOKEN from ${DROP_IN}, which wins over the token of /etc/${SERVICE}
# a paused process
systemctl kill -s STOP ${SERVICE}
→ agent failed exit=undefined: was stopped by a signal (state T) | → let it go on: kill -CONT
# a health file that is gone (/run/${SERVICE}/health)
rm -r /run/${SERVICE}/health
heal: systemctl restart ${SERVICE}
→ service failed: its health file | is not there | systemctl restart
# a health file that is gone (/run/${SERVICE})
rm -r /run/${SERVICE}
heal: systemctl restart ${SERVICE}
→ service failed: its health file | is not there | systemctl restart
# a record that is gone
mv ${RECORD} /tmp/record
→ service failed exit=0 reports=false: the record of its installation is not | → write the record anew
# a timer of updates that is not running
cp ${RECORD} /tmp/record && sed -i 's#"files": \\[#&"${TIMER}", #' ${RECORD} && printf '[Timer]\\nOnBootSec=1d\\n[Install]\\nWantedBy=timers.target\\n' >${TIMER}
heal: cp /tmp/record ${RECORD} && rm ${TIMER}
→ service warning: the timer of its updates is not running | systemctl enable --now
# an older program on the disk
cp -p ${INSTALLED} /tmp/program && cp /older/komari-agent-deno-portable ${INSTALLED}
heal: cp -p /tmp/program ${INSTALLED}
→ service warning: is of version 1.0.0, and its program on the disk of version 0.9.0
# a zone that does not exist
drop-in: Environment=TZ=Mars/Olympus
→ time_zone warning: the zone of TZ=Mars/Olympus is unknown
# a link to a zone that does not exist
cp -P /etc/localtime /root/zone; ln -sf ../usr/share/zoneinfo/Asia/Beijing /etc/localtime && ${RESTART}
heal: rm /etc/localtime && { cp -P /root/zone /etc/localtime || true; } && ${RESTART}
→ time_zone warning: the zone of /etc/localtime, which leads to ../usr/share/zoneinfo/Asia/Beijing, is unknown | timedatectl set-timezone
# processors that this machine has not
drop-in: CPUAffinity=8000-8001
→ service failed: does not start | (215/CPUAFFINITY) | this machine has the CPUs 0-
# /dev/null that is a file
rm /dev/null && touch /dev/null
→ dev_null failed: /dev/null is no device | → make it anew: rm -f /dev/null && mknod
# /dev/null that is a file before the service starts
rm /dev/null && touch /dev/null && { ${RESTART} || true; }
heal: rm -f /dev/null && mknod -m 666 /dev/null c 1 3 && ${RESTART}
→ dev_null failed exit=1: /dev/null is no device | → make it anew
# a systemctl that does not answer
printf '#!/bin/sh⏎sleep 10⏎' >/tmp/silent && chmod 755 /tmp/silent && mount --bind /tmp/silent /usr/bin/systemctl
heal: umount /usr/bin/systemctl
→ service warning exit=undefined reports=true: systemctl does not answer, so nothing is known of ${SERVICE}
# no ping
drop-in: InaccessiblePaths=/usr/bin/ping
→ ping warning: /usr/bin/ping is there, and can't be started | → remove InaccessiblePaths=/usr/bin/ping in ${DROP_IN}
# metrics on a port that needs a right
drop-in: Environment=AGENT_METRICS=127.0.0.1:80
→ metrics failed: ermission denied | → ports below 1024 need a right
# a service that does not start at boot
systemctl disable ${SERVICE}
→ service warning: does not start at boot | systemctl enable ${SERVICE}.service
# 16 descriptors
drop-in: LimitNOFILE=16
→ service failed: may have 16 files open at a time | (LimitNOFILE=16 in ${DROP_IN}:2)
# 8 descriptors, with which its shell reads no line
drop-in: LimitNOFILE=8
→ service failed: with code 2 | (LimitNOFILE=8 in ${DROP_IN}:2) | → raise that limit
# a setting that nobody knows to be a cause
drop-in: Environment=DENO_V8_FLAGS=--nothing | PrivateTmp=yes
→ service failed: ; the unit has more than \`install\` writes: DENO_V8_FLAGS (${DROP_IN}:2) | 1. see whether it starts without ${DROP_IN}: mv ${DROP_IN} ${DROP_IN}.off && ${RESTART}
# a folder that a drop-in lets nobody run a program in
drop-in: NoExecPaths=/usr/local/bin
→ service failed: and does not run | (NoExecPaths=/usr/local/bin in ${DROP_IN}:2)
# a path to bind that is not there
drop-in: BindPaths=/nothing:/data
→ service failed: (226/NAMESPACE) | (BindPaths=/nothing:/data in ${DROP_IN}:2)
# a Deno behind a link into a home
mkdir -p /root/.deno && cp /usr/local/bin/deno /root/.deno/deno && ln -s /root/.deno/deno /usr/local/sbin/deno && ${
    dropIn("Environment=DENO=/usr/local/sbin/deno").plant
  }
heal: rm /usr/local/sbin/deno ${DROP_IN} && ${RESTART}
→ service failed: it is there, and user ${SERVICE} may not use /root | install -m 755 /root/.deno/deno /usr/local/bin/deno.new && mv
# a configuration that is a link into a home
mkdir -p /root/own && mv /etc/${SERVICE}/config.json /root/own/config.json && ln -s /root/own/config.json /etc/${SERVICE}/config.json && { systemctl restart ${SERVICE} || true; }
→ service failed: user ${SERVICE} may not use /root | → put the file itself in the place
# another configuration with the time of the one before
cp -p /etc/${SERVICE}/config.json /root/config && sed -i 's/"month_rotate": 1/"month_rotate": 2/' /etc/${SERVICE}/config.json && touch -r /root/config /etc/${SERVICE}/config.json
heal: cp -p /root/config /etc/${SERVICE}/config.json && ${RESTART}
→ agent warning: /etc/${SERVICE}/config.json was changed since it has read that
# a key that is there twice
cp -p /etc/${SERVICE}/config.json /root/config && sed -i 's/"month_rotate"/"token": "old", &/' /etc/${SERVICE}/config.json && { systemctl restart ${SERVICE} || true; }
heal: cp -p /root/config /etc/${SERVICE}/config.json && ${RESTART}
→ config failed exit=1: Cannot use key "token" | it is there in line
# a unit that this one stops with
printf '[Service]\\nType=oneshot\\nRemainAfterExit=yes\\nExecStart=/bin/true\\n' >/etc/systemd/system/vpn.service && mkdir -p ${DROP_INS} && printf '[Unit]\\nBindsTo=vpn.service\\nAfter=vpn.service\\n' >${DROP_IN} && ${RESTART} && systemctl stop vpn
heal: rm ${DROP_IN} && ${RESTART}
→ service failed: by BindsTo=vpn.service in ${DROP_IN}:2 it stops with vpn.service, which does not run | 1. start both: systemctl start vpn.service ${SERVICE}.service
# a unit that nothing wants at boot
cp -p ${UNIT} /root/unit && systemctl disable ${SERVICE} && sed -i '/Install/,$d' ${UNIT} && systemctl daemon-reload
heal: cp -p /root/unit ${UNIT} && systemctl daemon-reload && systemctl enable ${SERVICE}
→ service warning: does not start at boot | → start it at boot: systemctl add-wants
# a program that was cut off
truncate -s 200000 ${INSTALLED} && { systemctl restart ${SERVICE} || true; }
→ service failed: is damaged: it has 200000 of | → put the program there again
# a saved proxy that is dead
printf 'HTTP_PROXY="http://127.0.0.1:9"\\n' >/etc/${SERVICE}/environment && mkdir -p ${DROP_INS} && printf '[Service]\\nEnvironmentFile=-/etc/${SERVICE}/environment\\n' >${DROP_IN} && ${RESTART}
heal: rm /etc/${SERVICE}/environment ${DROP_IN} && ${RESTART}
→ connect failed exit=1: the proxy 127.0.0.1 | correct HTTP_PROXY
# a proxy of a drop-in that is dead
drop-in: Environment=HTTP_PROXY=http://127.0.0.1:9
→ connect failed exit=1: the proxy 127.0.0.1 | correct HTTP_PROXY (${DROP_IN}), which
# a proxy of all services that is dead
printf '[Manager]\\nDefaultEnvironment=A=1 HTTP_PROXY=http://127.0.0.1:9\\n' >/etc/systemd/system.conf && ${RESTART}
heal: rm /etc/systemd/system.conf && ${RESTART}
→ connect failed exit=1: the proxy 127.0.0.1 port 9: connection refused⏎ | 1. see whether the proxy listens: nc -vz | 2. correct HTTP_PROXY (/etc/systemd/system.conf:2), which
# a variable that systemd puts nothing in the place of
drop-in: Environment=AGENT_TOKEN=\${KOMARI_TOKEN}
→ token failed exit=1: (AGENT_TOKEN in ${DROP_IN}) | it is a variable, in whose place | write the token itself
# a limit of all services
printf '[Manager]\\nDefaultLimitAS=64M\\n' >/etc/systemd/system.conf && { ${RESTART} || true; }
heal: rm /etc/systemd/system.conf && ${RESTART}
→ service failed: (LimitAS=64M in /etc/systemd/system.conf:2) | → raise that limit
# a proxy of a file that a drop-in names, which is dead
echo HTTP_PROXY=http://127.0.0.1:9 >/etc/proxy && mkdir -p ${DROP_INS} && printf '[Service]\\nEnvironmentFile=/etc/proxy\\n' >${DROP_IN} && ${RESTART}
heal: rm ${DROP_IN} /etc/proxy && ${RESTART}
→ connect failed exit=1: the proxy 127.0.0.1 port 9: connection refused⏎ | 2. correct HTTP_PROXY (/etc/proxy), which
# a firewall that lets the service reach nothing
drop-in: IPAddressDeny=any
→ connect failed exit=1: Cannot connect to 127.0.0.1 port ${port} | IPAddressDeny=any in ${DROP_IN}
# the official agent with the same token
mkdir -p /opt/komari && printf '#!/bin/sh\\nexec sleep infinity\\n' >/opt/komari/agent && chmod 755 /opt/komari/agent && printf '${official}' >/etc/systemd/system/komari-agent.service && systemctl daemon-reload && systemctl start komari-agent
heal: systemctl stop komari-agent && rm /etc/systemd/system/komari-agent.service && systemctl daemon-reload
→ agents failed: the official agent's service komari-agent | systemctl disable --now komari-agent
# another process with the same token
printf '#!/bin/sh\\nwhile :; do sleep 1; done\\n' >/tmp/komari-agent && chmod 755 /tmp/komari-agent && systemd-run --unit=other /tmp/komari-agent -t ${token}
heal: systemctl stop other
→ agents failed: another agent runs with the same token: komari-agent (process 
# a second installation with the same token
AGENT_TOKEN=${token} ${PROGRAM} install -e ${url} --ip-services off --install-service-name komari-two
heal: komari-two uninstall --install-service-name komari-two && systemctl restart ${SERVICE}
→ agents failed exit=undefined: another agent runs with the same token: komari-two (process  |  of komari-two.service) | systemctl stop komari-two.service; systemctl disable komari-two.service
# another agent with the same token in a file
printf '#!/bin/sh\\nwhile :; do sleep 1; done\\n' >/tmp/komari-agent && chmod 755 /tmp/komari-agent && printf '%s\\n' ${token} >/tmp/token && systemd-run --unit=other /tmp/komari-agent --token-file /tmp/token
heal: systemctl stop other
→ agents failed: another agent runs with the same token: komari-agent (process 
# a proxy that closes WebSockets after 2 s
drop-in: Environment=AGENT_ENDPOINT=http://127.0.0.1:${closing}
waits: ${PROGRAM} health | grep -q "soon after they opened"
→ connections failed reports=false: were closed soon after they opened; the last 3 were open for  | proxy in front of the panel | wait longer (nginx: proxy_read_timeout 60s, or more)
# a program that is gone
mv ${INSTALLED} /tmp/program && { systemctl restart ${SERVICE} || true; }
→ service failed: (203/EXEC) | ${INSTALLED} | → put the program there again
# a program that the unit itself looks for elsewhere
sed: s#^ExecStart=/opt/${SERVICE}/#ExecStart=/opt/elsewhere/#
→ service failed: /opt/elsewhere/${SERVICE} of ExecStart= in ${UNIT}:10 is not there | the program is installed as ${INSTALLED} | → name ${INSTALLED} in ExecStart= of ${UNIT}:10, and then: ${RESTART} | or have the unit written anew: komari-agent-deno install
# root as the user of a drop-in
drop-in: User=root
→ service warning: runs as root, and was installed to run as ${SERVICE}: User=root in ${DROP_IN} | → correct that setting, or remove it, and then: systemctl daemon-reload
# a variable that a file exports
echo 'export HTTP_PROXY=http://127.0.0.1:9' >/etc/${SERVICE}/own && mkdir -p ${DROP_INS} && printf '[Service]\\nEnvironmentFile=/etc/${SERVICE}/own\\n' >${DROP_IN} && ${RESTART}
heal: rm ${DROP_IN} && ${RESTART}
→ service warning: /etc/${SERVICE}/own:1: no "export" before HTTP_PROXY
# a program that nobody may run
chmod a-x ${INSTALLED} && { systemctl restart ${SERVICE} || true; }
→ service failed: (203/EXEC) | → let everybody use it: chmod a+rx ${INSTALLED}
# a drop-in with the right token that systemd has not read
cp -p /etc/${SERVICE}/config.json /root/config && sed -i 's#${token}#${
    "x".repeat(22)
  }#' /etc/${SERVICE}/config.json && ${RESTART} && mkdir -p ${DROP_INS} && printf '[Service]\\nEnvironment=AGENT_TOKEN=${token}\\n' >${DROP_IN} && systemctl restart ${SERVICE}
heal: rm ${DROP_IN} && cp -p /root/config /etc/${SERVICE}/config.json && ${RESTART}
→ token failed exit=1: 1. have systemd read the unit's files | ${DROP_IN} (AGENT_TOKEN) yet
# a configuration that its user may not read
chmod 600 /etc/${SERVICE}/config.json && { systemctl restart ${SERVICE} || true; }
→ service failed: /etc/${SERVICE}/config.json: permission denied; it belongs to user 0 with mode 0600 | user ${SERVICE} may not use | → let it: chmod g+r /etc/${SERVICE}/config.json
`.trim().slice(2).split("\n# ").map(rowOf);
}

/** Without more, it exits with 1 where the service fails, or else the agent reports, and status says 0. */
function rowOf(text: string): Row {
  const [cause = "", ...lines] = text.split("\n").map((line) => line.replaceAll("⏎", "\n"));
  const field = (name: string) => lines.find((line) => line.startsWith(name))?.slice(name.length);
  const [dropped, changed] = [field("drop-in: "), field("sed: ")];
  const change = dropped !== undefined
    ? dropIn(...dropped.split(" | "))
    : changed !== undefined
    ? byHand(changed)
    : { plant: lines[0] ?? "" };
  const [, check, status = "", flags = "", words = ""] =
    /^(?:(\S+) )?(failed|warning|ok)((?: \w+=\w+)*):(?: ([^]*))?$/.exec(field("→ ") ?? "") ?? [];
  const code = /exit=(\d|undefined)/.exec(flags)?.[1] ??
    (check === "service" && status === "failed" ? "1" : "0");
  const [heal, waitsFor, env] = ["heal: ", "waits: ", "env: "].map(field);
  const reports = /reports=(\w+)/.exec(flags)?.[1] ?? `${code === "0"}`;
  return {
    ...{ cause, ...change, check, status: status as Row["status"] },
    words: words === "" ? [] : words.split(" | "),
    statusCode: code === "undefined" ? undefined : code === "0" ? 0 : 1,
    ...(heal !== undefined && { heal }),
    ...(waitsFor !== undefined && { waitsFor }),
    ...(env !== undefined &&
      { env: Object.fromEntries(env.split(" ").map((it) => it.split("="))) }),
    ...(reports === "true" && { reports: true }),
  };
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
