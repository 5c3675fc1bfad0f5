/**
 * Plays a fault on an HTTP call, an upgrade request or an open WebSocket.
 *
 * @module
 */

import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { delay } from "@std/async/delay";
import type { Fault, RawSocket } from "./fault.ts";
import { type Answer, htmlAnswer, jsonAnswer, writeAnswer, writeRawAnswer } from "./http_answer.ts";

const SLOW_MS = 4000;
const proxyPage =
  "<html><head><title>502 Bad Gateway</title></head><body>Bad Gateway</body></html>";
const otherPage = "<!DOCTYPE html><html><head><title>Welcome</title></head><body></body></html>";

/**
 * Answers an HTTP call as the fault demands, or leaves it without an answer.
 *
 * `onStatus` gets the status that is sent, `undefined` when there is none. Resolves to `false` when
 * the call is to be answered in the usual way.
 */
export async function playOnCall(
  fault: Fault,
  options: {
    response: ServerResponse;
    onStatus: (status: number | undefined) => void;
    signal: AbortSignal;
  },
): Promise<boolean> {
  const { response, onStatus } = options;
  const answer = faultAnswer(fault);
  if (answer !== undefined) {
    writeAnswer(response, answer);
    onStatus(answer.status);
    return true;
  }
  switch (fault.name) {
    case "hang":
    case "mute-all":
      onStatus(undefined);
      return true;
    case "close":
    case "refuse":
      onStatus(undefined);
      response.socket?.destroy();
      return true;
    case "reset":
      onStatus(undefined);
      response.socket?.resetAndDestroy();
      return true;
    case "slow":
      await waitWhenSlow(fault, options);
      return false;
    case "custom":
      if (fault.answerCall === undefined) return false;
      onStatus(200);
      await fault.answerCall(response);
      return true;
    default:
      return false;
  }
}

/**
 * Answers an upgrade request as the fault demands, or leaves it without an answer.
 *
 * `onStatus` gets the status that is sent, `undefined` when there is none. Resolves to `false` when
 * the request is to be answered in the usual way.
 */
export async function playOnUpgrade(
  fault: Fault,
  options: {
    socket: Socket;
    onStatus: (status: number | undefined) => void;
    signal: AbortSignal;
  },
): Promise<boolean> {
  const { socket, onStatus } = options;
  const answer = faultAnswer(fault);
  if (answer !== undefined) {
    onStatus(answer.status);
    writeRawAnswer(socket, answer);
    return true;
  }
  switch (fault.name) {
    case "hang":
    case "mute-all":
    case "upgrade-hang":
      onStatus(undefined);
      return true;
    case "close":
    case "refuse":
      onStatus(undefined);
      socket.destroy();
      return true;
    case "reset":
      onStatus(undefined);
      socket.resetAndDestroy();
      return true;
    case "slow":
      await waitWhenSlow(fault, options);
      return false;
    case "custom":
      if (fault.answerUpgrade === undefined) return false;
      onStatus(200);
      await fault.answerUpgrade(socket);
      return true;
    default:
      return false;
  }
}

/** Misbehaves on a WebSocket that has just opened; does nothing when the fault is of another kind. */
export async function playOnSocket(fault: Fault, raw: RawSocket): Promise<void> {
  switch (fault.name) {
    case "close-after-upgrade":
      raw.socket.destroy();
      return;
    case "drop-mid-frame":
      // The head of a text of 100 bytes, and fewer bytes than that.
      raw.socket.write(Uint8Array.from([0x81, 100, ...new TextEncoder().encode('{"jsonrpc":')]));
      raw.socket.destroySoon();
      return;
    case "custom":
      await fault.playOnSocket?.(raw);
  }
}

/** Misbehaves on a WebSocket that was open before; a fault that prevents upgrades closes it. */
export async function playOnOpenSocket(fault: Fault, raw: RawSocket): Promise<void> {
  const preventsUpgrades = fault.name === "custom"
    ? fault.answerUpgrade !== undefined
    : faultAnswer(fault) !== undefined || /^(upgrade-hang|close)$/.test(fault.name);
  if (fault.name === "reset") raw.socket.resetAndDestroy();
  else if (preventsUpgrades) raw.socket.destroy();
  else await playOnSocket(fault, raw);
}

/** Waits as long as the fault `slow` demands; not at all under other faults. */
export async function waitWhenSlow(
  fault: Fault | undefined,
  { signal }: { signal: AbortSignal },
): Promise<void> {
  if (fault?.name === "slow") await delay(fault.delayMs ?? SLOW_MS, { signal });
}

function faultAnswer(fault: Fault): Answer | undefined {
  const status = /^upgrade-(\d+)$/.exec(fault.name)?.[1];
  if (status !== undefined && status !== "302") return htmlAnswer(Number(status), proxyPage);
  switch (fault.name) {
    case "status-500":
      return { status: 500, headers: {}, body: "" };
    case "502-html":
      return htmlAnswer(502, proxyPage);
    case "html-200":
    case "upgrade-html":
      return htmlAnswer(200, otherPage);
    case "401":
      return jsonAnswer(401, { status: "error", message: "Unauthorized." });
    case "404-install":
      return jsonAnswer(404, { status: "error", message: "Not found in install mode" });
    case "302-login":
    case "upgrade-302":
      return { status: 302, headers: { location: "/login?next=%2F" }, body: "" };
    default:
      return undefined;
  }
}
