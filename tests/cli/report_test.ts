import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { runReport } from "../../lib/cli/report.ts";
import { logUnhandledErrors } from "../../lib/cli/output.ts";
import { configOf, FakeContext } from "./fake_context.ts";
import { collectedLog } from "../log/collected_log.ts";
import { replaced } from "../replaced.ts";
import { openHealth } from "../state/health_folder.ts";
import { inFolder, TempFolder } from "../temp_folder.ts";
import { Programs } from "../../lib/host/programs.ts";
import { onlyIf } from "../only_on.ts";
import { ownPlaces } from "../own_places.ts";

Deno.test("logUnhandledErrors() logs an error that no code handles, and keeps the program running", async () => {
  const handlers = new Map<string, (event: PromiseRejectionEvent) => void>();
  const addEventListener = (name: string, handler: (event: PromiseRejectionEvent) => void) =>
    void handlers.set(name, handler);
  const lines = await collectedLog(() => {
    {
      using _handlers = replaced<object>(globalThis, { addEventListener });
      logUnhandledErrors();
    }
    const promise = Promise.resolve();
    const reason = new Error("it broke", { cause: new Error("deep down") });
    const options = { promise, reason, cancelable: true };
    const event = new PromiseRejectionEvent("unhandledrejection", options);
    handlers.get("unhandledrejection")?.(event);
    assertEquals(event.defaultPrevented, true);
    return Promise.resolve();
  });
  assertEquals([lines.length, lines[0]?.split(" ")[1]], [1, "error"]);
  assertStringIncludes(lines[0] ?? "", "Unexpected: it broke: deep down");
});

inFolder.test("runReport() starts no second agent with the installed configuration", async (folder) => {
  using _agent = openHealth(folder.path);
  const args = ["-e", "http://127.0.0.1:1", "-t", "x", "--enable-remote-control"];
  const config = configOf(args, { RUNTIME_DIRECTORY: folder.path });
  const context = Object.assign(new FakeContext(), { signal: AbortSignal.abort() });
  const why = `an agent is running already (process ${Deno.pid})`;
  await assertRejects(() => runReport({ ...config, isConfigInstalled: true }, context), Error, why);
});

const onTerminal = onlyIf(new Programs().find("script", Deno.env.get("PATH") ?? "") !== undefined);

/** A folder with a configuration, and the words that start an agent by it. */
function configured() {
  const folder = new TempFolder();
  const config = `${folder.path}/config.json`;
  Deno.writeTextFileSync(config, `{"endpoint": "http://127.0.0.1:9", "token": "x"}`);
  return { folder, words: ["run", "-A", "--no-check", "main.ts", "--config", config] };
}

onTerminal.test("runReport() shows a terminal the time of the machine with another root from its first line on", async () => {
  const { folder, words } = configured();
  using _folder = folder;
  for (const name of ["proc", "etc"]) Deno.mkdirSync(`${folder.path}/${name}`);
  // A quarter of an hour off all the others.
  Deno.writeTextFileSync(`${folder.path}/etc/timezone`, "Asia/Kathmandu\n");
  const agent = `env -u TZ ${Deno.execPath()} ${words.join(" ")}`;
  const beforeMs = Date.now();
  const { stdout } = await new Deno.Command("script", {
    args: ["--quiet", "--command", agent, "/dev/null"],
    env: { ...ownPlaces(folder.path), HOST_PROC: `${folder.path}/proc`, NO_COLOR: "1" },
    stdin: "null",
  }).output();
  const shown = new TextDecoder().decode(stdout);
  const time = /^(\S+) info +agent: Configuration: /m.exec(shown)?.[1] ?? shown;
  const format = new Intl.DateTimeFormat("en-GB", {
    timeZone: "Asia/Kathmandu",
    timeStyle: "medium",
  });
  const [earliest, latest] = [format.format(beforeMs), format.format()];
  assert(earliest > latest || (earliest <= time && time <= latest), `${earliest}, ${time}`);
});

Deno.test("runReport() writes for journald where systemd has named its stream", async () => {
  const { folder, words } = configured();
  using _folder = folder;
  const { stderr } = await new Deno.Command(Deno.execPath(), {
    args: words,
    env: { ...ownPlaces(folder.path), HOST_PROC: folder.path, JOURNAL_STREAM: "8:1" },
    stdin: "null",
  }).output();
  assertStringIncludes(new TextDecoder().decode(stderr), "<6>agent: Configuration: ");
});
