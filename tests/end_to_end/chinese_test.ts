import { assertEquals, assertMatch } from "@std/assert";
import { brokenRules } from "../cli/chinese_style.ts";
import { HealthFile } from "../../lib/state/health_file.ts";
import { type Command, COMMAND_ROWS, isCommand } from "../../lib/config/commands.ts";
import { spawnProgram } from "./command_line.ts";
import { writeRecordedMachine } from "../metrics/recorded_machine.ts";
import { inFolder } from "../temp_folder.ts";

/** A service that no machine has. */
const SERVICE = "--install-service-name chinese-test";
/** A port of nobody. */
const NOWHERE = "http://127.0.0.1:9";
const PANEL = `-e ${NOWHERE} -t the-token`;

/** Command lines of every command, those that work and those that fail. */
const LINES: Readonly<Record<Command, readonly string[]>> = {
  "report": [
    "",
    "-e panel.example.com -t x",
    `-e ${NOWHERE}`,
    `${PANEL} --interval 0`,
    `${PANEL} --intervall 3`,
    `${PANEL} --token-file /nowhere/token`,
    "--config /nowhere/config.json",
    `${PANEL} --ca-cert /dev/null`,
    `${PANEL} --custom-dns a:b:c`,
    `${PANEL} --require-seal --enable-remote-control`,
    `${PANEL} --metrics nowhere`,
    `${PANEL} --header x`,
    `${PANEL} --month-rotate 40`,
    "--dry-run --interval 0.2",
    "--dry-run --verbose --interval 0.2 --include-nics none --gpu --ip-services off",
    "--dry-run --interval 0.2 --month-rotate 1 --memory-mode available",
    "nothing",
  ],
  "demo": ["demo --fault help", "demo --fault nothing", "demo --port 99999"],
  "traffic show": ["traffic show", "traffic show --up 5"],
  "traffic set": ["traffic set", "traffic set --up 5", "traffic set --up five"],
  "install": [
    "install",
    `install -e ${NOWHERE}`,
    `install ${PANEL}`,
    `install ${PANEL} --print ${SERVICE}`,
    "install --replace --print",
    "install --lang fr",
  ],
  "uninstall": [
    `uninstall ${SERVICE}`,
    `uninstall --restore --print ${SERVICE}`,
    "uninstall --keep-state --restore",
  ],
  "status": [`status ${SERVICE}`, "status --wrong"],
  "doctor": [
    `doctor ${PANEL} ${SERVICE}`,
    `doctor -e https://127.0.0.1:9 ${SERVICE}`,
    `doctor -e http://nowhere.invalid:9 -t the-token --month-rotate 1 ${SERVICE}`,
    "doctor --wrong",
  ],
  "config show": [
    `config show ${PANEL} --ignore-unsafe-cert --interval 60`,
    "config show --include-nics x --month-rotate x",
    "config show --config /dev/null",
  ],
  "health": ["health", "health --wrong"],
  "update": [
    "update",
    "update --check --now",
    `update --update-url ${NOWHERE}`,
    `update --now --update-url ${NOWHERE}`,
    "update --update-key x",
  ],
  "version": ["version", "version --wrong"],
  "licenses": ["licenses", "licenses more"],
  "help": ["help", "help install", "help traffic", "help nothing"],
};

/** English that stays: what is not the program's own, or is a name. */
const ALLOWED: readonly RegExp[] = [
  // The beginning of a log line, and commands to type.
  /^\S+Z (?:info|warning|error) +\w+/gm,
  /(?:sudo )?(?:komari-agent-deno|loginctl|systemctl|journalctl|resolvectl|dig|getent|rc-update|rc-service|adduser|addgroup)(?: [!-~]+)*/g,
  // Addresses and paths, flags and their values, variables, and what is quoted.
  /https?:\/\/[!-~]+|(?<![\w-])[~$]?[\w.@-]*\/[\w./@*:=-]*/g,
  /(?<![\w-])--?[a-z][\w-]*(?:[= ][A-Z]\w*)?|\$?\b[A-Z_]{3,}\b/g,
  /`[^`]*`|“[^”]*”|"[^"]*"/g,
  // The program's commands by their names.
  new RegExp(
    COMMAND_ROWS.map(([name]) => name).filter((name) => name.includes(" ")).join("|"),
    "g",
  ),
];

/** Without licenses, and without what is written into files. */
function withoutQuoted(text: string): string {
  return text.replace(/^Copyright .*$|^Permission is hereby[^]*/gm, "").replace(/^ {4}.*$/gm, "");
}

/** The parts of a text that are English sentences: two words, one after the other. */
function englishIn(text: string): string[] {
  const rest = ALLOWED.reduce((rest, pattern) => rest.replace(pattern, "·"), text);
  return rest.split("\n").filter((line) => /\b[A-Za-z]{2,} [a-z]{2,}\b/.test(line));
}

/** The health file of an agent that runs with every kind of trouble. */
function openHealth(folder: string): Disposable {
  Deno.mkdirSync(folder);
  const file = HealthFile.open([folder], { version: "1.2.3" });
  if (file === undefined) throw new Error("Cannot write a health file");
  const text = "Cannot send agent.report (POST /api/rpc2): status 504 and a page of HTML";
  file.setSeal("sealed by the runtime only: the system forbids it (EPERM)");
  file.setProblem("state", "Cannot write /x: No space left on device");
  file.setProblem("metrics", "localhost port 9: address already in use");
  file.setProblem("ping", "Cannot ping 127.0.0.1: /bin/sh could not be started to ping with");
  const panel = { transport: undefined, acceptedAtMs: undefined, probes: 2, shortConnections: 9 };
  const error = { text, atMs: Date.now() };
  const panels = ["p.example", "q.example"].map((name) => ({
    ...panel,
    panel: name,
    failures: 3,
    sinceMs: Date.now(),
    error,
  }));
  file.setPanels(panels, { now: true });
  return { [Symbol.dispose]: () => file.close() };
}

function spawn(line: string, home: string, env?: Record<string, string>): Deno.ChildProcess {
  return spawnProgram(line.split(" ").filter((word) => word !== ""), home, env);
}

async function run(line: string, home: string, env?: Record<string, string>): Promise<string> {
  const { stdout, stderr } = await spawn(`${line} --lang zh`, home, env).output();
  const decoder = new TextDecoder();
  return decoder.decode(stdout) + decoder.decode(stderr);
}

for (const name of Object.keys(LINES).filter(isCommand)) {
  inFolder.test(`${name} prints no English sentence with --lang zh`, async (home) => {
    const health = openHealth(`${home.path}/run`);
    using _health = health;
    // What this machine has of interfaces and mounts is of no account.
    Deno.chmodSync(home.path, 0o755);
    const HOST_PROC = writeRecordedMachine("debian-vm", `${home.path}/machine`);
    for (const line of LINES[name]) {
      const output = await run(line, home.path, name === "report" ? { HOST_PROC } : {});
      assertMatch(output, /\S/, line);
      assertEquals(englishIn(withoutQuoted(output)), [], line);
      const wrong = output.split("\n").filter((text) => brokenRules(text).length > 0);
      assertEquals(wrong, [], line);
    }
  });
}

inFolder.test("what is for programs is English with --lang zh too", async (home) => {
  for (const line of ["traffic show", "doctor"]) {
    const text = `${line} ${PANEL} --month-rotate 1`;
    assertMatch(await run(text, home.path), /\p{Script=Han}/u);
    for (const flag of ["--json", "--log-format json"]) {
      const output = await run(`${text} ${flag}`, home.path);
      assertMatch(output, /^\P{Script=Han}+$/u, `${line} ${flag}`);
    }
  }
});

/** Whether the agent has logged all that it does without a panel. */
function isAtTheEnd(output: string): boolean {
  return /Cannot report|无法上报/.test(output);
}

inFolder.test("an agent's log is English by the locale alone, and Chinese when that is asked for", async (home) => {
  for (const [args, language] of [["", "en"], ["--lang zh", "zh"]] as const) {
    const child = spawn(`${PANEL} ${args}`.trim(), home.path, { LANG: "zh_CN.UTF-8" });
    let output = "";
    for await (const text of child.stderr.pipeThrough(new TextDecoderStream())) {
      const before = isAtTheEnd(output);
      output += text;
      if (!before && isAtTheEnd(output)) child.kill("SIGTERM");
    }
    await child.stdout.cancel();
    await child.status;
    assertEquals(output.includes("Cannot report"), language === "en", output);
    assertEquals(englishIn(output).length === 0, language === "zh", output);
  }
});
