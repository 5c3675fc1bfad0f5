import { assert, assertEquals } from "@std/assert";
import { Shell } from "../../../lib/sandbox/shell.ts";
import { TempFolder } from "../../temp_folder.ts";
import { lackOfTools, skipReason } from "./command.ts";
import { dryRun } from "./dry_run.ts";
import { layCable, NetworkNamespace, randomNet } from "./network_namespace.ts";
import { isUserModeLinux, missingUserModeLinux, testInUserModeLinux } from "./user_mode_linux.ts";
import { onlyIf } from "../../only_on.ts";

const lack = isUserModeLinux() ? undefined : missingUserModeLinux() ?? lackOfTools("pppd");

/** A `pppd` that waits for its other end, leads a session as those of services do, and has made its link. */
async function dial(machine: NetworkNamespace, ...args: readonly string[]): Promise<Disposable> {
  const [command = "", ...words] = machine.enter;
  const options = ["nodetach", "logfd", "1", "passive", "noauth", "nodefaultroute"];
  const child = new Deno.Command(command, {
    args: [...words, "pppd", ...args, ...options],
    detached: true,
    stdin: "null",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  let said = "";
  for await (const chunk of child.stdout.values({ preventCancel: true })) {
    said += new TextDecoder().decode(chunk);
    if (said.includes("Using interface")) break;
  }
  assert(said.includes("Using interface"), said);
  return { [Symbol.dispose]: () => child.kill("SIGKILL") };
}

async function testLinks(): Promise<void> {
  using outside = new NetworkNamespace();
  using machine = new NetworkNamespace();
  const [net, name] = [randomNet(), "eth0"];
  layCable({ namespace: machine, name }, { namespace: outside, name });
  outside.ip("link", "set", name, "up");
  machine.settle(name, net, 2);
  machine.send(10, `${net}.9`);

  using folder = new TempFolder();
  Deno.writeTextFileSync(`${folder.path}/modem`, "/dev/ttyS1\nlocal\n");
  using _told = await dial(machine, "/dev/ttyS0", "local");
  using _controlled = await dial(machine, "file", `${folder.path}/modem`);
  const pppoe = ["plugin", "rp-pppoe.so", `nic-${name}`];
  using _dsl = await dial(machine, ...pppoe, "pppoe-sess", "7:02:00:00:00:00:09");
  await expectRules(machine, { ppp0: OVER_PORT, ppp1: OVER_PORT, ppp2: "inside" });
  using _vpn = await dial(machine, "pty", "sleep 1000");
  const unknown = "perhaps inside";
  await expectRules(machine, { ppp0: OVER_PORT, ppp1: OVER_PORT, ppp2: unknown, ppp3: unknown });
}

const OVER_PORT = "over a serial port";

/** What a dry run says of the links, and the helper shell sees as the agent does at its start. */
async function expectRules(
  machine: NetworkNamespace,
  expected: Readonly<Record<string, string>>,
): Promise<void> {
  const { interfaces, report } = await dryRun([], { through: machine.enter });
  const links = interfaces.filter((it) => it.name.startsWith("ppp"));
  const rules = links.map((
    { name, rule },
  ) => [name, rule.replace(/( another interface)?: ppp.*/, "")]);
  assertEquals(Object.fromEntries(rules), expected);
  for (const { name, counted } of links) assertEquals(counted, expected[name] === OVER_PORT, name);
  const isNamed = Object.values(expected).includes("perhaps inside");
  assertEquals(report.message.includes("cannot measure part of network traffic"), isNamed);
  for (const interpreter of [["/bin/sh"], ["busybox", "ash"]]) {
    const [first = "", ...others] = [...machine.enter, ...interpreter];
    const shell = new Shell({ proc: "/proc", sys: "/sys", shell: [first, ...others] });
    for (const name of Object.keys(expected)) {
      const serial = (await shell.interfaceTraits(name))?.ppp?.serial;
      assertEquals(serial, expected[name] === OVER_PORT, `${name} by ${interpreter.join(" ")}`);
    }
    await shell.close();
  }
}

const here = onlyIf(lack === undefined);

here.test(`PPP links over serial ports count, those of PPPoE and VPNs do not${skipReason(lack)}`, async () => {
  if (isUserModeLinux()) return await testLinks();
  const { success, output } = await testInUserModeLinux("tests/slow/live/dial_up_test.ts");
  assert(success && output.includes("ok | 1 passed"), output);
});
