import { assertEquals } from "@std/assert";
import { closeQuietly } from "../../lib/net/byte_stream.ts";
import { type FaultName, panelFault } from "../test_panel/faults.ts";
import type { GenerationName } from "../test_panel/generation.ts";
import { startTestPanel } from "../test_panel/test_panel.ts";

/** The token that {@linkcode withPanel}'s panels know, and no agent of another test. */
export const TOKEN = `t0ken-${crypto.randomUUID()}`;

/** Starts a panel for a test; `requireUnseen` fails if a node has appeared there. */
export async function withPanel(
  options: { fault?: FaultName; generation?: GenerationName },
  test: (url: string, requireUnseen: () => void) => Promise<void>,
): Promise<void> {
  const fault = options.fault === undefined ? undefined : panelFault(options.fault);
  using panel = await startTestPanel({ ...options, fault, token: TOKEN, port: 0 });
  await test(panel.url, () => {
    const { counts, sockets } = panel.state;
    assertEquals([counts.reports, sockets.opened, counts.pulls], [0, 0, 0]);
  });
}

/** What serves connections one after the other, and closes each. */
export function serving(
  serve: (connection: Deno.Conn) => Promise<unknown>,
): AsyncDisposable & { readonly host: string } {
  const listener = Deno.listen({ port: 0, hostname: "127.0.0.1" });
  const accepting = (async () => {
    for await (const connection of listener) {
      await serve(connection).catch(() => {});
      closeQuietly(connection);
    }
  })();
  return {
    host: `127.0.0.1:${listener.addr.port}`,
    async [Symbol.asyncDispose]() {
      listener.close();
      await accepting;
    },
  };
}
