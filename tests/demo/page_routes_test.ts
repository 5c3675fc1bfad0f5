import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { StandInPanel } from "../../lib/demo/stand_in_panel.ts";
import { realDeadline } from "../real_deadline.ts";
import { withPanel } from "./page_panel.ts";

const portOf = (panel: StandInPanel) => Number(new URL(panel.url).port);

/** Sends raw bytes, since no HTTP client sends a false host. */
async function ask(
  panel: StandInPanel,
  line: string,
  headers: Record<string, string>,
  body = "",
): Promise<string> {
  const connection = await Deno.connect({ hostname: "127.0.0.1", port: portOf(panel) });
  const all = { connection: "close", "content-length": String(body.length), ...headers };
  const head = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`).join("");
  await connection.write(new TextEncoder().encode(`${line} HTTP/1.1\r\n${head}\r\n${body}`));
  return await realDeadline(new Response(connection.readable).text());
}

const ownHeaders = (panel: StandInPanel) => ({
  host: `127.0.0.1:${portOf(panel)}`,
  origin: panel.url,
  "content-type": "application/json",
});

withPanel.test("answerPage() sets and ends a fault for the page", async (panel) => {
  const line = "POST /demo/fault";
  assertStringIncludes(await ask(panel, line, ownHeaders(panel), '{"fault":"silence"}'), " 200 ");
  assertEquals(panel.state.fault?.name, "silence");
  assertStringIncludes(await ask(panel, line, ownHeaders(panel), '{"fault":""}'), " 200 ");
  assertEquals(panel.state.fault, undefined);
  for (const name of ["x", "refuse"]) {
    const body = JSON.stringify({ fault: name });
    assertStringIncludes(await ask(panel, line, ownHeaders(panel), body), " 409 ");
  }
  assertEquals(panel.state.fault, undefined);
});

withPanel.test("answerPage() changes nothing for a foreign page", async (panel) => {
  const { host, origin, ...rest } = ownHeaders(panel);
  const port = portOf(panel);
  const strangers: Record<string, string>[] = [
    { host },
    { host, origin: "null" },
    { host, origin: "http://evil.example" },
    { host, origin: `https://127.0.0.1:${port}` },
    { host, origin: `http://127.0.0.1:${port + 1}` },
    { host, origin: `http://localhost:${port}` },
    { host: `evil.example:${port}`, origin: `http://evil.example:${port}` },
    { host: `127.0.0.1.evil.example:${port}`, origin: `http://127.0.0.1.evil.example:${port}` },
    { origin },
  ];
  for (const headers of strangers) {
    const all = { ...rest, ...headers };
    const answer = await ask(panel, "POST /demo/fault", all, '{"fault":"silence"}');
    assert(/ 40[03] /.test(answer.split("\r\n")[0] ?? ""), JSON.stringify(headers));
  }
  assertEquals(panel.state.fault, undefined);
});

withPanel.test("answerPage() shows nothing to a foreign host that was made to resolve to this machine", async (panel) => {
  const statusOf = async (path: string, host: string): Promise<string> => {
    const answer = await ask(panel, `GET ${path}`, host === "" ? {} : { host });
    return answer.split(" ")[1] ?? "";
  };
  const port = portOf(panel);
  const strangers = [`evil.example:${port}`, `127.0.0.1.evil.example:${port}`, "evil.localhost"];
  for (const host of strangers) {
    for (const path of ["/demo/events", "/demo/page/main.js"]) {
      assertEquals(await statusOf(path, host), "403", `${path} ${host}`);
    }
  }
  for (const host of ["127.0.0.1", `localhost:${port}`, `[::1]:${port}`]) {
    assertEquals(await statusOf("/demo/page/main.js", host), "200", host);
  }
});

withPanel.test("answerPage() accepts only JSON, which a form can't send", async (panel) => {
  const headers = { ...ownHeaders(panel), "content-type": "text/plain" };
  assertStringIncludes(
    await ask(panel, "POST /demo/fault", headers, '{"fault":"silence"}'),
    " 400 ",
  );
  const long = `{${" ".repeat(1024)}}`;
  for (const body of ["[]", long]) {
    assertStringIncludes(await ask(panel, "POST /demo/fault", ownHeaders(panel), body), " 400 ");
  }
  assertEquals(panel.state.fault, undefined);
});
