import { assert, assertEquals } from "@std/assert";

/**
 * The rooms of lib/ by floor, lowest first. A file imports only from its own room and from the
 * floors below.
 */
const FLOORS: readonly (readonly string[])[] = [
  ["parse/", "log/", "async/", "io/", "attempt.ts", "types.ts", "version.ts"],
  ["config/", "diagnosis/", "host/", "sandbox/", "state/", "net/"],
  ["metrics/", "exporter/", "panel/", "probe/", "remote/", "traffic/"],
  ["agent/", "service/", "update/", "demo/"],
  ["doctor/"],
  ["cli/"],
  ["main.ts"],
];

/** Rooms that use another one on their own floor. */
const NEIGHBOURS: readonly (readonly [from: string, to: string])[] = [
  // The month's traffic counts on from the totals of the network collector.
  ["traffic/", "metrics/"],
  // What runs for the panel sends its results there.
  ["remote/", "panel/"],
  // An update restarts what the installation has made.
  ["update/", "service/"],
  // The log says what to do about a state that can't be kept.
  ["state/", "diagnosis/"],
  // The helper shell looks up on the machine what the sealed process can't.
  ["sandbox/", "host/"],
];

/** Where the runtime, the network and timers may be touched. */
const EDGES = [
  "async/",
  "host/",
  "sandbox/",
  "state/",
  "net/",
  "metrics/public_addresses.ts",
  "panel/",
  "probe/",
  "remote/",
  "demo/",
  "service/",
  "update/",
  "agent/",
  "doctor/",
  "cli/",
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

function floorOf(name: string): number {
  const floor = FLOORS.findIndex((rooms) => rooms.some((room) => name.startsWith(room)));
  assert(floor !== -1, `${name} belongs to no room; give it one here and in ARCHITECTURE.md`);
  return floor;
}

function roomOf(name: string): string {
  return name.includes("/") ? name.slice(0, name.indexOf("/") + 1) : name;
}

function isAllowed(from: string, to: string): boolean {
  if (floorOf(to) !== floorOf(from)) return floorOf(to) < floorOf(from);
  const [fromRoom, toRoom] = [roomOf(from), roomOf(to)];
  return fromRoom === toRoom || floorOf(from) === 0 ||
    NEIGHBOURS.some(([room, neighbour]) => room === fromRoom && neighbour === toRoom);
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

Deno.test("imports go one way, down the floors", () => {
  const wrong = files.flatMap((file) =>
    importsOf(file)
      .filter((target) => !isAllowed(file.name, target))
      .map((target) => `${file.name} -> ${target}`)
  );
  assertEquals(wrong, []);
});

Deno.test("every neighbour is needed", () => {
  const used = files.flatMap((file) =>
    importsOf(file).map((target) => `${roomOf(file.name)} -> ${roomOf(target)}`)
  );
  const unused = NEIGHBOURS.map(([from, to]) => `${from} -> ${to}`)
    .filter((pair) => !used.includes(pair));
  assertEquals(unused, []);
});

Deno.test("net/ imports the lowest rooms alone, and diagnosis/ the pure parsers", () => {
  const rooms = [
    ["net/", /^((net|log|async|io|parse)\/|attempt\.ts)/],
    ["diagnosis/", /^(diagnosis|parse)\//],
  ] as const;
  for (const [room, allowed] of rooms) {
    const targets = files.filter(({ name }) => name.startsWith(room)).flatMap(importsOf);
    assertEquals(targets.filter((target) => !allowed.test(target)), [], room);
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

Deno.test("no two files of lib/ export the same name", () => {
  const exporters = new Map<string, string>();
  for (const file of files) {
    const names = file.text.matchAll(
      /^export (?:async )?(?:function\*?|class|interface|type|const|enum) (\w+)/gm,
    );
    for (const [, name = ""] of names) {
      const other = exporters.get(name);
      assert(other === undefined, `${name} is exported by ${other} and ${file.name}`);
      exporters.set(name, file.name);
    }
  }
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

Deno.test("programs are started in host/ and sandbox/ alone", () => {
  const starters = files.filter((file) => /\bDeno\.Command\(|child_process/.test(codeOf(file)));
  assertEquals(starters.filter(({ name }) => !/^(host|sandbox)\//.test(name)), []);
  assert(starters.length > 0);
});

Deno.test("the token leaves the process by one function", () => {
  const writers = files.filter(({ name, text }) =>
    !name.startsWith("demo/") &&
    /[?&`]token=|\{ token \}\), \.\.\.query|Bearer \$\{token\}/.test(text)
  );
  assertEquals(writers.map(({ name }) => name), ["panel/authentication.ts"]);
});

Deno.test("no module keeps state of its own", () => {
  for (const file of files) {
    assertEquals(/^(export )?(let|var) /m.exec(codeOf(file))?.[0], undefined, file.name);
  }
});

/** Folders of tests that have no room of lib/ beside them. */
const APART = ["build/", "end_to_end/", "slow/", "fixtures/", "security/", "test_panel/"];
/** Tests of several files, or of files outside lib/. */
const OF_MANY = [
  "architecture",
  "docs",
  "install_script",
  "many_machines",
  "metrics/recorded_machines",
];

Deno.test("every test lies beside the file that it tests, or says which one before its aspect", () => {
  const known = files.map((file) => file.name.replace(/\.ts$/, ""));
  for (const { name } of walk(new URL("tests/", root))) {
    if (!name.endsWith("_test.ts") || APART.some((prefix) => name.startsWith(prefix))) continue;
    const tested = name.replace(/_test\.ts$/, "");
    if (OF_MANY.includes(tested)) continue;
    const isKnown = known.some((file) => tested === file || tested.startsWith(`${file}_`));
    assert(isKnown, `tests/${name} tests no file of lib/`);
  }
});

Deno.test("no resource that is used once is declared by `using` alone, which the minifier would lose", () => {
  const declaration = /^( *)(?:await )?using (\w+) = .*/gm;
  for (const { name: path, text } of files) {
    for (const { 0: line, 1: indent = "", 2: name = "", index } of text.matchAll(declaration)) {
      if (name.startsWith("_")) continue;
      const outside = new RegExp(`\\n {0,${Math.max(0, indent.length - 1)}}\\S`);
      const [block = ""] = text.slice(index + line.length).split(outside, 1);
      const uses = block.match(new RegExp(`\\b${name}\\b`, "g"))?.length ?? 0;
      assert(uses > 1, `${path}: declare ${name} by const, and add \`using _ = ${name}\``);
    }
  }
});

Deno.test("the agent loads nothing of node: at its start", () => {
  // A bundle turns such an import of a module that is loaded late into one of the whole program.
  const byName = /^import (?!type\b)[^;]*from "node:/m;
  for (const file of files) {
    assertEquals(
      byName.exec(file.text)?.[0],
      undefined,
      `${file.name}: use await import("node:…")`,
    );
  }
});

/**
 * Code lines of each room, and of its tests, at the most. Who adds takes out: raising a number is a line
 * of a commit that names its reason. The aim is 30,500 in all, and 1.25 times its room for tests.
 */
const BUDGETS: Readonly<Record<string, readonly [code: number, tests: number]>> = {
  "agent/": [1280, 1601],
  "async/": [205, 254],
  "cli/": [1964, 2450],
  "config/": [1862, 1840],
  "demo/": [747, 635],
  "diagnosis/": [805, 405],
  "doctor/": [2950, 1497],
  "exporter/": [247, 244],
  "host/": [1347, 1679],
  "io/": [120, 119],
  "log/": [334, 421],
  "metrics/": [2512, 3121],
  "net/": [2300, 2866],
  "panel/": [3139, 3910],
  "parse/": [1464, 1829],
  "probe/": [660, 766],
  "remote/": [2300, 2887],
  "sandbox/": [1153, 1432],
  "service/": [2715, 3181],
  "state/": [966, 1198],
  "traffic/": [587, 704],
  "update/": [669, 821],
};

/** Of what belongs to no room: slow tests, stand-ins, attacks, end to end, the build, helpers. */
const OTHER_TESTS_BUDGET = 14_000;

/** Lines that are neither blank nor a comment. */
function codeLines(text: string): number {
  return text.split("\n").filter((line) => !/^\s*(?:\/\/|\*|\/\*|$)/.test(line)).length;
}

function linesBelow(folder: string): number {
  try {
    return sumOf(Array.from(walk(new URL(folder, root)), ({ text }) => codeLines(text)));
  } catch {
    return 0;
  }
}

function sumOf(numbers: readonly number[]): number {
  return numbers.reduce((sum, number) => sum + number, 0);
}

Deno.test("each room and its tests keep to their budgets of lines", () => {
  const rooms = [...new Set(files.map(({ name }) => roomOf(name)))].filter((it) =>
    it.endsWith("/")
  );
  assertEquals(rooms.toSorted(), Object.keys(BUDGETS).toSorted());
  const over = rooms.flatMap((room) => {
    const [code = 0, tests = 0] = BUDGETS[room] ?? [];
    const lines = [linesBelow(`lib/${room}`), linesBelow(`tests/${room}`)];
    return (lines[0] ?? 0) > code || (lines[1] ?? 0) > tests
      ? [`${room}: ${lines}, not ${[code, tests]}`]
      : [];
  });
  assertEquals(over, []);
  const others = linesBelow("tests/") - sumOf(rooms.map((room) => linesBelow(`tests/${room}`)));
  assert(others <= OTHER_TESTS_BUDGET, `${others} lines of tests that belong to no room`);
});

Deno.test("lib/ stays small, and so do the pages", () => {
  const lines = sumOf(files.map(({ text }) => codeLines(text)));
  assert(lines <= 32_000, `${lines} lines of code`);
  assert(files.length - 1 <= 320, `${files.length - 1} files`);
  const picks = sumOf(files.map(({ text }) => text.split("Pick<").length - 1));
  assert(picks <= 110, `${picks} times Pick<`);
  const pageLines = (path: string) =>
    Deno.readTextFileSync(new URL(path, root)).split("\n").length - 1;
  for (const folder of ["docs/", "docs/zh-CN/"]) {
    const pages = Array.from(Deno.readDirSync(new URL(folder, root)), ({ name }) => name)
      .filter((name) => name.endsWith(".md"));
    const length = sumOf(pages.map((name) => pageLines(folder + name)));
    assert(length <= 1_200, `${length} lines in ${folder}`);
  }
  for (const path of ["README.md", "README.zh-CN.md"]) assert(pageLines(path) <= 170, path);
  assert(pageLines(".github/ARCHITECTURE.md") <= 200);
});
