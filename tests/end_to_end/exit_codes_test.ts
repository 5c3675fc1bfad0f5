import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { startTestPanel } from "../test_panel/test_panel.ts";
import { spawnProgram } from "./command_line.ts";
import { inFolder } from "../temp_folder.ts";

/** What a command line ends with: its exit code, and words of its output or of its error. */
const ENDS: readonly [line: string, code: number, output: RegExp, error: RegExp][] = [
  ["version", 0, /^komari-agent-deno \d/, /^$/],
  ["help", 0, /^komari-agent-deno reports this machine/, /^$/],
  ["--wrong", 2, /^$/, /^Cannot use flag --wrong: no such flag.*\n$/],
  ["-e https://p.example", 2, /^$/, /^Cannot report without --token TOKEN.*\n$/],
  ["--lang zh --wrong", 2, /^$/, /^无法使用选项 --wrong.*\n$/],
  ["traffic set", 2, /^$/, /^Cannot set the month's traffic: .* are needed\n$/],
  ["traffic show", 1, /^$/, /^Cannot show the month's traffic: there is no .*\n$/],
  ["health", 1, /^Unhealthy: the agent exited unexpectedly\n$/, /^$/],
  [
    "status --install-service-name komari-agent-deno",
    1,
    /^NOT REPORTING: the agent exited unexpectedly/,
    /^$/,
  ],
];

inFolder.test("the program ends with 0, 1 for a failure, and 2 for a mistake of its user's", async ({ path: home }) => {
  for (const [line, code, output, error] of ENDS) {
    const found = await spawnProgram(line.split(" "), home).output();
    const [stdout, stderr] = [found.stdout, found.stderr].map((it) => new TextDecoder().decode(it));
    assertEquals(found.code, code, `${line}: ${stdout}${stderr}`);
    assertMatch(stdout ?? "", output, line);
    assertMatch(stderr ?? "", error, line);
  }
});

inFolder.test("with --log-format json an error is an object in a line", async ({ path: home }) => {
  const found = await spawnProgram(["--log-format", "json", "--wrong"], home).output();
  const { time: _, error, ...line } = JSON.parse(new TextDecoder().decode(found.stderr));
  assertEquals([found.code, line.level, line.component], [2, "error", "agent"]);
  assertEquals(line.message, error);
  assertStringIncludes(error, "Cannot use flag --wrong");
});

inFolder.test("the program ends with 130 when it is interrupted", async ({ path: home }) => {
  const dryRun = ["--dry-run", "--interval", "5", "--ip-services", "off"];
  const child = spawnProgram(dryRun, home);
  const output = new Response(child.stdout).text();
  let text = "";
  for await (const bytes of child.stderr) {
    const before = text;
    text += new TextDecoder().decode(bytes);
    const isMeasuring = text.includes("Measuring twice") && !before.includes("Measuring twice");
    if (isMeasuring) child.kill("SIGINT");
  }
  assertEquals([(await child.status).code, await output], [130, ""]);
});

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  inFolder.test(`an agent ends with 0 by ${signal}`, async ({ path: home }) => {
    using panel = await startTestPanel();
    const options = ["-e", panel.url, "-t", panel.token, "--ip-services", "off"];
    const child = spawnProgram([...options, "--enable-remote-control"], home);
    const [output, errors] = [child.stdout, child.stderr].map((it) => new Response(it).text());
    await panel.state.until(({ sockets }) => sockets.opened === 1);
    child.kill(signal);
    assertEquals([(await child.status).code, await output], [0, ""]);
    assertStringIncludes(await errors ?? "", "Stopped");
  });
}
