import { closeQuietly, copy } from "./byte_stream.ts";

/** A connection that is forwarded over loopback. */
export interface LoopbackProxy {
  /** The local end, which closes the connection when it is closed. */
  readonly near: Deno.TcpConn;
  /** Closes the connection at once, even while the runtime holds `near`. */
  close(): void;
}

/** Forwards a connection over loopback, so that it can be closed here whatever the runtime does to `near`. */
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
    throw new Error("Cannot use loopback: another program has connected");
  }
  near.setNoDelay(true);
  far.setNoDelay(true);
  copy(far, connection).catch(() => {}).finally(close);
  copy(connection, far).then(() => far.closeWrite()).catch(close);
  return { near, close };
}
