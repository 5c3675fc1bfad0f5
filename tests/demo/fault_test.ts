import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { UsageError } from "../../lib/config/usage_error.ts";
import { affects, describeFaults, faults, parseFault } from "../../lib/demo/fault.ts";

Deno.test("parseFault() finds every fault of the table", () => {
  assertEquals(Object.keys(faults).length, 10);
  for (const name of Object.keys(faults)) assertEquals(parseFault(name).name, name);
});

Deno.test("parseFault() lists the known names when there is no such fault", () => {
  for (const name of ["help", "toString", ""]) {
    const error = assertThrows(() => parseFault(name), UsageError, `Cannot use fault "${name}"`);
    assertStringIncludes(error.message, "502-html");
  }
});

Deno.test("describeFaults() has one line per fault", () => {
  for (const language of ["en", "zh"] as const) {
    const lines = describeFaults(language).split("\n");
    assertEquals(lines.length, Object.keys(faults).length);
    for (const line of lines) assert(/^\S+ +\S/.test(line) && line.length <= 100, line);
  }
});

Deno.test("affects() is limited to the calls that are named", () => {
  assert(affects(parseFault("hang"), "agent.report"));
  assert(affects(parseFault("hang"), "GET /api/version"));
  const limited = { ...parseFault("hang"), calls: ["agent.pull"] };
  assert(affects(limited, "agent.pull") && !affects(limited, "agent.report"));
});

Deno.test("affects() distinguishes WebSockets from calls by POST", () => {
  for (const name of ["upgrade-403", "mute", "close-after-upgrade"]) {
    const fault = parseFault(name);
    assert(affects(fault, "upgrade") && affects(fault, "terminal"), name);
    assert(!affects(fault, "agent.report") && !affects(fault, "agent.pull"), name);
  }
  assert(affects(parseFault("hang"), "agent.pull") && affects(parseFault("hang"), "upgrade"));
});
