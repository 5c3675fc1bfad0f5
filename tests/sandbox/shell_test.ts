import { assert, assertEquals, assertMatch, assertRejects, assertThrows } from "@std/assert";
import { Shell, startShell } from "../../lib/sandbox/shell.ts";
import { parsePingOutput } from "../../lib/parse/ping_output.ts";
import { sameLater } from "../cases.ts";
import { replaced } from "../replaced.ts";
import { exists, isAlive } from "../exists.ts";
import { timed } from "../fake_time.ts";
import { collectedLog } from "../log/collected_log.ts";
import { inFolder } from "../temp_folder.ts";
import { eventually } from "../remote/processes_below.ts";
import { onLinux, onlyIf } from "../only_on.ts";
import {
  IMPORT_SHELL,
  ofPrograms,
  printedBy,
  scriptAnswers,
  SHELLS,
  spawnScript,
  started,
  TestShell,
} from "./test_shell.ts";

/** Of an address's characters, and names to ping: it looks them up, or reads them in its own way. */
const NO_ADDRESSES = [
  ...["fade.ed", "127.1", "0", "...", ".", "1.2.3", "1.2.3.4.5", "1.2.3.4.", ".1.2.3.4", "1..2.3"],
  ...["256.1.1.1", "1.2.3.0004", "0x7f.0.0.1", "a.b.c.d", "1.1.1.f", "2130706433", "dead"],
];

/** Requests whose verb is another's or not whole, or whose word is longer than any. */
const NOT_WHOLE = [
  ...["interface lo", "link lo", "descriptors", "ping: 127.0.0.1", "resolve: localhost"],
  ...["processes:", "ping6 ::1", "pin 127.0.0.1", "x".repeat(70_000)],
  ...[`ping ::${"1".repeat(44)}`, `ping ${"1".repeat(70_000)}`, `hosts ${"a".repeat(70_000)}`],
];

/** The process of the `sleep` that a script of this file starts. */
async function sleeper(): Promise<number> {
  const find = () => started.descendants().find(({ name }) => name === "sleep");
  await eventually(() => find() !== undefined);
  return find()?.pid ?? NaN;
}

const shellsHere: typeof SHELLS = [["/bin/sh"], ...SHELLS];

/** A shell that may start this `nvidia-smi`; it has the system's other programs. */
function withCards(
  smi: string,
  { programs = {}, ...options }: ConstructorParameters<typeof TestShell>[0] = {},
): TestShell {
  const all = { "nvidia-smi": smi, ...programs };
  return new TestShell({ hasSystems: true, gpu: true, ...options, programs: all });
}

// Debian's busybox prefers its own ping to the one on PATH.
const shellsThatPing = shellsHere.filter(([command]) => !command.endsWith("busybox"));
for (const shell of shellsThatPing) {
  const name = shell.join(" ");

  Deno.test(`Shell.ping() keeps the answers of ${name} apart when many are under way, and leaves no zombies`, async () => {
    const ping = `
for address; do :; done
echo "PING $address"
printf '%s\\n' "$* \\\\n %s $LC_ALL \${AGENT_TOKEN-none} \${KOMARI_AGENT_MENU-none}" >&2`;
    await using opened = new TestShell({ shell, programs: { ping } });
    const addresses = Array.from(
      { length: 40 },
      (_, index) => index % 2 === 0 ? `127.0.0.${index}` : `2001:db8::${index}`,
    );
    const answers = await Promise.all(addresses.map((address) => opened.ping(address)));
    assertEquals(
      answers.map((answer) => answer?.trim()),
      addresses.map((address) => `PING ${address}\n-n -c 1 -W 3 -- ${address} \\n %s C none none`),
    );
    await eventually(() => opened.below().length === 1);
  });

  Deno.test(`Shell.ping() bounds lines, their length and CPU under ${name}`, async () => {
    const [kept, cut] = ["x".repeat(249), "y".repeat(250)];
    const babble = "[ $7 = ::1 ] && while :; do echo babble; done";
    const ping = `${babble}\necho ${kept}\necho ${cut}\nulimit -t`;
    await using opened = new TestShell({ shell, programs: { ping } });
    assertEquals((await opened.ping("::1"))?.trim().split("\n").length, 12);
    assertEquals(await opened.ping("192.0.2.1"), `${kept}\n2\n`);
    await eventually(() => opened.below().length <= 1);
  });

  Deno.test(`Shell gives undefined when ${name} finds neither ping nor getent`, async () => {
    await using opened = new TestShell({ shell, programs: {} });
    const pings = ["127.0.0.1", "::1"].map((address) => opened.ping(address));
    const found = await Promise.all([...pings, opened.lookUp("a"), opened.lookUpHosts("a")]);
    assertEquals(found, Array(4).fill(undefined));
    assertEquals(await opened.canLookUp(), false);
  });

  Deno.test(`Shell.close() ends ${name} with what it runs, and rejects what is asked`, async () => {
    for (const verb of ["ping", "nvidiaSmi"] as const) {
      const sleep = "exec /bin/sleep 60";
      await using opened = withCards(sleep, { shell, programs: { ping: sleep } });
      const asked = assertRejects(() => opened[verb]("127.0.0.1"), Error, "it has ended");
      const pid = await sleeper();
      await opened.close();
      await asked;
      await eventually(() => !isAlive(pid));
      await assertRejects(() => opened[verb]("127.0.0.1"), Error, "it has ended");
    }
  });

  Deno.test(`Shell.ping() waits for room under ${name}, and for no answer it must`, async () => {
    // A second to one address, and a tenth of one to others.
    const ping = `read -r line
case $* in *.9) exec /bin/sleep 1 ;; esac
exec /bin/sleep 0.1`;
    await using opened = new TestShell({ shell, programs: { ping } });
    const enough = new AbortController();
    const first = Array.from(
      { length: 40 },
      () => opened.ping("192.0.2.9", { signal: enough.signal }).catch((error) => error),
    );
    await eventually(() => opened.below().some(({ name }) => name === "sleep"));
    enough.abort("enough");
    assertEquals(new Set(await Promise.all(first)), new Set(["enough"]));
    const more = await Promise.all(Array.from({ length: 100 }, () => opened.ping("192.0.2.1")));
    assertEquals(new Set(more), new Set([""]));
  });
}

for (const command of shellsHere) {
  const name = command.join(" ");

  const withPing = onlyIf(exists("/usr/bin/ping") || exists("/bin/ping"));
  withPing.test(`Shell.ping() pings loopback by ${name} and the ping that is here`, async () => {
    await using shell = new TestShell({ shell: command });
    for (const address of ["127.0.0.1", "::1"]) {
      assertEquals(parsePingOutput((await shell.ping(address)) ?? "").kind, "reply");
    }
  });

  Deno.test(`Shell.nvidiaSmi() gives its lines under ${name}, and what it was asked, with --gpu alone`, async () => {
    const smi = `echo "$*, \${AGENT_TOKEN-none} \${KOMARI_AGENT_MENU-none}"
echo 'NVIDIA L4, 23034, 1, 0, 35' >&2`;
    await using shell = withCards(smi, { shell: command });
    assertEquals(
      await shell.nvidiaSmi(),
      "--format=csv,noheader,nounits --query-gpu=name,memory.total,memory.used," +
        "utilization.gpu,temperature.gpu, none none\nNVIDIA L4, 23034, 1, 0, 35\n",
    );
    await using without = withCards(smi, { shell: command, gpu: false });
    assertEquals(await without.nvidiaSmi(), undefined, "it was not asked for");
  });

  Deno.test(`Shell.nvidiaSmi() bounds what it says under ${name}, by lines and without`, async () => {
    for (const loop of ["while :; do echo babble; done", "while :; do printf babble; done"]) {
      await using shell = withCards(loop, { shell: command });
      await assertRejects(() => shell.nvidiaSmi(), Error, "its output is too long");
      assert(await shell.countProcesses() > 0, "the pipe is intact");
      await eventually(() => shell.below().length <= 1);
    }
  });

  // Debian's busybox prefers its own timeout to the one on PATH.
  const withTimeout = onlyIf(!name.includes("busybox"));
  withTimeout.test(`Shell.nvidiaSmi() lets ${name} kill one that hangs after 5 s`, async () => {
    // It notes what it is asked, and does not take as long.
    const timeout = `
[ "$1" = --help ] && { echo --foreground; exit; }
echo "$*" >"\${0%/*}/asked"
shift 4
PATH=/usr/bin:/bin exec timeout --foreground -s KILL 0.2 "$@"`;
    const smi = "trap '' TERM\nexec sleep 60";
    await using shell = withCards(smi, { shell: command, programs: { timeout } });
    await assertRejects(() => shell.nvidiaSmi(), Error, "it took too long");
    const asked = Deno.readTextFileSync(`${shell.folder}/asked`);
    const words = `--foreground -s KILL 5 ${shell.folder}/nvidia-smi --format=csv`;
    assert(asked.startsWith(words), asked);
    await eventually(() => !shell.below().some(({ name }) => name === "sleep"));
  });

  inFolder.test(`Shell.countProcesses() counts what ${name} sees in proc`, async (proc) => {
    await using shell = new TestShell({ shell: command, proc: proc.path });
    assertEquals(await shell.countProcesses(), 0);
    for (const name of ["2", "17", "self", "0x"]) await Deno.mkdir(`${proc.path}/${name}`);
    assertEquals(await shell.countProcesses(), 0, "the first one is hidden, as are others");
    await Deno.mkdir(`${proc.path}/1`);
    assertEquals(await shell.countProcesses(), 3);
  });

  inFolder.test(`The script under ${name} does nothing that is not on its menu`, async (folder) => {
    const requests = [
      ...["ping -f", "ping 127.0.0.1;touch${IFS}x", "ping $(touch x)", "ping `touch x`", "ping"],
      ...["ping 1.1.1.1 1.1.1.2", "ping localhost", "processes /", "touch x", "", "reap x"],
      ...["eval touch x", "nvidia-smi x", "nvidia-smi -q"],
      ...["resolve", "hosts"].map((verb) => `${verb} ${"a".repeat(254)}`),
      ...[...NO_ADDRESSES.map((text) => `ping ${text}`), ...NOT_WHOLE],
    ];
    // Without a number of its size there is no answer.
    const odd = ["x$(touch x) processes", "-1 processes", "", "* * *", `${"9".repeat(17)} x`];
    const lines = [...requests.map((request, index) => `${index + 1} ${request}`), ...odd];
    const answers = await scriptAnswers(command, lines, { cwd: folder.path });
    assertEquals(answers, requests.map((_, index) => `${index + 1} refused`));
    assertEquals([...Deno.readDirSync(folder.path)], []);
  });
}

for (const command of shellsThatPing) {
  const name = command.join(" ");

  /** Speaks to the script with this `ping`: lines, until the answers have the last word. */
  const speaking = async (
    ping: string,
    use: (ask: (lines: string, last: string) => Promise<string>, folder: string) => Promise<void>,
  ) => {
    using programs = ofPrograms({ ping });
    const child = spawnScript(command, { path: programs.path, words: ["gpu"] });
    const writer = child.stdin.getWriter();
    const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
    await use(async (lines, last) => {
      await writer.write(new TextEncoder().encode(lines));
      let output = "";
      while (!output.includes(last)) output += (await reader.read()).value ?? last;
      return output;
    }, programs.path);
    await writer.close();
    await reader.cancel();
    await child.status;
  };

  Deno.test(`The script under ${name} runs 32 programs at a time`, async () => {
    await speaking("read -r line\nexec /bin/sleep 60", async (ask) => {
      const pings = Array.from({ length: 300 }, (_, index) => `${index + 1} ping 192.0.2.1\n`);
      const output = await ask(pings.join("") + "301 nvidia-smi\n302 x\n", "302 refused\n");
      const busy = Array.from({ length: 269 }, (_, index) => `${index + 33} busy`);
      assertEquals(output.trim().split("\n"), [...busy, "302 refused"]);
    });
  });

  Deno.test(`The script under ${name} tells which of its programs have not ended`, async () => {
    // It closes its output, and so is answered, long before it ends.
    const script = 'echo pong\nexec >&- 2>&-\nuntil [ -e "${0%/*}/end" ]; do :; done';
    await speaking(script, async (ask, folder) => {
      assertEquals(await ask("1 ping 192.0.2.1\n", "pong\t\n"), "1 ok pong\t\n");
      assertEquals(await ask("0 reap\n2 x\n", "refused\n"), "0 left\n2 refused\n");
      Deno.writeTextFileSync(`${folder}/end`, "");
      while (await ask("0 reap\n3 x\n", "refused\n") !== "3 refused\n");
      assertEquals(started.descendants().filter(({ state }) => state === "Z"), []);
    });
  });
}

Deno.test("Shell.nvidiaSmi() tells how it failed", async () => {
  const said = "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.";
  const long = "x".repeat(240);
  await sameLater(
    async ([text, status]) => {
      await using shell = withCards(`printf "${text}"\nexit ${status}`);
      const { message } = await assertRejects(() => shell.nvidiaSmi(), Error);
      return message.replace(/^Cannot run nvidia-smi: it (.*); its output begins with/, "$1:");
    },
    [
      [[`${said}\n`, 9], `ended with 9: "${said}"`],
      [[long, 123], `ended with 123: "${long.slice(0, 199)}…"`],
      [[long, 124], `took too long: "${long.slice(0, 199)}…"`],
    ] as const,
  );
});

Deno.test("Shell.ping() refuses everything but an IP address", async () => {
  await using shell = new TestShell();
  for (const text of ["localhost", "-f", "", "1.1.1.1 ", "1.1.1.1\n2 ping 1.1.1.1", "fe80::1%lo"]) {
    await assertRejects(() => shell.ping(text), TypeError, "Cannot ping");
  }
});

Deno.test("Shell answers with an error when the shell was killed", async () => {
  await using shell = new TestShell({ programs: { ping: "exec /bin/sleep 60" } });
  const asked = shell.ping("127.0.0.1");
  await eventually(() => shell.below().some(({ name }) => name === "sleep"));
  const [parent] = shell.below().sort((a, b) => a.pid - b.pid);
  assert(parent);
  Deno.kill(-parent.pid, "SIGKILL");
  await assertRejects(() => asked, Error, "it has ended");
  await assertRejects(() => shell.countProcesses(), Error, "it has ended");
});

Deno.test("new Shell() starts programs of the system, whatever the agent's PATH", async () => {
  using planted = ofPrograms({ ping: "echo planted" });
  const code = `
const shell = new Shell({ proc: "/proc" });
console.log(await shell.ping("127.0.0.1"));
await shell.close();
`;
  const output = await printedBy(code, { PATH: `${planted.path}:${Deno.env.get("PATH")}` });
  assert(!output.includes("planted"));
});

Deno.test("new Shell() looks for programs in the system's folders, those of NixOS and WSL last", async () => {
  const script = 'while read -r id verb; do echo "$id ok $PATH"; done';
  await using shell = new TestShell({ shell: ["/bin/sh", "-c", script] });
  assertEquals((await shell.ping("192.0.2.1"))?.split(":"), [
    ...["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"],
    ...["/run/wrappers/bin", "/run/current-system/sw/bin", "/usr/lib/wsl/lib"],
  ]);
});

Deno.test("startShell() goes on without a shell that can't be started, and says so", async () => {
  const options = { proc: "/proc", shell: ["/nonexistent/sh"] } as const;
  const lines = await collectedLog(() => {
    assertEquals(startShell(options), undefined);
    return Promise.resolve();
  });
  assertEquals(lines.length, 1);
  assertMatch(lines[0] ?? "", /warning agent: Cannot start \/nonexistent\/sh: .*\bNo such file/);
  const error = assertThrows(() => new Shell(options), Error, "Cannot start /nonexistent/sh");
  assert(error.cause instanceof Deno.errors.NotFound);
});

onLinux.test("new Shell() says that it stays the agent's user where the system lets it be no other", async () => {
  using _ = replaced(Deno, {
    Command: class extends Deno.Command {
      constructor(command: string, options: Deno.CommandOptions = {}) {
        if (options.uid !== undefined) throw new Deno.errors.PermissionDenied("not permitted");
        super(command, options);
      }
    },
  });
  await using shell = new TestShell({ leavesRoot: true });
  assert(await shell.countProcesses() > 0);
  assertEquals(shell.staysRoot, "its helper shell can't change its user (not permitted)");
});

timed.test("Shell.lookUp() asks a busy shell for 5 s, and then gives up", async (time) => {
  const script = 'while read -r id verb; do echo "$id busy"; done';
  await using shell = new TestShell({ shell: ["/bin/sh", "-c", script] });
  const asked = shell.lookUp("panel.test");
  const tookMs = await time.until(asked, { withinMs: 60_000, stepMs: 20 });
  await assertRejects(() => asked, Error, "it runs too much");
  assert(tookMs >= 5_000 && tookMs < 5_500, `it took ${tookMs} ms`);
});

timed.test("Shell gives up an answer that is lost: of a program after 60 s, of a name after 5 min", async (time) => {
  await using shell = new TestShell({ shell: ["/bin/sh", "-c", "while read -r line; do :; done"] });
  const failure = (asked: Promise<unknown>) =>
    asked.catch((error) => `${error.message} at ${performance.now()}`);
  const failures = Promise.all(
    [shell.ping("192.0.2.1"), shell.nvidiaSmi(), shell.lookUp("panel.test")].map(failure),
  );
  await time.until(failures, { withinMs: 400_000, stepMs: 20_000 });
  assertEquals(await failures, [
    "no answer within 60 s at 60000",
    "no answer within 60 s at 60000",
    "no answer within 300 s at 300000",
  ]);
});

Deno.test("Shell ends with its pings when the agent is killed", async () => {
  using programs = ofPrograms({ ping: "exec /bin/sleep 61" });
  const source = `${IMPORT_SHELL}
const shell = new Shell({ proc: "/proc", path: ${JSON.stringify(programs.path)} });
Deno.permissions.revokeSync({ name: "run" });
console.log(await shell.countProcesses());
await shell.ping("127.0.0.1");
`;
  await Deno.writeTextFile(`${programs.path}/agent.ts`, source);
  const config = new URL("../../deno.json", import.meta.url).pathname;
  const agent = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-prompt", `--config=${config}`, `${programs.path}/agent.ts`],
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  // Once it has printed this, the sleeper is its own.
  const output = agent.stdout.getReader();
  const { value } = await output.read();
  assertMatch(new TextDecoder().decode(value), /^\d+\n$/);
  const pid = await sleeper();
  agent.kill("SIGKILL");
  await output.cancel();
  await agent.status;
  await eventually(() => !isAlive(pid));
});

Deno.test("Shell.ping() limits the time in the words of the system's own ping", async () => {
  await using shell = new TestShell({ programs: { ping: 'echo "$*"' }, os: "darwin" });
  assertEquals(await shell.ping("192.0.2.1"), "-n -c 1 -t 3 -- 192.0.2.1\n");
  assertEquals(await shell.ping("2001:db8::1"), "-n -c 1 -- 2001:db8::1\n");
});
