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
  problemsIn,
  type ProblemText,
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
  return problemsIn(`
# a proxy that only the shell has
true
heal: true
env: HTTP_PROXY=http://127.0.0.1:9
→ ok:
# code in the process that names another panel in its own environment
P=$(systemctl show -p MainPID --value ${SERVICE}) && printf 'AGENT_ENDPOINT=http://127.0.0.1:9\\0AGENT_TOKEN_FILE=/etc/shadow\\0' | dd of=/proc/$P/mem bs=1 seek=$(cut -d' ' -f50 /proc/$P/stat) conv=notrunc && grep -q 127.0.0.1:9 /proc/$P/environ
heal: systemctl restart ${SERVICE}
→ ok:
# a read-only state folder
drop-in: ReadOnlyPaths=${STATE}
→ state failed: the running agent says | Read-only file system | 1. see whether it is kept without ${DROP_IN}
# a state folder of another user
chown -R root: ${STATE} && chmod 700 ${STATE}
→ state failed: may not use ${STATE} | 1. if it holds only the agent's files, give it to the agent's user: chown -R
# a configuration that the running service does not have yet
sed -i 's#${url}#http://127.0.0.1:${closing}#' /etc/${SERVICE}/config.json
heal: sed -i 's#http://127.0.0.1:${closing}#${url}#' /etc/${SERVICE}/config.json
→ agent warning: and its configuration now has 127.0.0.1:${closing} | → apply the new configuration
# a condition that is not met
drop-in:  | [Unit] | ConditionPathExists=/nothing
→ service failed: a condition of its unit is not met | systemctl status
# a line that systemd can't read
drop-in: ExecStart= | ExecStart=./agent -t s3cret
→ service warning: systemd can't read its unit (bad-setting) | systemd-analyze verify
# a misspelt file in the unit itself
sed: s/config.json$/config.jsno/
→ service failed: Cannot read --config /etc/${SERVICE}/config.jsno: no such file | by the unit as \`install\` writes it
# a time after which systemd ends it
drop-in: RuntimeMaxSec=5
waits: test "$(systemctl show -p NRestarts --value ${SERVICE})" -ge 2 && sed -i 's/=5$/=600/' ${DROP_IN} && systemctl daemon-reload
→ service warning exit=undefined: systemd has started it again
# a configuration that is gone
mv /etc/${SERVICE}/config.json /tmp/config && { systemctl restart ${SERVICE} || true; }
heal: mv /tmp/config /etc/${SERVICE}/config.json && systemctl restart ${SERVICE}
→ panel failed exit=1: the service's configuration /etc/${SERVICE}/config.json is not there
# an error that is repaired, and too many starts before
mkdir -p ${DROP_INS} && printf '[Unit]\\nStartLimitIntervalSec=600\\nStartLimitBurst=2\\n[Service]\\nRestartSec=1\\n' >${DROP_IN} && systemctl daemon-reload && cp -p /etc/${SERVICE}/config.json /tmp/config && sed -i 's/"endpoint"/"endpiont"/' /etc/${SERVICE}/config.json && systemctl restart ${SERVICE}; until systemctl is-failed ${SERVICE}; do sleep 1; done; cp -p /tmp/config /etc/${SERVICE}/config.json
heal: rm ${DROP_IN} && systemctl daemon-reload && systemctl reset-failed ${SERVICE} && systemctl restart ${SERVICE}
→ service failed: that is repaired by now | → start it: systemctl start ${SERVICE}.service
# a full disk
systemctl stop ${SERVICE} && mount -t tmpfs -o size=64k tmpfs ${STATE} && chown ${SERVICE}: ${STATE} && { dd if=/dev/zero of=${STATE}/big bs=1k || true; } && systemctl start ${SERVICE}
heal: systemctl stop ${SERVICE} && umount ${STATE} && systemctl start ${SERVICE}
→ state failed: make room on the disk of ${STATE}
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
→ service failed: its start is queued | systemctl list-jobs --after
# a user that is gone
drop-in: User=nobody-there
→ service failed: 217/USER | User (${DROP_IN}:2) | see whether it starts without ${DROP_IN}
# a setting that is in no file any more, and that systemd still has
${
    dropIn("Environment=HTTP_PROXY=http://127.0.0.1:9").plant
  } && rm ${DROP_IN} && systemctl restart ${SERVICE}
→ connect failed exit=1: the proxy 127.0.0.1 port 9: connection refused
# a command before the program that does not end
mkdir -p ${DROP_INS} && printf '[Service]\\nExecStartPre=/bin/sleep 600\\n' >${DROP_IN} && systemctl daemon-reload && systemctl restart --no-block ${SERVICE}
heal: rm ${DROP_IN} && ${RESTART}
waits: ${PROGRAM} status | grep -q "(systemd) is being started"
→ service failed: is being started (start-pre) | systemctl list-jobs
# a program of a drop-in that is not there
drop-in: ExecStart= | ExecStart=/opt/nothing/here
→ service failed: see whether it starts without ${DROP_IN}
# a file of variables that is not there
drop-in: EnvironmentFile=/etc/nothing
→ service failed: EnvironmentFile (${DROP_IN}:2)
# a file of variables that another user can change, and that names the token's file
printf %s ${token} >/etc/t && chmod 644 /etc/t && printf AGENT_TOKEN_FILE=/etc/t >/etc/e && chown nobody /etc/e && mkdir -p ${DROP_INS} && printf '[Service]\\nEnvironmentFile=/etc/e\\n' >${DROP_IN} && ${RESTART}
heal: rm ${DROP_IN} && ${RESTART}
→ config failed: AGENT_TOKEN_FILE of /etc/e is not read: other users can change that file
# a configuration that a drop-in takes away
drop-in: InaccessiblePaths=/etc/${SERVICE}
→ service failed: may not enter its folder | InaccessiblePaths (${DROP_IN}:2)
# a service that was disabled, and not started since
systemctl stop ${SERVICE} && systemctl disable ${SERVICE}
→ service failed: systemd knows of no start of it | → start it, now and at boot: systemctl
# a process that was killed
systemctl kill -s KILL ${SERVICE}
heal: systemctl restart ${SERVICE}
waits: ${PROGRAM} health
→ service warning: before, its process was ended by SIGKILL | too little memory
# another address of the panel in a drop-in
drop-in: Environment=AGENT_ENDPOINT=http://127.0.0.1:9
→ connect failed exit=1: connection refused | AGENT_ENDPOINT in ${DROP_IN}
# MemoryDenyWriteExecute
drop-in: MemoryDenyWriteExecute=yes
→ service failed: MemoryDenyWriteExecute (${DROP_IN}:2)
# PrivateNetwork
drop-in: PrivateNetwork=yes
→ agent failed exit=1: PrivateNetwork (${DROP_IN}:2) | see whether it reports without ${DROP_IN}
# another token in a drop-in
drop-in: Environment=AGENT_TOKEN=another
→ token failed exit=1: (AGENT_TOKEN in ${DROP_IN}) | this one has 7 characters
# a paused process
systemctl kill -s STOP ${SERVICE}
→ agent failed exit=undefined: was stopped by a signal (state T) | → let it go on: kill -CONT
# a health file that is gone (/run/${SERVICE})
rm -r /run/${SERVICE}
heal: systemctl restart ${SERVICE}
→ service failed: its agent was not found: its health file would be | systemctl restart
# a record that is gone
mv ${RECORD} /tmp/record
→ service failed exit=undefined reports=false: the record of its installation is not | → write the record anew
# a systemctl that does not answer
printf '#!/bin/sh⏎sleep 10⏎' >/tmp/silent && chmod 755 /tmp/silent && mount --bind /tmp/silent /usr/bin/systemctl
heal: umount /usr/bin/systemctl
→ service warning exit=undefined reports=true: systemctl does not answer, so the state of ${SERVICE} is unknown
# a service that does not start at boot
systemctl disable ${SERVICE}
→ service warning: does not start at boot | systemctl enable ${SERVICE}.service
# 16 descriptors
drop-in: LimitNOFILE=16
→ service failed: LimitNOFILE (${DROP_IN}:2)
# a setting that nobody knows to be a cause
drop-in: Environment=DENO_V8_FLAGS=--nothing | PrivateTmp=yes
→ service failed: ; the unit has more than \`install\` writes: DENO_V8_FLAGS (${DROP_IN}:2) | 1. see whether it starts without ${DROP_IN}: mv ${DROP_IN} ${DROP_IN}.off && ${RESTART}
# a configuration that is a link into a home
mkdir -p /root/own && mv /etc/${SERVICE}/config.json /root/own/config.json && ln -s /root/own/config.json /etc/${SERVICE}/config.json && { systemctl restart ${SERVICE} || true; }
heal: rm /etc/${SERVICE}/config.json && mv /root/own/config.json /etc/${SERVICE}/config.json && systemctl restart ${SERVICE}
→ service failed: may not enter its folder | 1. see which one: namei -l
# a program that was cut off
truncate -s 200000 ${INSTALLED} && { systemctl restart ${SERVICE} || true; }
→ service failed: is damaged: it has 200000 of | → put the program there again
# a saved proxy that is dead
printf 'HTTP_PROXY="http://127.0.0.1:9"\\n' >/etc/${SERVICE}/environment && mkdir -p ${DROP_INS} && printf '[Service]\\nEnvironmentFile=-/etc/${SERVICE}/environment\\n' >${DROP_IN} && ${RESTART}
heal: rm /etc/${SERVICE}/environment ${DROP_IN} && ${RESTART}
→ connect failed exit=1: the proxy 127.0.0.1 | correct HTTP_PROXY
# a variable that systemd puts nothing in the place of
drop-in: Environment=AGENT_TOKEN=\${KOMARI_TOKEN}
→ token failed exit=1: (AGENT_TOKEN in ${DROP_IN}) | it is a variable that was not expanded | put the token itself into
# a firewall that lets the service reach nothing
drop-in: IPAddressDeny=any
→ agent failed exit=1: IPAddressDeny (${DROP_IN}:2) | see whether it reports without ${DROP_IN}
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
→ agents failed exit=undefined: another agent runs with the same token: komari-two (process  | systemctl status
# a proxy that closes WebSockets after 2 s
drop-in: Environment=AGENT_ENDPOINT=http://127.0.0.1:${closing}
waits: ${PROGRAM} health | grep -q "were closed after only"
→ connections failed reports=false: were closed after only | proxy_read_timeout 60s
# a program that is gone
mv ${INSTALLED} /tmp/program && { systemctl restart ${SERVICE} || true; }
→ service failed: ${INSTALLED} | put the program there again
# a configuration that its user may not read
chmod 600 /etc/${SERVICE}/config.json && { systemctl restart ${SERVICE} || true; }
→ service failed: which is user 0's with mode 600 | 1. chgrp
`).map(rowOf);
}

/** Without more, `status` exits with 0 where all is fine, and an agent reports where nothing has failed. */
function rowOf(row: ProblemText): Row {
  const { field, flags, check, status } = row;
  const [dropped, changed] = [field("drop-in: "), field("sed: ")];
  const change = dropped !== undefined
    ? dropIn(...dropped.split(" | "))
    : changed !== undefined
    ? byHand(changed)
    : { plant: field("") ?? "" };
  // A warning may be one of `status`, too.
  const code = /exit=(\d|undefined)/.exec(flags)?.[1] ??
    (status === "ok" ? "0" : check === "service" && status === "failed" ? "1" : "undefined");
  const [heal, waitsFor, env] = ["heal: ", "waits: ", "env: "].map(field);
  const reports = /reports=(\w+)/.exec(flags)?.[1] ??
    `${code === "0" || (code === "undefined" && !flags.includes("exit="))}`;
  return {
    ...row,
    ...change,
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

unless(lack).test("doctor names what is planted in a service of a real systemd", async () => {
  using folder = new TempFolder();
  await Deno.chmod(folder.path, 0o755);
  await buildPortable({ version: "1.0.0", folder: folder.path });
  const mounts = {
    "/usr/local/bin/deno": Deno.execPath(),
    "/build": folder.path,
    "/usr/bin/ping": BUSYBOX,
  };
  const shares = Array.from({ length: MACHINES }, (_, share) => diagnoses(mounts, share));
  // What one has made goes with it, whatever becomes of the other.
  await Promise.allSettled(shares);
  printDiagnoses((await Promise.all(shares)).flat());
});
