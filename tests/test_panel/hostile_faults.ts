import type { ServerResponse } from "node:http";
import type { Writable } from "node:stream";
import { constants, deflateRawSync } from "node:zlib";
import { jsonAnswer, writeAnswer } from "./http.ts";
import type { TestFault } from "./test_fault.ts";

const PROBES = 10_000;
/** A port of loopback that nothing listens on. */
const CLOSED_PORT = 1;

/** Faults of a panel that attacks: too much, malformed, compressed, or too many orders. */
export const hostileFaults = {
  /** Answers every call with a body that never ends. */
  "endless": fillerFault(Infinity),
  /** Sends a task list that is cut off. */
  "bad-tasks": {
    calls: ["GET /api/clients/ping/tasks"],
    answerCall: (response) => answerJson(response, '[{"id":1,"name":"Ping","type":"icmp","tar'),
  },
  /** Sends a text of 64 MiB over each WebSocket, and as each answer. */
  "huge-message": {
    answerCall: (response) => answerFiller(response, 1024),
    playOnSocket: ({ webSocket }) => {
      const text = new Uint8Array(64 * 1024 * 1024).fill(0x20);
      webSocket.send(text, { binary: false, compress: false }, () => {});
      return Promise.resolve();
    },
  },
  /** Sends noise, broken JSON, wrong types and unknown methods. */
  "garbage-message": {
    answerCall: (response) => {
      const index = crypto.getRandomValues(new Uint8Array(1))[0] ?? 0;
      return answerJson(response, garbageTexts[index % garbageTexts.length] ?? "");
    },
    playOnSocket: ({ webSocket }) => {
      const noise = crypto.getRandomValues(new Uint8Array(4096));
      const messages = [...garbageTexts, noise, new Uint8Array(), Uint8Array.of(0xff, 0xfe, 0x7b)];
      for (const message of messages) {
        webSocket.send(message, { binary: typeof message !== "string" }, () => {});
      }
      // A text that is no UTF-8.
      webSocket.send(Uint8Array.of(0xc3, 0x28), { binary: false }, () => {});
      return Promise.resolve();
    },
  },
  /** Sends 512 MiB of zeros compressed to half a MiB, also where compression was not offered. */
  "bomb": {
    answerCall: async (response) => {
      response.writeHead(200, {
        "content-type": "application/json; charset=utf-8",
        "content-encoding": "gzip",
      });
      response.end(await gzipBomb());
    },
    playOnSocket: async ({ socket }) => {
      socket.write(await deflateBombFrame());
    },
  },
  /** Orders 10,000 probes at once: of a closed port, and of odd targets. */
  "ping-flood": {
    sendOrders: (orders) => {
      for (let id = 1; id <= PROBES; id++) {
        const target = id % 100 === 0
          ? hostileTargets[(id / 100) % hostileTargets.length] ?? ""
          : `127.0.0.1:${CLOSED_PORT}`;
        if (!orders.sendPing({ id, kind: "tcp", target })) break;
      }
      return Promise.resolve();
    },
  },
  /** Orders a command that writes and never ends. */
  "exec-endless": {
    sendOrders: (orders) => {
      orders.sendCommand("yes");
      return Promise.resolve();
    },
  },
} as const satisfies Record<string, Omit<TestFault, "name">>;

function fillerFault(chunks: number): Omit<TestFault, "name"> {
  return {
    answerCall: (response) => answerFiller(response, chunks),
    answerUpgrade: (socket) => {
      socket.write("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n");
      return writeFiller(socket, chunks);
    },
  };
}

function answerJson(response: ServerResponse, body: string): Promise<void> {
  writeAnswer(response, { ...jsonAnswer(200, null), body });
  return Promise.resolve();
}

function answerFiller(response: ServerResponse, chunks: number): Promise<void> {
  response.writeHead(200, { "content-type": "application/json; charset=utf-8" });
  return writeFiller(response, chunks);
}

/** Writes JSON that begins well and goes on for that many chunks of 64 KiB, as fast as it is read. */
async function writeFiller(stream: Writable, chunks: number): Promise<void> {
  const chunk = " ".repeat(64 * 1024);
  stream.write('{"status":"success","more":"');
  for (let written = 0; written < chunks && !stream.destroyed; written++) {
    if (!stream.write(chunk)) await drained(stream);
  }
  if (!stream.destroyed) stream.end('"}');
}

/** Resolves when a stream takes more, or is closed. */
export function drained(stream: Writable): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      stream.off("drain", done);
      stream.off("close", done);
      resolve();
    };
    stream.once("drain", done);
    stream.once("close", done);
  });
}

const PART_BYTES = 1024 * 1024;
const PARTS = 512;
/** The CRC-32 of 512 MiB of zeros. */
const CRC = 0x6db88320;

async function gzipBomb(): Promise<Uint8Array<ArrayBuffer>> {
  const head = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
  const tail = new DataView(new ArrayBuffer(8));
  tail.setUint32(0, CRC, true);
  tail.setUint32(4, PARTS * PART_BYTES, true);
  // An empty last block ends the stream.
  return await concat([Uint8Array.from(head), await deflatedZeros(), Uint8Array.of(3, 0), tail]);
}

/** A whole text frame from a server, with the bit of permessage-deflate. */
async function deflateBombFrame(): Promise<Uint8Array<ArrayBuffer>> {
  const payload = await deflatedZeros();
  const head = new DataView(new ArrayBuffer(10));
  head.setUint8(0, 0xc1);
  head.setUint8(1, 127);
  head.setUint32(6, payload.length);
  return await concat([head, payload]);
}

/** 512 MiB of zeros as raw deflate; each part ends on a byte boundary, so one is repeated. */
async function deflatedZeros(): Promise<Uint8Array<ArrayBuffer>> {
  const options = { level: 9, finishFlush: constants.Z_FULL_FLUSH };
  const part = new Uint8Array(deflateRawSync(new Uint8Array(PART_BYTES), options));
  return await concat(Array.from({ length: PARTS }, () => part));
}

async function concat(parts: ArrayBufferView<ArrayBuffer>[]): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await new Blob(parts).arrayBuffer());
}

/** No JSON, no object, too deep, of wrong types, of unknown methods, and answers to nothing. */
const garbageTexts = [
  "\u0000",
  "{",
  "null",
  "[]",
  "[".repeat(100_000) + "]".repeat(100_000),
  '{"jsonrpc":"2.0","method":7,"params":[]}',
  '{"jsonrpc":"2.0","method":"__proto__","params":{"__proto__":{"a":1}}}',
  '{"jsonrpc":"2.0","method":"agent.ping","params":null}',
  '{"jsonrpc":"2.0","method":"agent.ping","params":{"ping_task_id":"1","ping_type":[],"ping_target":{}}}',
  '{"jsonrpc":"2.0","method":"agent.ping","params":{"ping_task_id":1e400,"ping_type":"tcp","ping_target":""}}',
  '{"jsonrpc":"2.0","method":"agent.exec","params":{"task_id":1,"command":["reboot"]}}',
  '{"jsonrpc":"2.0","method":"agent.terminal.request","params":{"request_id":"../../x?id=&token="}}',
  '{"jsonrpc":"2.0","method":"agent.message","params":"\\u001b]0;title\\u0007\\r\\n\\u202e"}',
  '{"jsonrpc":"2.0","id":1,"result":{"events":[null,7,{},{"id":7,"method":"agent.exec"}]}}',
  '{"jsonrpc":"2.0","id":1,"error":{"code":"x","message":{"a":1}}}',
  '{"message":"terminal","request_id":7}',
  '{"message":"exec","task_id":null,"command":null}',
  '{"status":"error","error":{}}',
];

/** Targets that look like options, hold commands or lie. */
const hostileTargets = [
  "192.0.2.1",
  "-f",
  "--flood",
  "127.0.0.1 -c 100000",
  "$(reboot)",
  "127.0.0.1\n-f",
  "\u0000",
  "",
  "::1%lo",
  "[::1]:99999",
  "127.0.0.1:0",
  "http://user:secret@127.0.0.1:1/",
  "file:///etc/passwd",
  "javascript:alert(1)",
  "\u202e127.0.0.1",
];
