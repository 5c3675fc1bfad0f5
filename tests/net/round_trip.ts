import { assertEquals } from "@std/assert";
import type { ByteStream } from "../../lib/net/byte_stream.ts";
import { realDeadline } from "../real_deadline.ts";

/** More than what one read or write takes; a prime number of them differ. */
const SENT = Uint8Array.from({ length: 1_200_000 }, (_, index) => index % 251);

/** Writes to an echoing server while it reads what comes back, and compares them to the last byte. */
export async function roundTrip(line: ByteStream): Promise<void> {
  const back = new Uint8Array(SENT.length);
  /** Repeats an operation on the rest of the bytes until it has moved all of them. */
  const moveAll = async (
    bytes: typeof back,
    move: (rest: typeof back) => Promise<number | null>,
  ) => {
    for (let at = 0; at < bytes.length;) {
      const rest = bytes.subarray(at, at + 30_000);
      const count = await move(rest) ?? 0;
      assertEquals(count >= 1 && count <= rest.length, true, `${count} bytes at ${at}`);
      at += count;
    }
  };
  const sending = moveAll(SENT, (rest) => line.write(rest));
  const receiving = moveAll(back, (rest) => line.read(rest));
  await realDeadline(Promise.all([sending, receiving]));
  assertEquals(back.findIndex((byte, index) => byte !== SENT[index]), -1, "a byte differs");
}
