import { assert, assertEquals } from "@std/assert";
import { Programs } from "../../lib/host/programs.ts";
import { Files, type FilesOptions } from "../../lib/remote/files.ts";
import type { FileResult } from "../../lib/types.ts";
import { collectedLog } from "./collected_log.ts";
import { FakeTransfers } from "./file_requests_fixture.ts";

const programs = new Programs();

/** The panel's side of file requests. */
interface Panel {
  readonly files: Files;
  readonly results: FileResult[];
  /** Resolves when so many answers have come. */
  answered(count: number): Promise<void>;
}

async function withPanel(
  options: Partial<FilesOptions>,
  use: (panel: Panel) => Promise<void>,
): Promise<void> {
  const results: FileResult[] = [];
  const waiting: { count: number; resolve: () => void }[] = [];
  const files = new Files({
    programs,
    allowsFiles: true,
    transfers: new FakeTransfers(),
    sendFileResult: (result) => {
      results.push(result);
      for (const { count, resolve } of waiting) if (results.length >= count) resolve();
      return Promise.resolve();
    },
    timers: globalThis,
    monotonicMs: () => performance.now(),
    random: () => 0.5,
    ...options,
  });
  try {
    await use({
      files,
      results,
      answered: (count) => new Promise((resolve) => void waiting.push({ count, resolve })),
    });
  } finally {
    await files.close();
  }
}

Deno.test("Files.add() runs requests and sends their answers", async () => {
  await withPanel({}, async ({ files, results, answered }) => {
    const both = answered(2);
    files.add({ requestId: "1", op: "list_roots", args: {} });
    files.add({ requestId: "2", op: "open the door", args: {} });
    await both;
    const [second, first] = results.toSorted((a, b) => Number(a.ok) - Number(b.ok));
    assertEquals([first?.requestId, first?.ok, first?.error], ["1", true, ""]);
    const error = "unsupported file operation: open the door";
    assertEquals(second, { requestId: "2", ok: false, error });
  });
});

for (
  const [name, options, reason] of [
    ["remote control is off", { programs: undefined }, "remote control is off"],
    ["files are switched off", { allowsFiles: false }, "--disable-remote-files is set"],
  ] as const
) {
  Deno.test(`Files.add() refuses at once in the official words when ${name}`, async () => {
    const path = await Deno.makeTempFile();
    const lines = await collectedLog(() =>
      withPanel(options, async ({ files, results, answered }) => {
        const all = answered(5);
        for (let id = 1; id <= 5; id++) {
          files.add({ requestId: `${id}`, op: "delete", args: { path } });
        }
        await all;
        const error = "web control is disabled";
        assertEquals(results[0], { requestId: "1", ok: false, error });
      })
    );
    assertEquals(lines.length, 1);
    assert(lines[0]?.endsWith(`Refused a file request of the panel: ${reason}`), lines[0]);
    await Deno.remove(path);
  });
}

Deno.test("Files.add() bounds its refusals", async () => {
  const sending = Promise.withResolvers<void>();
  let sent = 0;
  const lines = await collectedLog(() =>
    withPanel({
      programs: undefined,
      sendFileResult: async () => {
        await sending.promise;
        sent++;
      },
    }, async ({ files }) => {
      for (let id = 0; id < 10_000; id++) files.add({ requestId: `${id}`, op: "list", args: {} });
      sending.resolve();
      while (sent < 64) await new Promise((resolve) => setTimeout(resolve, 0));
    })
  );
  assertEquals([sent, lines.length], [64, 2]);
});
