import { assert, assertEquals } from "@std/assert";
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

  const pppoe = ["plugin", "rp-pppoe.so", `nic-${name}`];
  using _dsl = await dial(machine, ...pppoe, "pppoe-sess", "7:02:00:00:00:00:09");
  using _vpn = await dial(machine, "pty", "sleep 1000");
  const { interfaces, report } = await dryRun([], { through: machine.enter });
  const links = interfaces.filter((it) => it.name.startsWith("ppp"));
  assertEquals(links.map(({ name, counted, rule }) => [name, counted, rule]), [
    ["ppp0", false, "inside another interface: ppp*"],
    ["ppp1", false, "inside another interface: ppp*"],
  ]);
  assert(!report.message.includes("network traffic"), report.message);
}

const here = onlyIf(lack === undefined);

here.test(`PPP links of PPPoE and VPNs do not count beside the card that carries them${skipReason(lack)}`, async () => {
  if (isUserModeLinux()) return await testLinks();
  const { success, output } = await testInUserModeLinux("tests/slow/live/dial_up_test.ts");
  assert(success && output.includes("ok | 1 passed"), output);
});
