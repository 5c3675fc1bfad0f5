import { TempFolder } from "./temp_folder.ts";
import { assertEquals } from "@std/assert";
import { parse } from "@std/yaml";
import { jsonFields } from "../lib/parse/json.ts";
import { writeExecutable } from "./executable.ts";

/** The line of shell of the last task of the playbook on a page. */
function installTask(page: string): string {
  const text = Deno.readTextFileSync(new URL(`../docs/${page}`, import.meta.url));
  const [, yaml = ""] = /```yaml\n(.*?)```/s.exec(text) ?? [];
  const plays: unknown = parse(yaml);
  const { tasks } = jsonFields(Array.isArray(plays) ? plays[0] : undefined);
  const task = jsonFields(Array.isArray(tasks) ? tasks.at(-1) : undefined);
  return String(task["ansible.builtin.shell"]);
}

for (const page of ["install.md", "zh-CN/install.md"]) {
  Deno.test(`the playbook of docs/${page} fails again until its settings are right`, () => {
    using folder = new TempFolder();
    const path = (name: string) => `${folder.path}/${name}`;
    writeExecutable(
      path("komari-install.sh"),
      `echo "$@" >>${path("calls")}; echo installed; grep -q right "$2"`,
    );
    const line = installTask(page).replaceAll("/root/", `${folder.path}/`);
    const run = (settings: string) => {
      Deno.writeTextFileSync(path("komari.json"), settings);
      const { code, stdout } = new Deno.Command("/bin/sh", { args: ["-c", line] }).outputSync();
      return [code, new TextDecoder().decode(stdout)];
    };
    assertEquals(run("right 1"), [0, "installed\n"]);
    assertEquals(run("right 1"), [0, ""], "nothing to do");
    assertEquals(run("wrong"), [1, "installed\n"]);
    assertEquals(run("wrong"), [1, "installed\n"], "it fails again");
    assertEquals(run("right 2"), [0, "installed\n"]);
    const calls = Deno.readTextFileSync(path("calls")).trim().split("\n");
    assertEquals(calls[0], `--config ${path("komari.json")}`);
    assertEquals(calls.length, 4);
  });
}
