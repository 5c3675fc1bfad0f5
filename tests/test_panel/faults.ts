/**
 * Faults of the tests' panel; attacks are in `hostile_faults.ts`.
 *
 * @module
 */

import {
  type Answer,
  htmlAnswer,
  jsonAnswer,
  textAnswer,
  writeAnswer,
  writeRawAnswer,
} from "./http.ts";
import { hostileFaults } from "./hostile_faults.ts";
import type { TestFault } from "./test_fault.ts";

/** A call of an agent, independent of its transport, or a WebSocket that it opens. */
export type CallName = keyof typeof calls;

const calls = {
  "basic info": ["agent.basicInfo", "POST /api/clients/uploadBasicInfo"],
  "report": ["agent.report", "POST /api/clients/report"],
  "task list": ["GET /api/clients/ping/tasks"],
  "upgrade": ["upgrade"],
} as const;

/** The calls that open a WebSocket. */
const UPGRADES = ["upgrade", "terminal"];

const proxyPage =
  "<html><head><title>502 Bad Gateway</title></head><body>Bad Gateway</body></html>";

/** Answers each call and upgrade request alike. */
function answering(answer: Answer): Omit<TestFault, "name"> {
  return {
    answerCall: (response) => writeAnswer(response, answer),
    answerUpgrade: (socket) => writeRawAnswer(socket, answer),
  };
}

/** Answers upgrade requests with that status and the page of a proxy. */
function refusingUpgrades(status: number): Omit<TestFault, "name"> {
  return { calls: UPGRADES, ...answering(htmlAnswer(status, proxyPage)) };
}

const faults = {
  "websocket-refused": {
    calls: UPGRADES,
    ...answering(textAnswer(403, "WebSockets are not allowed here")),
  },
  "token-refused": answering(jsonAnswer(401, { status: "error", message: "Unauthorized." })),
  "server-error": answering(htmlAnswer(502, proxyPage)),
  /** Answers every call with 200 and a page, like a wrong address. */
  "html": answering(htmlAnswer(200, "<!DOCTYPE html><html><head></head><body></body></html>")),
  /** Accepts every call and never answers. */
  "silence": { answerCall() {}, answerUpgrade() {}, isMute: true },
  /** Refuses connections, like a panel that is down. */
  "refuse": { isDown: true },
  /** Answers every call with 404, like a panel that is not set up. */
  "404-install": answering(
    jsonAnswer(404, { status: "error", message: "Not found in install mode" }),
  ),
  /** Redirects every call to a login page. */
  "302-login": answering({ status: 302, headers: { location: "/login?next=%2F" }, body: "" }),
  /** Accepts WebSockets and never sends anything; calls by POST work. */
  "mute": { calls: UPGRADES, isMute: true },
  /** Closes each WebSocket as soon as it is open. */
  "close-after-upgrade": { calls: UPGRADES, playOnSocket: ({ socket }) => void socket.destroy() },
  /** Answers every call with 500 and an empty body. */
  "status-500": answering({ status: 500, headers: {}, body: "" }),
  /** Answers every call 4 seconds late. */
  "slow": { delayMs: 4000 },
  /** Closes the connection without an answer. */
  "close": {
    answerCall: (response) => void response.socket?.destroy(),
    answerUpgrade: (socket) => void socket.destroy(),
  },
  /** Resets every connection without an answer. */
  "reset": {
    answerCall: (response) => void response.socket?.resetAndDestroy(),
    answerUpgrade: (socket) => void socket.resetAndDestroy(),
    playOnSocket: ({ socket }) => void socket.resetAndDestroy(),
  },
  /** Closes each WebSocket with the code of a plugin that refuses it. */
  "plugin-1008": {
    calls: UPGRADES,
    playOnSocket: ({ webSocket }) => webSocket.close(1008, "blocked by a plugin"),
  },
  /** Takes no message of more than 128 KiB over a WebSocket: the library closes it with 1009. */
  "message-limit": {
    calls: UPGRADES,
    playOnSocket: ({ webSocket }) => {
      const receiver: unknown = Reflect.get(webSocket, "_receiver");
      if (typeof receiver !== "object" || receiver === null) throw new TypeError("no receiver");
      Reflect.set(receiver, "_maxPayload", 128 * 1024);
    },
  },
  /** Refuses basic info with the fields that old panels don't have. */
  "no-extra-columns": { calls: calls["basic info"], lacksNewerColumns: true },
  "upgrade-404": refusingUpgrades(404),
  "upgrade-429": refusingUpgrades(429),
  "upgrade-502": refusingUpgrades(502),
  /** Answers WebSocket upgrades with 200 and a page. */
  "upgrade-html": {
    calls: UPGRADES,
    ...answering(htmlAnswer(200, "<!DOCTYPE html><html></html>")),
  },
  /** Redirects WebSocket upgrades to a login page. */
  "upgrade-302": {
    calls: UPGRADES,
    ...answering({ status: 302, headers: { location: "/login?next=%2F" }, body: "" }),
  },
  /** Accepts WebSocket upgrades and never answers them. */
  "upgrade-hang": { calls: UPGRADES, answerUpgrade() {} },
  /** Closes each WebSocket in the middle of a frame. */
  "drop-mid-frame": {
    calls: UPGRADES,
    playOnSocket: ({ socket }) => {
      // The head of a text of 100 bytes, and fewer bytes than that.
      socket.write(Uint8Array.from([0x81, 100, ...new TextEncoder().encode('{"jsonrpc":')]));
      socket.destroySoon();
    },
  },
  /** Answers every message of v2 with the error -32000, could not save. */
  "rpc-32000": {
    rpcFailure: { code: -32000, message: "failed to save", data: "database is locked" },
  },
} as const satisfies Record<string, Omit<TestFault, "name">>;

const rows = { ...faults, ...hostileFaults };

/** The name of a fault, whichever table it is in. */
export type FaultName = keyof typeof rows;

/** The fault of that name, limited to some calls if wanted. */
export function panelFault(
  name: FaultName,
  options: { calls?: readonly CallName[]; delayMs?: number } = {},
): TestFault {
  const row: Omit<TestFault, "name"> = rows[name];
  return {
    ...row,
    name,
    ...(options.calls !== undefined && { calls: options.calls.flatMap((call) => calls[call]) }),
    ...(options.delayMs !== undefined && { delayMs: options.delayMs }),
  };
}
