import { assertEquals } from "@std/assert";
import type { ByteStream } from "../../lib/net/byte_stream.ts";

/** More than what one read or write takes. */
const ECHO_BYTES = 1_200_000;

/** Writes to an echoing server while it reads what comes back, and compares them to the last byte. */
export async function roundTrip(line: ByteStream, length: number = ECHO_BYTES): Promise<void> {
  await Promise.all([send(line, length), expectBack(line, length)]);
}

async function send(line: ByteStream, length: number): Promise<void> {
  for (let sent = 0; sent < length;) {
    const bytes = patternAt(sent, Math.min(50_000, length - sent));
    for (let at = 0; at < bytes.length;) {
      const count = await line.write(bytes.subarray(at));
      assertEquals(count >= 1 && count <= bytes.length - at, true, `${count} bytes written`);
      at += count;
    }
    sent += bytes.length;
  }
}

async function expectBack(line: ByteStream, length: number): Promise<void> {
  const buffer = new Uint8Array(30_000);
  for (let read = 0; read < length;) {
    const count = await line.read(buffer);
    if (count === null) throw new Error(`The line ended after ${read} bytes`);
    const expected = patternAt(read, count);
    const wrong = expected.findIndex((byte, index) => byte !== buffer[index]);
    assertEquals(wrong, -1, `byte ${read + wrong} differs`);
    read += count;
  }
}

function patternAt(offset: number, length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  for (let index = 0; index < length; index++) bytes[index] = (offset + index) % 251;
  return bytes;
}
