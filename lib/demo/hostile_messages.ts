/**
 * Messages that no panel would mean.
 *
 * @module
 */

import { type Answer, jsonAnswer } from "./answer.ts";

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
