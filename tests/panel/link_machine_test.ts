import { assert, assertEquals, assertLessOrEqual } from "@std/assert";
import fc from "fast-check";
import {
  INITIAL_LINK,
  type LinkEffect,
  type LinkEvent,
  type LinkSettings,
  type LinkState,
  type SocketEnd,
  stepLink,
} from "../../lib/panel/link_machine.ts";
import { isSameTransport, type Transport, transportName } from "../../lib/panel/transport.ts";
import { V1_POST, V1_WEBSOCKET, V2_POST, V2_WEBSOCKET } from "./transports.ts";

const AUTO: LinkSettings = {
  transport: "auto",
  protocolVersion: 2,
  remoteControl: false,
  reconnectIntervalSeconds: 2,
};
const CONTROLLED: LinkSettings = { ...AUTO, remoteControl: true };
const OLDER: LinkSettings = { ...AUTO, protocolVersion: 1 };
const HTTP: LinkSettings = { ...AUTO, transport: "http" };
const HTTP_OLDER: LinkSettings = { ...HTTP, protocolVersion: 1 };

const START: LinkEvent = { kind: "start" };
const DUE: LinkEvent = { kind: "timer" };
const OPENED: LinkEvent = { kind: "opened" };
const BLOCKED: LinkEvent = { kind: "dial failed", why: "answered" };
const REFUSED: LinkEvent = { kind: "dial failed", why: "refused" };
const SILENT: LinkEvent = { kind: "dial failed", why: "no answer" };
const closed = (livedMs: number, end: SocketEnd = "closed"): LinkEvent => ({
  kind: "closed",
  durationMs: livedMs,
  end,
});
const accepted = (transport: Transport): LinkEvent => ({
  kind: "accepted",
  transport,
});
const lost = (transport: Transport): LinkEvent => ({
  kind: "failed",
  transport,
  why: "lost",
});
const unsupported = (transport: Transport): LinkEvent => ({
  kind: "failed",
  transport,
  why: "unsupported protocol",
});
const UNSUPPORTED = unsupported(V2_POST);
const NEITHER: readonly LinkEvent[] = [UNSUPPORTED, unsupported(V1_POST)];
const limited = (transport: Transport, retryAfterMs?: number): LinkEvent => ({
  kind: "failed",
  transport,
  why: "limited",
  retryAfterMs,
});
const rejected = (transport: Transport): LinkEvent => ({
  kind: "failed",
  transport,
  why: "rejected",
});

/** Lets events happen one after another, at the same moment and with a random number in the middle. */
function play(
  events: readonly LinkEvent[],
  settings: LinkSettings = AUTO,
  options: { nowMs?: number; random?: number; from?: LinkState } = {},
): { state: LinkState; effects: readonly LinkEffect[]; effectNames: string } {
  let state = options.from ?? INITIAL_LINK;
  let effects: readonly LinkEffect[] = [];
  const { nowMs = 0, random = 0.5 } = options;
  for (const event of events) {
    ({ state, effects } = stepLink(state, event, { nowMs, random, settings }));
  }
  return { state, effects, effectNames: effects.map(nameOf).join(", ") };
}

function nameOf(effect: LinkEffect): string {
  switch (effect.kind) {
    case "dial":
      return `dial v${effect.version}`;
    case "report":
      return `report by ${transportName(effect.transport)}`;
    case "wait":
      return `wait ${effect.ms}`;
    default:
      return effect.kind;
  }
}

const UP: readonly LinkEvent[] = [START, OPENED, accepted(V2_WEBSOCKET)];
const BY_POST: readonly LinkEvent[] = [START, BLOCKED, accepted(V2_POST)];
const BY_OLD: readonly LinkEvent[] = [START, BLOCKED, UNSUPPORTED, accepted(V1_POST)];

const LAST_RESORT: readonly LinkEvent[] = [
  START,
  BLOCKED,
  ...NEITHER,
  OPENED,
  accepted(V1_WEBSOCKET),
];

Deno.test("stepLink() backs off when an outage is a minute old, and forgets it when a report is accepted", () => {
  const outage = { ...INITIAL_LINK, outageSinceMs: 1_000_000 };
  const attemptsAt = (nowMs: number) =>
    play([SILENT], AUTO, { nowMs, from: outage }).state.backoffAttempts;
  assertEquals([1_059_999, 1_060_000].map(attemptsAt), [0, 1]);
  const from: LinkState = { ...outage, trying: 2, backoffAttempts: 5 };
  const { state } = play([accepted(V2_POST)], AUTO, { from });
  assertEquals([state.backoffAttempts, state.outageSinceMs], [0, undefined]);
});

Deno.test("stepLink() dials at once when a WebSocket was lost, and spreads the attempts that follow", () => {
  for (const random of [0, 0.25, 0.999]) {
    const lost = play([...UP, closed(60_000)], AUTO, { random });
    assertEquals(lost.effectNames, "dial v2");
    const waits = ["wait 0", "wait 500", "wait 1998"];
    const { effectNames } = play([REFUSED], AUTO, { random, from: lost.state });
    assertEquals(effectNames, waits[[0, 0.25, 0.999].indexOf(random)]);
  }
});

Deno.test("stepLink() waits for 10 s and more when a panel or a proxy wants fewer calls", () => {
  let { state, effectNames } = play([START, BLOCKED, limited(V2_POST)]);
  const waits = [effectNames];
  for (let count = 0; count < 4; count++) {
    ({ state, effectNames } = play([DUE, BLOCKED, limited(V2_POST)], AUTO, { from: state }));
    waits.push(effectNames);
  }
  assertEquals(waits, ["wait 7500", "wait 15000", "wait 30000", "wait 45000", "wait 45000"]);
  const { effectNames: later } = play([...BY_POST, limited(V2_POST)]);
  assertEquals(later, "wait 7500");
});

Deno.test("stepLink() sends no report by POST sooner than a 429 wants", () => {
  const wait = (retryAfterMs: number) =>
    play([...BY_POST, limited(V2_POST, retryAfterMs)]).effectNames;
  assertEquals([120_000, 20_000, 2_000].map(wait), ["wait 120500", "wait 20500", "wait 2500"]);
  // What it wants is no reason to try sooner than after other failures.
  assertEquals(wait(0), "wait 1000");
  const tried = play([START, BLOCKED, limited(V2_POST, 60_000)]);
  assertEquals(tried.effectNames, "wait 60500");
  // Many agents are spread.
  const { effectNames } = play([...BY_POST, limited(V2_POST, 20_000)], AUTO, {
    random: 0,
  });
  assertEquals(effectNames, "wait 20000");
});

Deno.test("stepLink() opens no WebSocket sooner than a 429 to the upgrade wants", () => {
  const blocked: LinkEvent = { ...BLOCKED, retryAfterMs: 120_000 };
  const byPost = play([START, blocked, accepted(V2_POST)]);
  assertEquals(byPost.effectNames, "wait 120500");
  // POST is tried meanwhile, when it fails.
  const failed = play([lost(V2_POST)], AUTO, { nowMs: 50_000, from: byPost.state });
  assertEquals(failed.effectNames, "wait 1000");
  const due = (nowMs: number) => play([DUE], AUTO, { nowMs, from: failed.state }).effectNames;
  assertEquals([51_000, 119_999].map(due), Array(2).fill("report by v2 POST"));
  assertEquals(due(120_000), "dial v2");
  // The next refusal without it is like any other.
  const again = play([DUE, BLOCKED], AUTO, { nowMs: 120_500, from: byPost.state });
  assertEquals(again.effectNames, "wait 6000");
});

Deno.test("stepLink() waits as a 429 wants where nothing but a WebSocket works", () => {
  const { state } = play([START, BLOCKED, ...NEITHER]);
  const refused: LinkEvent = { ...BLOCKED, retryAfterMs: 90_000 };
  assertEquals(play([refused], AUTO, { from: state }).effectNames, "wait 90500");
  assertEquals(play([BLOCKED], AUTO, { from: state }).effectNames, "wait 1000");
});

/** When an agent dials whose panel restarts at 0, up to the first attempt that succeeds. */
function dialsAfterRestart(downMs: number): number[] {
  let { state, effects } = play([...UP, closed(60_000)], AUTO, { random: Math.random() });
  const dials: number[] = [];
  for (let nowMs = 0;;) {
    dials.push(nowMs);
    if (nowMs >= downMs) return dials;
    ({ state, effects } = play([REFUSED], AUTO, { nowMs, random: Math.random(), from: state }));
    const [effect] = effects;
    assert(effect?.kind === "wait");
    nowMs += effect.ms;
    ({ state } = play([DUE], AUTO, { nowMs, from: state }));
  }
}

Deno.test("stepLink() loads a panel that restarts no more than agents that try after 1, 3, 7 and 15 s", () => {
  const agents = 1000;
  for (const [downMs, refusals] of [[2_000, 2], [5_000, 3], [10_000, 4]] as const) {
    const all = Array.from({ length: agents }, () => dialsAfterRestart(downMs));
    assertLessOrEqual(all.flat().length, agents * (refusals + 1));
    const returns = all.map((dials) => Math.floor((dials.at(-1) ?? 0) / 100));
    const busiest = Math.max(...Map.groupBy(returns, (it) => it).values().map((it) => it.length));
    assertLessOrEqual(busiest, agents / 5, "and they don't come in the same tenth of a second");
  }
});

Deno.test("stepLink() ignores an answer that comes after its WebSocket was closed", () => {
  const before = play([...UP, closed(60_000)]).state;
  assertEquals(play([accepted(V2_WEBSOCKET)], AUTO, { from: before }), {
    state: before,
    effects: [],
    effectNames: "",
  });
});

Deno.test("stepLink() waits for the WebSocket of the last resort while it is dialled", () => {
  const before = play([START, BLOCKED, ...NEITHER]).state;
  assertEquals([before.lastResort, before.socket], [true, "dialling"]);
  assertEquals(play([DUE], AUTO, { from: before }).effectNames, "");
});

Deno.test("stepLink() takes a WebSocket of less than 15 s for a short one", () => {
  const shortAfter = (durationMs: number) =>
    play([...UP, closed(durationMs)]).state.shortConnections;
  assertEquals([14_999, 15_000].map(shortAfter), [1, 0]);
});

Deno.test("stepLink() dials version 1 at once when that was found, but not after three short ones", () => {
  const foundAfter = (shortConnections: number) =>
    play([accepted(V1_POST)], CONTROLLED, {
      from: { ...INITIAL_LINK, trying: 1, shortConnections },
    }).effectNames;
  assertEquals([0, 2, 3, 4].map(foundAfter), ["dial v1", "dial v1", "wait 3000", "wait 6000"]);
});

/** What has happened, by which transport reports go then, and what is done about the last of it. */
const TABLE: readonly [string, LinkSettings, readonly LinkEvent[], string | undefined, string][] = [
  ["the start", AUTO, [START], undefined, "dial v2"],
  ["a WebSocket that opens", AUTO, [START, OPENED], "v2 WebSocket", "report by v2 WebSocket"],
  ["a report that is answered", AUTO, UP, "v2 WebSocket", ""],
  [
    "a report that is refused (-32000, -32601)",
    AUTO,
    [START, OPENED, rejected(V2_WEBSOCKET)],
    "v2 WebSocket",
    "",
  ],
  ["a connection refused", AUTO, [START, REFUSED], undefined, "wait 1000"],
  ["a failure of TLS", AUTO, [START, REFUSED, DUE], undefined, "dial v2"],
  ["a failure of DNS", AUTO, [START, SILENT], undefined, "wait 1000"],
  ["a hang at connect", AUTO, [START, SILENT, DUE], undefined, "dial v2"],
  // 401, 404, 405, 429, 502-504, 520-530, 302, 200 with HTML, and an upgrade without an answer.
  ["an upgrade that is answered otherwise", AUTO, [START, BLOCKED], undefined, "report by v2 POST"],
  ["POST that works where the upgrade does not", AUTO, BY_POST, "v2 POST", "wait 3000"],
  [
    "POST that is answered 401, 302, 429 or 5xx as well",
    AUTO,
    [START, BLOCKED, lost(V2_POST)],
    undefined,
    "wait 1000",
  ],
  [
    "POST that is refused for what it says",
    AUTO,
    [START, BLOCKED, rejected(V2_POST)],
    "v2 POST",
    "wait 3000",
  ],
  [
    "POST that is not version 2: 404, 405, HTML",
    AUTO,
    [START, BLOCKED, UNSUPPORTED],
    undefined,
    "report by v1 POST",
  ],
  ["a panel without version 2", AUTO, BY_OLD, "v1 POST", ""],
  [
    "a wrong path, or a panel that is not set up",
    AUTO,
    [START, BLOCKED, UNSUPPORTED, lost(V1_POST)],
    undefined,
    "wait 1000",
  ],
  ["a panel without version 2, with remote control", CONTROLLED, BY_OLD, "v1 POST", "dial v1"],
  [
    "the older WebSocket",
    CONTROLLED,
    [...BY_OLD, OPENED],
    "v1 WebSocket",
    "report by v1 WebSocket",
  ],
  ["the older WebSocket, blocked", CONTROLLED, [...BY_OLD, BLOCKED], "v1 POST", "wait 3000"],
  [
    "the older WebSocket, lost: the newer one is tried again",
    CONTROLLED,
    [...BY_OLD, OPENED, accepted(V1_WEBSOCKET), closed(60_000)],
    undefined,
    "dial v2",
  ],
  [
    "the older interface, lost: the newer one is tried again",
    AUTO,
    [...BY_OLD, lost(V1_POST), DUE],
    undefined,
    "dial v2",
  ],
  ["a WebSocket that is lost", AUTO, [...UP, closed(60_000)], undefined, "dial v2"],
  [
    "a WebSocket that goes mute",
    AUTO,
    [...UP, lost(V2_WEBSOCKET), closed(60_000, "timed out")],
    undefined,
    "report by v2 POST",
  ],
  [
    "a WebSocket that was mute from the start",
    AUTO,
    [START, OPENED, closed(10_000, "timed out")],
    undefined,
    "report by v2 POST",
  ],
  [
    "a close right after the upgrade",
    AUTO,
    [START, OPENED, closed(5)],
    undefined,
    "report by v2 POST",
  ],
  ["a WebSocket tried again while POST works", AUTO, [...BY_POST, DUE], "v2 POST", "dial v2"],
  [
    "one that opens: one report tries it",
    AUTO,
    [...BY_POST, DUE, OPENED],
    "v2 POST",
    "report by v2 WebSocket",
  ],
  [
    "one that proves itself",
    AUTO,
    [...BY_POST, DUE, OPENED, accepted(V2_WEBSOCKET)],
    "v2 WebSocket",
    "",
  ],
  [
    "one that proves itself by a refusal",
    AUTO,
    [...BY_POST, DUE, OPENED, rejected(V2_WEBSOCKET)],
    "v2 WebSocket",
    "",
  ],
  [
    "one whose first report gets no answer",
    AUTO,
    [...BY_POST, DUE, OPENED, lost(V2_WEBSOCKET)],
    "v2 POST",
    "",
  ],
  [
    "one that does not",
    AUTO,
    [...BY_POST, DUE, OPENED, closed(10_000, "timed out")],
    "v2 POST",
    "wait 6000",
  ],
  ["POST that fails after it worked", AUTO, [...BY_POST, lost(V2_POST)], undefined, "wait 1000"],
  [
    "POST that fails while a WebSocket is dialled",
    AUTO,
    [...BY_POST, DUE, lost(V2_POST), DUE, BLOCKED],
    undefined,
    "report by v2 POST",
  ],
  [
    "a late answer by POST after the WebSocket took over",
    AUTO,
    [...BY_POST, DUE, OPENED, accepted(V2_WEBSOCKET), accepted(V2_POST)],
    "v2 WebSocket",
    "",
  ],
  [
    "a late failure of POST after the WebSocket took over",
    AUTO,
    [...BY_POST, DUE, OPENED, accepted(V2_WEBSOCKET), lost(V2_POST)],
    "v2 WebSocket",
    "",
  ],
  ["HTTP only", HTTP, [START], undefined, "report by v2 POST"],
  ["HTTP only, accepted", HTTP, [START, accepted(V2_POST)], "v2 POST", ""],
  ["HTTP only, lost", HTTP, [START, lost(V2_POST)], undefined, "wait 1000"],
  [
    "HTTP only, lost: tried again",
    HTTP,
    [START, lost(V2_POST), DUE],
    undefined,
    "report by v2 POST",
  ],
  [
    "HTTP only, lost later",
    HTTP,
    [START, accepted(V2_POST), lost(V2_POST)],
    undefined,
    "wait 1000",
  ],
  ["HTTP only without version 2", HTTP, [START, UNSUPPORTED], undefined, "report by v1 POST"],
  ["HTTP only by version 1", HTTP, [START, UNSUPPORTED, accepted(V1_POST)], "v1 POST", ""],
  ["HTTP only where there is neither", HTTP, [START, ...NEITHER], undefined, "wait 1000"],
  [
    "HTTP only, with remote control",
    { ...HTTP, remoteControl: true },
    [START, UNSUPPORTED, accepted(V1_POST)],
    "v1 POST",
    "",
  ],
  ["version 1", OLDER, [START], undefined, "report by v1 POST"],
  ["version 1, accepted", OLDER, [START, accepted(V1_POST)], "v1 POST", ""],
  [
    "version 1 that a panel dropped",
    OLDER,
    [START, unsupported(V1_POST)],
    undefined,
    "report by v2 POST",
  ],
  [
    "version 1 that a panel dropped, which takes version 2",
    OLDER,
    [START, unsupported(V1_POST), accepted(V2_POST)],
    "v2 POST",
    "",
  ],
  [
    "version 1 where there is only a WebSocket",
    OLDER,
    [START, unsupported(V1_POST), UNSUPPORTED],
    undefined,
    "dial v1",
  ],
  ["version 1 by HTTP only", HTTP_OLDER, [START], undefined, "report by v1 POST"],
  [
    "a panel with nothing but the older WebSocket",
    AUTO,
    [START, BLOCKED, ...NEITHER],
    undefined,
    "dial v1",
  ],
  [
    "the last resort, opened",
    AUTO,
    [START, BLOCKED, ...NEITHER, OPENED],
    "v1 WebSocket",
    "report by v1 WebSocket",
  ],
  ["the last resort, refused", AUTO, [START, BLOCKED, ...NEITHER, BLOCKED], undefined, "wait 1000"],
  ["the last resort, accepted", AUTO, LAST_RESORT, "v1 WebSocket", "wait 45000"],
  [
    "the last resort, a report later",
    AUTO,
    [...LAST_RESORT, accepted(V1_WEBSOCKET)],
    "v1 WebSocket",
    "",
  ],
  [
    "the last resort, after a minute",
    AUTO,
    [...LAST_RESORT, DUE],
    "v1 WebSocket",
    "report by v2 POST",
  ],
  [
    "the last resort, where nothing better came",
    AUTO,
    [...LAST_RESORT, DUE, ...NEITHER],
    "v1 WebSocket",
    "wait 45000",
  ],
  [
    "the last resort, with POST silent",
    AUTO,
    [...LAST_RESORT, DUE, lost(V2_POST)],
    "v1 WebSocket",
    "wait 45000",
  ],
  ["the last resort, left", AUTO, [...LAST_RESORT, DUE, accepted(V2_POST)], "v2 POST", "close"],
  [
    "the last resort, left and closed",
    AUTO,
    [...LAST_RESORT, DUE, accepted(V2_POST), closed(90_000)],
    "v2 POST",
    "wait 3000",
  ],
  ["the last resort, lost", AUTO, [...LAST_RESORT, closed(60_000)], undefined, "wait 1000"],
  [
    "the last resort, closed at once",
    AUTO,
    [START, BLOCKED, ...NEITHER, OPENED, closed(5)],
    undefined,
    "wait 1000",
  ],
  [
    "the last resort, lost while POST is tried",
    AUTO,
    [...LAST_RESORT, DUE, closed(60_000), UNSUPPORTED],
    undefined,
    "report by v1 POST",
  ],
  [
    "version 1 lost to an update of the panel",
    AUTO,
    [...BY_OLD, unsupported(V1_POST)],
    undefined,
    "wait 1000",
  ],
  [
    "version 1 with remote control",
    { ...OLDER, remoteControl: true },
    [START],
    undefined,
    "dial v1",
  ],
  [
    "version 1 with remote control, blocked",
    { ...OLDER, remoteControl: true },
    [START, BLOCKED],
    undefined,
    "report by v1 POST",
  ],
  [
    "version 1 with remote control, by POST",
    { ...OLDER, remoteControl: true },
    [START, BLOCKED, accepted(V1_POST)],
    "v1 POST",
    "wait 3000",
  ],
];

for (const [what, settings, events, transport, effects] of TABLE) {
  Deno.test(`stepLink() answers ${what} with "${effects || "nothing"}"`, () => {
    const { state, effectNames } = play(events, settings);
    assertEquals(effectNames, effects);
    assertEquals(state.transport && transportName(state.transport), transport);
  });
}

Deno.test("stepLink() bounds the delay between attempts, which grows when an outage lasts", () => {
  const lives = (why: LinkEvent) => (nowMs: number, tries: number) => {
    let { state } = play([START, why]);
    let effects: readonly LinkEffect[] = [];
    for (let count = 0; count < tries; count++) {
      ({ state, effects } = play([DUE, why], AUTO, { nowMs, random: 0.999, from: state }));
    }
    return effects.flatMap((it) => it.kind === "wait" ? [Math.round(it.ms)] : []);
  };
  assertEquals([1, 2, 20].flatMap((tries) => lives(REFUSED)(59_000, tries)), [2000, 4000, 4000]);
  assertEquals(lives(REFUSED)(61_000, 1), [7992]);
  assertEquals(lives(REFUSED)(61_000, 20), [29_970], "30 s at most");
  assertEquals(lives(SILENT)(61_000, 20), [9_990], "10 s at most while nothing is heard");
});

Deno.test("stepLink() waits as long as the configuration says, even if that is above 30 s", () => {
  const slow = { ...AUTO, reconnectIntervalSeconds: 300 };
  const { state, effectNames } = play([START, REFUSED], slow);
  assertEquals(effectNames, "wait 150000");
  const later = play([DUE, REFUSED], slow, { nowMs: 600_000, from: state });
  assertEquals(later.effectNames, "wait 150000", "and no longer when the outage lasts");
});

Deno.test("stepLink() dials a WebSocket at least every 30 s while POST works", () => {
  let { state } = play(BY_POST);
  for (let count = 0; count < 20; count++) {
    const step = play([DUE, BLOCKED], AUTO, { random: 0.999, from: state });
    state = step.state;
    const [effect] = step.effects;
    assert(effect?.kind === "wait");
    assertLessOrEqual(effect.ms, 30_000);
    assertEquals(state.transport, V2_POST);
  }
});

Deno.test("stepLink() dials a WebSocket soon after one was accepted", () => {
  let { state, effectNames } = play(BY_POST);
  assertEquals(effectNames, "wait 3000");
  for (let count = 0; count < 5; count++) {
    ({ state, effectNames } = play([DUE, BLOCKED], AUTO, { from: state }));
  }
  assertEquals(effectNames, "wait 22500", "tries have become rare");
  ({ state } = play([DUE, OPENED, accepted(V2_WEBSOCKET), closed(60_000)], AUTO, {
    from: state,
  }));
  ({ effectNames } = play([DUE, BLOCKED, accepted(V2_POST)], AUTO, { from: state }));
  assertEquals(effectNames, "wait 3000");
});

Deno.test("stepLink() warns of a duplicate agent once, after three short connections", () => {
  let { state } = play(UP);
  const effectNames: string[] = [];
  for (let count = 0; count < 6; count++) {
    const end = play([closed(800)], AUTO, { from: state });
    effectNames.push(...end.effects.map((it) => it.kind));
    const byPost = end.effects.some((it) => it.kind === "report");
    const again = byPost
      ? [accepted(V2_POST), DUE, OPENED, accepted(V2_WEBSOCKET)]
      : [DUE, OPENED, accepted(V2_WEBSOCKET)];
    ({ state } = play(again, AUTO, { from: end.state }));
  }
  assertEquals(effectNames.filter((kind) => kind === "warn of duplicate agent").length, 1);
  assertEquals(
    effectNames.filter((kind) => kind === "report").length,
    4,
    "reports go by POST meanwhile",
  );
  const { state: settled } = play([closed(60_000)], AUTO, { from: state });
  assertEquals(settled.shortConnections, 0);
});

for (const why of ["protocol error", "close frame"] as const) {
  Deno.test(`stepLink() does not warn of a duplicate agent when connections end by a ${why}`, () => {
    let { state } = play(UP);
    const effectNames: string[] = [];
    for (let count = 0; count < 6; count++) {
      const end = play([closed(800, why)], AUTO, { from: state });
      effectNames.push(...end.effects.map((it) => it.kind));
      const again = [accepted(V2_POST), DUE, OPENED, accepted(V2_WEBSOCKET)];
      ({ state } = play(again, AUTO, { from: end.state }));
    }
    assertEquals(effectNames, ["dial", "dial", "report", "report", "report", "report"]);
  });
}

Deno.test("stepLink() tries POST and waits longer, without a warning, when a rule closes connections", () => {
  let { state } = play(UP);
  const waits: string[] = [];
  for (let count = 0; count < 5; count++) {
    const end = play([closed(60_000, "refused")], AUTO, { from: state });
    assertEquals(end.effects.map((it) => it.kind), ["report"]);
    const back = play([accepted(V2_POST)], AUTO, { from: end.state });
    waits.push(back.effectNames);
    ({ state } = play([DUE, OPENED, accepted(V2_WEBSOCKET)], AUTO, { from: back.state }));
  }
  assertEquals(waits, [
    "wait 3000",
    "wait 6000",
    "wait 12000",
    "wait 22500",
    "wait 22500",
  ]);
});

Deno.test("stepLink() does not wait longer for a WebSocket because connections timed out", () => {
  let { state } = play(UP);
  const waits: string[] = [];
  for (let count = 0; count < 6; count++) {
    const end = play([closed(10_000, "timed out")], AUTO, { from: state });
    assertEquals(end.effects.map((it) => it.kind), ["report"]);
    const back = play([accepted(V2_POST)], AUTO, { from: end.state });
    waits.push(back.effectNames);
    ({ state } = play([DUE, OPENED, accepted(V2_WEBSOCKET)], AUTO, { from: back.state }));
  }
  assertEquals(waits, Array(6).fill("wait 3000"));
});

Deno.test("stepLink() never leaves a link without a next step", () => {
  const events: readonly LinkEvent[] = [
    DUE,
    OPENED,
    BLOCKED,
    REFUSED,
    SILENT,
    closed(5),
    closed(60_000),
    closed(10_000, "timed out"),
    accepted(V2_WEBSOCKET),
    accepted(V2_POST),
    accepted(V1_POST),
    lost(V2_POST),
    lost(V1_POST),
    accepted(V1_WEBSOCKET),
    UNSUPPORTED,
    unsupported(V1_POST),
    rejected(V2_POST),
  ];
  const picks = fc.array(fc.nat(), { maxLength: 40, size: "max" });
  const settings = fc.constantFrom(AUTO, CONTROLLED, OLDER, HTTP, HTTP_OLDER);
  const happened = new Set<LinkEvent>();
  fc.assert(fc.property(settings, picks, (wanted, picks) => {
    let state = play([START], wanted).state;
    /** What is still to come of its own accord. */
    let waiting = false;
    let trial = state.trying;
    for (const pick of picks) {
      const possible = events.filter((event) => canHappen(state, event, waiting));
      const next = possible[pick % possible.length];
      if (next === undefined) continue;
      happened.add(next);
      if (next.kind === "timer") waiting = false;
      const step = play([next], wanted, { from: state });
      state = step.state;
      waiting ||= step.effects.some((it) => it.kind === "wait");
      trial = state.trying;
      const goesOn = state.transport !== undefined || state.socket !== "none" || waiting ||
        trial !== undefined;
      assert(goesOn, `stuck after ${JSON.stringify(next)}: ${JSON.stringify(state)}`);
    }
  }));
  assert(happened.size > events.length / 2, `only ${happened.size} events have happened`);
});

/** Whether a driver could report this in that state. */
function canHappen(state: LinkState, event: LinkEvent, waiting: boolean): boolean {
  switch (event.kind) {
    case "timer":
      return waiting;
    case "opened":
    case "dial failed":
      return state.socket === "dialling";
    case "closed":
      return state.socket === "open";
    case "accepted":
    case "failed": {
      const { version, carrier } = event.transport;
      return isSameTransport(event.transport, state.transport) ||
        (carrier === "POST" && version === state.trying) ||
        (carrier === "WebSocket" && version === state.version && state.socket === "open");
    }
    default:
      return false;
  }
}

Deno.test("stepLink() keeps a POST that works when the panel refuses what one report says", () => {
  const before = play(BY_POST).state;
  const { state, effectNames } = play([rejected(V2_POST)], AUTO, { from: before });
  assertEquals([state.transport, effectNames], [V2_POST, ""]);
});

Deno.test("stepLink() waits for the end of a WebSocket whose report got lost", () => {
  const { state, effectNames } = play([...UP, lost(V2_WEBSOCKET)]);
  assertEquals([state.transport, state.socket, effectNames], [V2_WEBSOCKET, "open", ""]);
});

Deno.test("stepLink() tries POST when a panel floods a WebSocket, however long that lasted", () => {
  for (const end of ["flooded", "refused"] as const) {
    const { state, effectNames } = play([...UP, closed(60_000, end)]);
    assertEquals([state.shortConnections, effectNames], [3, "report by v2 POST"], end);
  }
});

Deno.test("stepLink() starts nothing while a report tries POST", () => {
  const trying = play([START, BLOCKED]).state;
  assertEquals(play([DUE], AUTO, { from: trying }), {
    state: trying,
    effects: [],
    effectNames: "",
  });
  // The WebSocket of the last resort ends while the newer POST is tried.
  const from = play([DUE], AUTO, { from: play(LAST_RESORT).state }).state;
  assertEquals([from.trying, from.socket], [2, "open"]);
  const { state, effectNames } = play([closed(60_000)], AUTO, { from });
  assertEquals([state.transport, state.trying, effectNames], [undefined, 2, ""]);
});

Deno.test("stepLink() dials one WebSocket at a time when version 1 was found", () => {
  const from: LinkState = { ...INITIAL_LINK, trying: 1, socket: "dialling" };
  const { effectNames } = play([accepted(V1_POST)], CONTROLLED, { from });
  assertEquals(effectNames, "wait 3000");
});
