import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { NetDialer } from "../../lib/net/dialer.ts";
import { DialError, ResponseError, UpgradeError } from "../../lib/net/errors.ts";
import type { DialFailure } from "../../lib/panel/link_machine.ts";
import { PanelError, type PanelFailure } from "../../lib/panel/panel_error.ts";
import { WebSocketOpener, type WebSocketPurpose } from "../../lib/panel/websocket_opener.ts";

import { answer } from "./answers.ts";
import { FakeTime } from "../fake_time.ts";
import { withRawServer } from "../net/raw_server.ts";
import { upgrade } from "../net/raw_upgrade.ts";
import { serverFrame } from "../net/server_frames.ts";

const never = new AbortController().signal;
const HTML = "<!doctype html><title>panel</title>";

function opener(open: (url: URL) => Promise<never>): WebSocketOpener {
  const access = { endpoint: "https://panel/base", token: "s3cret/+&=" };
  return new WebSocketOpener(access, { dialer: { dial: open }, headers: [] });
}

/** One that dials a server of the test's. */
function openerAt(endpoint: string, options: { orderBytes?: number } = {}): WebSocketOpener {
  return new WebSocketOpener({ endpoint, token: "t" }, {
    ...{ dialer: new NetDialer(), headers: [], ...options },
  });
}

const closedDoor = opener(() => Promise.reject(new Error("nobody dials here")));

Deno.test("WebSocketOpener.open() dials the path of the purpose, with the encoded token", async () => {
  const cases: [WebSocketPurpose, string][] = [
    [{ version: 2 }, "/base/api/clients/v2/rpc?token=s3cret%2F%2B%26%3D"],
    [{ version: 1 }, "/base/api/clients/report?token=s3cret%2F%2B%26%3D"],
    [
      { terminal: "../r&token=x#" },
      "/base/api/clients/terminal?token=s3cret%2F%2B%26%3D&id=..%2Fr%26token%3Dx%23",
    ],
  ];
  for (const [purpose, path] of cases) {
    const dialled: URL[] = [];
    const refused = new DialError("refused", { stage: "connect" });
    const open = (url: URL) => (dialled.push(url), Promise.reject(refused));
    assertEquals(await assertRejects(() => opener(open).open(purpose, never), DialError), refused);
    assertEquals(dialled.map((url) => url.host + url.pathname + url.search), [`panel${path}`]);
  }
});

Deno.test("WebSocketOpener.toOpenFailure() distinguishes where POST may work from where nothing does", () => {
  const refused = new Deno.errors.ConnectionRefused("refused");
  const upgrade = (status: number, text = "", location?: string) =>
    new UpgradeError(status, answer(status, text, { location }));
  const cases: [unknown, DialFailure, PanelFailure, string][] = [
    [upgrade(200, HTML), "answered", "unsupported protocol", "the answer is a page of HTML"],
    [upgrade(200, "hello"), "answered", "unreadable", "the answer is no panel's"],
    [upgrade(401, '{"message":"Unauthorized."}'), "answered", "unauthorized", "token"],
    [upgrade(403, HTML), "answered", "unavailable", "status 403"],
    [upgrade(404, "404 page not found"), "answered", "unavailable", "status 404"],
    [upgrade(502), "answered", "unavailable", "status 502"],
    [upgrade(302, "", "/login?next=s3cret"), "answered", "redirected", "/login"],
    [new ResponseError("late", { kind: "timeout" }), "answered", "timeout", "late"],
    [new ResponseError("cut off", { kind: "closed" }), "answered", "unreachable", "cut off"],
    [new ResponseError("odd", { kind: "malformed" }), "answered", "unreadable", "odd"],
    [new DialError("no name", { stage: "lookup" }), "no answer", "unreachable", "no name"],
    [new DialError("no way", { stage: "connect" }), "no answer", "unreachable", "no way"],
    [
      new DialError("down", { stage: "connect", cause: new Error("all", { cause: refused }) }),
      "refused",
      "unreachable",
      "down",
    ],
    [new DialError("untrusted", { stage: "tls" }), "refused", "unreachable", "untrusted"],
    [new DialError("forbidden", { stage: "proxy" }), "answered", "unreachable", "forbidden"],
  ];
  for (const [cause, why, failure, words] of cases) {
    const trouble = closedDoor.toOpenFailure({ version: 2 }, cause);
    assertEquals([trouble.why, trouble.error.failure], [why, failure], words);
    assertStringIncludes(trouble.error.message, words);
    assertStringIncludes(trouble.error.message, "open a WebSocket (GET /api/clients/v2/rpc): ");
    assertEquals(Deno.inspect(trouble.error).includes("s3cret"), false);
  }
});

Deno.test("WebSocketOpener.toOpenFailure() names a terminal without its id", () => {
  const { error } = closedDoor.toOpenFailure({ terminal: "r-1" }, new Error("odd"));
  assertEquals(error.message, "Cannot open a WebSocket (GET /api/clients/terminal): odd");
});

Deno.test("WebSocketOpener.openTerminal() gives nothing for a session that is gone, and throws for all else", async () => {
  const answers: [status: string, body: string, error: string | undefined][] = [
    ["404 Not Found", '{"message":"Session not found or not active"}', undefined],
    ["404 Not Found", "404 page not found", "status 404"],
    ["403 Forbidden", '{"message":"Session not found"}', "status 403"],
    ["401 Unauthorized", '{"message":"Unauthorized."}', "does not know this token"],
  ];
  for (const [status, body, error] of answers) {
    await withRawServer(async (peer) => {
      await peer.request();
      await peer.answer(body, [], status);
    }, async ({ origin }) => {
      const opening = openerAt(origin).openTerminal("t", never);
      if (error === undefined) assertEquals(await opening, undefined);
      else await assertRejects(() => opening, PanelError, error);
    });
  }
  const stop = new AbortController();
  const stopping = opener(() => {
    stop.abort(new Error("enough"));
    return Promise.reject(new Error("the dialer's own error"));
  });
  await assertRejects(() => stopping.openTerminal("t", stop.signal), Error, "enough");
});

Deno.test("WebSocketOpener.open() takes orders up to the limit, and skips longer ones up to 64 MiB", async () => {
  await withRawServer(async (peer) => {
    await upgrade(peer);
    for (const length of [10_000, 10_001]) await peer.write(serverFrame(1, "a".repeat(length)));
    // In fragments, the last of which is too much.
    await peer.write(serverFrame(1, "b".repeat(10_000), { final: false }));
    await peer.write(serverFrame(0, "c"));
    await peer.write(serverFrame(1, "behind"));
    await peer.write(serverFrame(1, "", { declared: 64n * 1024n * 1024n + 1n }));
    await peer.ended();
  }, async ({ origin }) => {
    const socket = await openerAt(origin, { orderBytes: 10_000 }).open({ version: 2 }, never);
    const skipped: number[] = [];
    socket.onSkipped = ({ lengthBytes }) => void skipped.push(lengthBytes);
    assertEquals(String(await socket.receive()).length, 10_000);
    assertEquals(await socket.receive(), "behind");
    assertEquals(skipped, [10_001, 10_001]);
    assertEquals(await socket.receive(), undefined);
    assertStringIncludes(socket.closeReason, "too long");
  });
});

Deno.test("WebSocketOpener.open() takes input of terminals up to 8 MiB, and skips more", async () => {
  const part = "a".repeat(1024 * 1024);
  await withRawServer(async (peer) => {
    await upgrade(peer);
    await peer.write(serverFrame(1, part, { final: false }));
    for (let n = 0; n < 7; n++) await peer.write(serverFrame(0, part, { final: false }));
    await peer.write(serverFrame(0, "b"));
    await peer.write(serverFrame(1, part));
    await peer.ended();
  }, async ({ origin }) => {
    const socket = await openerAt(origin).open({ terminal: "t" }, never);
    const skipped: number[] = [];
    socket.onSkipped = ({ lengthBytes }) => void skipped.push(lengthBytes);
    assertEquals(String(await socket.receive()).length, part.length);
    assertEquals(skipped, [8 * part.length + 1]);
    socket.close();
  });
});

Deno.test("WebSocketOpener.open() gives up after 5 s without an answer to the upgrade", async () => {
  const asked = Promise.withResolvers<void>();
  await withRawServer(async (peer) => {
    await peer.request();
    asked.resolve();
    await peer.ended();
  }, async ({ origin }) => {
    using time = new FakeTime();
    const opening = assertRejects(
      () => openerAt(origin).open({ version: 2 }, never),
      ResponseError,
    );
    await asked.promise;
    const tookMs = await time.until(opening, { withinMs: 6_000, stepMs: 100 });
    assertEquals([(await opening).kind, tookMs], ["timeout", 5_000]);
  });
});
