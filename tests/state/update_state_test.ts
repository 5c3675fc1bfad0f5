import { assertEquals, assertThrows } from "@std/assert";
import {
  formatUpdateState,
  parseUpdateState,
  rejectedVersions,
  UPDATE_STATE,
  updateFolder,
  type UpdateState,
} from "../../lib/state/update_state.ts";
import { onlySyntaxErrors } from "../parse/only_syntax_errors.ts";

const TRIAL = { from: "1.2", to: "1.3.0", sha256: "0b".repeat(32), resumes: 1, isReturning: false };

Deno.test("parseUpdateState() reads what formatUpdateState() has written", () => {
  const states: UpdateState[] = [
    { failed: [] },
    { failed: [{ version: "1.2.4", atMs: 1 }, { version: "1.2.5", atMs: 2 }] },
    { failed: [], trial: TRIAL },
    { failed: [{ version: "1.3.0", atMs: 2 }], trial: { ...TRIAL, isReturning: true } },
  ];
  for (const state of states) assertEquals(parseUpdateState(formatUpdateState(state)), state);
});

Deno.test("formatUpdateState() forgets the versions that failed first", () => {
  const failed = Array.from({ length: 70 }, (_, at) => ({ version: `1.0.${at}`, atMs: at }));
  const kept = parseUpdateState(formatUpdateState({ failed })).failed;
  assertEquals([kept.length, kept[0]?.version, kept.at(-1)?.version], [50, "1.0.20", "1.0.69"]);
});

Deno.test("rejectedVersions() forgets a version after a week, by a clock that was set back too", () => {
  const day = 24 * 60 * 60_000;
  const failed = [{ version: "1.3.0", atMs: 30 * day }];
  assertEquals(rejectedVersions(failed, 37 * day - 1), ["1.3.0"]);
  assertEquals(rejectedVersions(failed, 37 * day), []);
  assertEquals(rejectedVersions(failed, 23 * day), []);
});

Deno.test("parseUpdateState() refuses what is wrong by one field", () => {
  const good = { version: 1, failed: [{ version: "1.0.0", atMs: 1 }], trial: TRIAL };
  parseUpdateState(JSON.stringify(good));
  const rejections = [1, "1.0.0", { version: "", atMs: 1 }, { version: "1" }];
  const trials = [
    ...["ab", `${TRIAL.sha256}a`, TRIAL.sha256.toUpperCase()].map((sha256) => ({ sha256 })),
    ...[{ resumes: -1 }, { resumes: "1" }, { isReturning: 0 }, { to: "" }, {
      from: "x".repeat(101),
    }],
  ];
  const damages = [
    ...[{ version: 2 }, { failed: "1.0.0" }, { trial: null }],
    ...[...rejections, { version: "1", atMs: -1 }].map((one) => ({ failed: [one] })),
    { failed: Array(51).fill(good.failed[0]) },
    ...trials.map((change) => ({ trial: { ...TRIAL, ...change } })),
  ].map((damage) => JSON.stringify({ ...good, ...damage }));
  for (const text of [...damages, "", "{", "null", "[]", "7"]) {
    assertThrows(() => parseUpdateState(text), SyntaxError, "Cannot parse the state", text);
  }
  onlySyntaxErrors(parseUpdateState, [JSON.stringify(good)]);
});

Deno.test("updateFolder() is beside the program, where older programs look too", () => {
  assertEquals([updateFolder("/usr/bin/agent"), UPDATE_STATE], ["/usr/bin/agent.update", "update"]);
});
