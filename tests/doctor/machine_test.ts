import { assertEquals } from "@std/assert";
import { supportedPlatform } from "../../lib/cli/command.ts";
import type { Finding } from "../../lib/doctor/check.ts";
import { fullDisk, hangingDisks, machineLooks, trySeal } from "../../lib/doctor/machine.ts";
import type { Health } from "../../lib/state/health_reader.ts";
import { configOf } from "../cli/fake_context.ts";
import { healthOf, problemHealth } from "./seen_health.ts";
import { onLinux, onlyIf, works } from "../only_on.ts";
import { inFolder } from "../temp_folder.ts";
import { shown } from "./way_of.ts";

const { signal } = new AbortController();

/** Makes one check of this machine, for a command line and a running agent. */
async function look(id: string, options = "", health?: Health): Promise<string> {
  const args = ["doctor", "-e", "https://panel.example", "-t", "x"];
  const config = configOf([...args, ...options.split(" ").filter((word) => word !== "")]);
  const looks = machineLooks({ ...supportedPlatform(), config, settings: [], health });
  const [, , make] = looks.find(([of]) => of === id) ?? [];
  const finding: Finding = await make?.(signal) ?? { status: "ok", text: "no check", advice: [] };
  return shown(finding);
}

Deno.test("the name of a mount point, which any user may choose, is one word of a command and no advice", () => {
  const [text, look, unmount] = hangingDisks(["/m;id → x"]);
  assertEquals(text, "/m;id -> x does not answer within 3 s");
  assertEquals(look, "see whether its server answers: findmnt -T '/m;id -> x'");
  assertEquals(unmount, "if it is not needed, unmount it: umount -l '/m;id -> x'");
  assertEquals(fullDisk("/a b")[1], "make room: df -h '/a b'; du -xh '/a b' | sort -h | tail");
});

Deno.test("remote control is off, asked for in vain, or on with the agent's rights", async () => {
  const turnOn = "--enable-remote-control";
  assertEquals(
    await look("remote"),
    `skipped: off: commands, terminals and files of the panel are refused; this turns it on: ${turnOn}`,
  );
  assertEquals(
    await look("remote", "", problemHealth("remote", "a command of the panel was refused")),
    `warning: the running agent says: remote control is off: a command of the panel was refused → if the panel is to run commands, terminals and files here, turn it on: ${turnOn}`,
  );
  const install =
    "install it (Debian: bsdutils; Alpine: util-linux-misc; Fedora: util-linux-script)";
  assertEquals(
    await look("remote", turnOn, problemHealth("terminal", 'there is no "script" command')),
    `failed: the running agent says: terminals don't work: there is no "script" command → ${install}`,
  );
  const mine = healthOf({ pid: Deno.pid });
  const on = await look("remote", turnOn, mine);
  assertEquals(on, Deno.uid() === 0 ? "ok: on, as root" : on);
});

Deno.test("metrics and the state folder are judged by what the running agent says, and only if used", async () => {
  const words = [
    await look("metrics", "--metrics 127.0.0.1:80", problemHealth("metrics", "permission denied")),
    await look("metrics", "--metrics 127.0.0.1:9", healthOf()),
    await look("metrics"),
    await look("state"),
  ];
  assertEquals(words, [
    'failed: the running agent says: metrics can\'t be served: permission denied → choose another address of this machine, or a port from 1024 on: --metrics ADDRESS; or see what listens there: ss -ltnp "sport = :80"',
    "ok: the agent serves them on 127.0.0.1 port 9",
    "ok: no check",
    "skipped: not used without --month-rotate",
  ]);
});

onLinux.test("an option that names no interface is told with those that are here", async () => {
  const found = await look("interfaces", "--include-nics no-such");
  assertEquals(
    found.replace(/those of this machine: .*? → /, "… → "),
    "failed: --include-nics no-such matches no interface, so no traffic is counted; … → name existing ones: --include-nics NAMES → or leave that option out: --unset include-nics",
  );
});

const withPing = onlyIf(await works(["ping", "-V"], "by a ping: iputils-ping"));

withPing.test("ICMP probes are judged by a ping, and by what the running agent says of its own", async () => {
  const forbidden = problemHealth("ping", '"ping" may not open its socket (EPERM)');
  const found = await look("ping", "", forbidden);
  assertEquals(/^failed: .*"ping" may not open its socket/.test(found), true, found);
});

inFolder.test("the state folder of a running agent is judged by what it says", async ({ path }) => {
  const options = `--month-rotate 1 --state-dir ${path}`;
  const of = (text: string) =>
    look("state", options, { ...problemHealth("state", text), stateFolder: path, pid: Deno.pid });
  const says = "failed: the running agent says: the month's traffic can't be kept: ";
  const full = `Cannot write ${path}/month.state: No space left on device`;
  assertEquals(await of(full), `${says}${full} → make room on the disk of ${path}: df -h; df -i`);
  const readOnly = `Cannot write ${path}/month.state: Read-only file system`;
  assertEquals(
    await of(readOnly),
    `${says}${readOnly} → see whether the kernel made its disk read-only after an error: journalctl -k | grep -i error → make the disk of ${path} writable, or choose another folder: --state-dir FOLDER`,
  );
  const denied = `Cannot write ${path}/month.state: permission denied`;
  assertEquals(
    (await of(denied)).includes(
      " → if it holds only the agent's files, give it to the agent's user: chown -R ",
    ),
    true,
  );
});

Deno.test("the seal of a running agent is what it says, and with remote control there is none", async () => {
  const seal = async (options: string, health?: Health) => {
    const config = configOf([
      "doctor",
      "-e",
      "https://p.example",
      "-t",
      "x",
      ...options.split(" ").filter((it) => it !== ""),
    ]);
    return shown(await trySeal({ ...supportedPlatform(), config, health }, signal));
  };
  const whole = "sealed by the kernel and the runtime";
  assertEquals(await seal("", healthOf({ seal: whole })), `ok: ${whole}`);
  const part = "sealed by the runtime only: the system forbids it (EPERM)";
  assertEquals(await seal("", healthOf({ seal: part })), `warning: ${part}`);
  assertEquals(await seal("--enable-remote-control"), "skipped: not used: remote control is on");
});
