import { assertEquals } from "@std/assert";
import { Acknowledgements } from "../../lib/panel/acknowledgements.ts";

/** What is new of events with these ids. */
function add(acknowledgements: Acknowledgements, ...ids: string[]): string[] {
  const events = ids.map((id) => ({ id, message: { kind: "notice", text: id } }) as const);
  return acknowledgements.add(events).map(({ id }) => id);
}

/** The ids that a call carries; while it waits for its answer, `meanwhile` happens. */
async function carried(acknowledgements: Acknowledgements, meanwhile = () => {}): Promise<unknown> {
  const { report, ack_event_ids: ids } = await acknowledgements.carry(
    { report: 1 },
    (params) => (meanwhile(), Promise.resolve(params)),
  );
  assertEquals(report, 1);
  return ids;
}

Deno.test("Acknowledgements remembers 1024 ids, repeated ones longest", async () => {
  const known = new Acknowledgements();
  const fresh = Array.from({ length: 10_000 }, (_, n) => add(known, "again", `${n}`).length);
  assertEquals(fresh, [2, ...Array(9_999).fill(1)]);
  const ids = await carried(known);
  assertEquals(Array.isArray(ids) && ids.length, 1024);
  assertEquals(add(known, "9999", "0"), ["0"]);
});
