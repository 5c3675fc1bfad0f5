import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { AgentProcess } from "../end_to_end/agent_process.ts";
import { TempFolder } from "../temp_folder.ts";

const TOKEN = "t0ken-Of+This/node=1234567";
const ATTACK = "\x1b]0;owned\x07\x1b[2J\u202e\x9b31m\r\nService: running";

/** A server in the panel's place that answers everything alike, and keeps what it has answered. */
function startServer(answer: () => Response): AsyncDisposable & { readonly url: string } {
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, answer);
  return {
    url: `http://127.0.0.1:${server.addr.port}`,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

/** What a command prints, to both streams. */
async function outputOf(args: string[], env: Record<string, string>): Promise<string> {
  const command = new AgentProcess(args, { env });
  await command.ends();
  return command.output;
}

/** Ways in which a server may send the token back. */
const REFLECTIONS: Readonly<Record<string, () => Response>> = {
  "in a redirect's path": () => redirect(`/login/${TOKEN}/`),
  "URL-encoded": () => redirect(`/login/${encodeURIComponent(TOKEN)}/`),
  "where a line is cut": () => redirect(`/${"x".repeat(185)}/${TOKEN}/`),
  "with a zero-width character inside": () =>
    Response.json({ message: `no node ${TOKEN.slice(0, 9)}\u200b${TOKEN.slice(9)}` }, {
      status: 500,
    }),
  "in a message's end": () =>
    Response.json({ message: `${"x".repeat(180)}${TOKEN}` }, { status: 500 }),
};

function redirect(location: string): Response {
  return new Response(null, { status: 302, headers: { location } });
}

for (const [name, answer] of Object.entries(REFLECTIONS)) {
  Deno.test(`no text for people has the token that a server sends back ${name}`, async () => {
    await using server = startServer(answer);
    using folder = new TempFolder();
    const env = { RUNTIME_DIRECTORY: folder.path };
    const args = ["-e", server.url, "-t", TOKEN];
    await using agent = new AgentProcess([...args, "--log-level", "debug"], { env });
    await agent.says("Cannot report");
    const health = () => Deno.readTextFileSync(`${folder.path}/health`);
    while (!health().includes('"error"')) await new Promise((resolve) => setTimeout(resolve, 10));
    const texts = {
      log: agent.output,
      health: health(),
      status: await outputOf(["status"], env),
      "status --json": await outputOf(["status", "--json"], env),
      "health of the agent": await outputOf(["health"], env),
      doctor: await outputOf(["doctor", ...args], env),
    };
    for (const [place, text] of Object.entries(texts)) {
      const shown = text.replace(/[\u200b\s]/g, "");
      for (const form of [TOKEN, encodeURIComponent(TOKEN)]) {
        // Four characters of it are no secret.
        assert(!shown.includes(form.slice(0, 5)), `${place}: ${text}`);
      }
    }
    assertStringIncludes(texts.health, "…");
  });
}

Deno.test("doctor prints nothing of a panel's that acts on the terminal", async () => {
  const answer = { message: ATTACK, data: { version: ATTACK } };
  await using server = startServer(() => Response.json(answer));
  using folder = new TempFolder();
  const env = { RUNTIME_DIRECTORY: folder.path };
  const output = await outputOf(["doctor", "-e", server.url, "-t", TOKEN], env);
  assertStringIncludes(output, "owned", "it is shown");
  assertInert(output);
  assert(!/^Service: running/m.test(output), "it is no line of its own");
});

Deno.test("status prints nothing of a forged health file that acts on the terminal", async () => {
  using folder = new TempFolder();
  const forged = { pid: 1, intervalMs: 1, version: ATTACK, seal: ATTACK };
  Deno.writeTextFileSync(`${folder.path}/health`, JSON.stringify(forged));
  // The reader takes it for an agent only while somebody holds it.
  using file = Deno.openSync(`${folder.path}/health`);
  file.lockSync(true);
  const output = await outputOf(["status"], { RUNTIME_DIRECTORY: folder.path });
  assertStringIncludes(output, "owned", "it is shown");
  assertInert(output);
  assertEquals(output.match(/^Service: running/m), null, "it is no line of its own");
});

/** Checks that a text has line feeds and tabs, and no other character that acts. */
function assertInert(text: string): void {
  const [found] = text.replace(/[\n\t]/g, "").match(/[\p{Cc}\p{Cf}\u2028\u2029]/u) ?? [];
  assertEquals(found, undefined, JSON.stringify(text));
}
