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
const accepted = (transport: Transport): LinkEvent => ({ kind: "accepted", transport });
const lost = (transport: Transport): LinkEvent => ({ kind: "failed", transport, why: "lost" });
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
  const { effectNames } = play([...BY_POST, limited(V2_POST, 20_000)], AUTO, { random: 0 });
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

/** Events by the words of {@linkcode TABLES}. */
const EVENTS: Record<string, readonly LinkEvent[]> = {
  "start": [START],
  "due": [DUE],
  "opened": [OPENED],
  "blocked": [BLOCKED],
  "refused": [REFUSED],
  "silent": [SILENT],
  "closed": [closed(60_000)],
  "closed at once": [closed(5)],
  "timed out": [closed(60_000, "timed out")],
  "timed out early": [closed(10_000, "timed out")],
  "up": UP,
  "by post": BY_POST,
  "by old post": BY_OLD,
  "neither": NEITHER,
  "last resort": LAST_RESORT,
};
for (const transport of [V1_POST, V1_WEBSOCKET, V2_POST, V2_WEBSOCKET]) {
  const name = transportName(transport);
  EVENTS[`${name} accepted`] = [accepted(transport)];
  EVENTS[`${name} lost`] = [lost(transport)];
  EVENTS[`${name} rejected`] = [rejected(transport)];
  EVENTS[`${name} unsupported`] = [unsupported(transport)];
}

/**
 * By settings: what has happened, in words and in detail, the transport of reports then, and what is
 * done about the last of it. An upgrade is "blocked" when it is answered 401, 404, 405, 429, 502-504,
 * 520-530, 302, or 200 with HTML, and when it gets no answer.
 */
const TABLES: readonly (readonly [LinkSettings, string])[] = [
  [
    AUTO,
    `
    start | none | dial v2 | the start
    start, opened | v2 WebSocket | report by v2 WebSocket | a WebSocket that opens
    up | v2 WebSocket | nothing | a report that is answered
    start, opened, v2 WebSocket rejected | v2 WebSocket | nothing | a report that is refused (-32000, -32601)
    start, refused | none | wait 1000 | a connection refused
    start, refused, due | none | dial v2 | a failure of TLS
    start, silent | none | wait 1000 | a failure of DNS
    start, silent, due | none | dial v2 | a hang at connect
    start, blocked | none | report by v2 POST | an upgrade that is answered otherwise
    by post | v2 POST | wait 3000 | POST that works where the upgrade does not
    start, blocked, v2 POST lost | none | wait 1000 | POST that is answered 401, 302, 429 or 5xx as well
    start, blocked, v2 POST rejected | v2 POST | wait 3000 | POST that is refused for what it says
    start, blocked, v2 POST unsupported | none | report by v1 POST | POST that is not version 2: 404, 405, HTML
    by old post | v1 POST | nothing | a panel without version 2
    start, blocked, v2 POST unsupported, v1 POST lost | none | wait 1000 | a wrong path, or a panel that is not set up
    by old post, v1 POST lost, due | none | dial v2 | the older interface, lost: the newer one is tried again
    up, closed | none | dial v2 | a WebSocket that is lost
    up, closed, v2 WebSocket accepted | none | nothing | an answer that comes after its WebSocket was closed
    up, v2 WebSocket lost | v2 WebSocket | nothing | a report that got lost: the end of the WebSocket will come
    up, v2 WebSocket lost, timed out | none | report by v2 POST | a WebSocket that goes mute
    start, opened, timed out early | none | report by v2 POST | a WebSocket that was mute from the start
    start, opened, closed at once | none | report by v2 POST | a close right after the upgrade
    by post, due | v2 POST | dial v2 | a WebSocket tried again while POST works
    by post, due, opened | v2 POST | report by v2 WebSocket | one that opens: one report tries it
    by post, due, opened, v2 WebSocket accepted | v2 WebSocket | nothing | one that proves itself
    by post, due, opened, v2 WebSocket rejected | v2 WebSocket | nothing | one that proves itself by a refusal
    by post, due, opened, v2 WebSocket lost | v2 POST | nothing | one whose first report gets no answer
    by post, due, opened, timed out early | v2 POST | wait 6000 | one that does not
    by post, v2 POST lost | none | wait 1000 | POST that fails after it worked
    by post, v2 POST rejected | v2 POST | nothing | one report that POST refuses after it worked
    start, blocked, due | none | nothing | a report that tries POST: nothing else starts
    by post, due, v2 POST lost, due, blocked | none | report by v2 POST | POST that fails while a WebSocket is dialled
    by post, due, opened, v2 WebSocket accepted, v2 POST accepted | v2 WebSocket | nothing | a late answer by POST after the WebSocket took over
    by post, due, opened, v2 WebSocket accepted, v2 POST lost | v2 WebSocket | nothing | a late failure of POST after the WebSocket took over
    start, blocked, neither | none | dial v1 | a panel with nothing but the older WebSocket
    start, blocked, neither, due | none | nothing | the last resort, while it is dialled
    start, blocked, neither, opened | v1 WebSocket | report by v1 WebSocket | the last resort, opened
    start, blocked, neither, blocked | none | wait 1000 | the last resort, refused
    last resort | v1 WebSocket | wait 45000 | the last resort, accepted
    last resort, v1 WebSocket accepted | v1 WebSocket | nothing | the last resort, a report later
    last resort, due | v1 WebSocket | report by v2 POST | the last resort, after a minute
    last resort, due, neither | v1 WebSocket | wait 45000 | the last resort, where nothing better came
    last resort, due, v2 POST lost | v1 WebSocket | wait 45000 | the last resort, with POST silent
    last resort, due, v2 POST accepted | v2 POST | close | the last resort, left
    last resort, due, v2 POST accepted, closed | v2 POST | wait 3000 | the last resort, left and closed
    last resort, closed | none | wait 1000 | the last resort, lost
    start, blocked, neither, opened, closed at once | none | wait 1000 | the last resort, closed at once
    last resort, due, closed | none | nothing | the last resort, lost while POST is tried
    last resort, due, closed, v2 POST unsupported | none | report by v1 POST | the last resort, lost while POST is tried in vain
    by old post, v1 POST unsupported | none | wait 1000 | version 1 lost to an update of the panel
  `,
  ],
  [
    CONTROLLED,
    `
    by old post | v1 POST | dial v1 | a panel without version 2, with remote control
    by old post, opened | v1 WebSocket | report by v1 WebSocket | the older WebSocket
    by old post, blocked | v1 POST | wait 3000 | the older WebSocket, blocked
    by old post, opened, v1 WebSocket accepted, closed | none | dial v2 | the older WebSocket, lost: the newer one is tried again
  `,
  ],
  [
    HTTP,
    `
    start | none | report by v2 POST | HTTP only
    start, v2 POST accepted | v2 POST | nothing | HTTP only, accepted
    start, v2 POST lost | none | wait 1000 | HTTP only, lost
    start, v2 POST lost, due | none | report by v2 POST | HTTP only, lost: tried again
    start, v2 POST accepted, v2 POST lost | none | wait 1000 | HTTP only, lost later
    start, v2 POST unsupported | none | report by v1 POST | HTTP only without version 2
    start, v2 POST unsupported, v1 POST accepted | v1 POST | nothing | HTTP only by version 1
    start, neither | none | wait 1000 | HTTP only where there is neither
  `,
  ],
  [
    { ...HTTP, remoteControl: true },
    `
    start, v2 POST unsupported, v1 POST accepted | v1 POST | nothing | HTTP only, with remote control
  `,
  ],
  [
    OLDER,
    `
    start | none | report by v1 POST | version 1
    start, v1 POST accepted | v1 POST | nothing | version 1, accepted
    start, v1 POST unsupported | none | report by v2 POST | version 1 that a panel dropped
    start, v1 POST unsupported, v2 POST accepted | v2 POST | nothing | version 1 that a panel dropped, which takes version 2
    start, v1 POST unsupported, v2 POST unsupported | none | dial v1 | version 1 where there is only a WebSocket
  `,
  ],
  [
    HTTP_OLDER,
    `
    start | none | report by v1 POST | version 1 by HTTP only
  `,
  ],
  [
    { ...OLDER, remoteControl: true },
    `
    start | none | dial v1 | version 1 with remote control
    start, blocked | none | report by v1 POST | version 1 with remote control, blocked
    start, blocked, v1 POST accepted | v1 POST | wait 3000 | version 1 with remote control, by POST
  `,
  ],
];

for (const [settings, table] of TABLES) {
  const rows = table.matchAll(/^ *(.+) \| (.+) \| (.+) \| (.+)$/gm);
  for (const [, events = "", transport, effects, what] of rows) {
    Deno.test(`stepLink() answers ${what} with "${effects}"`, () => {
      const happened = events.split(", ").flatMap((words) => {
        const found = EVENTS[words];
        assert(found !== undefined, `there is no event "${words}"`);
        return found;
      });
      const { state, effectNames } = play(happened, settings);
      assertEquals(effectNames || "nothing", effects);
      assertEquals(state.transport ? transportName(state.transport) : "none", transport);
    });
  }
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
  ({ state } = play([DUE, OPENED, accepted(V2_WEBSOCKET), closed(60_000)], AUTO, { from: state }));
  ({ effectNames } = play([DUE, BLOCKED, accepted(V2_POST)], AUTO, { from: state }));
  assertEquals(effectNames, "wait 3000");
});

Deno.test("stepLink() reports by POST meanwhile from three short connections on", () => {
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
  assertEquals(
    effectNames.filter((kind) => kind === "report").length,
    4,
    "reports go by POST meanwhile",
  );
  const { state: settled } = play([closed(60_000)], AUTO, { from: state });
  assertEquals(settled.shortConnections, 0);
});

for (const why of ["protocol error", "close frame"] as const) {
  Deno.test(`stepLink() tries POST when several connections end by a ${why}`, () => {
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

const endings = [
  ["are closed by a rule", 60_000, "refused", [3000, 6000, 12_000, 22_500, 22_500]],
  ["time out", 10_000, "timed out", [3000, 3000, 3000, 3000, 3000]],
] as const;
for (const [what, durationMs, why, waitsMs] of endings) {
  Deno.test(`stepLink() tries POST, and dials after these waits, when connections ${what}`, () => {
    let { state } = play(UP);
    for (const waitMs of waitsMs) {
      const end = play([closed(durationMs, why)], AUTO, { from: state });
      assertEquals(end.effects.map((it) => it.kind), ["report"]);
      const back = play([accepted(V2_POST)], AUTO, { from: end.state });
      assertEquals(back.effectNames, `wait ${waitMs}`);
      ({ state } = play([DUE, OPENED, accepted(V2_WEBSOCKET)], AUTO, { from: back.state }));
    }
  });
}

Deno.test("stepLink() never leaves a link without a next step", () => {
  const events = Object.values(EVENTS).flatMap((events) => events.length === 1 ? events : []);
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

Deno.test("stepLink() tries POST when a panel floods a WebSocket, however long that lasted", () => {
  for (const end of ["flooded", "refused"] as const) {
    const { state, effectNames } = play([...UP, closed(60_000, end)]);
    assertEquals([state.shortConnections, effectNames], [3, "report by v2 POST"], end);
  }
});

Deno.test("stepLink() dials one WebSocket at a time when version 1 was found", () => {
  const from: LinkState = { ...INITIAL_LINK, trying: 1, socket: "dialling" };
  const { effectNames } = play([accepted(V1_POST)], CONTROLLED, { from });
  assertEquals(effectNames, "wait 3000");
});
