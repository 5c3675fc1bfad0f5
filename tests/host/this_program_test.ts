import { assertEquals } from "@std/assert";
import { isInContainerImage, thisProgram, thisTarget } from "../../lib/host/this_program.ts";
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
