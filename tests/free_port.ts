import { attempt } from "../lib/attempt.ts";
import { realTurn } from "./fake_time.ts";
import { patience } from "./patience.ts";

/**
 * TCP ports that nothing listens on, each another one, for programs that can't take port 0.
 *
 * They are looked up, and lie below those that a program beside gets when it takes any: a port that
 * was listened on stays taken for as long as a child that another test is just starting has a copy of
 * the listener.
 */
export function freePorts(count: number): number[] {
  const taken = ["tcp", "tcp6"].map((name) =>
    attempt(() => Deno.readTextFileSync(`/proc/net/${name}`))
  ).join("\n");
  const ports: number[] = [];
  for (let port = 10_000 + Math.floor(Math.random() * 20_000); ports.length < count; port++) {
    const hex = port.toString(16).toUpperCase().padStart(4, "0");
    if (!taken.includes(`:${hex} `)) ports.push(port);
  }
  return ports;
}

/** One such port. */
export function freePort(): number {
  return freePorts(1)[0] ?? NaN;
}

/**
 * Waits until a connection is refused where nothing listens any more: a child that another test is just
 * starting may have a copy of the listener.
 */
export async function untilRefused(connect: () => Promise<Disposable>): Promise<void> {
  for (const hang = patience();; hang.throwIfAborted()) {
    try {
      using _connection = await connect();
    } catch (error) {
      if (error instanceof Deno.errors.ConnectionRefused) return;
      // It had come to such a copy, and went with it.
      if (!(error instanceof Deno.errors.ConnectionReset)) throw error;
    }
    await realTurn();
  }
}

/** A TCP port that nothing listens on, and that no program beside gets when it takes any free one. */
export const CLOSED_PORT = 1;
