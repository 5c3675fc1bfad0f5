/** What a panel knows of one transfer: it receives bytes, or gives them. */
export interface OpenTransfer {
  /** Bytes that it gives; without it, bytes are received. */
  readonly givesBytes?: number;
  /** Cuts the connection after so many bytes. */
  readonly cutAfterBytes?: number;
}

/** Counts of what a {@linkcode withTransferServer} has moved. */
export interface TransferServer {
  readonly origin: string;
  /** Bytes that were received in transfers that went well. */
  receivedBytes: number;
  open(id: string, transfer: OpenTransfer): void;
}

const PIECE_BYTES = 64 * 1024;

/**
 * Runs a panel's `/api/clients/transfer/…` on loopback, written on plain sockets so that it needs no
 * memory of its own to speak of. What it gives are zeros.
 */
export async function withTransferServer(
  use: (server: TransferServer) => Promise<void>,
): Promise<void> {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const transfers = new Map<string, OpenTransfer>();
  const server: TransferServer = {
    origin: `http://127.0.0.1:${listener.addr.port}`,
    receivedBytes: 0,
    open: (id, transfer) => void transfers.set(id, transfer),
  };
  const serving: Promise<void>[] = [];
  const accepting = (async () => {
    for await (const connection of listener) {
      serving.push(
        serve(connection, { transfers, server }).catch(() => {}).finally(() => connection.close()),
      );
    }
  })();
  try {
    await use(server);
  } finally {
    listener.close();
    await accepting;
    await Promise.all(serving);
  }
}

async function serve(
  connection: Deno.TcpConn,
  { transfers, server }: { transfers: Map<string, OpenTransfer>; server: TransferServer },
): Promise<void> {
  const buffer = new Uint8Array(PIECE_BYTES);
  let head = "";
  let bodyBytes = 0;
  while (!head.includes("\r\n\r\n")) {
    const count = await connection.read(buffer) ?? 0;
    if (count === 0) return;
    head += new TextDecoder("latin1").decode(buffer.subarray(0, count));
  }
  bodyBytes = head.length - head.indexOf("\r\n\r\n") - 4;
  const id = /^POST \/api\/clients\/transfer\/([\w-]+)\?token=node HTTP/.exec(head)?.[1] ?? "";
  const transfer = transfers.get(id);
  transfers.delete(id);
  const hasToken = /^x-komari-transfer-token: secret\r$/m.test(head);
  if (transfer === undefined || !hasToken) return await answer(connection, "401 Unauthorized", "");
  const { givesBytes, cutAfterBytes = Infinity } = transfer;
  if (givesBytes === undefined) {
    const length = Number(/^content-length: (\d+)\r$/m.exec(head)?.[1]);
    while (bodyBytes < Math.min(length, cutAfterBytes)) {
      const count = await connection.read(buffer);
      if (count === null) return;
      bodyBytes += count;
    }
    if (bodyBytes < length) return;
    server.receivedBytes += length;
    return await answer(connection, "200 OK", JSON.stringify({ received: length }));
  }
  buffer.fill(0);
  await write(connection, `HTTP/1.1 200 OK\r\nContent-Length: ${givesBytes}\r\n\r\n`);
  for (let left = Math.min(givesBytes, cutAfterBytes); left > 0;) {
    const piece = buffer.subarray(0, Math.min(left, buffer.length));
    left -= await connection.write(piece);
  }
}

async function answer(connection: Deno.TcpConn, status: string, text: string): Promise<void> {
  await write(connection, `HTTP/1.1 ${status}\r\nContent-Length: ${text.length}\r\n\r\n${text}`);
}

async function write(connection: Deno.TcpConn, text: string): Promise<void> {
  const bytes = new TextEncoder().encode(text);
  for (let at = 0; at < bytes.length;) at += await connection.write(bytes.subarray(at));
}
