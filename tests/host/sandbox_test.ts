import { assertEquals, assertMatch } from "@std/assert";

/** What a sealed process tries, each in a way of its own; run apart, since the seal holds for good. */
const PROGRAM = `
import { seal } from "${new URL("../../lib/host/sandbox.ts", import.meta.url)}";
import { LocalHost } from "${new URL("../../lib/host/local_host.ts", import.meta.url)}";
import { spawnSync } from "node:child_process";
const host = new LocalHost();
const stat = host.open("/proc/stat");
const links = host.openLinkCount("/proc");
seal();
async function outcome(attempt) {
  try {
    const result = await attempt();
    return result instanceof Error ? result.name : "done";
  } catch (error) {
    return error.name;
  }
}
const IN_WORKER = 'try { new Deno.Command("true").outputSync(); postMessage("done") }' +
  "catch (error) { postMessage(error.name) }";
console.log(JSON.stringify({
  command: await outcome(() => new Deno.Command("true").output()),
  spawn: await outcome(() => { if (spawnSync("true").status !== 0) throw new Error(); }),
  library: await outcome(() => Deno.dlopen("libc.so.6", {})),
  worker: await new Promise((resolve) => {
    const worker = new Worker("data:text/javascript," + encodeURIComponent(IN_WORKER), {
      type: "module",
    });
    worker.onmessage = ({ data }) => resolve(data);
  }),
  again: Deno.permissions.requestSync({ name: "run" }).state,
  opened: await outcome(() => Deno.readTextFileSync("/proc/stat")),
  handle: stat.readFirstLine(),
  links: links(),
  space: host.statfs("/").blocks > 0,
}));
Deno.exit();
`;

Deno.test("seal() takes away every way to start a program, and leaves open files readable", async () => {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-prompt", "--no-check", "--ext=js", "-"],
    stdin: "piped",
    stdout: "piped",
    cwd: new URL("../..", import.meta.url).pathname,
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(PROGRAM));
  await writer.close();
  const { stdout } = await child.output();
  const told = JSON.parse(new TextDecoder().decode(stdout));
  assertEquals(told.command, "NotCapable");
  assertEquals(told.spawn, "Error");
  assertEquals(told.library, "NotCapable");
  assertEquals(told.worker, "NotCapable");
  assertEquals(told.again, "denied");
  assertEquals(told.opened, "NotCapable");
  assertMatch(told.handle, /^cpu /);
  assertEquals(told.links > 1, true);
  assertEquals(told.space, true);
});
