import { assertEquals } from "@std/assert";
import { largePacketsLost } from "../../lib/cli/doctor_mtu.ts";
import type { Tools } from "../../lib/host/tool_runner.ts";
import { replaced } from "../replaced.ts";

const { signal } = new AbortController();

/** What is found where pings up to a size are answered, on an interface of 1,500 bytes. */
async function found(largest: number, output = "", address = "192.0.2.7"): Promise<string[]> {
  using _ = replaced(Deno, { readTextFileSync: () => "1500\n" });
  const tools: Tools = {
    run: ({ args }) => {
      const size = Number(args[args.indexOf("-s") + 1]);
      return Promise.resolve({ code: size <= largest ? 0 : 1, output });
    },
  };
  const finding = await largePacketsLost(address, signal, tools);
  return finding === undefined ? [] : [finding.text, ...finding.advice];
}

Deno.test("largePacketsLost() tells by pings that large packets alone are lost", async () => {
  for (const [largest, passing] of [[1400 - 28, 1400], [1280 - 28, 1280]] as const) {
    const [text, advice] = await found(largest);
    assertEquals(
      text,
      `packets of 1500 bytes are lost on the way, and those of ${passing} get there (pings)`,
    );
    assertEquals(advice?.includes(` mtu ${passing}, and in the files`), true, advice);
  }
  assertEquals((await found(1280 - 48, "", "2001:db8::7")).length, 2, "its headers are longer");
  assertEquals(await found(1500), [], "all get there");
  assertEquals(await found(0), [], "no ping is answered, or ping can't do it");
  assertEquals(await found(1280, "message too long, mtu=1400"), [], "the kernel knows it");
});
