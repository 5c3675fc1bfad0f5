import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { AnswerError, LineError, UpgradeRefused } from "../../lib/net/errors.ts";
import type { DialFailure } from "../../lib/panel/link_machine.ts";
import type { PanelFailure } from "../../lib/panel/panel_error.ts";
import { SocketDoor, type SocketPurpose } from "../../lib/panel/websocket_opener.ts";

const never = new AbortController().signal;
const HTML = "<!doctype html><title>panel</title>";

function door(open: (url: URL) => Promise<never>): SocketDoor {
  const access = { endpoint: "https://panel/base", token: "s3cret/+&=" };
  return new SocketDoor(access, { dialler: { open }, headers: [] });
}

const closedDoor = door(() => Promise.reject(new Error("nobody dials here")));

Deno.test("SocketDoor.open() dials the path of the purpose, with the encoded token", async () => {
  const cases: [SocketPurpose, string][] = [
    [{ version: 2 }, "/base/api/clients/v2/rpc?token=s3cret%2F%2B%26%3D"],
    [{ version: 1 }, "/base/api/clients/report?token=s3cret%2F%2B%26%3D"],
    [
      { terminal: "../r&token=x#" },
      "/base/api/clients/terminal?token=s3cret%2F%2B%26%3D&id=..%2Fr%26token%3Dx%23",
    ],
  ];
  for (const [purpose, path] of cases) {
    const dialled: URL[] = [];
    const refused = new LineError("refused", { stage: "connect" });
    const { open } = {
      open(url: URL) {
        dialled.push(url);
        return Promise.reject(refused);
      },
    };
    assertEquals(await assertRejects(() => door(open).open(purpose, never), LineError), refused);
    assertEquals(dialled.map((url) => url.host + url.pathname + url.search), [`panel${path}`]);
  }
});

Deno.test("SocketDoor.troubleOf() tells where POST may go through from where nothing does", () => {
  const refused = new Deno.errors.ConnectionRefused("refused");
  const upgrade = (status: number, text = "", location?: string) =>
    new UpgradeRefused(status, { text, location });
  const cases: [unknown, DialFailure, PanelFailure, string][] = [
    [upgrade(200, HTML), "answered", "unspoken", "the answer is a page of HTML"],
    [upgrade(200, "hello"), "answered", "unspoken", "the answer is no WebSocket"],
    [upgrade(401, '{"message":"Unauthorized."}'), "answered", "unauthorized", "token"],
    [upgrade(403, HTML), "answered", "unavailable", "status 403"],
    [upgrade(404, "404 page not found"), "answered", "unavailable", "status 404"],
    [upgrade(502), "answered", "unavailable", "status 502"],
    [upgrade(302, "", "/login?next=s3cret"), "answered", "redirected", "/login ("],
    [new AnswerError("late", { kind: "timeout" }), "answered", "timeout", "late"],
    [new AnswerError("cut off", { kind: "closed" }), "answered", "unreachable", "cut off"],
    [new AnswerError("odd", { kind: "malformed" }), "answered", "unreadable", "odd"],
    [new LineError("no name", { stage: "lookup" }), "silent", "unreachable", "no name"],
    [new LineError("no way", { stage: "connect" }), "silent", "unreachable", "no way"],
    [
      new LineError("down", { stage: "connect", cause: new Error("all", { cause: refused }) }),
      "refused",
      "unreachable",
      "down",
    ],
    [new LineError("untrusted", { stage: "tls" }), "refused", "unreachable", "untrusted"],
    [new LineError("forbidden", { stage: "proxy" }), "answered", "unreachable", "forbidden"],
  ];
  for (const [cause, why, failure, words] of cases) {
    const trouble = closedDoor.troubleOf({ version: 2 }, cause);
    assertEquals([trouble.why, trouble.error.failure], [why, failure], words);
    assertStringIncludes(trouble.error.message, words);
    assertStringIncludes(trouble.error.message, "open a WebSocket (GET /api/clients/v2/rpc): ");
    assertEquals(Deno.inspect(trouble.error).includes("s3cret"), false);
  }
});

Deno.test("SocketDoor.troubleOf() names a terminal without its request", () => {
  const { error } = closedDoor.troubleOf({ terminal: "r-1" }, new Error("odd"));
  assertEquals(error.message, "Cannot open a WebSocket (GET /api/clients/terminal): odd");
});
