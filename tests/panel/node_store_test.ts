import { assertEquals, assertMatch, assertRejects, assertThrows } from "@std/assert";
import {
  formatKnownNodes,
  type KnownNode,
  NodeStore,
  parseKnownNodes,
  parseNode,
  withNode,
} from "../../lib/panel/node_store.ts";
import { parseRegistration } from "../../lib/panel/registration_client.ts";
import { parseJson } from "../../lib/parse/json.ts";
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
  assertEquals(store(folder).read(), { nodes: [] });
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
      assertEquals(store(folder, true).read(), { nodes: [] });
      return Promise.resolve();
    });
    assertEquals(log.length, 1);
    assertMatch(log[0] ?? "", new RegExp(`warning panel: ${folder}/${name} is damaged; `));
    await keep(folder, NODE, true);
    assertEquals(store(folder).read(), { nodes: [NODE] });
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
    assertEquals(store(folder).read(), { nodes: [NODE] });
    return Promise.resolve();
  });
  assertEquals(log.length, 1);
  assertMatch(log[0] ?? "", /warning panel: .*\/auto-discovery\.state is damaged, and an older/);
});

inFolder.test("NodeStore keeps the nodes beside what is in doubt, until one is saved", async ({ path: folder }) => {
  using opened = store(folder);
  await opened.open();
  const doubtful = { endpoint: OTHER.endpoint, count: 2, atMs: 7 };
  await opened.setDoubtful(doubtful);
  await opened.setDoubtful(undefined);
  assertEquals(opened.read(), { nodes: [] });
  await opened.save(NODE);
  await opened.setDoubtful(doubtful);
  assertEquals(store(folder).read(), { nodes: [NODE], doubtful });
  assertEquals(opened.doubtful(OTHER.endpoint), doubtful);
  assertEquals(opened.doubtful(NODE.endpoint), undefined);
  await opened.save(OTHER);
  assertEquals(opened.read(), { nodes: [OTHER, NODE] });
});

inFolder.test("NodeStore.open() throws where nothing can be written, and writes to nothing that a link leads to", async ({ path: folder }) => {
  await assertRejects(() => store("/dev/null/state").open(), Error, "Cannot ");
  Deno.symlinkSync("elsewhere", `${folder}/auto-discovery.state`);
  await assertRejects(() => store(folder).open(), Error, "Cannot use");
  assertEquals(names(folder), ["auto-discovery.state"]);
});

inFolder.test("NodeStore.setDoubtful() throws when no space is left", async ({ path: folder }) => {
  await using mount = await mountedInMemory(folder, "size=16k");
  if (mount === undefined) return;
  using opened = store(folder);
  await opened.open();
  // One page is left, which is too little for what stays on the disk beside the state.
  Deno.writeFileSync(`${folder}/big`, new Uint8Array(16_384 - 8192));
  const doubtful = { endpoint: NODE.endpoint, count: 1, atMs: 1 };
  await assertRejects(() => opened.setDoubtful(doubtful), Error, "Cannot write");
});

onLinux.test("NodeStore leaves no file open", async () => {
  using folder = new TempFolder();
  {
    using opened = store(`${folder.path}/state`);
    await opened.open();
    assertEquals(openBelow(folder.path).length, 1);
  }
  assertEquals(openBelow(folder.path), []);
});

const HERE = { endpoint: "https://here.example", uuid: "u-1", token: "t1", registeredAtMs: 17 };
const THERE = { endpoint: "https://there.example/base", uuid: "u-2", token: "t2" };
const LONGEST = { ...THERE, uuid: "u".repeat(64), token: "!~".repeat(128) };

function textOf(...nodes: KnownNode[]): string {
  return formatKnownNodes({ nodes });
}

Deno.test("parseKnownNodes() reads what formatKnownNodes() writes, which people can read", () => {
  for (const nodes of [[], [HERE], [THERE, HERE], [{ ...HERE, registeredAtMs: 0 }], [LONGEST]]) {
    for (const more of [{}, { doubtful: { endpoint: "https://a", count: 1, atMs: 0 } }]) {
      const known = { nodes, ...more };
      assertEquals(parseKnownNodes(formatKnownNodes(known)), known);
    }
  }
  assertEquals(textOf(THERE), `${JSON.stringify({ version: 1, nodes: [THERE] }, null, 2)}\n`);
});

Deno.test("parseKnownNodes() throws for everything else", () => {
  const bad = [
    '{"uuid":"u","token":"t"}',
    '{"version":2,"nodes":[]}',
    '{"version":1,"nodes":[{"uuid":"u","token":"t"}]}',
    '{"version":1,"nodes":[{"endpoint":"https://a","uuid":"u"}]}',
    '{"version":1,"nodes":[null]}',
    '{"version":1,"nodes":[],"doubtful":{"endpoint":1,"count":1,"atMs":1}}',
    '{"version":1,"nodes":[],"doubtful":{"endpoint":"https://a","count":0.5,"atMs":1}}',
    textOf({ ...HERE, registeredAtMs: -1 }),
    textOf({ ...HERE, registeredAtMs: 1.5 }),
    textOf(HERE).replace("17", '"17"'),
    textOf(HERE).replace('"https://here.example"', "1"),
    textOf(HERE).slice(0, -20),
    "",
  ];
  for (const text of bad) assertThrows(() => parseKnownNodes(text), SyntaxError);
  onlySyntaxErrors(parseKnownNodes, [textOf(HERE, THERE)]);
});

Deno.test("parseNode() and parseRegistration() read uuid and token, or throw and quote nothing", () => {
  const node = { uuid: "4092ad74-6d1e-44a6-bcf7-f3cc0210770f", token: "-mgxnkrs0wLO8FcU9UYXSUs" };
  const answer = (data: unknown, status = "success") => JSON.stringify({ status, data });
  assertEquals(parseRegistration(answer({ ...node, name: "x" })), node);
  assertEquals(parseNode(parseJson(JSON.stringify(node, null, 2))), node);
  const bad = [
    ...[null, { uuid: node.uuid }, { token: node.token }, { ...node, token: "" }],
    ...["a b", "a\r\nX-Header: 1", "x".repeat(257), 7].map((token) => ({ ...node, token })),
    ...["../../etc", "x".repeat(65)].map((uuid) => ({ ...node, uuid })),
  ];
  const fails = (parse: () => unknown) =>
    assertEquals(
      assertThrows(parse, SyntaxError).message,
      "Cannot read the node: there is no uuid with a token",
    );
  for (const data of bad) {
    fails(() => parseNode(data));
    fails(() => parseRegistration(answer(data)));
  }
  for (const text of [answer(node, "error"), JSON.stringify(node), "[]"]) {
    fails(() => parseRegistration(text));
  }
  onlySyntaxErrors(parseRegistration, [answer(node)]);
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
