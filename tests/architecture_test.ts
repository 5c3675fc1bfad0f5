import { assert, assertEquals } from "@std/assert";

/** The rooms of lib/, lowest first; a file imports only from its own room and those before it. */
const ROOMS: readonly (readonly string[])[] = [
  ["types.ts", "errors.ts", "rate.ts", "version.ts"],
  ["parse/"],
  ["log.ts", "config/"],
  ["service/"],
  ["host/"],
  ["collect/"],
  ["snapshot.ts", "measuring.ts", "machine.ts", "darwin_machine.ts"],
  ["protocol.ts", "panel_message.ts", "task_list.ts"],
  ["line/"],
  ["address/"],
  ["panel/"],
  ["discovery/"],
  ["probe/"],
  ["control/"],
  ["demo/"],
  ["agent.ts", "dry_run.ts"],
  ["connection.ts", "month.ts", "open_machine.ts", "this_machine.ts", "this_mac.ts"],
  ["start_shell.ts", "start_story.ts"],
  ["duties.ts"],
  ["reporting.ts", "dry_run_command.ts", "traffic_command.ts", "health_command.ts"],
  ["install/"],
  ["update/"],
  ["main.ts"],
];

/** Where the runtime, the network and timers may be touched. */
const EDGES = [
  "host/",
  "line/",
  "address/",
  "panel/",
  "discovery/",
  "probe/",
  "control/",
  "demo/",
  "install/",
  "update/",
  "agent.ts",
  "main.ts",
];

interface SourceFile {
  readonly name: string;
  readonly text: string;
}

function* walk(folder: URL, prefix = ""): Generator<SourceFile> {
  for (const entry of Deno.readDirSync(folder)) {
    const url = new URL(entry.name + (entry.isDirectory ? "/" : ""), folder);
    if (entry.isDirectory) yield* walk(url, `${prefix}${entry.name}/`);
    else if (entry.name.endsWith(".ts")) {
      yield { name: prefix + entry.name, text: Deno.readTextFileSync(url) };
    }
  }
}

const root = new URL("../", import.meta.url);
const files: readonly SourceFile[] = [
  ...walk(new URL("lib/", root)),
  { name: "main.ts", text: Deno.readTextFileSync(new URL("main.ts", root)) },
];

function levelOf(name: string): number {
  const level = ROOMS.findIndex((rooms) => rooms.some((room) => name.startsWith(room)));
  assert(level !== -1, `${name} belongs to no room; give it one here and in ARCHITECTURE.md`);
  return level;
}

/** Code without comments and without what stands in quotes. */
function codeOf({ text }: SourceFile): string {
  return text
    .replace(/\/\*[\s\S]*?\*\//g, "")
    .replace(/^\s*\/\/.*$|\s\/\/ .*$/gm, "")
    .replace(/(["'`])(?:\\[\s\S]|(?!\1)[^\\])*\1/g, '""');
}

function importsOf({ name, text }: SourceFile): string[] {
  const from = name === "main.ts" ? new URL("main.ts", root) : new URL(`lib/${name}`, root);
  const paths = text.matchAll(/(?:from|import\() ?"(\.[^"]+)"|import "(\.[^"]+)"/g);
  return Array.from(paths, ([, path = "", bare = ""]) => {
    const target = new URL(path || bare, from).href.slice(root.href.length);
    return target.replace(/^lib\//, "");
  }).filter((target) => target.endsWith(".ts"));
}

Deno.test("imports go one way, from the rooms above to those below", () => {
  for (const file of files) {
    for (const target of importsOf(file)) {
      const up = levelOf(target) <= levelOf(file.name);
      assert(up, `${file.name} imports ${target}, which lives above it`);
    }
  }
});

Deno.test("no two files of lib/ import each other in a circle", () => {
  const graph = new Map(files.map((file) => [file.name, importsOf(file)]));
  const done = new Set<string>();
  function visit(name: string, path: readonly string[]): void {
    assert(!path.includes(name), `a circle: ${[...path, name].join(" -> ")}`);
    if (done.has(name)) return;
    for (const target of graph.get(name) ?? []) visit(target, [...path, name]);
    done.add(name);
  }
  for (const name of graph.keys()) visit(name, []);
});

Deno.test("the runtime, the network and timers are touched at the edges only", () => {
  const touching = /\bDeno\.|"node:|\bfetch\(|\bsetTimeout\(|\bsetInterval\(|\bnew WebSocket\b/;
  for (const file of files) {
    if (EDGES.some((edge) => file.name.startsWith(edge))) continue;
    const code = codeOf(file) + (/from "node:/.test(file.text) ? '"node:' : "");
    const found = touching.exec(code);
    assertEquals(found?.[0], undefined, `${file.name} touches ${found?.[0]}`);
  }
});

Deno.test("nothing escapes the type checker", () => {
  for (const file of files) {
    const code = codeOf(file);
    assertEquals(/(?::|<|\bas|\|) ?any\b/.exec(code)?.[0], undefined, file.name);
    assertEquals(
      /\bas (?!const\b)[A-Za-z{[]/.exec(withoutRenames(code))?.[0],
      undefined,
      file.name,
    );
    assertEquals(/@ts-(ignore|expect-error|nocheck)/.exec(file.text)?.[0], undefined, file.name);
    for (const [ignore] of file.text.matchAll(/deno-lint-ignore.*/g)) {
      assert(ignore.includes("--"), `${file.name}: "${ignore}" gives no reason`);
    }
  }
});

/** Code without `import { a as b }`, which is no cast. */
function withoutRenames(code: string): string {
  return code.replace(/^(import|export) [^;]*?from/gm, "from");
}

Deno.test("no module keeps state of its own", () => {
  for (const file of files) {
    assertEquals(/^(export )?(let|var) /m.exec(codeOf(file))?.[0], undefined, file.name);
  }
});

Deno.test("every test lies where the file that it tests lies", () => {
  const known = new Set(files.map((file) => file.name.replace(/\.ts$/, "")));
  const apart = [
    "architecture",
    "docs",
    "machines",
    "build/",
    "end_to_end/",
    "bench/",
    "fixtures/",
    "soak/",
    "live/",
    "security/",
    "install_script",
  ];
  for (const { name } of walk(new URL("tests/", root))) {
    if (!name.endsWith("_test.ts") || apart.some((prefix) => name.startsWith(prefix))) continue;
    assert(known.has(name.replace(/_test\.ts$/, "")), `tests/${name} tests no file of lib/`);
  }
});
