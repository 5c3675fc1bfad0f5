import { assert, assertEquals } from "@std/assert";
import {
  logCountedParts,
  logPanel,
  logSeal,
  logTerminals,
  unmatchedNotices,
} from "../../lib/agent/startup_log.ts";
import { panelName } from "../../lib/config/panels.ts";
import { openLinuxMachine } from "../../lib/metrics/machine.ts";
import { takeSnapshot } from "../../lib/metrics/snapshot.ts";
import { parseProxy } from "../../lib/parse/proxy.ts";
import { cases, same } from "../cases.ts";
import { configOf } from "../metrics/config_of.ts";
import { FakeMachine } from "../metrics/fake_machine.ts";
import { panelLines } from "../panel/panel_lines.ts";

Deno.test("logSeal() warns of each part that is missing", () => {
  same(
    (seal) => panelLines(() => logSeal(seal)).join(),
    [
      [
        { kernelError: undefined },
        "info Remote control is off, and this process is sealed by the kernel and the runtime",
      ],
      [
        { kernelError: "there are no filters" },
        "warning Remote control is off, and this process is sealed by the runtime only: there are no filters",
      ],
      [
        undefined,
        "warning Remote control is on: this process is not sealed, and the panel can run anything on this machine as this user",
      ],
    ] as const,
  );
});

Deno.test("logCountedParts() names what counts, and warns of options that match nothing", async () => {
  await same((args) => {
    const config = configOf(args.split(" ").filter((arg) => arg !== ""));
    const machine = openLinuxMachine(new FakeMachine("debian-vm"), config);
    takeSnapshot(machine.collectors);
    const problems: unknown[] = [];
    const setProblem = (...problem: unknown[]) => void problems.push(problem.join(": "));
    return [...panelLines(() => logCountedParts(machine, config, { setProblem })), ...problems]
      .join(" | ");
  }, [
    ["", "info Network: eth0. Disk: /"],
    ...["--exclude-nics eth* leaves no interface", "--include-nics wan* matches no interface"].map(
      (why) => {
        const notice = `${why}, so no traffic is counted`;
        const action = "correct --include-nics or --exclude-nics by the names that `ip link` shows";
        const log = `warning Network: none. Disk: /. ${notice} → ${action} | network: ${why}`;
        return [why.split(" ").slice(0, 2).join(" "), log] as const;
      },
    ),
    [
      "--include-mountpoint /nope",
      "warning Network: eth0. Disk: none. --include-mountpoint /nope is not mounted, so no disk space is counted → correct --include-mountpoint by the paths that `findmnt` shows | disk: --include-mountpoint /nope is not mounted",
    ],
  ]);
});

Deno.test("logTerminals() warns where no terminal can be opened, and says what to install", () => {
  const said: unknown[] = [];
  const health = { setProblem: (...problem: unknown[]) => void said.push(problem) };
  for (const path of ["/usr/bin/script", undefined]) {
    said.push(...panelLines(() => logTerminals({ find: () => path }, health)));
  }
  const reason = 'there is no "script" command';
  const [problem, line, ...more] = said;
  assertEquals([problem, more], [["terminal", reason], []]);
  const warning = `warning Cannot open terminals: ${reason} \u2192 install it`;
  assert(`${line}`.startsWith(warning), `${line}`);
});

Deno.test("logPanel() names host and path of the panel, and no secret part of its address", () => {
  const endpoint = "https://user:s3cret@panel.example:8443/komari/";
  assertEquals(panelName({ endpoint }), "panel.example:8443/komari");
  const line = "info komari-agent-deno VERSION reports to panel.example:8443/komari";
  const proxy = parseProxy("http://user:s3cret@proxy.example:3128");
  const lines = panelLines(() => [undefined, proxy].forEach((it) => logPanel({ endpoint }, it)));
  assertEquals(lines.map((it) => it.replace(/\d+\.\d+\.\d+\S*/, "VERSION")), [
    line,
    `${line} through the proxy proxy.example port 3128`,
  ]);
});

/** The notices of options about a machine: its parts are `name+` where they count, mounts `/path*` that are absent. */
function noticesOf(text: string): string {
  const [args = "", parts = ""] = text.split(/ ?\| ?/);
  const found = parts.split(" ").filter((part) => part !== "").map((part) => {
    const name = part.replace(/[+*]/g, "");
    const type = part.includes("*") ? "" : "ext4";
    return { name, mountPoint: name, type, counted: part.includes("+") };
  });
  const machine = {
    interfaces: () => found.filter(({ name }) => !name.startsWith("/") && name !== "cards"),
    mounts: () => found.filter(({ name }) => name.startsWith("/")),
    ...parts.includes("cards") && { gpu: {} },
  };
  return unmatchedNotices(configOf(args.split(" ").filter((it) => it !== "")), machine).join("; ");
}

Deno.test("unmatchedNotices() names what options ask for and the machine lacks, and nothing of one that was not measured", () => {
  same(
    noticesOf,
    cases(`
    --include-nics eth9 --exclude-nics e* --include-mountpoint /nope | eth0 /nope*
      → --include-nics eth9 matches no interface, so no traffic is counted; --include-mountpoint /nope is not mounted, so no disk space is counted
    --exclude-nics e*,w* | eth0 /nope*
      → --exclude-nics e*,w* leaves no interface, so no traffic is counted
    --include-nics e*,w* --include-mountpoint /;/nope | eth0+ /+ /nope*
      → --include-nics w* matches no interface; --include-mountpoint /nope is not mounted
    --exclude-nics lo --include-mountpoint / | eth0+ lo /+ →
    | lo /+                                                →
    |                                                      →
    --include-nics eth0 --exclude-nics eth1 --include-mountpoint / | →
    --exclude-nics eth1 --include-mountpoint / |           →
    --gpu |       → --gpu has no effect: graphics cards are queried on Linux only
    --gpu | cards →
    `),
  );
});
