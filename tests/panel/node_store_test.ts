import { assert, assertEquals, assertMatch, assertRejects, assertThrows } from "@std/assert";
import {
  formatKnownNodes,
  NodeStore,
  parseKnownNodes,
  withNode,
} from "../../lib/panel/node_store.ts";
import { collectedLog } from "../log/collected_log.ts";
import { inFolder, TempFolder } from "../temp_folder.ts";
import { openBelow } from "../open_below.ts";
import { onlySyntaxErrors } from "../parse/only_syntax_errors.ts";
import { onLinux } from "../only_on.ts";
import { mountedInMemory } from "../mounted.ts";

const NODE = { endpoint: "https://panel.example", uuid: "u", token: "t", registeredAtMs: 1 };
const OTHER = { ...NODE, endpoint: "https://other.example", token: "t2" };

function store(folder: string, forgives = false): NodeStore {
  return new NodeStore(folder, { ignoreDamage: forgives });
}

async function keep(folder: string, node: typeof NODE, forgives = false): Promise<void> {
  using opened = store(folder, forgives);
  await opened.open();
  await opened.save(node);
}

function names(folder: string): string[] {
  return Array.from(Deno.readDirSync(folder), ({ name }) => name).sort();
}

inFolder.test("NodeStore saves a node for each panel, readable by its owner only", async ({ path: folder }) => {
  assertEquals(store(folder).read(), []);
  assertEquals(names(folder), []);
  await keep(folder, NODE);
  await keep(folder, OTHER);
  assertEquals(store(folder).find(NODE.endpoint), NODE);
  assertEquals(store(folder).find(OTHER.endpoint), OTHER);
  assertEquals(store(folder).find("https://third.example"), undefined);
  await keep(folder, { ...NODE, token: "t3" });
  assertEquals(store(folder).find(NODE.endpoint)?.token, "t3");
  assertEquals((Deno.statSync(store(folder).path).mode ?? 0) & 0o777, 0o600);
});

for (const [kind, damage] of Object.entries({ cut: '{"version":1,', empty: "", zeroed: "\0\0" })) {
  inFolder.test(`NodeStore throws for a file that is ${kind}, unless damage is ignored`, async ({ path: folder }) => {
    const name = "auto-discovery.state";
    Deno.writeTextFileSync(`${folder}/${name}`, damage);
    assertThrows(() => store(folder).find(NODE.endpoint), Error, "it is damaged");
    await assertRejects(() => keep(folder, NODE), Error, "it is damaged");
    assertEquals(names(folder), [name]);
    const log = await collectedLog(() => {
      assertEquals(store(folder, true).read(), []);
      return Promise.resolve();
    });
    assertEquals(log.length, 1);
    assertMatch(log[0] ?? "", new RegExp(`warning panel: ${folder}/${name} is damaged; `));
    await keep(folder, NODE, true);
    assertEquals(store(folder).read(), [NODE]);
    assertEquals(Deno.readTextFileSync(`${folder}/${name}.damaged`), damage);
  });
}

inFolder.test("NodeStore goes on with the nodes before when the last ones are damaged, and says so", async ({ path: folder }) => {
  await keep(folder, NODE);
  await keep(folder, OTHER);
  const { path } = store(folder);
  const bytes = Deno.readFileSync(path);
  bytes.set(new TextEncoder().encode("x"), 0);
  Deno.writeFileSync(path, bytes);
  const log = await collectedLog(() => {
    assertEquals(store(folder).read(), [NODE]);
    return Promise.resolve();
  });
  assertEquals(log.length, 1);
  assertMatch(log[0] ?? "", /warning panel: .*\/auto-discovery\.state is damaged, and an older/);
});

inFolder.test("NodeStore.lock() excludes other processes, and differs from the lock of the traffic state", async ({ path: folder }) => {
  using one = store(`${folder}/new`);
  using other = store(`${folder}/new`);
  assertEquals(one.lock(), undefined, "it is not open yet");
  await one.open();
  await other.open();
  const lock = one.lock();
  assert(lock !== undefined);
  assertEquals(other.lock(), undefined);
  lock[Symbol.dispose]();
  other.lock()?.[Symbol.dispose]();
  assert(one.lock() !== undefined);
  assertEquals(names(`${folder}/new`), ["auto-discovery.lock", "auto-discovery.state"]);
});

inFolder.test("NodeStore.checkWritable() keeps the saved nodes", async ({ path: folder }) => {
  using opened = store(folder);
  await opened.open();
  await opened.checkWritable();
  assertEquals(opened.read(), []);
  await opened.save(NODE);
  await opened.checkWritable();
  assertEquals(opened.read(), [NODE]);
});

inFolder.test("NodeStore.open() throws where nothing can be written, and writes to nothing that a link leads to", async ({ path: folder }) => {
  await assertRejects(() => store("/dev/null/state").open(), Error, "Cannot ");
  Deno.symlinkSync("elsewhere", `${folder}/auto-discovery.lock`);
  await assertRejects(() => store(folder).open(), Error, "Cannot use the folder");
  assertEquals(names(folder), ["auto-discovery.lock"]);
});

inFolder.test("NodeStore.checkWritable() throws when no space is left", async ({ path: folder }) => {
  await using mount = await mountedInMemory(folder, "size=16k");
  if (mount === undefined) return;
  using opened = store(folder);
  await opened.open();
  // One page is left, which is too little for what stays on the disk beside the state.
  Deno.writeFileSync(`${folder}/big`, new Uint8Array(16_384 - 8192));
  await assertRejects(() => opened.checkWritable(), Error, "Cannot write");
});

onLinux.test("NodeStore leaves no file open, also when it could not be opened", async () => {
  using temp = new TempFolder();
  const folder = temp.path;
  {
    using opened = store(`${folder}/state`);
    await opened.open();
    assertEquals(openBelow(folder).length, 2);
  }
  assertEquals(openBelow(folder), []);
  Deno.removeSync(`${folder}/state/auto-discovery.lock`);
  Deno.symlinkSync("elsewhere", `${folder}/state/auto-discovery.lock`);
  const failing = store(`${folder}/state`);
  await assertRejects(() => failing.open(), Error);
  assertEquals(openBelow(folder), []);
});

const HERE = { endpoint: "https://here.example", uuid: "u-1", token: "t1", registeredAtMs: 17 };
const THERE = { endpoint: "https://there.example/base", uuid: "u-2", token: "t2" };
const LONGEST = { ...THERE, uuid: "u".repeat(64), token: "!~".repeat(128) };

Deno.test("parseKnownNodes() reads what formatKnownNodes() writes", () => {
  for (const nodes of [[], [HERE], [THERE, HERE], [{ ...HERE, registeredAtMs: 0 }], [LONGEST]]) {
    assertEquals(parseKnownNodes(formatKnownNodes(nodes)), nodes);
  }
});

Deno.test("formatKnownNodes() writes JSON that people can read", () => {
  const text = JSON.stringify({ version: 1, nodes: [THERE] }, null, 2);
  assertEquals(formatKnownNodes([THERE]), `${text}\n`);
});

const BAD: Record<string, string> = {
  "an official agent's file": '{"uuid":"u","token":"t"}',
  "another version": '{"version":2,"nodes":[]}',
  "a node without a panel": '{"version":1,"nodes":[{"uuid":"u","token":"t"}]}',
  "a node without a token": '{"version":1,"nodes":[{"endpoint":"https://a","uuid":"u"}]}',
  "a time before 1970": formatKnownNodes([{ ...HERE, registeredAtMs: -1 }]),
  "a part of a millisecond": formatKnownNodes([{ ...HERE, registeredAtMs: 1.5 }]),
  "a time that is a text": formatKnownNodes([HERE]).replace("17", '"17"'),
  "an endpoint that is no text": formatKnownNodes([HERE]).replace('"https://here.example"', "1"),
  "a node that is null": '{"version":1,"nodes":[null]}',
  "a text that is cut off": formatKnownNodes([HERE]).slice(0, -20),
  "an id of 65 characters": formatKnownNodes([{ ...HERE, uuid: "u".repeat(65) }]),
  "a token of 257 characters": formatKnownNodes([{ ...HERE, token: "t".repeat(257) }]),
  "a token with a space": formatKnownNodes([{ ...HERE, token: "t 1" }]),
  "a token with a line break": formatKnownNodes([{ ...HERE, token: "t1\n" }]),
  "nothing": "",
};

for (const [kind, text] of Object.entries(BAD)) {
  Deno.test(`parseKnownNodes() throws for ${kind}`, () => {
    assertThrows(() => parseKnownNodes(text), SyntaxError);
  });
}

Deno.test("parseKnownNodes() throws SyntaxErrors only", () => {
  onlySyntaxErrors(parseKnownNodes, [formatKnownNodes([HERE, THERE])]);
});

Deno.test("withNode() puts a node first, and replaces the former one of its panel", () => {
  const anew = { ...HERE, token: "t3" };
  assertEquals(withNode([THERE, HERE], anew), [anew, THERE]);
});

Deno.test("withNode() keeps the 16 panels used last", () => {
  const panel = (number: number) => ({ ...THERE, endpoint: `https://p${number}.example` });
  let nodes = withNode([], panel(0));
  for (let number = 1; number < 40; number++) nodes = withNode(nodes, panel(number));
  assertEquals(nodes.length, 16);
  assertEquals(nodes[0], panel(39));
});
