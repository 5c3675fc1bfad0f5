import { assertEquals, assertRejects } from "@std/assert";
import { Acknowledgements } from "../../lib/panel/acknowledgements.ts";
import type { PanelEvent, RpcParams } from "../../lib/panel/messages.ts";
import { testsWith } from "../tests_with.ts";

function events(...ids: string[]): PanelEvent[] {
  return ids.map((id) => ({ id, message: { kind: "notice", text: id } }));
}

function idsOf(taken: readonly PanelEvent[]): string[] {
  return taken.map(({ id }) => id);
}

/** The parameters of a call that is not answered, so that nothing changes by it. */
async function paramsOf(acknowledgements: Acknowledgements): Promise<RpcParams> {
  const seen: RpcParams[] = [];
  const call = acknowledgements.carry({ report: 1 }, (params) => {
    seen.push(params);
    return Promise.reject(new Error("no answer"));
  });
  await assertRejects(() => call, Error, "no answer");
  const [params] = seen;
  return params ?? {};
}

const withAcknowledgements = testsWith(() => new Acknowledgements());

withAcknowledgements.test("Acknowledgements.add() gives each event once, also within one answer", async (acknowledgements) => {
  assertEquals(idsOf(acknowledgements.add(events("a", "b", "a"))), ["a", "b"]);
  assertEquals(idsOf(acknowledgements.add(events("b", "c"))), ["c"]);
  const ack_event_ids = ["a", "b", "c"];
  assertEquals(await paramsOf(acknowledgements), { report: 1, ack_event_ids });
});

withAcknowledgements.test("Acknowledgements.carry() removes the ids of an answered call only", async (acknowledgements) => {
  acknowledgements.add(events("a", "b"));
  const answer = await acknowledgements.carry({}, (params) => {
    acknowledgements.add(events("c"));
    return Promise.resolve(params);
  });
  assertEquals(answer, { ack_event_ids: ["a", "b"] });
  assertEquals(acknowledgements.hasPending, true);
  assertEquals(await paramsOf(acknowledgements), { report: 1, ack_event_ids: ["c"] });
  assertEquals(idsOf(acknowledgements.add(events("a"))), [], "it is still known");
  const ack_event_ids = ["c", "a"];
  assertEquals(
    await paramsOf(acknowledgements),
    { report: 1, ack_event_ids },
    "the panel has to be told again",
  );
});

withAcknowledgements.test("Acknowledgements.carry() adds nothing when no event is to be acknowledged", async (acknowledgements) => {
  assertEquals(await paramsOf(acknowledgements), { report: 1 });
  assertEquals(acknowledgements.hasPending, false);
});

withAcknowledgements.test("Acknowledgements remembers 1024 ids, repeated ones longest", async (acknowledgements) => {
  const taken: number[] = [];
  for (let n = 0; n < 10_000; n++) {
    taken.push(acknowledgements.add(events("again", `${n}`)).length);
  }
  const { ack_event_ids: ids } = await paramsOf(acknowledgements);
  assertEquals(Array.isArray(ids) && ids.length, 1024);
  assertEquals(taken.slice(0, 3), [2, 1, 1]);
  assertEquals(taken.slice(1).every((length) => length === 1), true);
  assertEquals(idsOf(acknowledgements.add(events("9999", "0"))), ["0"]);
});

withAcknowledgements.test("Acknowledgements treats ids as plain text", async (acknowledgements) => {
  const odd = ["__proto__", "constructor", ""];
  assertEquals(idsOf(acknowledgements.add(events(...odd))), odd);
  assertEquals(await paramsOf(acknowledgements), { report: 1, ack_event_ids: odd });
});
