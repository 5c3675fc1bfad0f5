import type { FoundService } from "../../lib/doctor/found_service.ts";
import { judgeService } from "../../lib/doctor/service_state.ts";
import type { InstallRecord } from "../../lib/service/install_record.ts";
import type { ServiceState } from "../../lib/service/installed_service.ts";
import { parseSettings } from "../../lib/doctor/loaded_unit.ts";
import type { Health } from "../../lib/state/health_reader.ts";
import { same } from "../cases.ts";
import { healthOf, SERVICE } from "./seen_health.ts";
import { FakeTime } from "../fake_time.ts";
import { testsWith } from "../tests_with.ts";
import { NOT_INSTALLED, shown } from "./way_of.ts";

const NOW = Date.parse("2026-03-01T00:00:00Z");
const DROP_IN = "/etc/systemd/system/x.service.d/own.conf";
const UNIT = "/etc/systemd/system/x.service";

/** A service by what systemd says of its unit (`SubState=dead Job=7`), and by the text of its drop-in. */
function serviceOf(
  properties: string,
  { dropIn = "", config = "/etc/x/config.json", ...change }: Case,
): FoundService {
  const all = new Map(
    `LoadState=loaded ConditionTimestampMonotonic=5 User=x FragmentPath=${UNIT} ${properties}`
      .split(" ")
      .map((it) => it.split(/=(.*)/) as [string, string]),
  );
  const settings = parseSettings(dropIn, DROP_IN);
  return {
    ...{ ...NOT_INSTALLED, settings, state: { ...SERVICE, ...change } },
    record: { config } as InstallRecord,
    unit: { name: "x.service", settings, property: (name) => all.get(name) ?? "" },
  };
}

interface Case extends Partial<ServiceState> {
  readonly dropIn?: string;
  readonly config?: string;
  /** Since when its agent is seen, in seconds; not at all without it. */
  readonly runsFor?: number;
  readonly of?: Partial<FoundService>;
}

const STOPPED = { isActive: false } as const;
const failing = (lastError: string, more: Case = {}): readonly [string, Case] => [
  "ActiveState=failed Result=exit-code ExecMainCode=1 ExecMainStatus=1",
  { ...STOPPED, lastError, ...more },
];

const timed = testsWith(() => new FakeTime({ now: NOW }));

timed.test("the service is judged by its manager, and by the last error in its log", () =>
  same(
    ([properties, { runsFor, of = {}, ...change }]: readonly [string, Case]) => {
      const health: Health | undefined = runsFor === undefined
        ? undefined
        : healthOf({ startedAtMs: NOW - runsFor * 1000, pid: 4_194_304 });
      return shown(judgeService({ ...serviceOf(properties, change), ...of }, health));
    },
    [
      [["", { runsFor: 600 }], "ok: x (systemd) is running, and starts at boot"],
      [
        ["NRestarts=3", { runsFor: 15, lastError: "agent: Cannot report: why" }],
        "warning: x (systemd) is running, and starts at boot; systemd has started it again 3 times, the last time 15 s ago; the last error in its log: agent: Cannot report: why → see why it ended: journalctl -u x -n 50",
      ],
      [
        ["NRestarts=1", { runsFor: 9_000, lastDeath: "its process was ended by SIGKILL" }],
        "ok: x (systemd) is running, and starts at boot; systemd has started it again 1 time: before, its process was ended by SIGKILL",
      ],
      [
        ["LoadState=not-found", STOPPED],
        "failed: x (systemd) is not running, and can't be started at boot: systemd finds no unit of it → write it anew: komari-agent-deno install",
      ],
      [
        ["Result=oom-kill", { ...STOPPED, dropIn: "[Service]\nMemoryMax=10M\n" }],
        `failed: x (systemd) is not running, and starts at boot: the kernel killed it, because memory was used up (MemoryMax=10M in ${DROP_IN}:2) → see what uses it: free -m; journalctl -k | grep -i oom → then start it: systemctl start x`,
      ],
      [
        ["ActiveState=inactive Result=success", { ...STOPPED, of: { scope: "user" } }],
        "failed: x (systemd) is not running, and starts at boot: it was stopped → start it: systemctl --user start x",
      ],
      // What is more than `install` writes is named with its file and line, and without its value.
      [
        [
          "Result=exit-code ExecMainCode=1 ExecMainStatus=226",
          {
            ...STOPPED,
            dropIn: "[Service]\nBindPaths=/s3cret\nNice=5\nEnvironment=A=s3cret B=2\n",
          },
        ],
        `failed: x (systemd) is not running, and starts at boot: it ended with 226/NAMESPACE, before systemd could start its program (Result=exit-code); its log does not say why; the unit has more than \`install\` writes: BindPaths (${DROP_IN}:2), A, B (${DROP_IN}:4) → read its log: journalctl -u x -n 30 → see whether it starts without ${DROP_IN}: mv ${DROP_IN} ${DROP_IN}.off && systemctl daemon-reload && systemctl restart x.service`,
      ],
      [
        [
          "Result=signal ExecMainCode=2 ExecMainStatus=31",
          { ...STOPPED, lastLine: "Bad system call" },
        ],
        "failed: x (systemd) is not running, and starts at boot: it ended with signal 31 (Result=signal); the last line of its log: Bad system call → read its log: journalctl -u x -n 30",
      ],
      [
        ["Result=exit-code ExecMainCode=1 ExecMainStatus=2", { ...STOPPED, isLogHidden: true }],
        "failed: x (systemd) is not running, and starts at boot: it ended with code 2 (Result=exit-code); this user may not read its log → read its log: journalctl -u x -n 30",
      ],
      // The last error in its log.
      [
        failing("Cannot load the certificates of authorities"),
        "failed: x (systemd) is not running, and starts at boot; the last error in its log: Cannot load the certificates of authorities → repair that, and then: systemctl start x; its log: journalctl -u x -f",
      ],
      [
        failing("Cannot use /etc/x/config.json: invalid JSON: it is empty"),
        "failed: x (systemd) is not running, and starts at boot; the last error in its log: Cannot use /etc/x/config.json: invalid JSON: it is empty → correct that, and have it used: komari-agent-deno install",
      ],
      [
        failing('Cannot use "0" for variable AGENT_INTERVAL: expected a number from 1 to 3600', {
          dropIn: "[Service]\nEnvironment=AGENT_INTERVAL=0\n",
        }),
        `failed: x (systemd) is not running, and starts at boot; the last error in its log: Cannot use \"0\" for variable AGENT_INTERVAL: expected a number from 1 to 3600 → correct that in ${DROP_IN}:2, and then: systemctl daemon-reload && systemctl restart x`,
      ],
      [
        failing("Failed at step USER spawning /opt/x: No such process"),
        "failed: x (systemd) is not running, and starts at boot; the last error in its log: Failed at step USER spawning /opt/x: No such process → make user x again, or correct User= and Group= of the unit: komari-agent-deno install",
      ],
      [
        failing("Cannot read /etc/x: permission denied → chown 997 /etc/x"),
        "failed: x (systemd) is not running, and starts at boot; the last error in its log: Cannot read /etc/x: permission denied → chown 997 /etc/x → then start it: systemctl start x",
      ],
      [
        failing("Cannot write /var/x: no space left"),
        "failed: x (systemd) is not running, and starts at boot; the last error in its log: Cannot write /var/x: no space left → make room on the disk that it names: df -h; df -i",
      ],
    ],
  ));

Deno.test("a service that is not there, or whose record is not, is told apart", () =>
  same((of: Partial<FoundService>) => shown(judgeService({ ...NOT_INSTALLED, ...of }, undefined)), [
    [{}, "skipped: not installed as a service → `install` starts it at every boot"],
    [
      { recordError: "Cannot read /etc/x/install.json: permission denied" },
      "failed: Cannot read /etc/x/install.json: permission denied → run it as root (sudo), which may read it",
    ],
  ]));
