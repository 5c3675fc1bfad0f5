import { closeQuietly, copy } from "./byte_stream.ts";

/** A way round over loopback. */
export interface LoopbackProxy {
  /** Leads to the connection, and ends it when closed. */
  readonly near: Deno.TcpConn;
  /** Ends the connection at once, whoever holds `near`. */
  close(): void;
}

/** Leads a connection over loopback, so that it can be ended from here whatever becomes of `near`. */
export async function openLoopbackProxy(connection: Deno.TcpConn): Promise<LoopbackProxy> {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const [near, far] = await Promise.all([
    Deno.connect({ hostname: "127.0.0.1", port: listener.addr.port }),
    listener.accept(),
  ]);
  const close = () => {
    closeQuietly(far);
    closeQuietly(connection);
  };
  if (far.remoteAddr.port !== near.localAddr.port) {
    close();
    near.close();
    throw new Error("Cannot use loopback: another program came between");
  }
  near.setNoDelay(true);
  far.setNoDelay(true);
  copy(far, connection).catch(() => {}).finally(close);
  copy(connection, far).then(() => far.closeWrite()).catch(close);
  return { near, close };
}
