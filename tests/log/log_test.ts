import { AsyncLocalStorage } from "node:async_hooks";
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import {
  describeError,
  getLogger,
  type LogOptions,
  setUpLog,
  withPanel,
} from "../../lib/log/log.ts";
import { FakeTime } from "../fake_time.ts";

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

Deno.test("setUpLog() leaves the time to journald and puts the level in front", () => {
  const lines = logged({ forJournal: true, level: "debug" }, () => {
    getLogger("agent").debug("Looking");
    getLogger("agent").info("Started");
    getLogger("agent").warning("Odd");
    getLogger("agent").error("Broken");
  });
  const levels = ["<7>agent: Looking", "<6>agent: Started", "<4>agent: Odd", "<3>agent: Broken"];
  assertEquals(lines, levels);
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

Deno.test("setUpLog() writes JSON objects", () => {
  const [line = ""] = logged({ format: "json" }, () => getLogger("probe").info('A "quoted" word'));
  const { time, ...rest } = JSON.parse(line);
  assertMatch(time, /Z$/);
  assertEquals(rest, { level: "info", component: "probe", message: 'A "quoted" word' });
});

Deno.test("setUpLog() drops lines below the level", () => {
  assertEquals(logged({ level: "warning" }, () => getLogger("agent").info("x")), []);
  assertEquals(logged({ level: "debug" }, () => getLogger("agent").debug("x")).length, 1);
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

Deno.test("describeError() joins the causes without repetition", () => {
  const inner = new Error("no route");
  assertEquals(describeError(new Error("Cannot send", { cause: inner })), "Cannot send: no route");
  const expected = "Cannot send: no route";
  assertEquals(describeError(new Error("Cannot send: no route", { cause: inner })), expected);
  assertEquals(describeError("text"), "text");
  const eof = "peer closed connection: https://docs.rs/rustls/latest/rustls/manual/index.html#eof";
  assertEquals(describeError(new Error(eof)), "peer closed connection");
  const lookup = new Error("getaddrinfo ENOTFOUND p.test");
  const shown = describeError(new Error("Cannot resolve p.test: no such name", { cause: lookup }));
  assertEquals(shown, "Cannot resolve p.test: no such name");
  assertEquals(describeError(lookup), "getaddrinfo ENOTFOUND p.test", "alone it is all there is");
  const denied = "Permission denied (os error 13): open '/x'";
  assertEquals(describeError(new Error(denied)), "Permission denied: open '/x'");
  const call = "File exists (os error 17): rename '/x/a' -> '/x/b'";
  for (
    const [head, left] of [["Cannot write /x/a", ""], ["/x is full", ""], ["/y", call.slice(25)]]
  ) {
    const error = new Error(head, { cause: new Error(call) });
    assertEquals(describeError(error), `${head}: File exists${left}`);
  }
  const again = new Error("Cannot use /x: it is a pipe");
  assertEquals(describeError(new Error("Cannot use /x", { cause: again })), again.message);
  // What has no message is called by its name.
  assertEquals(describeError(new TypeError()), "TypeError");
  assertEquals(describeError(new Error("a", { cause: null })), "a");
  assertEquals(describeError(new Error("a", { cause: "b" })), "a: b");
  assertEquals(
    describeError(new Error("a", { cause: new Error("http://b/?c=d") })),
    "a: http://b/?…",
  );
  const circle = new Error("a");
  circle.cause = circle;
  assertEquals(describeError(circle), "a");
  const chain = [..."fedcba"].reduce<Error | undefined>(
    (cause, name) => new Error(name, { cause }),
    undefined,
  );
  assertEquals(describeError(chain), "a: b: c: d: e", "five at most");
});

Deno.test("setUpLog() writes less than 10 lines a minute about what a panel or the network causes", () => {
  using time = new FakeTime();
  const atMs: number[] = [];
  const lines = logged({ write: () => void atMs.push(performance.now()) }, () => {
    for (let n = 0; n < 3000; n++) {
      getLogger("panel").warning("The panel flaps");
      getLogger("probe").info("A probe fails");
      getLogger("remote").error("A command fails");
      time.tick(100);
    }
  });
  assertEquals(lines, []);
  const inAMinute = (from: number) => atMs.filter((at) => at >= from && at < from + 60_000).length;
  assertEquals(Math.max(...atMs.map(inAMinute)), 9);
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

Deno.test("setUpLog() drops no line of an outage, which are few", () => {
  const events = ["outage started", "outage changed", "outage continues", "outage ended"];
  const lines = logged({ forJournal: true }, () => {
    for (let n = 0; n < 100; n++) getLogger("panel").info("Again");
    for (const event of events) getLogger("panel").info("{event}", { event });
  });
  assertEquals(lines.slice(-4), events.map((event) => `<6>panel: ${event}`));
});

Deno.test("setUpLog() drops no line at the level debug", () => {
  const lines = logged({ level: "debug" }, () => {
    for (let n = 0; n < 100; n++) getLogger("panel").info("Again");
  });
  assertEquals(lines.length, 100);
});

Deno.test("a terminal gets the local time, and colored levels unless they are unwanted", () => {
  const lines = logged({ level: "debug", terminal: { colors: true } }, () => {
    getLogger("agent").debug("x");
    getLogger("agent").info("x");
    getLogger("agent").warning("x");
    getLogger("agent").error("x");
  });
  const time = /^\d\d:\d\d:\d\d /;
  assertEquals(lines.map((line) => line.replace(time, "")), [
    "\x1b[90mdebug  \x1b[0m agent: x",
    "info    agent: x",
    "\x1b[33mwarning\x1b[0m agent: x",
    "\x1b[31merror  \x1b[0m agent: x",
  ]);
  const [plain = ""] = logged({ terminal: { colors: false } }, () => getLogger("agent").error("x"));
  assertEquals(plain.replace(time, ""), "error   agent: x");
  const [journal] = logged({ terminal: { colors: true }, forJournal: true }, () => {
    getLogger("agent").error("x");
  });
  assertEquals(journal, "<3>agent: x");
});

Deno.test("setUpLog() writes the time of an event, in UTC and for a terminal in local time", () => {
  using _ = new FakeTime({ now: new Date(2026, 4, 3, 7, 8, 9) });
  const utc = new Date().toISOString();
  const log = () => getLogger("agent").info("x");
  assertEquals(logged({}, log), [`${utc} info    agent: x`]);
  assertEquals(JSON.parse(logged({ format: "json" }, log)[0] ?? "").time, utc);
  const [line = ""] = logged({ terminal: { colors: false } }, log);
  assertEquals(line.slice(0, 9), "07:08:09 ");
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
