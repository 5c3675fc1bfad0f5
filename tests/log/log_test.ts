import { AsyncLocalStorage } from "node:async_hooks";
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import {
  describeError,
  getLogger,
  type LogOptions,
  setUpLog,
  withPanel,
} from "../../lib/log/log.ts";
import { same } from "../cases.ts";

const SECRET = `s3c"r&t+/=`;

function logged(options: Partial<LogOptions>, say: () => void): string[] {
  const lines: string[] = [];
  setUpLog({
    level: "info",
    format: "text",
    secrets: [SECRET],
    forJournal: false,
    write: (line) => lines.push(line),
    ...options,
  });
  say();
  return lines;
}

Deno.test("setUpLog() writes one line per event with time, level and component", () => {
  const lines = logged({}, () => getLogger("panel").warning("It is {what}", { what: "gone\nnow" }));
  assertEquals(lines.length, 1);
  assertMatch(lines[0] ?? "", /^\d{4}-\d\d-\d\dT[\d:.]+Z warning panel: It is gone now$/);
});

Deno.test("setUpLog() leaves arrows in a line's own words and its advice only", () => {
  const values = { reason: "gone \u2192 run x", action: "wait \u2192 or go", outages: "\u2192" };
  const [line = ""] = logged(
    { forJournal: true },
    () => getLogger("panel").warning("It is {reason} \u2192 {action} {outages}", values),
  );
  assertEquals(line, "<4>panel: It is gone -> run x \u2192 wait \u2192 or go \u2192");
});

Deno.test("withPanel() names the panel in each line, also behind an await", async () => {
  const lines: string[] = [];
  const contexts = new AsyncLocalStorage<Record<string, unknown>>();
  for (const format of ["text", "json"] as const) {
    logged({ format, contexts, forJournal: true, write: (line) => lines.push(line) }, () => {});
    await withPanel("panel.example.com", async () => {
      await Promise.resolve();
      getLogger("panel").info("It is back");
    });
    getLogger("agent").info("Stopped");
  }
  const [named, unnamed, json = "", other = ""] = lines;
  assertEquals([named, unnamed], ["<6>panel: [panel.example.com] It is back", "<6>agent: Stopped"]);
  assertEquals([JSON.parse(json).panel, JSON.parse(other).panel], ["panel.example.com", undefined]);
  assertEquals(Object.keys(JSON.parse(json)), ["time", "level", "component", "panel", "message"]);
});

Deno.test("setUpLog() writes JSON objects, and drops lines below the level", () => {
  const [line = ""] = logged({ format: "json" }, () => getLogger("probe").info('A "quoted" word'));
  const { time, ...rest } = JSON.parse(line);
  assertMatch(time, /Z$/);
  assertEquals(rest, { level: "info", component: "probe", message: 'A "quoted" word' });
  assertEquals(logged({ level: "warning" }, () => getLogger("agent").info("x")), []);
});

Deno.test("setUpLog() hides the token in every spelling, causes included", () => {
  const url = `http://p.example/api/clients/report?token=${encodeURIComponent(SECRET)}`;
  const error = new Error("outer", { cause: new Error(`request for url (${url}): refused`) });
  for (const format of ["text", "json"] as const) {
    const lines = logged({ format }, () => {
      getLogger("panel").error("Failed: {error}", { error });
      getLogger("panel").error(`Raw ${SECRET} and ${encodeURIComponent(SECRET)} and ${url}`);
    });
    const text = lines.join("\n");
    assertEquals(text.includes(SECRET), false);
    assertEquals(text.includes(encodeURIComponent(SECRET)), false);
    assertStringIncludes(text, "refused");
  }
});

/** An error of this chain of messages, from the outermost to its cause. */
function chainOf(...messages: readonly unknown[]): unknown {
  return messages.reduceRight((cause, message) => new Error(`${message}`, { cause }), undefined);
}

Deno.test("describeError() joins the causes without repetition", () => {
  const eof = "peer closed connection: https://docs.rs/rustls/latest/rustls/manual/index.html#eof";
  const lookup = "getaddrinfo ENOTFOUND p.test";
  const call = "File exists (os error 17): rename '/x/a' -> '/x/b'";
  const circle = new Error("a");
  circle.cause = circle;
  same(describeError, [
    [chainOf("Cannot send", "no route"), "Cannot send: no route"],
    [chainOf("Cannot send: no route", "no route"), "Cannot send: no route"],
    [chainOf(eof), "peer closed connection"],
    [chainOf("Cannot resolve p.test: no such name", lookup), "Cannot resolve p.test: no such name"],
    [chainOf(lookup), lookup], // Alone it is all there is.
    [chainOf("Permission denied (os error 13): open '/x'"), "Permission denied: open '/x'"],
    [chainOf("Cannot write /x/a", call), "Cannot write /x/a: File exists"],
    [chainOf("/x is full", call), "/x is full: File exists"],
    [chainOf("/y", call), `/y: File exists${call.slice(25)}`],
    [chainOf("Cannot use /x", "Cannot use /x: it is a pipe"), "Cannot use /x: it is a pipe"],
    [chainOf("a", "http://b/?c=d"), "a: http://b/?…"],
    [chainOf(..."abcdef"), "a: b: c: d: e"], // Five at most.
    [chainOf("a", "b\n\x1b[32mOK\x1b[0m"), "a: b [32mOK [0m"], // One line, whoever wrote it.
    [circle, "a"],
    ["text", "text"],
    [new TypeError(), "TypeError"], // What has no message is called by its name.
    [new Error("a", { cause: null }), "a"],
    [new Error("a", { cause: "b" }), "a: b"],
  ]);
});

Deno.test("setUpLog() says that lines are dropped, and keeps some for warnings, errors and other components", () => {
  const lines = logged({ forJournal: true }, () => {
    for (let n = 0; n < 100; n++) getLogger("panel").info("Again");
    for (let n = 0; n < 100; n++) getLogger("remote").warning("Odd");
    getLogger("remote").error("Broken");
    getLogger("agent").info("Stopped");
  });
  assertEquals(lines, [
    ...Array(5).fill("<6>panel: Again"),
    "<4>panel: Too many lines: further ones are dropped for up to a minute",
    "<4>remote: Odd",
    "<3>remote: Broken",
    "<6>agent: Stopped",
  ]);
});

Deno.test("setUpLog() drops no line of an outage or a refusal, which are few, and none at the level debug", () => {
  const outage = ["started", "changed", "continues", "ended"].map((it) => `outage ${it}`);
  const events = [...outage, "refusal"];
  const log = () => {
    for (let n = 0; n < 100; n++) getLogger("panel").info("Again");
    for (const event of events) getLogger("panel").info("{event}", { event });
  };
  const lines = logged({ forJournal: true }, log);
  assertEquals(lines.slice(-5), events.map((event) => `<6>panel: ${event}`));
  assertEquals([lines.length, logged({ level: "debug" }, log).length], [5 + 1 + 5, 105]);
});

Deno.test("a terminal gets the local time, and colored levels unless they are unwanted", () => {
  const all = () => {
    for (const level of ["debug", "info", "warning", "error"] as const) {
      getLogger("agent")[level]("x");
    }
  };
  const shown = (options: Partial<LogOptions>) =>
    logged({ level: "debug", ...options }, all).map((line) => line.replace(/^\d\d:\d\d:\d\d /, ""));
  const words = ["debug  ", "info   ", "warning", "error  "];
  const colored = words.map((word, index) => {
    const color = [90, undefined, 33, 31][index];
    return color === undefined ? `${word} agent: x` : `\x1b[${color}m${word}\x1b[0m agent: x`;
  });
  assertEquals(shown({ terminal: { colors: true } }), colored);
  assertEquals(shown({ terminal: { colors: false } }), words.map((word) => `${word} agent: x`));
  const journal = shown({ terminal: { colors: true }, forJournal: true });
  assertEquals(journal, [7, 6, 4, 3].map((level) => `<${level}>agent: x`));
});

Deno.test("setUpLog() limits what the network causes, each panel on its own", () => {
  const contexts = new AsyncLocalStorage<Record<string, unknown>>();
  const lines = logged({ contexts, forJournal: true }, () => {
    for (const panel of ["one", "two"]) {
      withPanel(panel, () => {
        for (const component of ["net", "panel", "probe", "remote"] as const) {
          for (let n = 0; n < 3; n++) getLogger(component).info("Again");
          for (let n = 0; n < 3; n++) getLogger(component).error("Broken");
        }
      });
    }
    for (const component of ["agent", "update"] as const) {
      for (let n = 0; n < 20; n++) getLogger(component).info("Again");
    }
  });
  const count = (word: string) => lines.filter((line) => line.includes(word)).length;
  for (const panel of ["[one]", "[two]"]) {
    assertEquals(count(`${panel} Again`), 5);
    assertEquals(count(`${panel} Broken`), 2);
    assertEquals(count(`${panel} Too many lines`), 1);
  }
  assertEquals([count("agent: Again"), count("update: Again")], [20, 20]);
});
