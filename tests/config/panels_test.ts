import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { type Config, resolveConfig } from "../../lib/config/config.ts";
import { panelNames } from "../../lib/config/panels.ts";
import { UsageError } from "../../lib/config/usage_error.ts";

interface Given {
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Value of the key `panels`; the file has nothing else but `rest`. */
  readonly panels?: unknown;
  readonly rest?: Readonly<Record<string, unknown>>;
}

function resolve({ args = [], env = {}, panels, rest = {} }: Given): Config {
  return resolveConfig({
    args: panels === undefined ? args : [...args, "--config", "/config.json"],
    env,
    readText: () => JSON.stringify({ ...rest, panels }),
    readMode: () => 0o600,
  });
}

function refusal(given: Given): string {
  return assertThrows(() => resolve(given), UsageError).message;
}

/** Endpoints with their tokens, the first panel's first. */
function nodesOf(config: Config): string[] {
  return [config, ...config.furtherPanels].map(({ endpoint, token }) => `${endpoint} ${token}`);
}

const PAIRS = ["-e", "https://a.example.com", "-t", "-one", "-e", "https://b.example.com/x/"];

const A = { endpoint: "https://a.example.com", token: "one" };
const B = { endpoint: "https://b.example.com", token: "two" };

Deno.test("severalPanels() pairs repeated endpoints with repeated tokens, in their order", () => {
  const config = resolve({ args: [...PAIRS, "-t", "two"] });
  assertEquals(nodesOf(config), ["https://a.example.com -one", "https://b.example.com/x two"]);
  assertEquals(config.secrets.includes("two"), true);
});

Deno.test("severalPanels() refuses endpoints that lack a token", () => {
  const early = ["-t", "one", "-e", A.endpoint, "-t", "two", "-e", B.endpoint];
  const expected = ["https://a.example.com one", "https://b.example.com two"];
  assertEquals(nodesOf(resolve({ args: early })), expected);
  const late = ["-e", A.endpoint, "-e", B.endpoint, "-t", "one", "-t", "two"];
  assertStringIncludes(
    refusal({ args: late }),
    "Cannot pair 2 --endpoint with 2 --token: give each panel's token behind its endpoint",
  );
  assertStringIncludes(refusal({ args: PAIRS }), "Cannot pair 2 --endpoint with 1 --token");
  const tooMany = ["-t", "zero", "-t", "one", ...PAIRS, "-t", "two"];
  assertStringIncludes(refusal({ args: tooMany }), "Cannot pair 2 --endpoint with 4 --token");
});

Deno.test("severalPanels() checks each of the further values like the first", () => {
  const message = refusal({ args: ["-e", A.endpoint, "-t", "x", "-e", "b", "-t", "y"] });
  assertStringIncludes(message, "the value of flag --endpoint");
});

Deno.test("severalPanels() takes the last token of several for one endpoint", () => {
  assertEquals(nodesOf(resolve({ args: ["-e", A.endpoint, "-t", "x", "-t", "y"] })), [
    "https://a.example.com y",
  ]);
});

Deno.test("severalPanels() takes panels of a file in place of an endpoint or beside it", () => {
  const both = ["https://a.example.com one", "https://b.example.com two"];
  assertEquals(nodesOf(resolve({ panels: [A, B] })), both);
  const beside = resolve({ panels: [B], rest: { ...A, interval: 7 } });
  assertEquals(nodesOf(beside), both);
  assertEquals(beside.furtherPanels[0]?.intervalSeconds, 7);
});

Deno.test("withoutUnused() says which panels an endpoint of a stronger layer replaces", () => {
  const args = ["-e", "https://c.example.com", "-t", "x"];
  const env = { AGENT_PANELS: JSON.stringify([A, B]) };
  const table = [
    [{ panels: [A, B] }, "key panels of /config.json"],
    [{ env }, "variable AGENT_PANELS"],
  ] as const;
  for (const [given, name] of table) {
    const config = resolve({ args, ...given });
    assertEquals(nodesOf(config), ["https://c.example.com x"]);
    assertEquals(config.notices, [`${name} is not used: flag --endpoint names all panels`]);
    for (const given of [config.origins, config.explicitOptions]) {
      assertEquals(given.has("panels"), false);
    }
  }
  const pairs = resolve({ args: [...PAIRS, "-t", "two"], env });
  assertEquals([nodesOf(pairs).length, pairs.notices.length], [2, 1]);
  const beside = resolveConfig({
    args: ["--config", "/config.json"],
    env: { AGENT_PANELS: JSON.stringify([B]) },
    readText: () => JSON.stringify(A),
    readMode: () => 0o600,
  });
  assertEquals([nodesOf(beside).length, beside.notices], [2, []], "both are used");
});

Deno.test("withoutUnused() says that a token without an endpoint is not used beside panels", () => {
  const panels = { AGENT_PANELS: JSON.stringify([A, B]) };
  const flag = refusal({ args: ["-t", "unused-t0ken"], env: panels });
  assertStringIncludes(
    flag,
    "Cannot use flag --token without --endpoint: variable AGENT_PANELS has",
  );
  const config = resolve({ env: { ...panels, AGENT_TOKEN: "unused-t0ken" } });
  assertEquals(nodesOf(config).length, 2);
  assertEquals(config.notices, [
    "variable AGENT_TOKEN is not used: variable AGENT_PANELS has the token of each panel",
  ]);
  assertEquals(config.origins.get("token"), undefined);
  assertEquals(config.secrets.includes("unused-t0ken"), true);
});

Deno.test("resolveConfig() lets only install leave out the token of a pair", () => {
  const pairs = (...words: string[]) => [...words, "-e", A.endpoint, "-e", B.endpoint, "-t", "two"];
  const expected = ["https://a.example.com ", "https://b.example.com two"];
  assertEquals(nodesOf(resolve({ args: pairs("install") })), expected);
  for (const words of [[], ["doctor"]]) {
    assertStringIncludes(refusal({ args: pairs(...words) }), "Cannot pair 2 --endpoint with 1");
  }
  const panels = [{ ...A, token: null }, B];
  assertStringIncludes(refusal({ panels, rest: { ...B, token: "x" } }), "without a token of each");
});

Deno.test("severalPanels() gives each panel its own interval and remote control", () => {
  const panels = [{ ...A, interval: 2 }, { ...B, enable_remote_control: true }];
  const config = resolve({ panels, rest: { interval: 9 } });
  const expected = [2, false, false];
  assertEquals([config.intervalSeconds, config.remoteControl, config.remoteFiles], expected);
  const [further] = config.furtherPanels;
  const wanted = [9, true, true];
  assertEquals([further?.intervalSeconds, further?.remoteControl, further?.remoteFiles], wanted);
});

Deno.test("severalPanels() lets --disable-web-ssh and --disable-remote-files count for all", () => {
  const panels = [A, { ...B, enable_remote_control: true }];
  const vetoed = resolve({ panels, rest: { disable_web_ssh: true } });
  assertEquals(vetoed.furtherPanels[0]?.remoteControl, false);
  const noFiles = resolve({ panels, rest: { disable_remote_files: true } });
  assertEquals(noFiles.furtherPanels[0]?.remoteFiles, false);
});

Deno.test("severalPanels() refuses remote control for an unnamed one of several panels", () => {
  const args = [...PAIRS, "-t", "two", "--enable-remote-control"];
  assertStringIncludes(refusal({ args }), "set enable_remote_control for the panel that may");
  const rest = { enable_remote_control: true };
  assertStringIncludes(refusal({ panels: [A, B], rest }), "Cannot use --enable-remote-control");
  const beside = { panels: [B], rest: A };
  assertStringIncludes(refusal({ ...beside, args: ["--enable-remote-control"] }), "Cannot use");
  assertStringIncludes(refusal({ ...beside, env: { AGENT_ENABLE_REMOTE_CONTROL: "1" } }), "Cannot");
  // With an endpoint of its own it is the option of that panel.
  const config = resolve({ panels: [B], rest: { ...A, ...rest } });
  assertEquals([config.remoteControl, config.furtherPanels[0]?.remoteControl], [true, false]);
});

Deno.test("severalPanels() refuses the same node twice", () => {
  assertStringIncludes(refusal({ panels: [A, A] }), "Cannot report to one node of a panel twice");
});

Deno.test("parsePanels() refuses other shapes, and never shows a token", () => {
  const cases: readonly unknown[] = [
    "x",
    {},
    [null],
    [{ ...A, extra: 1 }],
    [{ token: "s3cret" }],
    [{ endpoint: A.endpoint }],
    [{ ...A, token: "s3cret s3cret" }],
    [{ ...A, endpoint: "ftp://s3cret" }],
    [{ ...A, interval: 0 }],
    [{ ...A, interval: "3" }],
    [{ ...A, enable_remote_control: "yes" }],
    Array.from({ length: 17 }, (_, at) => ({ ...A, token: `t${at}` })),
  ];
  for (const panels of cases) {
    const message = refusal({ panels });
    assertStringIncludes(message, "Cannot use the value of key panels of /config.json: expected ");
    assertEquals(message.includes("s3cret"), false, message);
  }
});

Deno.test("panelNames() are host and path, and number further nodes at one panel", () => {
  const endpoints = ["https://p.example/a/", "http://q.example:8080", "https://p.example/a"];
  const panels = [...endpoints, endpoints[0] ?? ""].map((endpoint) => ({ endpoint }));
  const expected = ["p.example/a", "q.example:8080", "p.example/a (2)", "p.example/a (3)"];
  assertEquals(panelNames(panels), expected);
});
