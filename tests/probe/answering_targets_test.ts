import { assertEquals } from "@std/assert";
import { AnsweringTargets } from "../../lib/probe/answering_targets.ts";
import { timed } from "../fake_time.ts";

const choice = (host: string) =>
  [{ kind: "icmp", host }, { kind: "tcp", host, port: 443 }] as const;

timed.test("AnsweringTargets gives the target that has answered, for ten minutes from then", async (time) => {
  const answering = new AnsweringTargets();
  const targets = choice("h");
  const [icmp, tcp] = targets;
  answering.add(targets, tcp);
  assertEquals(answering.toTry(choice("h")), [tcp]);
  assertEquals(answering.toTry(choice("other")), choice("other"));
  await time.run(9 * 60_000);
  // Another answer does not make it longer: a better one is looked for in time.
  answering.add(targets, tcp);
  await time.run(59_999);
  assertEquals(answering.toTry(targets), [tcp]);
  await time.run(1);
  assertEquals(answering.toTry(targets), targets);
  answering.add(targets, icmp);
  assertEquals(answering.toTry(targets), [icmp]);
});

timed.test("AnsweringTargets remembers nothing of a single target, and the last 1000 of more", async (time) => {
  const answering = new AnsweringTargets();
  const [only] = choice("h");
  answering.add([only], only);
  assertEquals(answering.toTry([only]), [only]);
  for (let n = 0; n <= 1000; n++) answering.add(choice(`h${n}`), choice(`h${n}`)[0]);
  const known = (n: number) => answering.toTry(choice(`h${n}`)).length === 1;
  assertEquals([known(0), known(1), known(1000)], [false, true, true]);
  // One that answers anew is the last.
  await time.run(10 * 60_000);
  for (const n of [1, 1001]) answering.add(choice(`h${n}`), choice(`h${n}`)[0]);
  assertEquals([known(1), known(1001)], [true, true]);
});
