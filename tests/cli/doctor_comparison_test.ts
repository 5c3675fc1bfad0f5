import { assertEquals } from "@std/assert";
import { check, type CheckResult, type CompletedCheck, result } from "../../lib/cli/checks.ts";
import { withComparison } from "../../lib/cli/doctor_comparison.ts";

const SERVICE = { name: "x", user: "ann" };

/** What is said of a link that has failed for the service, and ends so in this process. */
async function compared(
  failed: CheckResult,
  here: CheckResult["status"],
): Promise<CompletedCheck | undefined> {
  const checks = [
    { id: "dns", title: "Name", status: "ok", text: "found", ms: 1 } as const,
    { id: "connect", title: "TCP", ...failed, ms: 1 },
  ];
  const chain = [
    check("dns", "Name", () => result("ok", "found")),
    check("connect", "TCP", () => result(here, "text")),
    check("tls", "TLS", () => {
      throw new Error("Cannot be needed");
    }),
  ];
  const options = { signal: new AbortController().signal, secrets: [] };
  const all = await withComparison(checks, { chains: [chain], service: SERVICE, options });
  assertEquals(all.map(({ id }) => id), ["dns", "connect"]);
  return all[1];
}

Deno.test("withComparison() says of a link of the service's that it works in this process", async () => {
  const failed = result("failed", "no answer", "one", "two");
  const found = await compared(failed, "ok");
  const expected = "no answer; tried again in this shell, and not as the service, it works";
  assertEquals(found?.text, expected);
  const [first, ...others] = found?.causes ?? [];
  assertEquals(others, ["one", "two"]);
  assertEquals(first?.includes("a rule is for user ann alone"), true, first);
  for (const status of ["failed", "skipped"] as const) {
    assertEquals((await compared(failed, status))?.text, "no answer");
  }
  const unreadable = { ...result("failed", "x", "one", "two"), kind: "unreadable" } as const;
  const ofUnit = result("failed", "x", "the service's unit takes the network from it: …", "two");
  for (const known of [result("failed", "x", "one"), unreadable, ofUnit]) {
    assertEquals((await compared(known, "ok"))?.text, known.text);
  }
});

Deno.test("withComparison() tries a name again whatever file of the service's tells why it fails", async () => {
  const failed = { id: "dns", title: "Name", ms: 1, ...result("failed", "no server", "add one") };
  const chain = [check("dns", "Name", () => result("ok", "found"))];
  const options = { signal: new AbortController().signal, secrets: [] };
  const [found] = await withComparison([failed], { chains: [chain], service: SERVICE, options });
  assertEquals(found?.text.endsWith("not as the service, it works"), true, found?.text);
  assertEquals([found?.advice, found?.causes?.[1]], [undefined, "add one"]);
});
