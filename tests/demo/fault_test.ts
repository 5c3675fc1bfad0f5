import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { describeFaults, faults, parseFault, strikes } from "../../lib/demo/fault.ts";
import { UsageError } from "../../lib/errors.ts";

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
