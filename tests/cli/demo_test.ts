import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { runDemo } from "../../lib/cli/demo.ts";
import { UsageError } from "../../lib/config/usage_error.ts";
import { describeFaults } from "../../lib/demo/fault.ts";
import { spawnProgram } from "../end_to_end/command_line.ts";
import { freePort } from "../free_port.ts";
import { collectedLog } from "../log/collected_log.ts";
import { inFolder } from "../temp_folder.ts";
import { configOf, FakeContext } from "./fake_context.ts";

Deno.test("runDemo() lists the faults, and refuses one that there is not", async () => {
  for (const language of ["en", "zh"] as const) {
    const context = new FakeContext();
    const config = configOf(["demo", "--fault", "help", "--lang", language]);
    assertEquals(await runDemo(config, context), 0);
    assertEquals(context.printed, `${describeFaults(language)}\n`);
  }
  const wrong = configOf(["demo", "--fault", "none"]);
  await assertRejects(() => runDemo(wrong, new FakeContext()), UsageError, "Cannot use fault");
});

inFolder.test("runDemo() asks nobody for addresses but those that are named, and has folders of its own", async (home) => {
  const named = ["--ip-services", "https://a.example", "--state-dir", "/mine"];
  const given: unknown[] = [];
  const env = { RUNTIME_DIRECTORY: `${home.path}/run`, STATE_DIRECTORY: `${home.path}/state` };
  for (const words of [[], named]) {
    const context = new FakeContext();
    const runAgent: typeof context.runAgent = ({ ipServices, runtimeDir, stateDir }) => {
      given.push([ipServices, runtimeDir, stateDir]);
      return Promise.resolve();
    };
    const config = configOf(["demo", "--port", String(freePort()), ...words], env);
    const demo = () => runDemo(config, Object.assign(context, { runAgent }));
    // It sends the log to standard error, which ends with this.
    await collectedLog(async () => void await demo());
  }
  assertEquals(given, [
    ["off", `${home.path}/run-demo`, `${home.path}/state-demo`],
    [["https://a.example"], `${home.path}/run-demo`, "/mine"],
  ]);
});

inFolder.test("runDemo() reports to its own panel, with the log on its page, until it is asked to end", async (home) => {
  const port = freePort();
  const child = spawnProgram(["demo", "--port", String(port), "--interval", "0.1"], home.path);
  let [output, errors] = ["", ""];
  const reading = (async () => {
    for await (const bytes of child.stderr) errors += new TextDecoder().decode(bytes);
  })();
  let seen = "";
  for await (const bytes of child.stdout) {
    output += new TextDecoder().decode(bytes);
    const [, url] = /The demo's page: (http:\S+)\/\n/.exec(output) ?? [];
    if (url === undefined || seen !== "") continue;
    const events = await fetch(`${url}/demo/events`);
    for await (const text of events.body?.pipeThrough(new TextDecoderStream()) ?? []) {
      seen += text;
      if (seen.includes('"report":{')) break;
    }
    child.kill("SIGTERM");
  }
  await reading;
  assertEquals((await child.status).code, 0, errors);
  assertStringIncludes(output, "Ctrl-C ends it.");
  assertStringIncludes(seen, '"line":');
  assertEquals(/address of this machine|Cannot/.test(errors), false, errors);
  assertStringIncludes(errors, "Stopped");
});
