import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { UsageError } from "../../lib/config/usage_error.ts";
import { affects, describeFaults, faults, parseFault } from "../../lib/demo/fault.ts";

Deno.test("parseFault() finds every fault of the table", () => {
  assertEquals(Object.keys(faults).length, 5);
  for (const name of Object.keys(faults)) assertEquals(parseFault(name).name, name);
});

Deno.test("parseFault() lists the known names when there is no such fault", () => {
  for (const name of ["help", "toString", ""]) {
    const error = assertThrows(() => parseFault(name), UsageError, `Cannot use fault "${name}"`);
    assertStringIncludes(error.message, "server-error");
  }
});

Deno.test("describeFaults() has one line per fault", () => {
  for (const language of ["en", "zh"] as const) {
    const lines = describeFaults(language).split("\n");
    assertEquals(lines.length, Object.keys(faults).length);
    for (const line of lines) assert(/^\S+ +\S/.test(line) && line.length <= 100, line);
  }
});

Deno.test("affects() distinguishes WebSockets from calls by POST", () => {
  const [blocked, silent] = [parseFault("websocket-refused"), parseFault("silence")];
  const found = ["upgrade", "terminal", "agent.report", "GET /api/version"].map((call) => [
    affects(blocked, call),
    affects(silent, call),
    affects({ ...silent, calls: ["agent.report"] }, call),
  ]);
  assertEquals(found, [
    [true, true, false],
    [true, true, false],
    [false, true, true],
    [false, true, false],
  ]);
});
