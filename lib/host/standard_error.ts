import { attempt } from "../attempt.ts";
import { NO_STUB, NO_STUB_VALUE, openLibrary } from "./ffi.ts";

const SYMBOLS = {
  poll: { parameters: ["buffer", "usize", "i32", NO_STUB], result: "i32" },
} as const;

const STANDARD_ERROR = 2;
const POLLOUT = 4;

/** Whoever reads nothing for so long has stopped. */
const READER_MS = 1_000;

/**
 * Writes lines to standard error as long as somebody reads them.
 *
 * A write into a pipe that is full waits for its reader, and meanwhile the process neither reports nor
 * ends at a signal. So lines are dropped while nobody makes room.
 */
export function whileRead(write: (line: string) => void): (line: string) => void {
  // It stays open, for the seal lets none be opened.
  const library = Deno.build.os === "linux" ? attempt(() => openLibrary(SYMBOLS)) : undefined;
  if (library === undefined) return write;
  const { poll } = library.symbols;
  let isRead = true;
  return (line) => {
    // A `struct pollfd`, whose second half becomes what was found.
    const request = Int32Array.of(STANDARD_ERROR, POLLOUT);
    // A signal interrupts it.
    isRead = poll(request, 1n, isRead ? READER_MS : 0, NO_STUB_VALUE) > 0;
    if (isRead) write(line);
  };
}
