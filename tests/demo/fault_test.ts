import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { UsageError } from "../../lib/config/usage_error.ts";
import { describeFaults, faults, isMute, parseFault, strikes } from "../../lib/demo/fault.ts";

Deno.test("parseFault() gives every fault of the table", () => {
  for (const name of Object.keys(faults)) assertEquals(String(parseFault(name).name), name);
});

Deno.test("parseFault() lists the known ones when there is no such fault", () => {
  for (const name of ["help", "toString", ""]) {
    const error = assertThrows(() => parseFault(name), UsageError, `Cannot use fault "${name}"`);
    assertStringIncludes(error.message, "502-html");
  }
});

Deno.test("describeFaults() says one line about each", () => {
  const lines = describeFaults().split("\n");
  assertEquals(lines.length, Object.keys(faults).length);
  for (const line of lines) assert(/^\S+ +\S/.test(line) && line.length <= 100, line);
});

Deno.test("strikes() keeps to the calls that are named", () => {
  assert(strikes({ name: "hang" }, "report"));
  assert(strikes({ name: "hang" }, undefined));
  assert(!strikes({ name: "hang", calls: ["task list"] }, "report"));
  assert(!strikes({ name: "hang", calls: ["task list"] }, undefined));
  assert(strikes({ name: "bad-tasks" }, "task list"));
  assert(!strikes({ name: "bad-tasks" }, "report"));
  assert(!strikes({ name: "no-extra-columns" }, "report"));
});

Deno.test("strikes() tells WebSockets from calls by POST", () => {
  for (const name of ["upgrade-403", "mute", "close-after-upgrade", "drop-mid-frame"] as const) {
    assert(strikes({ name }, "upgrade") && strikes({ name }, "terminal"), name);
    assert(!strikes({ name }, "report") && !strikes({ name }, "pull"), name);
  }
  assert(strikes({ name: "mute-all" }, "pull") && strikes({ name: "mute-all" }, "upgrade"));
  assert(strikes({ name: "rpc-32000" }, "pull") && !strikes({ name: "rpc-32000" }, "upgrade"));
  assert(!strikes({ name: "exec-flood" }, "report"));
});

Deno.test("isMute() knows the faults that leave WebSockets standing without a word", () => {
  assertEquals(["hang", "mute", "mute-all"].map((name) => isMute(parseFault(name))), [
    true,
    true,
    true,
  ]);
  assert(!isMute(undefined) && !isMute({ name: "close" }));
  assert(!isMute({ name: "hang", calls: ["report"] }));
});
