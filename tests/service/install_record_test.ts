import { assertEquals, assertThrows } from "@std/assert";
import {
  findInstallRecord,
  foreignOwner,
  formatInstallRecord,
  installedConfigPaths,
  installedRootOptions,
  parseInstallRecord,
} from "../../lib/service/install_record.ts";
import { replaced } from "../replaced.ts";
import { inFolder, TempFolder } from "../temp_folder.ts";
import { PROGRAM } from "../../lib/version.ts";
import { RECORD } from "./service_plans.ts";

Deno.test("parseInstallRecord() parses the output of formatInstallRecord()", () => {
  assertEquals(parseInstallRecord(formatInstallRecord(RECORD)), RECORD);
});

Deno.test("parseInstallRecord() throws when a path is dangerous or a field is wrong", () => {
  const bad: Record<string, unknown>[] = [
    ...["/", "/etc", "/etc/.", "/./etc", "/var/lib/../..", "/var/lib/x/"].map((it) => ({
      trees: [it],
    })),
    ...[{ trees: "/var/lib/x" }, { rootOptions: undefined }, { rootOptions: { mirror: 1 } }],
    ...[{ files: ["etc/passwd"] }, { files: [7] }, { folders: [""] }, { program: "./x" }],
    ...[{ manager: "sysv" }, { scope: "all" }, { service: "a b" }, { user: undefined }],
    { links: undefined },
  ];
  for (const change of bad) {
    const text = JSON.stringify({ ...RECORD, ...change });
    const why = "Cannot parse the installation record";
    assertThrows(() => parseInstallRecord(text), SyntaxError, why);
  }
  for (const text of ["", "null", "[]", '"x"', "{"]) {
    assertThrows(() => parseInstallRecord(text), SyntaxError);
  }
});

inFolder.test("foreignOwner() is who else than this user and root owns a file", (folder) => {
  assertEquals(foreignOwner(folder.path), undefined);
  {
    using _user = replaced(Deno, { uid: () => 4711 });
    assertEquals(foreignOwner("/"), undefined, "root's");
  }
  const owner = Deno.uid() ?? 0;
  using _user = replaced(Deno, { uid: () => owner + 1 });
  assertEquals(foreignOwner(folder.path), owner === 0 ? undefined : owner);
  const { statSync } = Deno;
  using _others = replaced<object>(Deno, {
    statSync: (path: string) => ({ ...statSync(path), uid: 65_534 }),
  });
  assertEquals(foreignOwner(folder.path), 65_534);
});

/** A name that no service of this machine has. */
const NAME = "no-such-service-of-this-machine";

/** The variables of a user, root or not, in whose home a service has this record. */
function asUser(
  record?: string,
  { name = NAME, uid = 4711 } = {},
): Disposable & { readonly env: Record<string, string> } {
  const home = new TempFolder();
  const own = replaced(Deno, { uid: () => uid });
  if (record !== undefined) {
    Deno.mkdirSync(`${home.path}/.config/${name}`, { recursive: true });
    Deno.writeTextFileSync(`${home.path}/.config/${name}/install.json`, record);
  }
  return {
    env: { HOME: home.path },
    [Symbol.dispose]() {
      own[Symbol.dispose]();
      home[Symbol.dispose]();
    },
  };
}

const OWN_RECORD = {
  ...RECORD,
  service: NAME,
  runtimeFolder: `/run/user/7/${NAME}`,
  rootOptions: { mirror: "https://m.example" },
};

Deno.test("installedConfigPaths() looks into the user's configuration before the system's", () => {
  {
    using _user = asUser();
    const paths = ["/home/ann/.config/x/config.json", "/etc/x/config.json"];
    assertEquals(installedConfigPaths("x", { HOME: "/home/ann" }), paths);
    for (const HOME of ["", "home/ann"]) {
      assertEquals(installedConfigPaths("x", { HOME }), ["/etc/x/config.json"]);
    }
  }
  using _root = asUser(undefined, { uid: 0 });
  assertEquals(installedConfigPaths("x", { HOME: "/root" }), ["/etc/x/config.json"]);
});

Deno.test("installedRootOptions() are those of the service whose program this is, where none is named", () => {
  using folder = new TempFolder();
  const program = `${folder.path}/two`;
  Deno.writeTextFileSync(program, "");
  using user = asUser(formatInstallRecord({ ...OWN_RECORD, program }), { name: "two" });
  Deno.symlinkSync(program, `${folder.path}/link`);
  const link = `${folder.path}/link`;
  const table = [[PROGRAM, program], [PROGRAM, link], [PROGRAM, "/two"], ["x", program]];
  const mirrors = table.map(([name = "", path]) => {
    return installedRootOptions(name, user.env, path).get("mirror");
  });
  assertEquals(mirrors, ["https://m.example", "https://m.example", undefined, undefined]);
});

Deno.test("findInstallRecord() finds the user's own, and says when it is damaged", () => {
  {
    using user = asUser(formatInstallRecord(OWN_RECORD));
    assertEquals(findInstallRecord(NAME, user.env)?.runtimeFolder, OWN_RECORD.runtimeFolder);
    assertEquals(findInstallRecord(`${NAME}-2`, user.env), undefined);
    assertEquals([...installedRootOptions(NAME, user.env)], [["mirror", "https://m.example"]]);
    assertEquals(installedRootOptions(`${NAME}-2`, user.env).size, 0);
  }
  using damaged = asUser("{}");
  assertThrows(() => findInstallRecord(NAME, damaged.env), Error, "install.json");
  assertEquals(installedRootOptions(NAME, damaged.env).size, 0);
});
