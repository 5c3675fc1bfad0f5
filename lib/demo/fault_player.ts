/**
 * 512 MiB of zeros in half a MiB.
 *
 * Messages that no panel would mean.
 *
 * Plays a fault on an open connection.
 *
 * Plays a fault on a WebSocket that stands.
 *
 * @module
 */

import type { ServerResponse } from "node:http";
import type { Writable } from "node:stream";
import { delay } from "@std/async/delay";
import type { Socket } from "node:net";
import type { WebSocket } from "ws";
import { type Answer, htmlAnswer, jsonAnswer } from "./answer.ts";
import type { Fault } from "./fault.ts";
import { hostileTaskList } from "./hostile_tasks.ts";

const PART_BYTES = 1024 * 1024;
const PARTS = 512;
/** The CRC-32 of 512 MiB of zeros, counted once. */
const CRC = 0x6db88320;

/** As a file of gzip. */
export async function gzipBomb(): Promise<Uint8Array<ArrayBuffer>> {
  const head = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
  const tail = new DataView(new ArrayBuffer(8));
  tail.setUint32(0, CRC, true);
  tail.setUint32(4, PARTS * PART_BYTES, true);
  // An empty last block ends the stream.
  return await joined([Uint8Array.from(head), await zeros(), Uint8Array.of(3, 0), tail]);
}

/**
 * As a whole frame from a server to a client: a text with the bit of permessage-deflate.
 */
export async function bombFrame(): Promise<Uint8Array<ArrayBuffer>> {
  const payload = await zeros();
  const head = new DataView(new ArrayBuffer(10));
  head.setUint8(0, 0xc1);
  head.setUint8(1, 127);
  head.setUint32(6, payload.length);
  return await joined([head, payload]);
}

/** Zeros as deflate packs them; each part ends on a byte, so one serves for all. */
async function zeros(): Promise<Uint8Array<ArrayBuffer>> {
  const { constants, deflateRawSync } = await import("node:zlib");
  const options = { level: 9, finishFlush: constants.Z_FULL_FLUSH };
  const part = new Uint8Array(deflateRawSync(new Uint8Array(PART_BYTES), options));
  return await joined(Array.from({ length: PARTS }, () => part));
}

async function joined(parts: (ArrayBufferView<ArrayBuffer>)[]): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await new Blob(parts).arrayBuffer());
}

const texts = [
  "",
  "\u0000",
  "{",
  "null",
  "7",
  "[]",
  '"ping"',
  "{}",
  '{"jsonrpc":"2.0"}',
  '{"jsonrpc":"2.0","method":7,"params":[]}',
  '{"jsonrpc":"2.0","method":"agent.reboot","params":{}}',
  '{"jsonrpc":"2.0","method":"__proto__","params":{"__proto__":{"a":1}}}',
  '{"jsonrpc":"2.0","method":"agent.ping"}',
  '{"jsonrpc":"2.0","method":"agent.ping","params":null}',
  '{"jsonrpc":"2.0","method":"agent.ping","params":{"ping_task_id":"1","ping_type":[],"ping_target":{}}}',
  '{"jsonrpc":"2.0","method":"agent.ping","params":{"ping_task_id":1e400,"ping_type":"tcp","ping_target":""}}',
  '{"jsonrpc":"2.0","method":"agent.exec","params":{"task_id":1,"command":["reboot"]}}',
  '{"jsonrpc":"2.0","method":"agent.exec","params":{}}',
  '{"jsonrpc":"2.0","method":"agent.terminal.request","params":{"request_id":"../../x?id=&token="}}',
  '{"jsonrpc":"2.0","method":"agent.message","params":"\\u001b]0;title\\u0007\\r\\n\\u202e"}',
  '{"jsonrpc":"2.0","method":"agent.event","params":[[[]]]}',
  '{"jsonrpc":"2.0","id":999999,"result":{"events":[]}}',
  '{"jsonrpc":"2.0","id":1,"result":{"events":[null,7,{},{"id":7,"method":"agent.exec"}]}}',
  '{"jsonrpc":"2.0","id":1,"error":{"code":"x","message":{"a":1}}}',
  '{"jsonrpc":"2.0","error":{"code":-32700,"message":"parse error"}}',
  '{"message":"ping"}',
  '{"message":"terminal","request_id":""}',
  '{"message":"terminal","request_id":7}',
  '{"message":"exec","task_id":null,"command":null}',
  '{"message":["exec"]}',
  '{"status":"error","error":{}}',
  '{"status":"error"}',
];

/** Rubbish of every kind, each a message of its own. */
export function garbageMessages(): (string | Uint8Array<ArrayBuffer>)[] {
  const noise = crypto.getRandomValues(new Uint8Array(4096));
  return [...texts, noise, new Uint8Array(), Uint8Array.of(0xff, 0xfe, 0x7b)];
}

/** One of the texts as an answer to a call. */
export function garbageAnswer(): Answer {
  const index = crypto.getRandomValues(new Uint8Array(1))[0] ?? 0;
  return { ...jsonAnswer(200, null), body: texts[index % texts.length] ?? "" };
}

/** 100,000 lists within each other. */
export function deepMessage(): string {
  return "[".repeat(100_000) + "]".repeat(100_000);
}

/** A text of 64 MiB, as bytes. */
export function hugeMessage(): Uint8Array<ArrayBuffer> {
  return new Uint8Array(64 * 1024 * 1024).fill(0x20);
}

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

/** A WebSocket and the connection below it. */
export interface RawSocket {
  readonly webSocket: WebSocket;
  readonly socket: Socket;
}

/** Sends or does what the fault wants; nothing when it concerns no WebSocket that stands. */
export async function playOnSocket(
  fault: Fault,
  { webSocket, socket }: RawSocket,
): Promise<void> {
  switch (fault.name) {
    case "close-after-upgrade":
      socket.destroy();
      return;
    case "drop-mid-frame":
      // The head of a text of 100 bytes, and fewer of them.
      socket.write(Uint8Array.from([0x81, 100, ...new TextEncoder().encode('{"jsonrpc":')]));
      socket.destroySoon();
      return;
    case "huge-message":
      webSocket.send(hugeMessage(), { binary: false, compress: false }, () => {});
      return;
    case "garbage-message":
      for (const message of garbageMessages()) {
        webSocket.send(message, { binary: typeof message !== "string" }, () => {});
      }
      // A text that is no UTF-8.
      webSocket.send(Uint8Array.of(0xc3, 0x28), { binary: false }, () => {});
      return;
    case "deep-message":
      webSocket.send(deepMessage(), { compress: false }, () => {});
      return;
    case "bomb":
      socket.write(await bombFrame());
  }
}
