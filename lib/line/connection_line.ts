import { closeQuietly } from "./close_quietly.ts";
import type { Line } from "./line.ts";

/** A line that is a connection of the runtime, by TLS or not. */
export class ConnectionLine implements Line {
  readonly #connection: Pick<Deno.Conn, "read" | "write" | "close">;

  constructor(connection: Pick<Deno.Conn, "read" | "write" | "close">) {
    this.#connection = connection;
  }

  read(into: Uint8Array<ArrayBuffer>): Promise<number | null> {
    return this.#connection.read(into);
  }

  write(bytes: Uint8Array<ArrayBuffer>): Promise<number> {
    return this.#connection.write(bytes);
  }

  close(): void {
    closeQuietly(this.#connection);
  }
}
