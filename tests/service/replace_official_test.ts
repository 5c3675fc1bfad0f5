import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { UsageError } from "../../lib/config/usage_error.ts";
import { readOfficialRecord } from "../../lib/service/official_service.ts";
import { ARGS, type FakeSystem, NAME } from "./fake_system.ts";
import { OfficialMachine, onOfficialMachine, replaceNow } from "./official_machine.ts";

/** As `install --replace` with more words behind it. */
async function run(machine: FakeSystem, words: string[] = []): Promise<string | undefined> {
  return await replaceNow(machine, machine.system, words);
}

onOfficialMachine.test("replace() imports the official agent's settings", async (machine) => {
  const before = machine.tree();
  {
    using _panel = machine.accepting();
    const words = ["--month-rotate", "5", "-e", "https://other.example"];
    assertEquals(await run(machine, words), undefined);
  }
  assertEquals([machine.isUp("komari-agent"), machine.isUp(NAME)], [false, true]);
  const calls = machine.calls().filter((line) => line.startsWith("rc-"));
  assertEquals(calls, [
    "rc-service komari-agent stop",
    "rc-service komari-agent status",
    `rc-service ${NAME} restart`,
    `rc-update add ${NAME} default`,
    "rc-update del komari-agent default",
  ]);
  assertEquals(machine.config(), {
    endpoint: "https://other.example",
    include_mountpoints: ["/", "/data disk"],
    month_rotate: 5,
    token: "token123",
  });
  assertEquals(machine.text(`/var/lib/${NAME}/net_static.json`), '{"interfaces": {}}');
  const traffic = `/var/lib/${NAME}/net_static.json 600`;
  assert(machine.tree().includes(traffic));
  assertEquals(readOfficialRecord(`${machine.root}/etc/${NAME}`)?.isDone, true);
  const printed = machine.output;
  assertEquals(printed.includes("token123"), false);
  for (const words of [", /opt/komari/net_static.json", "Installed", "--restore"]) {
    assertStringIncludes(printed, words);
  }

  // Again, when somebody has started the other one by hand: it is an installation like any other.
  machine.write("/users/up-komari-agent", "");
  {
    using _panel = machine.accepting();
    assertEquals(await run(machine), undefined);
  }
  assertEquals([machine.isUp("komari-agent"), machine.isUp(NAME)], [true, true]);
  assertStringIncludes(machine.output, "is running too (komari-agent)");

  await machine.uninstall();
  machine.write("/users/up-komari-agent", "");
  assertEquals(machine.tree(), before);
});

onOfficialMachine.test("replace() copies no file that another user can change", async (machine) => {
  Deno.removeSync(`${machine.root}/opt/komari/net_static.json`);
  Deno.symlinkSync("/etc/passwd", `${machine.root}/opt/komari/net_static.json`);
  Deno.chmodSync(`${machine.root}/opt/komari`, 0o777);
  using _panel = machine.accepting();
  assertEquals(await run(machine, ["--month-rotate", "5"]), undefined);
  assertEquals(machine.tree().some((line) => line.startsWith(`/var/lib/${NAME}/net_`)), false);
  assertStringIncludes(machine.output, "its traffic is not imported: others can change");
});

onOfficialMachine.test("replace() prints no secret of the official agent", async (machine) => {
  const secrets = {
    "--auto-discovery": "d1scovery-k3y",
    "--cf-access-client-id": "1d.access",
    "--cf-access-client-secret": "cl0udflare-s3cret",
  };
  const words = Object.entries(secrets).map(([flag, value]) => `${flag} ${value}`).join(" ");
  const script = machine.text("/etc/init.d/komari-agent")
    .replace(/^command_args="/m, `$&${words} `);
  machine.write("/etc/init.d/komari-agent", script);
  {
    using _panel = machine.accepting();
    assertEquals(await run(machine), undefined);
  }
  // No month is reported that the traffic would be of.
  assertEquals(machine.tree().some((line) => line.startsWith(`/var/lib/${NAME}/net_`)), false);
  const config = machine.text(`/etc/${NAME}/config.json`);
  const printed = machine.output;
  for (const secret of ["d1scovery-k3y", "cl0udflare-s3cret", "token123"]) {
    assertEquals(printed.includes(secret), false, printed);
  }
  assertStringIncludes(config, "cl0udflare-s3cret");
  const stopping = machine.printed.findIndex((line) => line.startsWith("Stopping"));
  assertEquals(machine.printed.slice(0, stopping), [
    "Replacing the official agent:",
    "  Service        komari-agent (openrc), /etc/init.d/komari-agent",
    "  Options        endpoint, token, cf_access_client_id, cf_access_client_secret, include_mountpoints",
    "  Remote control was on and is now off; --enable-remote-control turns it on",
  ]);
});

onOfficialMachine.test("replace() resumes after an interruption", async (machine) => {
  const before = machine.tree();
  // The panel accepts nothing, and whoever waits is killed: nobody puts anything back.
  const killed = new Error("killed");
  const system = {
    ...machine.system,
    printLine(line: string) {
      if (line.startsWith("Not accepted")) throw killed;
    },
  };
  await assertRejects(() => replaceNow(machine, system), Error, "killed");
  assertEquals([machine.isUp("komari-agent"), machine.isUp(NAME)], [false, true]);
  assertEquals(readOfficialRecord(`${machine.root}/etc/${NAME}`)?.isDone, false);
  await assertRejects(() => run(machine), Error, "was restored and is running again");
  assertEquals(machine.tree(), before);
});

Deno.test("replace() leaves the official agent running when it can't begin", async () => {
  const script = "/etc/init.d/komari-agent";
  const table: [prepare: (machine: OfficialMachine) => unknown, words: string[], why: string][] = [
    [
      (it) => it.write("/etc/init.d/second", it.text(script)),
      [],
      `Cannot choose between 2 official agents: komari-agent (${script}), second (`,
    ],
    [(it) => it.write(script, it.text(script).replace(/-e \S+/, "")), [], "--endpoint"],
    [(it) => it.install(ARGS), [], "is already installed"],
  ];
  for (const [prepare, words, why] of table) {
    await using machine = new OfficialMachine();
    await prepare(machine);
    machine.calls();
    await assertRejects(() => run(machine, words), Error, why);
    assertEquals([machine.isUp("komari-agent"), machine.calls()], [true, []]);
  }
});

onOfficialMachine.test("replace() imports nothing of a service that was edited by hand, and wants the options", async (machine) => {
  const script = "/etc/init.d/komari-agent";
  machine.write(script, `${machine.text(script)}\nexport AGENT_TOKEN=t0ken-of-a-variable\n`);
  const before = machine.tree();
  const why = `Cannot import the options of ${script}: it was edited by hand (export AGENT_TOKEN)`;
  await assertRejects(() => run(machine), UsageError, why);
  await assertRejects(() => run(machine, ["-e", "https://p.example"]), UsageError, why);
  assertEquals([machine.tree(), machine.isUp("komari-agent")], [before, true]);
  {
    using _panel = machine.acceptedAgent(`/run/${NAME}`);
    assertEquals(await run(machine, ARGS.map(String)), undefined);
  }
  assertEquals(machine.config(), { endpoint: "https://p.example", token: "top-secret" });
  assertEquals([machine.isUp("komari-agent"), machine.isUp(NAME)], [false, true]);
  assertStringIncludes(machine.output, "its own options are not imported");
});
