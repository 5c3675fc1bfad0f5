import { assertEquals, assertStringIncludes } from "@std/assert";
import { largeAnswersLost, largePacketsLost } from "../../lib/cli/doctor_mtu.ts";
import { wayTo } from "../../lib/cli/doctor_way.ts";
import type { Tools } from "../../lib/host/tool_runner.ts";
import { replaced } from "../replaced.ts";
import { configOf } from "./fake_context.ts";

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

Deno.test("largeAnswersLost() asks a server of TLS what it refuses by a few bytes", async () => {
  using server = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = server.addr;
  const questions: Uint8Array[] = [];
  let answer: Uint8Array | undefined = Uint8Array.from([21, 3, 3, 0, 2, 2, 40]);
  const serving = (async () => {
    for await (const connection of server) {
      const buffer = new Uint8Array(4096);
      const count = await connection.read(buffer) ?? 0;
      questions.push(buffer.subarray(0, count));
      if (answer !== undefined) await connection.write(answer);
      connection.close();
    }
  })();
  const way = wayTo(configOf(["doctor", "-e", `https://panel.test:${port}`, "-t", "x"]), []);
  way.addresses = ["127.0.0.1"];
  const found = await largeAnswersLost(way, signal);
  assertStringIncludes(found?.text ?? "", "so large ones are lost on the way back");
  assertStringIncludes(found?.advice[0] ?? "", "ip link set dev lo mtu 1280");
  answer = undefined;
  assertEquals(await largeAnswersLost(way, signal), undefined, "it says nothing");
  const [question = new Uint8Array()] = questions;
  assertEquals([question[0], question.length < 120], [22, true]);
  assertStringIncludes(new TextDecoder().decode(question), "panel.test");
  server.close();
  await serving;
});
