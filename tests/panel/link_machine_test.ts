import { assert, assertEquals, assertLessOrEqual } from "@std/assert";
import fc from "fast-check";
import {
  type DialFailure,
  INITIAL_LINK,
  type LinkEffect,
  type LinkEvent,
  type LinkSettings,
  type LinkState,
  type ReportFailure,
  type SocketEnd,
  stepLink,
} from "../../lib/panel/link_machine.ts";
import { isSameTransport, transportName } from "../../lib/panel/transport.ts";
import { V1_POST, V1_WEBSOCKET, V2_POST, V2_WEBSOCKET } from "./transports.ts";

const AUTO: LinkSettings = {
  ...{ transport: "auto", protocolVersion: 2, remoteControl: false, reconnectIntervalSeconds: 2 },
};
const CONTROLLED: LinkSettings = { ...AUTO, remoteControl: true };
const OLDER: LinkSettings = { ...AUTO, protocolVersion: 1 };
const HTTP: LinkSettings = { ...AUTO, transport: "http" };
const HTTP_OLDER: LinkSettings = { ...HTTP, protocolVersion: 1 };
const SLOW: LinkSettings = { ...AUTO, reconnectIntervalSeconds: 300 };

/** Events in a row, by a name. */
const SCENES: Readonly<Record<string, string>> = {
  "up": "start, opened, v2 WebSocket accepted",
  "by post": "start, blocked, v2 POST accepted",
  "neither": "v2 POST unsupported, v1 POST unsupported",
  "by old post": "start, blocked, v2 POST unsupported, v1 POST accepted",
  "last resort": "start, blocked, neither, opened, v1 WebSocket accepted",
  "back": "opened, v2 WebSocket accepted",
};
const TRANSPORTS = new Map(
  [V1_POST, V1_WEBSOCKET, V2_POST, V2_WEBSOCKET].map((it) => [transportName(it), it]),
);
const FAILED_DIALS: Readonly<Record<string, DialFailure>> = {
  ...{ blocked: "answered", refused: "refused", silent: "no answer" },
};
const FAILED_REPORTS: Readonly<Record<string, ReportFailure>> = {
  ...{ lost: "lost", rejected: "rejected", limited: "limited" },
  unsupported: "unsupported protocol",
};

/** The event of words such as `blocked 120`, `closed 60 timed out` and `v2 POST limited`. */
function eventOf(words: string): LinkEvent {
  const [, name = "", number, end = "closed"] =
    /^([^\d]+|v\d .+?)(?: ([\d.]+)(?: (\D+))?)?$/.exec(words) ?? [];
  const ms = number === undefined ? undefined : Number(number) * 1000;
  if (name === "start" || name === "opened") return { kind: name };
  if (name === "due") return { kind: "timer" };
  if (name === "closed") return { kind: "closed", durationMs: ms ?? 60_000, end: end as SocketEnd };
  const refusal = FAILED_DIALS[name];
  if (refusal !== undefined) return { kind: "dial failed", why: refusal, retryAfterMs: ms };
  const [, by = "", outcome = ""] = /^(.+) (\w+)$/.exec(name) ?? [];
  const transport = TRANSPORTS.get(by);
  assert(transport !== undefined, `there is no event "${words}"`);
  if (outcome === "accepted") return { kind: "accepted", transport };
  const why = FAILED_REPORTS[outcome];
  assert(why !== undefined, `there is no event "${words}"`);
  return { kind: "failed", transport, why, retryAfterMs: ms };
}

/**
 * Lets events happen one after another: `at 50` sets the seconds, `random 0` the number that else is in
 * the middle, and `(due, blocked)×4` happens four times.
 */
function play(
  script: string,
  settings: LinkSettings = AUTO,
  { from: state = INITIAL_LINK, random = 0.5 }: { from?: LinkState; random?: number } = {},
): { state: LinkState; effects: readonly LinkEffect[]; effectNames: string } {
  let effects: readonly LinkEffect[] = [];
  let nowMs = 0;
  const flat = script.replace(
    /\((.+?)\)×(\d+)/g,
    (_, part, count) => Array(Number(count)).fill(part).join(", "),
  );
  const scenes = (it: string) => (SCENES[it] ?? it).split(", ");
  const words = flat.split(", ").flatMap(scenes).flatMap(scenes);
  for (const word of words) {
    const [, knob, value] = /^(at|random) ([\d.]+)$/.exec(word) ?? [];
    if (knob === "at") nowMs = Number(value) * 1000;
    else if (knob === "random") random = Number(value);
    else ({ state, effects } = stepLink(state, eventOf(word), { nowMs, random, settings }));
  }
  return { state, effects, effectNames: effects.map(nameOf).join(", ") };
}

function nameOf(effect: LinkEffect): string {
  if (effect.kind === "dial") return `dial v${effect.version}`;
  if (effect.kind === "report") return `report by ${transportName(effect.transport)}`;
  return effect.kind === "wait" ? `wait ${Math.round(effect.ms)}` : effect.kind;
}

/**
 * By settings: what has happened, the transport of reports then, what is done about the last of it, and
 * what that is about. An upgrade is "blocked" when it is answered 401, 404, 405, 429, 502-504,
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
    up, v2 WebSocket lost, closed 60 timed out | none | report by v2 POST | a WebSocket that goes mute
    start, opened, closed 10 timed out | none | report by v2 POST | a WebSocket that was mute from the start
    start, opened, closed 0.005 | none | report by v2 POST | a close right after the upgrade
    by post, due | v2 POST | dial v2 | a WebSocket tried again while POST works
    by post, due, opened | v2 POST | report by v2 WebSocket | one that opens: one report tries it
    by post, due, opened, v2 WebSocket accepted | v2 WebSocket | nothing | one that proves itself
    by post, due, opened, v2 WebSocket rejected | v2 WebSocket | nothing | one that proves itself by a refusal
    by post, due, opened, v2 WebSocket lost | v2 POST | nothing | one whose first report gets no answer
    by post, due, opened, closed 10 timed out | v2 POST | wait 6000 | one that does not
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
    start, blocked, neither, opened, closed 0.005 | none | wait 1000 | the last resort, closed at once
    last resort, due, closed | none | nothing | the last resort, lost while POST is tried
    last resort, due, closed, v2 POST unsupported | none | report by v1 POST | the last resort, lost while POST is tried in vain
    by old post, v1 POST unsupported | none | wait 1000 | version 1 lost to an update of the panel
    start, silent, at 59.999, due, silent | none | wait 2000 | an outage of less than a minute
    start, silent, at 60, due, silent | none | wait 4000 | an outage of a minute
    start, silent, at 60, due, silent, due, blocked, v2 POST accepted, v2 POST lost | none | wait 1000 | an outage after another
    random 0, up, closed, refused | none | wait 0 | agents that lose a panel: the first
    random 0.25, up, closed, refused | none | wait 500 | agents that lose a panel: another
    random 0.999, up, closed, refused | none | wait 1998 | agents that lose a panel: the last
    random 0.999, start, refused, at 59, due, refused | none | wait 2000 | a second refusal
    random 0.999, start, refused, at 59, (due, refused)×2 | none | wait 4000 | a third refusal
    random 0.999, start, refused, at 59, (due, refused)×20 | none | wait 4000 | many refusals in a minute
    random 0.999, start, refused, at 61, due, refused | none | wait 7992 | a refusal after a minute
    random 0.999, start, refused, at 61, (due, refused)×20 | none | wait 29970 | many refusals: 30 s at most
    random 0.999, start, silent, at 61, (due, silent)×20 | none | wait 9990 | silence: 10 s at most
    start, blocked, v2 POST limited | none | wait 7500 | a panel or a proxy that wants fewer calls
    start, blocked, v2 POST limited, due, blocked, v2 POST limited | none | wait 15000 | one that wants fewer, again
    start, blocked, v2 POST limited, (due, blocked, v2 POST limited)×4 | none | wait 45000 | one that goes on to want fewer
    by post, v2 POST limited | none | wait 7500 | one that wants fewer later
    by post, v2 POST limited 120 | none | wait 120500 | a 429 with a long time
    by post, v2 POST limited 2 | none | wait 2500 | a 429 with a short time
    by post, v2 POST limited 0 | none | wait 1000 | a 429 with none: no sooner than after other failures
    start, blocked, v2 POST limited 60 | none | wait 60500 | a 429 to the report that tries POST
    random 0, by post, v2 POST limited 20 | none | wait 20000 | a 429 to many agents, which are spread
    start, blocked 120, v2 POST accepted | v2 POST | wait 120500 | a 429 to the upgrade
    start, blocked 120, v2 POST accepted, at 50, v2 POST lost | none | wait 1000 | POST that fails behind one
    start, blocked 120, v2 POST accepted, at 50, v2 POST lost, at 119.999, due | none | report by v2 POST | POST tried again before its time
    start, blocked 120, v2 POST accepted, at 50, v2 POST lost, at 120, due | none | dial v2 | the end of its time
    start, blocked 120, v2 POST accepted, at 120.5, due, blocked | v2 POST | wait 6000 | a refusal without a time behind it
    start, blocked, neither, blocked 90 | none | wait 90500 | a 429 where nothing but a WebSocket works
    up, (closed 14.999, back)×2, closed 14.999 | none | report by v2 POST | three short connections
    up, (closed 15, back)×2, closed 15 | none | dial v2 | three that were long enough
    up, (closed 0.8, back)×2, closed 0.8, (v2 POST accepted, due, back, closed 0.8)×3 | none | report by v2 POST | more short ones
    up, (closed 0.8, back)×2, closed 60, back, closed 0.8 | none | dial v2 | a short one after a long one
    up, (closed 0.8 protocol error, back)×2, closed 0.8 protocol error | none | report by v2 POST | short ones with invalid frames
    up, (closed 0.8 close frame, back)×2, closed 0.8 close frame | none | report by v2 POST | short ones that a panel closes
    up, closed 60 flooded | none | report by v2 POST | a flood
    up, closed 60 flooded, v2 POST accepted | v2 POST | wait 3000 | a flood, and POST that works
    up, closed 60 refused, v2 POST accepted | v2 POST | wait 3000 | a connection that is closed by a rule
    up, (closed 60 refused, v2 POST accepted, due, back)×2, closed 60 refused, v2 POST accepted | v2 POST | wait 12000 | three that are
    up, (closed 60 refused, v2 POST accepted, due, back)×9, closed 60 refused, v2 POST accepted | v2 POST | wait 22500 | ten that are
    up, (closed 10 timed out, v2 POST accepted, due, back)×4, closed 10 timed out, v2 POST accepted | v2 POST | wait 3000 | several that time out
    random 0.999, by post, (due, blocked)×20 | v2 POST | wait 29985 | a WebSocket that is blocked for long: 30 s at most
    by post, (due, blocked)×5, due, back, closed, blocked, v2 POST accepted | v2 POST | wait 3000 | a WebSocket lost after several were blocked
  `,
  ],
  [
    CONTROLLED,
    `
    by old post | v1 POST | dial v1 | a panel without version 2, with remote control
    by old post, opened | v1 WebSocket | report by v1 WebSocket | the older WebSocket
    by old post, blocked | v1 POST | wait 3000 | the older WebSocket, blocked
    by old post, opened, v1 WebSocket accepted, closed | none | dial v2 | the older WebSocket, lost: the newer one is tried again
    start, opened, closed 1, v2 POST unsupported, v1 POST accepted | v1 POST | dial v1 | version 1 found after a short connection
    up, closed 1, opened, closed 1, v2 POST unsupported, v1 POST accepted | v1 POST | dial v1 | version 1 found after two
    up, (closed 1, back)×2, closed 1, v2 POST unsupported, v1 POST accepted | v1 POST | wait 3000 | version 1 found after three
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
  [
    SLOW,
    `
    start, refused | none | wait 150000 | a wait above 30 s
    start, refused, at 600, due, refused | none | wait 150000 | a wait above 30 s in a long outage
  `,
  ],
];

for (const [settings, table] of TABLES) {
  for (
    const [, script = "", transport, effects, what] of table.matchAll(
      /^ *(.+) \| (.+) \| (.+) \| (.+)$/gm,
    )
  ) {
    Deno.test(`stepLink() answers ${what} with "${effects}"`, () => {
      const { state, effectNames } = play(script, settings);
      assertEquals(effectNames || "nothing", effects);
      assertEquals(state.transport ? transportName(state.transport) : "none", transport);
    });
  }
}

Deno.test("stepLink() dials one WebSocket at a time when version 1 was found", () => {
  const from: LinkState = { ...INITIAL_LINK, trying: 1, socket: "dialling" };
  assertEquals(play("v1 POST accepted", CONTROLLED, { from }).effectNames, "wait 3000");
});

/** When an agent dials whose panel restarts at 0, up to the first attempt that succeeds. */
function dialsAfterRestart(downMs: number): number[] {
  const dials: number[] = [];
  let { state } = play("up, closed");
  for (let nowMs = 0;;) {
    dials.push(nowMs);
    if (nowMs >= downMs) return dials;
    const at = `at ${nowMs / 1000}`;
    const refused = play(`${at}, refused`, AUTO, { from: state, random: Math.random() });
    const [effect] = refused.effects;
    assert(effect?.kind === "wait");
    nowMs += Math.round(effect.ms);
    ({ state } = play(`at ${nowMs / 1000}, due`, AUTO, { from: refused.state }));
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

Deno.test("stepLink() never leaves a link without a next step", () => {
  const outcomes = ["accepted", ...Object.keys(FAILED_REPORTS)];
  const words = [
    ...["due", "opened", ...Object.keys(FAILED_DIALS), "blocked 9", "closed", "closed 1"],
    ...["closed 9 timed out", "closed 9 refused"],
    ...TRANSPORTS.keys().flatMap((it) => outcomes.map((outcome) => `${it} ${outcome}`)),
  ];
  const picks = fc.array(fc.nat(), { maxLength: 40, size: "max" });
  const settings = fc.constantFrom(AUTO, CONTROLLED, OLDER, HTTP, HTTP_OLDER);
  const happened = new Set<string>();
  fc.assert(fc.property(settings, picks, (wanted, picks) => {
    let state = play("start", wanted).state;
    /** What is still to come of its own accord. */
    let isWaiting = false;
    for (const pick of picks) {
      const possible = words.filter((it) => canHappen(state, eventOf(it), isWaiting));
      const next = possible[pick % possible.length];
      if (next === undefined) continue;
      happened.add(next);
      const step = play(next, wanted, { from: state });
      state = step.state;
      isWaiting = (isWaiting && next !== "due") || step.effects.some((it) => it.kind === "wait");
      const { transport, socket, trying } = state;
      const goesOn = transport !== undefined || socket !== "none" || isWaiting ||
        trying !== undefined;
      assert(goesOn, `stuck after ${next}: ${JSON.stringify(state)}`);
    }
  }));
  assert(happened.size > words.length / 2, `only ${happened.size} events have happened`);
});

/** Whether a driver could report this in that state. */
function canHappen(state: LinkState, event: LinkEvent, isWaiting: boolean): boolean {
  if (event.kind === "timer") return isWaiting;
  if (event.kind === "opened" || event.kind === "dial failed") return state.socket === "dialling";
  if (event.kind === "closed") return state.socket === "open";
  if (event.kind === "start") return false;
  const { version, carrier } = event.transport;
  return isSameTransport(event.transport, state.transport) ||
    (carrier === "POST" && version === state.trying) ||
    (carrier === "WebSocket" && version === state.version && state.socket === "open");
}
