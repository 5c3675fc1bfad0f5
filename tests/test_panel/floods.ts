import type { Socket } from "node:net";
import { joined, serverFrame } from "../net/server_frames.ts";
import { drained } from "./hostile_faults.ts";
import type { TestFault } from "./test_fault.ts";

/** A port of loopback that nothing listens on. */
const CLOSED_PORT = 1;
/** Written at a time, so that the panel is not what slows the flood down. */
const WRITE_BYTES = 1024 * 1024;
const LARGE_BYTES = 60 * 1024;

/** What the floods by WebSocket repeat: whole messages or control frames, in one version of the protocol. */
function frames(version: 1 | 2): Readonly<Record<string, Uint8Array<ArrayBuffer>>> {
  const text = (message: unknown) => serverFrame(0x1, JSON.stringify(message));
  const probe = { ping_task_id: 1, ping_type: "tcp", ping_target: `127.0.0.1:${CLOSED_PORT}` };
  const order = (name: string, params: Record<string, unknown>) =>
    version === 2
      ? text({ jsonrpc: "2.0", method: `agent.${name}`, params })
      : text({ message: name, ...params });
  const empty = serverFrame(0x0, "", { final: false });
  return {
    "pings": serverFrame(0x9),
    "small valid orders": order("ping", probe),
    "fragments": joined([
      serverFrame(0x1, "{", { final: false }),
      ...Array.from({ length: 1000 }, () => empty),
      serverFrame(0x0, "}"),
    ]),
    "large messages": order("unknown", { a: "{},".repeat(LARGE_BYTES / 3) }),
  };
}

/** The names of the floods by WebSocket. */
export const FLOODS: readonly string[] = Object.keys(frames(2));

/** Bytes of an answer by POST: as many as are just read. */
const ANSWER_BYTES = 255 * 1024;
const ANSWER = '{"jsonrpc":"2.0","id":1,"result":{"a":"';
const FILLED_ANSWER = `${ANSWER.padEnd(ANSWER_BYTES)}"}}`;
const HEAD = "HTTP/1.1 200 OK\r\nConnection: close\r\n";

/** How the floods by POST answer a report. */
const ANSWERS: Readonly<Record<string, (socket: Socket) => Promise<void>>> = {
  "chunks of one byte": async (socket) => {
    const chunks = [...FILLED_ANSWER].map((letter) => `1\r\n${letter}\r\n`);
    await written(socket, `${HEAD}Transfer-Encoding: chunked\r\n\r\n${chunks.join("")}0\r\n\r\n`);
  },
  "single bytes": async (socket) => {
    socket.setNoDelay(true);
    socket.write(`${HEAD}Content-Length: ${FILLED_ANSWER.length}\r\n\r\n`);
    for (let at = 0; at < FILLED_ANSWER.length && !socket.destroyed; at++) {
      socket.write(FILLED_ANSWER.charAt(at));
      if (at % 8 === 0) await new Promise((turn) => void setImmediate(turn));
    }
  },
};

/** The names of the floods by POST. */
export const ANSWER_FLOODS: readonly string[] = Object.keys(ANSWERS);

/** Answers each report by a flood, and refuses each upgrade. */
export function answerFlood(name: string): TestFault {
  return {
    name,
    calls: ["upgrade", "agent.report"],
    answerUpgrade: (socket) =>
      void socket.end("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"),
    answerCall: async ({ socket }) => {
      if (socket === null) return;
      await ANSWERS[name]?.(socket);
      socket.end();
    },
  };
}

async function written(socket: Socket, text: string): Promise<void> {
  await new Promise<void>((resolve) => void socket.write(text, () => resolve()));
}

/** Sends the frames of a flood over each WebSocket of reports, as fast as they are read. */
export function floodFault(name: string, version: 1 | 2): TestFault {
  const frame = frames(version)[name] ?? new Uint8Array();
  const count = Math.max(1, Math.floor(WRITE_BYTES / frame.length));
  const bytes = new Uint8Array(count * frame.length);
  for (let at = 0; at < bytes.length; at += frame.length) bytes.set(frame, at);
  return {
    name,
    calls: ["upgrade"],
    playOnSocket: ({ socket }) => {
      // It goes on while the panel answers reports.
      flood(socket, bytes).catch(() => {});
      return Promise.resolve();
    },
  };
}

async function flood(socket: Socket, bytes: Uint8Array): Promise<void> {
  while (!socket.destroyed) {
    if (!socket.write(bytes)) await drained(socket);
    else await new Promise((turn) => setTimeout(turn, 0));
  }
}
