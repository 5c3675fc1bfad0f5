import { assertEquals } from "@std/assert";
import {
  installedPackage,
  isInContainerImage,
  PACKAGE_MANAGERS,
  packageOf,
  RESTART_EXIT_CODE,
  RESTART_SIGNAL,
  thisProgram,
  thisTarget,
} from "../../lib/host/this_program.ts";
import { replaced } from "../replaced.ts";
import { TempFolder } from "../temp_folder.ts";
import { onLinux } from "../only_on.ts";
import { denoOutput } from "../deno_output.ts";

Deno.test("thisProgram() is sources when a module was started", () => {
  const { form, path } = thisProgram();
  assertEquals({ form, path }, {
    form: "source",
    path: decodeURIComponent(new URL(Deno.mainModule).pathname),
  });
});

Deno.test("thisTarget() names a machine for compiled programs alone", () => {
  assertEquals(thisTarget({ form: "source", path: "/x/main.ts" }), "source");
  assertEquals(thisTarget({ form: "portable", path: "/x/agent" }), "portable");
  const arch = { x86_64: "amd64", aarch64: "arm64" }[Deno.build.arch];
  assertEquals(thisTarget({ form: "binary", path: "/x/agent" }), `${Deno.build.os}-${arch}`);
});

Deno.test("isInContainerImage() knows an image by the file that it has put there", () => {
  const asked: string[] = [];
  let isFile = true;
  using _mark = replaced<object>(Deno, {
    statSync(path: string) {
      asked.push(path);
      return { isFile, isDirectory: !isFile };
    },
  });
  assertEquals(isInContainerImage(), true);
  isFile = false;
  assertEquals(isInContainerImage(), false);
  assertEquals(new Set(asked), new Set(["/.komari-agent-container"]));
});

onLinux.test("thisProgram() is a portable build when a script was started, whatever its name", async () => {
  using folder = new TempFolder();
  const script = `
import { thisProgram } from "${new URL("../../lib/host/this_program.ts", import.meta.url)}";
const program = thisProgram();
const isOwn = ({ name }) => {
  try {
    return Deno.readLinkSync("/proc/self/fd/" + name) === program.path;
  } catch {
    return false;
  }
};
const open = [...Deno.readDirSync("/proc/self/fd")].filter(isOwn).length;
console.log(JSON.stringify({ ...program, open }));`;
  for (const [first, form] of [["#!/usr/bin/env deno", "portable"], ["//!", "source"]]) {
    const path = `${folder.path}/100% ü.ts`;
    Deno.writeTextFileSync(path, first + script);
    const found = JSON.parse(await denoOutput("run -A --no-check --no-config", [path]));
    assertEquals(found, { form, path: Deno.realPathSync(path), open: 0 });
  }
});

Deno.test("an agent is restarted by what services and earlier versions expect", () => {
  assertEquals([RESTART_SIGNAL, RESTART_EXIT_CODE], ["SIGUSR2", 75]);
});

Deno.test("PACKAGE_MANAGERS has the command of each kind of package", () => {
  assertEquals(PACKAGE_MANAGERS, { deb: "apt", rpm: "dnf" });
});

const NAME = "komari-agent-deno";

/** A machine's root below which a package has put the program. */
function packagedRoot(marker: string | undefined): TempFolder {
  const root = new TempFolder();
  Deno.mkdirSync(`${root.path}/usr/bin`, { recursive: true });
  Deno.mkdirSync(`${root.path}/usr/lib/${NAME}`, { recursive: true });
  Deno.writeTextFileSync(`${root.path}/usr/bin/${NAME}`, "");
  if (marker !== undefined) Deno.writeTextFileSync(`${root.path}/usr/lib/${NAME}/package`, marker);
  return root;
}

Deno.test("packageOf() knows a packaged program, by a link too, from another one", () => {
  using machine = packagedRoot("rpm\n");
  const root = machine.path;
  Deno.symlinkSync("usr/bin", `${root}/bin`);
  Deno.writeTextFileSync(`${root}/another`, "");
  const kindOf = (path: string) => packageOf({ form: "binary", path: root + path }, { root: root });
  assertEquals(installedPackage({ root: root }), "rpm");
  assertEquals(kindOf(`/usr/bin/${NAME}`), "rpm");
  assertEquals(kindOf(`/bin/${NAME}`), "rpm");
  assertEquals(kindOf("/another"), undefined);
  assertEquals(kindOf("/missing"), undefined);
});

Deno.test("packageOf() finds none without a marker, or with one that says something else", () => {
  for (const marker of [undefined, "", "snap\n"]) {
    using machine = packagedRoot(marker);
    const root = machine.path;
    assertEquals(installedPackage({ root: root }), undefined);
    assertEquals(
      packageOf({ form: "binary", path: `${root}/usr/bin/${NAME}` }, { root: root }),
      undefined,
    );
  }
});
