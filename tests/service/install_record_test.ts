import { assertEquals, assertThrows } from "@std/assert";
import {
  findInstallRecord,
  foreignOwner,
  formatInstallRecord,
  installedConfigPaths,
  installedRootOptions,
  type InstallRecord,
  parseInstallRecord,
} from "../../lib/service/install_record.ts";
import { agentFolders } from "../../lib/service/installed_service.ts";
import { packagedRecord } from "../../lib/service/packaged_service.ts";
import { runtimeFolders } from "../../lib/state/paths.ts";
import { PROGRAM } from "../../lib/version.ts";

const RECORD: InstallRecord = {
  service: "komari-agent-deno",
  manager: "systemd",
  scope: "system",
  user: "komari-agent-deno",
  createdUser: true,
  enabledLinger: "",
  program: "/opt/komari-agent-deno/komari-agent-deno",
  config: "/etc/komari-agent-deno/config.json",
  stateFolder: "/var/lib/komari-agent-deno",
  runtimeFolder: "/run/komari-agent-deno",
  logFile: "/var/log/komari-agent-deno.log",
  files: ["/etc/systemd/system/komari-agent-deno.service"],
  links: ["/usr/local/bin/komari-agent-deno"],
  folders: ["/opt/komari-agent-deno", "/opt"],
  trees: ["/var/lib/komari-agent-deno"],
  pinned: "1.2.3",
  rootOptions: { mirror: "https://mirror.example" },
};

Deno.test("parseInstallRecord() parses the output of formatInstallRecord()", () => {
  assertEquals(parseInstallRecord(formatInstallRecord(RECORD)), RECORD);
});

Deno.test("parseInstallRecord() throws when a path is dangerous or a field is wrong", () => {
  const bad: Record<string, unknown>[] = [
    { trees: ["/"] },
    { trees: ["/etc"] },
    { trees: ["/etc/."] },
    { trees: ["/./etc"] },
    { trees: ["/var/lib/../.."] },
    { trees: ["/var/lib/x/"] },
    { trees: "/var/lib/x" },
    { rootOptions: undefined },
    { rootOptions: { mirror: 1 } },
    { files: ["etc/passwd"] },
    { files: [7] },
    { folders: [""] },
    { program: "./x" },
    { manager: "sysv" },
    { scope: "all" },
    { service: "a b" },
    { user: undefined },
    { links: undefined },
  ];
  for (const change of bad) {
    const text = JSON.stringify({ ...RECORD, ...change });
    assertThrows(
      () => parseInstallRecord(text),
      SyntaxError,
      "Cannot parse the installation record",
    );
  }
  for (const text of ["", "null", "[]", '"x"', "{"]) {
    assertThrows(() => parseInstallRecord(text), SyntaxError);
  }
});

Deno.test("foreignOwner() is who else than this user and root owns a file", () => {
  const path = Deno.makeTempFileSync();
  try {
    assertEquals(foreignOwner(path), undefined);
    assertEquals(foreignOwner("/"), undefined, "root's");
    if (Deno.uid() === 0) {
      Deno.chownSync(path, 65_534, 65_534);
      assertEquals(foreignOwner(path), 65_534);
    }
  } finally {
    Deno.removeSync(path);
  }
});

/** A name that no service of this machine has. */
const NAME = "no-such-service-of-this-machine";

/** What is found by a user without root, in a home with this record. */
async function asUser(
  record: string | undefined,
  look: (env: Record<string, string>) => void | Promise<void>,
  { name = NAME, uid = 4711 } = {},
): Promise<void> {
  const home = await Deno.makeTempDir();
  const { uid: ownUid } = Deno;
  Object.assign(Deno, { uid: () => uid });
  try {
    if (record !== undefined) {
      await Deno.mkdir(`${home}/.config/${name}`, { recursive: true });
      await Deno.writeTextFile(`${home}/.config/${name}/install.json`, record);
    }
    await look({ HOME: home });
  } finally {
    Object.assign(Deno, { uid: ownUid });
    await Deno.remove(home, { recursive: true });
  }
}

const OWN_RECORD = {
  ...packagedRecord(),
  service: NAME,
  runtimeFolder: `/run/user/7/${NAME}`,
  rootOptions: { mirror: "https://m.example" },
};

Deno.test("installedConfigPaths() looks into the user's configuration before the system's", async () => {
  await asUser(undefined, () => {
    assertEquals(installedConfigPaths("x", { HOME: "/home/ann" }), [
      "/home/ann/.config/x/config.json",
      "/etc/x/config.json",
    ]);
    for (const HOME of ["", "home/ann"]) {
      assertEquals(installedConfigPaths("x", { HOME }), ["/etc/x/config.json"]);
    }
  });
  await asUser(undefined, () => {
    assertEquals(installedConfigPaths("x", { HOME: "/root" }), ["/etc/x/config.json"]);
  }, { uid: 0 });
});

Deno.test("findInstallRecord() finds the user's own, and says when it is damaged", async () => {
  await asUser(formatInstallRecord(OWN_RECORD), (env) => {
    assertEquals(findInstallRecord(NAME, env)?.runtimeFolder, OWN_RECORD.runtimeFolder);
    assertEquals(findInstallRecord(`${NAME}-2`, env), undefined);
    assertEquals([...installedRootOptions(NAME, env)], [["mirror", "https://m.example"]]);
    assertEquals(installedRootOptions(`${NAME}-2`, env).size, 0);
  });
  await asUser("{}", (env) => {
    assertThrows(() => findInstallRecord(NAME, env), Error, "install.json");
    assertEquals(installedRootOptions(NAME, env).size, 0);
  });
});

Deno.test("agentFolders() has the folder of the installed service, else those of any agent", async () => {
  const paths = { runtimeDir: "", userRuntimeDir: "/run/user/7/agent" };
  const of = (name: string, env: Record<string, string>) =>
    agentFolders({ ...paths, serviceName: name }, env);
  await asUser(formatInstallRecord(OWN_RECORD), (env) => {
    assertEquals(of(NAME, env), [OWN_RECORD.runtimeFolder]);
    assertEquals(of(`${NAME}-2`, env), runtimeFolders(paths));
  });
  await asUser("{}", (env) => assertEquals(of(NAME, env), runtimeFolders(paths)));
  const usual = formatInstallRecord({ ...OWN_RECORD, service: PROGRAM });
  await asUser(usual, (env) => {
    assertEquals(of(PROGRAM, env), [...runtimeFolders(paths), OWN_RECORD.runtimeFolder]);
  }, { name: PROGRAM });
});
