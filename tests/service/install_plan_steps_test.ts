import { assertEquals } from "@std/assert";
import { otherSystem } from "../../lib/service/managers.ts";
import type { ManagerKind } from "../../lib/service/service_manager.ts";
import { configOf, FakeSystem, installNow, PUBLIC_KEY } from "./fake_system.ts";
import { golden } from "./service_plans.ts";

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
  await using fake = new FakeSystem({ folders: [], fakes: {}, system: { uid } });
  const program = { form: form ?? "binary", path: "/x/program" } as const;
  const system = {
    ...fake.system,
    root: fake.root,
    home: "/home/ann",
    program,
    denoPath: "/d/deno",
  };
  const asked = ["install", "-e", "https://p.example", "-t", "s3cret", "--print"];
  const config = configOf([...asked, "--manager", manager, ...words], { env });
  await installNow(config, otherSystem(system, manager));
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
