import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { UsageError } from "../../lib/config/usage_error.ts";
import { hasRemoteControl } from "../../lib/service/install_plan.ts";
import type { ManagerKind } from "../../lib/service/service_manager.ts";
import {
  ARGS,
  configOf,
  FakeSystem,
  installNow,
  machineOf,
  NAME,
  onOpenRc,
  PUBLIC_KEY,
  RELEASES,
} from "./fake_system.ts";
import { golden } from "./service_plans.ts";

const UPDATE = `${NAME}-update`;
const PROXY = { HTTPS_PROXY: "http://proxy:3128" };

/** Installs with so many words more, and gives what was run for updates. */
async function installed(
  fake: FakeSystem,
  words: readonly string[],
  env: Record<string, string> = {},
): Promise<string[]> {
  await fake.install(words, { env });
  return fake.calls().filter((line) => line.includes(UPDATE));
}

Deno.test("planService() takes the sandbox away for root with remote control alone", async () => {
  const table = [
    [["--enable-remote-control"], true],
    [["--as-root"], true],
    [["--as-root", "--enable-remote-control"], false],
  ] as const;
  for (const [words, isSandboxed] of table) {
    await using fake = machineOf("systemd");
    await fake.install([...ARGS, ...words]);
    const unit = fake.text(`/etc/systemd/system/${NAME}.service`);
    assertEquals(unit.includes("ProtectSystem=strict"), isSandboxed, words.join(" "));
  }
});

onOpenRc.test("planService() plans an update service of root under OpenRC", async (fake) => {
  const before = fake.tree();
  const script = `/etc/init.d/${UPDATE}`;
  const expected = [`rc-update add ${UPDATE} default`, `rc-service ${UPDATE} restart`];
  assertEquals(await installed(fake, [...ARGS, ...RELEASES], PROXY), expected);
  const text = fake.text(script);
  assertStringIncludes(text, "--update-url");
  assertStringIncludes(text, PUBLIC_KEY);
  assertStringIncludes(text, `. '/etc/${NAME}/environment'`);
  assert(!text.includes("command_user"), "it is root's");
  assertStringIncludes(fake.output, `every 6 h, by ${UPDATE}`);

  await fake.uninstall();
  assertEquals(fake.calls().slice(0, 3), [
    `rc-service ${UPDATE} stop`,
    `rc-update del ${UPDATE} default`,
    `rc-service ${NAME} stop`,
  ]);
  assertEquals(fake.tree(), before);
});

onOpenRc.test("planService() removes the update service when updates are turned off", async (fake) => {
  const made = await installed(fake, [...ARGS, ...RELEASES, "--as-root"]);
  assertEquals(made.length, 2, "an agent of root has one too");
  const expected = [`rc-service ${UPDATE} stop`, `rc-update del ${UPDATE} default`];
  assertEquals(await installed(fake, ["--disable-auto-update"]), expected);
  assert(!fake.tree().some((line) => line.includes(UPDATE)));
  assertEquals(await installed(fake, []), [], "nothing is left to be ended");
});

onOpenRc.test("planInstall() takes a Deno that others can change where root does not run it for updates", async (fake) => {
  const { path } = fake.system.program;
  const denoPath = `${Deno.realPathSync(path)}-deno`;
  Deno.writeTextFileSync(denoPath, "");
  Deno.chmodSync(denoPath, 0o777);
  Deno.chmodSync(denoPath.slice(0, denoPath.lastIndexOf("/")), 0o755);
  Object.assign(fake.system, { program: { form: "portable", path }, denoPath });
  const words = [...ARGS, ...RELEASES];
  const why = `other than root can change ${denoPath}`;
  await assertRejects(() => fake.install(words), UsageError, why);
  await fake.install([...words, "--disable-auto-update"]);
  assertStringIncludes(fake.output, "Updates        off");
});

Deno.test("hasRemoteControl() is true when any panel has it", () => {
  const panel = { endpoint: "https://p.example", token: "t" };
  for (const enable_remote_control of [true, false]) {
    const other = { ...panel, endpoint: "https://q.example", enable_remote_control };
    const env = { AGENT_PANELS: JSON.stringify([panel, other]) };
    const config = configOf(["install"], { env });
    assertEquals([config.remoteControl, hasRemoteControl(config)], [false, enable_remote_control]);
  }
});

const UPDATES = ["--update-url", "https://u.example/latest", "--update-key", PUBLIC_KEY];
const HTTPS_PROXY = "http://user:secret@proxy.example:3128";

interface Case {
  readonly manager: ManagerKind;
  readonly uid: number;
  readonly words?: readonly string[];
  readonly env?: Record<string, string>;
  readonly form?: "portable";
}

const CASES: Readonly<Record<string, Case>> = {
  "root, with updates and proxies": {
    ...{ manager: "systemd", uid: 0 },
    ...{ words: UPDATES, env: { HTTPS_PROXY } },
  },
  "a user": { manager: "systemd", uid: 1000, words: UPDATES },
  "root, with another state folder and devices": {
    ...{ manager: "systemd", uid: 0 },
    words: ["--state-dir", "/srv/state", "--gpu", "--install-service-name", "node-2"],
  },
  "root, with remote control as root": {
    ...{ manager: "systemd", uid: 0 },
    words: ["--as-root", "--enable-remote-control"],
  },
  "root, with updates by a loop": {
    ...{ manager: "openrc", uid: 0, form: "portable" },
    words: [...UPDATES, "--mirror", "https://m.example"],
  },
  "root, without updates": { manager: "openrc", uid: 0, words: ["--install-dir", "/srv/agents"] },
  "root for a user, with updates and proxies": {
    ...{ manager: "launchd", uid: 0 },
    ...{ words: UPDATES, env: { HTTPS_PROXY } },
  },
  "a Mac's user": { manager: "launchd", uid: 501, words: UPDATES },
};

/** The steps of an installation on a machine without anything, with all texts but those of service files. */
async function steps({ manager, uid, words = [], env = {}, form }: Case): Promise<string[]> {
  const folders = { systemd: ["run/systemd/system"], openrc: ["run/openrc"], launchd: [] };
  const creators = manager === "systemd" ? ["useradd"] : ["adduser", "addgroup", "rc-service"];
  await using fake = new FakeSystem({
    folders: folders[manager],
    fakes: {},
    system: {
      ...{
        uid,
        home: "/home/ann",
        sudoUser: "USER",
        os: manager === "launchd" ? "darwin" : "linux",
      },
      program: { form: form ?? "binary", path: "/x/program" },
      denoPath: "/bin/sh",
      tools: {
        has: (name) => creators.includes(name),
        run: () => Promise.resolve({ code: 1, output: "" }),
      },
    },
  });
  const asked = ["install", "-e", "https://p.example", "-t", "s3cret", "--print"];
  await installNow(configOf([...asked, ...words], { env }), fake.system);
  return fake.printed.flatMap((step) => {
    const [head = "", ...text] = step.split("\n");
    return /\.(service|timer|plist) |\/init\.d\//.test(head) ? [head] : [head, ...text];
  });
}

Deno.test("planInstall() takes these steps", async () => {
  const lines: string[] = [];
  for (const [name, it] of Object.entries(CASES)) {
    lines.push(`${it.manager}, for ${name}`, ...(await steps(it)).map((line) => `  ${line}`));
  }
  assertEquals(`${lines.join("\n")}\n`, golden("steps.txt"));
});
