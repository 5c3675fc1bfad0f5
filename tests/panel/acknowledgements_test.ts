import { assertEquals } from "@std/assert";
import { Acknowledgements } from "../../lib/panel/acknowledgements.ts";
import type { PanelEvent } from "../../lib/panel/messages.ts";

function events(...ids: string[]): PanelEvent[] {
  return ids.map((id) => ({ id, message: { kind: "notice", text: id } }));
}

function idsOf(taken: readonly PanelEvent[]): string[] {
  return taken.map(({ id }) => id);
}

Deno.test("Acknowledgements.add() gives each event once, also within one answer", () => {
  const acknowledgements = new Acknowledgements();
  assertEquals(idsOf(acknowledgements.add(events("a", "b", "a"))), ["a", "b"]);
  assertEquals(idsOf(acknowledgements.add(events("b", "c"))), ["c"]);
  assertEquals(acknowledgements.pending, ["a", "b", "c"]);
});

Deno.test("Acknowledgements.confirm() removes the ids of an answered call only", () => {
  const acknowledgements = new Acknowledgements();
  acknowledgements.add(events("a", "b"));
  const told = acknowledgements.pending;
  acknowledgements.add(events("c"));
  acknowledgements.confirm(told);
  assertEquals(acknowledgements.pending, ["c"]);
  assertEquals(idsOf(acknowledgements.add(events("a"))), [], "it is still known");
  assertEquals(acknowledgements.pending, ["c", "a"], "the panel has to be told again");
});

Deno.test("Acknowledgements remembers 1024 ids, repeated ones longest", () => {
  const acknowledgements = new Acknowledgements();
  const taken: number[] = [];
  for (let n = 0; n < 10_000; n++) {
    taken.push(acknowledgements.add(events("again", `${n}`)).length);
    assertEquals(acknowledgements.pending.length <= 1024, true);
  }
  assertEquals(taken.slice(0, 3), [2, 1, 1]);
  assertEquals(taken.slice(1).every((length) => length === 1), true);
  assertEquals(idsOf(acknowledgements.add(events("9999", "0"))), ["0"]);
});

Deno.test("Acknowledgements treats ids as plain text", () => {
  const acknowledgements = new Acknowledgements();
  const odd = ["__proto__", "constructor", ""];
  assertEquals(idsOf(acknowledgements.add(events(...odd))), odd);
  acknowledgements.confirm(["toString"]);
  assertEquals(acknowledgements.pending, odd);
});
