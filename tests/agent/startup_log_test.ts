import { assertEquals, assertMatch } from "@std/assert";
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
import { same } from "../cases.ts";
import { configOf } from "../metrics/config_of.ts";
import { FakeMachine } from "../metrics/fake_machine.ts";
import { panelLines } from "../panel/panel_lines.ts";

Deno.test("logSeal() warns of each part that is missing", () => {
  assertEquals(panelLines(() => logSeal({ kernelError: undefined })), [
    "info Remote control is off, and this process is sealed by the kernel and the runtime",
  ]);
  assertEquals(panelLines(() => logSeal({ kernelError: "there are no filters" })), [
    "warning Remote control is off, and this process is sealed by the runtime only: there are no " +
    "filters",
  ]);
  assertEquals(panelLines(() => logSeal(undefined)), [
    "warning Remote control is on: this process is not sealed, and the panel can run anything on " +
    "this machine as this user",
  ]);
});

Deno.test("logCountedParts() names what counts, and warns of options that match nothing", async () => {
  await same((args) => {
    const config = configOf(args.split(" ").filter((arg) => arg !== ""));
    const machine = openLinuxMachine(new FakeMachine("debian-vm"), config);
    takeSnapshot(machine.collectors);
    const problems: unknown[] = [];
    const health = {
      setProblem: (...problem: unknown[]) => void problems.push(problem.join(": ")),
    };
    return [...panelLines(() => logCountedParts(machine, config, health)), ...problems].join(" | ");
  }, [
    ["", "info Network: eth0. Disk: /"],
    ...["--exclude-nics eth* leaves no interface", "--include-nics wan* matches no interface"].map(
      (why) => {
        const notice = `${why}, so no traffic is counted`;
        const log = `warning Network: none. Disk: /. ${notice} | network: ${why}`;
        return [why.split(" ").slice(0, 2).join(" "), log] as const;
      },
    ),
  ]);
});

Deno.test("logTerminals() warns where no terminal can be opened, and says what to install", () => {
  const problems: unknown[] = [];
  const health = { setProblem: (...problem: unknown[]) => void problems.push(problem) };
  const [line = "", ...more] = [undefined, "/usr/bin/script"].flatMap((path) =>
    panelLines(() => logTerminals({ find: () => path }, health))
  );
  assertEquals(more, []);
  assertMatch(
    line,
    /^warning Cannot open terminals: there is no "script" command \u2192 install it/,
  );
  assertEquals(problems, [["terminal", 'there is no "script" command']]);
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

const NONE = { gpu: false, includeNics: [], excludeNics: [], includeMountPoints: [] };
const ROOT = { mountPoint: "/", type: "ext4", counted: true };
const ABSENT = { mountPoint: "/nope", type: "", counted: false };

function machineOf(
  interfaces: readonly { name: string; counted: boolean }[],
  mounts: readonly (typeof ROOT)[],
  gpu?: object,
) {
  return { interfaces: () => interfaces, mounts: () => mounts, gpu };
}

Deno.test("unmatchedNotices() names the option whose list matches nothing", () => {
  const found = machineOf([{ name: "eth0", counted: false }], [ABSENT]);
  const lists = { includeNics: ["eth9"], excludeNics: ["e*"], includeMountPoints: ["/nope"] };
  assertEquals(unmatchedNotices({ ...NONE, ...lists }, found), [
    "--include-nics eth9 matches no interface, so no traffic is counted",
    "--include-mountpoint /nope is not mounted, so no disk space is counted",
  ]);
  assertEquals(unmatchedNotices({ ...NONE, excludeNics: ["e*", "w*"] }, found), [
    "--exclude-nics e*,w* leaves no interface, so no traffic is counted",
  ]);
});

Deno.test("unmatchedNotices() names only what is missing where the rest counts", () => {
  const lists = { ...NONE, includeNics: ["e*", "w*"], includeMountPoints: ["/", "/nope"] };
  const found = machineOf([{ name: "eth0", counted: true }], [ROOT, ABSENT]);
  assertEquals(unmatchedNotices(lists, found), [
    "--include-nics w* matches no interface",
    "--include-mountpoint /nope is not mounted",
  ]);
});

Deno.test("unmatchedNotices() says nothing of a machine that the lists fit", () => {
  const interfaces = [{ name: "eth0", counted: true }, { name: "lo", counted: false }];
  const lists = { ...NONE, excludeNics: ["lo"], includeMountPoints: ["/"] };
  assertEquals(unmatchedNotices(lists, machineOf(interfaces, [ROOT])), []);
  const idle = machineOf([{ name: "lo", counted: false }], [ROOT]);
  assertEquals(unmatchedNotices(NONE, idle), [], "no option leaves it out");
  const unmeasured = machineOf([], []);
  assertEquals(unmatchedNotices(NONE, unmeasured), []);
  const all = { ...NONE, includeNics: ["eth0"], excludeNics: ["eth1"], includeMountPoints: ["/"] };
  assertEquals(unmatchedNotices(all, unmeasured), []);
  assertEquals(unmatchedNotices({ ...all, includeNics: [] }, unmeasured), []);
});

Deno.test("unmatchedNotices() says where graphics cards can't be asked", () => {
  const [without, withCards] = [machineOf([], []), machineOf([], [], {})];
  assertEquals(unmatchedNotices({ ...NONE, gpu: true }, without), [
    "--gpu has no effect: graphics cards are queried on Linux only",
  ]);
  assertEquals(unmatchedNotices({ ...NONE, gpu: true }, withCards), []);
  assertEquals(unmatchedNotices({ ...NONE, gpu: false }, without), []);
});
