import { assertEquals } from "@std/assert";
import { RawServer, write } from "./raw_server.ts";

const PROGRAM = new URL("pinned_fetch.ts", import.meta.url).pathname;

/** Fetches in a process of its own, since files that are tested in parallel share their environment. */
async function pinnedFetch(
  variables: Record<string, string>,
  args: readonly string[],
): Promise<{ status: number; error: string; changed: string[] }> {
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-prompt", "--no-check", PROGRAM, ...args],
    env: variables,
    stderr: "inherit",
  }).output();
  return JSON.parse(new TextDecoder().decode(stdout));
}

const ENVIRONMENTS: readonly Record<string, string>[] = [
  { HTTP_PROXY: "http://127.0.0.1:1", ALL_PROXY: "http://127.0.0.1:1" },
  { NO_PROXY: "*" },
  { no_proxy: "pinned.invalid" },
  { NO_PROXY: "", no_proxy: "*" },
];

for (const variables of ENVIRONMENTS) {
  const told = JSON.stringify(variables);
  Deno.test(`createPinnedClient() takes no notice of ${told} in the environment`, async () => {
    const server = new RawServer((_, connection) => write(connection, "HTTP/1.1 200 OK\r\n\r\n"));
    try {
      const outcome = await pinnedFetch(variables, [`${server.port}`]);
      assertEquals(outcome, { status: 200, error: "", changed: [] });
    } finally {
      await server.close();
    }
  });
}

Deno.test("createPinnedClient() leaves the environment as it was when the client can't be made", async () => {
  const { status, error, changed } = await pinnedFetch(
    { NO_PROXY: "some.example" },
    ["1", "nowhere at all://"],
  );
  assertEquals([status, changed], [0, []]);
  assertEquals(error === "", false);
});
