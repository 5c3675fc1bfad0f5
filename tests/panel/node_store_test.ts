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
import { inFolder } from "../temp_folder.ts";
import { onlySyntaxErrors } from "../parse/only_syntax_errors.ts";
import { mountedInMemory } from "../mounted.ts";

const NODE = { endpoint: "https://panel.example", uuid: "u", token: "t", registeredAtMs: 1 };
const OTHER = { ...NODE, endpoint: "https://other.example", token: "t2" };
const IN_DOUBT = { endpoint: OTHER.endpoint, count: 2, atMs: 7 };
const NAME = "auto-discovery.state";

function store(folder: string, ignoreDamage = false): NodeStore {
  return new NodeStore(folder, { ignoreDamage });
}

async function keep(folder: string, node: typeof NODE, ignoreDamage = false): Promise<void> {
  using opened = store(folder, ignoreDamage);
  await opened.open();
  await opened.save(node);
}

/** The log of a look at what is known, which is this. */
function readsAs(store: NodeStore, nodes: readonly KnownNode[]): Promise<string[]> {
  return collectedLog(async () => {
    await Promise.resolve();
    assertEquals(store.read(), { nodes });
  });
}

function names(folder: string): string[] {
  return Array.from(Deno.readDirSync(folder), ({ name }) => name).sort();
}

inFolder.test("NodeStore saves a node for each panel, readable by its owner only", async ({ path: folder }) => {
  assertEquals([store(folder).read(), names(folder)], [{ nodes: [] }, []]);
  for (const node of [NODE, OTHER, { ...NODE, token: "t3" }]) await keep(folder, node);
  const endpoints = [NODE.endpoint, OTHER.endpoint, "https://third.example"];
  const tokens = endpoints.map((endpoint) => store(folder).find(endpoint)?.token);
  assertEquals(tokens, ["t3", "t2", undefined]);
  assertEquals((Deno.statSync(store(folder).path).mode ?? 0) & 0o777, 0o600);
});

for (const [kind, damage] of Object.entries({ cut: '{"version":1,', empty: "", zeroed: "\0\0" })) {
  inFolder.test(`NodeStore throws for a file that is ${kind}, unless damage is ignored`, async ({ path: folder }) => {
    Deno.writeTextFileSync(`${folder}/${NAME}`, damage);
    assertThrows(() => store(folder).find(NODE.endpoint), Error, "it is damaged");
    await assertRejects(() => keep(folder, NODE), Error, "it is damaged");
    assertEquals(names(folder), [NAME]);
    const [line = "", ...more] = await readsAs(store(folder, true), []);
    assertEquals(more, []);
    assertMatch(line, new RegExp(`warning panel: ${folder}/${NAME} is damaged; `));
    await keep(folder, NODE, true);
    assertEquals(store(folder).read(), { nodes: [NODE] });
    assertEquals(Deno.readTextFileSync(`${folder}/${NAME}.damaged`), damage);
  });
}

inFolder.test("NodeStore goes on with the nodes before when the last ones are damaged, and says so", async ({ path: folder }) => {
  for (const node of [NODE, OTHER]) await keep(folder, node);
  const { path } = store(folder);
  Deno.writeFileSync(path, Deno.readFileSync(path).with(0, 0x78));
  const log = (await readsAs(store(folder), [NODE])).join("\n");
  assertMatch(log, /^.* warning panel: .*\/auto-discovery\.state is damaged, and an older.*$/);
});

inFolder.test("NodeStore keeps the nodes beside what is in doubt, until one is saved", async ({ path: folder }) => {
  using opened = store(folder);
  await opened.open();
  await opened.setDoubtful(IN_DOUBT);
  await opened.setDoubtful(undefined);
  assertEquals(opened.read(), { nodes: [] });
  await opened.save(NODE);
  await opened.setDoubtful(IN_DOUBT);
  assertEquals(store(folder).read(), { nodes: [NODE], doubtful: IN_DOUBT });
  const doubts = [OTHER, NODE].map(({ endpoint }) => opened.doubtful(endpoint));
  assertEquals(doubts, [IN_DOUBT, undefined]);
  await opened.save(OTHER);
  assertEquals(opened.read(), { nodes: [OTHER, NODE] });
});

inFolder.test("NodeStore.open() throws where nothing can be written, and writes to nothing that a link leads to", async ({ path: folder }) => {
  await assertRejects(() => store("/dev/null/state").open(), Error, "Cannot ");
  Deno.symlinkSync("elsewhere", `${folder}/${NAME}`);
  await assertRejects(() => store(folder).open(), Error, "Cannot use");
  assertEquals(names(folder), [NAME]);
});

inFolder.test("NodeStore.setDoubtful() throws when no space is left", async ({ path: folder }) => {
  await using mount = await mountedInMemory(folder, "size=16k");
  if (mount === undefined) return;
  using opened = store(folder);
  await opened.open();
  // One page is left, which is too little for what stays on the disk beside the state.
  Deno.writeFileSync(`${folder}/big`, new Uint8Array(16_384 - 8192));
  await assertRejects(() => opened.setDoubtful(IN_DOUBT), Error, "Cannot write");
});

const THERE = { endpoint: "https://there.example/base", uuid: "u-2", token: "t2" };
const LONGEST = { ...THERE, uuid: "u".repeat(64), token: "!~".repeat(128) };

Deno.test("parseKnownNodes() reads what formatKnownNodes() writes, which people can read, and throws for all else", () => {
  for (const nodes of [[], [NODE], [THERE, NODE], [{ ...NODE, registeredAtMs: 0 }], [LONGEST]]) {
    for (const known of [{ nodes }, { nodes, doubtful: IN_DOUBT }]) {
      assertEquals(parseKnownNodes(formatKnownNodes(known)), known);
    }
  }
  const text = formatKnownNodes({ nodes: [NODE] });
  assertEquals(text, `${JSON.stringify({ version: 1, nodes: [NODE] }, null, 2)}\n`);
  const wrong = [
    ...['{"uuid":"u","token":"t"}', '{"version":2,"nodes":[]}', '{"version":1,"nodes":[null]}'],
    ...["-1", "1.5", '"1"'].map((it) => text.replace(/1(?=\n)/, it)),
    ...[text.replace(/"https:.*"/, "1"), text.replace(/"endpoint".*/, ""), text.slice(0, -20), ""],
    text.replace(/,\s*"token": "t"/, ""),
    ...[{ endpoint: 1 }, { count: 0.5 }, { atMs: -1 }].map((it) =>
      JSON.stringify({ version: 1, nodes: [], doubtful: { ...IN_DOUBT, ...it } })
    ),
  ];
  for (const it of wrong) assertThrows(() => parseKnownNodes(it), SyntaxError, "", it);
  onlySyntaxErrors(parseKnownNodes, [text]);
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

Deno.test("withNode() puts a node first, replaces the former one of its panel, and keeps 16", () => {
  const anew = { ...NODE, token: "t3" };
  assertEquals(withNode([THERE, NODE], anew), [anew, THERE]);
  const panels = Array.from(
    { length: 40 },
    (_, n) => ({ ...THERE, endpoint: `https://p${n}.example` }),
  );
  const nodes = panels.reduce<KnownNode[]>(withNode, []);
  assertEquals(nodes, panels.slice(-16).reverse());
});
