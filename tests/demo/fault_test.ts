import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { UsageError } from "../../lib/config/usage_error.ts";
import { affects, describeFaults, faults, isMute, parseFault } from "../../lib/demo/fault.ts";
import { hostileFault } from "../test_panel/hostile_faults.ts";

Deno.test("parseFault() finds every fault of the table", () => {
  for (const name of Object.keys(faults)) assertEquals(String(parseFault(name).name), name);
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
  assert(affects({ name: "hang" }, "report"));
  assert(affects({ name: "hang" }, undefined));
  assert(!affects({ name: "hang", calls: ["task list"] }, "report"));
  assert(!affects({ name: "hang", calls: ["task list"] }, undefined));
  assert(affects(hostileFault("bad-tasks"), "task list"));
  assert(!affects(hostileFault("bad-tasks"), "report"));
  assert(!affects({ name: "no-extra-columns" }, "report"));
});

Deno.test("affects() distinguishes WebSockets from calls by POST", () => {
  for (const name of ["upgrade-403", "mute", "close-after-upgrade", "drop-mid-frame"] as const) {
    assert(affects({ name }, "upgrade") && affects({ name }, "terminal"), name);
    assert(!affects({ name }, "report") && !affects({ name }, "pull"), name);
  }
  assert(affects({ name: "mute-all" }, "pull") && affects({ name: "mute-all" }, "upgrade"));
  assert(affects({ name: "rpc-32000" }, "pull") && !affects({ name: "rpc-32000" }, "upgrade"));
});

Deno.test("isMute() is true for faults that leave WebSockets open and silent", () => {
  assertEquals(["hang", "mute", "mute-all"].map((name) => isMute(parseFault(name))), [
    true,
    true,
    true,
  ]);
  assert(!isMute(undefined) && !isMute({ name: "close" }));
  assert(!isMute({ name: "hang", calls: ["report"] }));
});
