/**
 * What moves the bytes of a file between this machine and the panel: one part of it at a time, by a
 * transfer that the panel has opened.
 *
 * @module
 */

/** A transfer of the panel's, good for one use. */
export interface Transfer {
  readonly id: string;
  readonly token: string;
}

/** Moves the bytes of transfers. Nothing of it keeps more than one buffer in memory. */
export interface FileTransfers {
  /**
   * Sends exactly `lengthBytes` bytes to the panel. `read` fills a buffer and gives the count; 0
   * ends the transfer with an error.
   *
   * @throws {Error} When the panel does not take all of them, or what `read` throws.
   */
  send(
    transfer: Transfer,
    body: { lengthBytes: number; read(into: Uint8Array<ArrayBuffer>): Promise<number> },
    signal: AbortSignal,
  ): Promise<void>;
  /**
   * Receives exactly `lengthBytes` bytes from the panel. The bytes are good until `write` settles.
   *
   * @throws {Error} When fewer or more of them come, or what `write` throws.
   */
  receive(
    transfer: Transfer,
    body: { lengthBytes: number; write(bytes: Uint8Array<ArrayBuffer>): Promise<void> },
    signal: AbortSignal,
  ): Promise<void>;
}

/** Largest part of a file in one transfer. */
export const MAX_TRANSFER_BYTES = 128 * 1024 * 1024;
