import { assertEquals } from "@std/assert";
import { memoryRule } from "../../lib/metrics/memory.ts";

Deno.test("memoryRule() tells what is subtracted from what", () => {
  const machine = { limited: false, fallback: false };
  assertEquals(
    memoryRule({ mode: "htop", ...machine }),
    "mode htop: total - free - buffers - cached - reclaimable + shared",
  );
  assertEquals(memoryRule({ mode: "available", ...machine }), "mode available: total - available");
  assertEquals(memoryRule({ mode: "all", ...machine }), "mode all: total - free");
});

Deno.test("memoryRule() tells of a container's group where that limits", () => {
  assertEquals(
    memoryRule({ mode: "htop", limited: true, fallback: false }),
    "mode htop: all in use - files not used of late",
  );
});

Deno.test("memoryRule() says why the mode is not the one that was wanted", () => {
  assertEquals(
    memoryRule({ mode: "htop", limited: false, fallback: true }),
    "mode htop, since this kernel does not tell what is available: " +
      "total - free - buffers - cached - reclaimable + shared",
  );
});
