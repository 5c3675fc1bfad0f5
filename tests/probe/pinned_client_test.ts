import { assert, assertEquals, assertRejects } from "@std/assert";
import { createPinnedClient } from "../../lib/probe/pinned_client.ts";
import { Relay } from "../../lib/probe/relay.ts";
import { RawServer, write } from "./raw_server.ts";

const signal = new AbortController().signal;

/** Sets variables while `use` runs. */
async function withEnv(variables: Record<string, string>, use: () => Promise<void>): Promise<void> {
  const before = Object.keys(variables).map((name) => [name, Deno.env.get(name)] as const);
  for (const [name, value] of Object.entries(variables)) Deno.env.set(name, value);
  try {
    await use();
  } finally {
    for (const [name, value] of before) {
      if (value === undefined) Deno.env.delete(name);
      else Deno.env.set(name, value);
    }
  }
}

for (
  const variables of [
    { HTTP_PROXY: "http://127.0.0.1:1", ALL_PROXY: "http://127.0.0.1:1" },
    { NO_PROXY: "*" },
    { no_proxy: "pinned.invalid" },
    { NO_PROXY: "", no_proxy: "*" },
  ]
) {
  const told = JSON.stringify(variables);
  Deno.test(`createPinnedClient() takes no notice of ${told} in the environment`, async () => {
    const server = new RawServer((_, connection) => write(connection, "HTTP/1.1 200 OK\r\n\r\n"));
    try {
      await withEnv(variables, async () => {
        using relay = new Relay(["127.0.0.1"], { port: server.port, signal });
        using client = createPinnedClient(relay.url);
        // A name that nothing but the relay leads anywhere.
        const response = await fetch("http://pinned.invalid/", { client });
        await response.body?.cancel();
        assertEquals(response.status, 200);
        for (const [name, value] of Object.entries(variables)) {
          assertEquals(Deno.env.get(name), value);
        }
      });
    } finally {
      await server.close();
    }
  });
}

Deno.test("createPinnedClient() leaves the environment as it was when the client can't be made", async () => {
  await withEnv({ NO_PROXY: "some.example" }, async () => {
    await assertRejects(() => Promise.try(() => createPinnedClient("nowhere at all://")), Error);
    assert(Deno.env.get("NO_PROXY") === "some.example");
  });
});
