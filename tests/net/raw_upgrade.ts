import { type ClientFrame, clientFrames } from "./client_frames.ts";
import type { RawPeer } from "./raw_server.ts";

/** The head that agrees to a WebSocket; `fields` come after it. */
export async function agreement(head: string, fields: readonly string[] = []): Promise<string> {
  const key = /^sec-websocket-key: (\S+)\r$/im.exec(head)?.[1] ?? "";
  const bytes = new TextEncoder().encode(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`);
  const accept = new Uint8Array(await crypto.subtle.digest("SHA-1", bytes)).toBase64();
  return [
    "HTTP/1.1 101 Switching Protocols",
    "Upgrade: WebSocket",
    "Connection: keep-alive, Upgrade",
    `Sec-WebSocket-Accept: ${accept}`,
    ...fields,
    "",
    "",
  ].join("\r\n");
}

/** Agrees to a WebSocket and says something in the same breath; gives the head of the request. */
export async function upgrade(peer: RawPeer, first = new Uint8Array(0)): Promise<string> {
  const head = (await peer.request())?.head ?? "";
  await peer.write(Uint8Array.from([...new TextEncoder().encode(await agreement(head)), ...first]));
  return head;
}

/** All frames that come until the client hangs up. */
export async function framesToTheEnd(peer: RawPeer): Promise<ClientFrame[]> {
  const bytes: number[] = [];
  for (let more; (more = await peer.readSome()) !== undefined;) bytes.push(...more);
  return clientFrames(Uint8Array.from(bytes));
}
