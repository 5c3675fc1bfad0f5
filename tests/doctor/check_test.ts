import { assertEquals, assertRejects } from "@std/assert";
import { failed, makeCheck, ok, withoutSecrets } from "../../lib/doctor/check.ts";

const { signal } = new AbortController();

Deno.test("a check that throws has failed, and one that the deadline ends says so", async () => {
  const deadline = new AbortController();
  const make = async (look: () => Promise<never>) => {
    const { status, text } = await makeCheck("x", "X", look, { signal, deadline: deadline.signal });
    return `${status}: ${text}`;
  };
  const throwing = (message: string) => () => Promise.reject(new Error(message));
  assertEquals(await make(throwing("Cannot read /x")), "failed: Cannot read /x");
  assertEquals(await make(throwing("oops")), "failed: this check can't be made: oops");
  const hanging = make(() => new Promise(() => {}));
  deadline.abort();
  assertEquals(await hanging, "warning: it did not end in time");
});

Deno.test("a check ends with the command", async () => {
  const command = new AbortController();
  const check = makeCheck("x", "X", () => new Promise(() => {}), {
    signal: command.signal,
    deadline: signal,
  });
  command.abort(new Error("Ctrl-C"));
  await assertRejects(() => check, Error, "Ctrl-C");
});

Deno.test("advice that does not fit, or stands there already, is left out, and nobody takes more than three looks", () => {
  assertEquals(failed("x", false, "a", undefined, "a", "b", "c", "d").advice, ["a", "b", "c"]);
});

Deno.test("no secret and nothing that acts on a terminal is in a check", () => {
  const text = "the s3cret\n\x1b[31m is red \u2192 id";
  const check = withoutSecrets(
    { ...ok(text), advice: [text], title: text, panel: text, id: "x", ms: 0 },
    ["s3cret"],
  );
  const shown = [check.text, ...check.advice, check.title, check.panel ?? ""];
  // deno-lint-ignore no-control-regex -- It is what may not be there.
  assertEquals(shown.filter((it) => /s3cret|[\x00-\x1f]/.test(it)), []);
  assertEquals(check.text.includes("\u2192"), false, "what follows an arrow is advice");
});
