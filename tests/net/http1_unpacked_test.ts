import { assert, assertEquals, assertRejects } from "@std/assert";
import { unpacked } from "../../lib/net/http1.ts";
import { isolatedTest } from "../own_process.ts";
import { packed } from "./packed.ts";

/** The runner looks for what is left behind only when told to. */
const sanitized = { sanitizeOps: true, sanitizeResources: true };

for (const encoding of ["gzip", "deflate"] as const) {
  Deno.test(`unpacked() gives back what was packed by ${encoding}`, sanitized, async () => {
    const bytes = crypto.getRandomValues(new Uint8Array(5000));
    const limit = 5000;
    const whole = await unpacked(await packed(bytes, encoding), { encoding, limit });
    assertEquals(whole?.bytes, bytes);
    assertEquals(
      await unpacked(await packed(bytes, encoding), { encoding, limit: 4999 }),
      undefined,
    );
  });
}

/** Forgets how much memory this process has ever had; `false` where the kernel can't. */
function forgetPeak(): boolean {
  try {
    Deno.writeTextFileSync("/proc/self/clear_refs", "5", { create: false });
    return true;
  } catch {
    return false;
  }
}

function peakKib(): number {
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(Deno.readTextFileSync("/proc/self/status"))?.[1]);
}

isolatedTest(import.meta.url, {
  ...sanitized,
  name: "unpacked() takes little more than the limit when a bomb is unpacked",
  fn: async (test) => {
    const mib = new Uint8Array(1024 * 1024);
    const nothing = ReadableStream.from(Array.from({ length: 256 }, () => mib));
    const stream = nothing.pipeThrough(new CompressionStream("gzip"));
    const bomb = new Uint8Array(await new Response(stream).arrayBuffer());
    assert(bomb.length < 300_000);
    const canTell = forgetPeak();
    const before = peakKib();
    const limit = 1024 * 1024;
    assertEquals(await unpacked(bomb, { encoding: "gzip", limit }), undefined);
    const took = peakKib() - before;
    await test.step({
      name: "as the kernel counts it",
      ignore: !canTell, // Its highest mark so far would hide this one.
      fn: () => assert(took < 64 * 1024, `it took ${took} KiB`),
    });
  },
});

Deno.test(
  "unpacked() throws when bytes are not packed, or not all of them",
  sanitized,
  async () => {
    const options = { encoding: "gzip", limit: 1000 } as const;
    await assertRejects(() => unpacked(new TextEncoder().encode("plain"), options), TypeError);
    const whole = await packed(new Uint8Array(100), "gzip");
    await assertRejects(() => unpacked(whole.slice(0, -9), options), TypeError);
    await assertRejects(() => unpacked(Uint8Array.of(...whole, 1, 2, 3), options), TypeError);
  },
);
