import { closeQuietly } from "./close_quietly.ts";
import { writeAll } from "./pass.ts";

type NodeStream = typeof import("node:stream");
type Duplex = InstanceType<NodeStream["Duplex"]>;

const BUFFER_BYTES = 16 * 1024;

/**
 * A connection as one of Node's streams, which reads only while it is thirsty.
 *
 * TLS on top of a stream takes whatever comes and keeps it, read or not; so the other side could
 * fill the memory.
 */
export class ThirstySource {
  readonly duplex: Duplex;
  readonly #connection: Deno.TcpConn;
  #isThirsty = false;
  #isAsked = false;
  #isReading = false;

  /** @param duplex Node's class, which is loaded by who uses it. */
  constructor(connection: Deno.TcpConn, duplex: NodeStream["Duplex"]) {
    this.#connection = connection;
    this.duplex = new duplex({
      read: () => {
        this.#isAsked = true;
        this.#read();
      },
      write: (chunk: Uint8Array, _encoding, done) => {
        writeAll(connection, chunk).then(() => done(), done);
      },
      final: (done) => {
        connection.closeWrite().then(() => done(), () => done());
      },
      destroy: (error, done) => {
        closeQuietly(connection);
        done(error);
      },
    });
  }

  /** Whether bytes may come in. */
  set isThirsty(value: boolean) {
    this.#isThirsty = value;
    this.#read();
  }

  async #read(): Promise<void> {
    if (!this.#isThirsty || !this.#isAsked || this.#isReading) return;
    this.#isAsked = false;
    this.#isReading = true;
    try {
      const buffer = new Uint8Array(BUFFER_BYTES);
      const count = await this.#connection.read(buffer);
      this.#isReading = false;
      this.duplex.push(count === null ? null : buffer.subarray(0, count));
    } catch (error) {
      this.duplex.destroy(error instanceof Error ? error : new Error(String(error)));
    }
  }
}
