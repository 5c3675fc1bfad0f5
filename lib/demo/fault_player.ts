/**
 * Plays a fault on an open connection.
 *
 * @module
 */

import type { ServerResponse } from "node:http";
import type { Writable } from "node:stream";
import { delay } from "@std/async/delay";
import { type Answer, htmlAnswer, jsonAnswer } from "./answer.ts";
import type { Fault } from "./fault.ts";
import { gzipBomb } from "./bomb.ts";
import { deepMessage, garbageAnswer } from "./hostile_messages.ts";
import { hostileTaskList } from "./hostile_tasks.ts";

const proxyPage =
  "<html><head><title>502 Bad Gateway</title></head><body>Bad Gateway</body></html>";
const otherPage = "<!DOCTYPE html><html><head><title>Welcome</title></head><body></body></html>";
const chunk = " ".repeat(64 * 1024);

/**
 * Answers a call as the fault wants it, or not at all.
 *
 * Resolves to true when the fault has dealt with the call, to false when it is to be answered in
 * the usual way.
 */
export async function playFault(
  fault: Fault,
  options: { response: ServerResponse; signal: AbortSignal },
): Promise<boolean> {
  const { response, signal } = options;
  const answer = faultAnswer(fault);
  if (answer !== undefined) {
    writeAnswer(response, answer);
    return true;
  }
  switch (fault.name) {
    case "hang":
    case "mute-all":
      return true;
    case "close":
    case "refuse":
      response.socket?.destroy();
      return true;
    case "reset":
      response.socket?.resetAndDestroy();
      return true;
    case "endless":
    case "huge":
    case "huge-message":
      response.writeHead(200, { "content-type": "application/json; charset=utf-8" });
      await pour(response, fault.name === "endless" ? Infinity : 1024);
      return true;
    case "garbage-message":
      writeAnswer(response, garbageAnswer());
      return true;
    case "deep-message":
      writeAnswer(response, { ...jsonAnswer(200, null), body: deepMessage() });
      return true;
    case "bomb":
      response.writeHead(200, {
        "content-type": "application/json; charset=utf-8",
        "content-encoding": "gzip",
      });
      response.end(await gzipBomb());
      return true;
    case "slow":
      await delay(fault.delayMs ?? 4000, { signal });
      return false;
    default:
      return false;
  }
}

/** Writes a whole answer and leaves the connection open for the next call. */
export function writeAnswer(response: ServerResponse, answer: Answer): void {
  const body = new TextEncoder().encode(answer.body);
  response.writeHead(answer.status, { ...answer.headers, "content-length": String(body.length) });
  response.end(body);
}

/** The whole answer that a fault gives, to requests for WebSockets too. */
export function faultAnswer(fault: Fault): Answer | undefined {
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
    case "bad-tasks":
      return { ...jsonAnswer(200, null), body: '[{"id":1,"name":"Ping","type":"icmp","tar' };
    case "tasks-hostile":
      return { ...jsonAnswer(200, null), body: hostileTaskList() };
    default:
      return undefined;
  }
}

/** Writes JSON that begins well and goes on, no faster than it is read. */
export async function pour(response: Writable, chunks: number): Promise<void> {
  response.write('{"status":"success","more":"');
  for (let written = 0; written < chunks && !response.destroyed; written++) {
    if (!response.write(chunk)) await drained(response);
  }
  if (!response.destroyed) response.end('"}');
}

function drained(response: Writable): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      response.off("drain", done);
      response.off("close", done);
      resolve();
    };
    response.once("drain", done);
    response.once("close", done);
  });
}
