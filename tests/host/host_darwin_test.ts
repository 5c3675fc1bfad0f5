import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { openDarwinHost } from "../../lib/host/host_darwin.ts";
import { LocalHost } from "../../lib/host/local_host.ts";

Deno.test("openDarwinHost() asks node:os and the runtime, which tell the same here", async () => {
  const host = await openDarwinHost();
  assertEquals(host.cores().length, navigator.hardwareConcurrency);
  assert(host.cores().every(({ user, idle }) => user + idle > 0));
  assert(host.memory().total > 0);
  assertEquals(host.load().length, 3);
  assert(Math.abs(host.uptime() - Deno.osUptime()) < 10);
  assert(host.interfaceAddresses().some(({ address }) => address === "127.0.0.1"));
});

Deno.test("openDarwinHost() asks for a file system's space, at once and beside", async () => {
  const host = await openDarwinHost();
  const { blockSizeBytes, blocks } = new LocalHost().statfs("/");
  for (const use of [host.statfs("/"), await host.statfsAsync("/")]) {
    assertEquals(use.blockSizeBytes * use.blocks, blockSizeBytes * blocks);
    // What is reserved is not free.
    assert(use.freeBlocks <= new LocalHost().statfs("/").freeBlocks);
  }
  assertThrows(() => host.statfs("/nothing/here"), Error);
  await assertRejects(() => host.statfsAsync("/nothing/here"), Error);
});
