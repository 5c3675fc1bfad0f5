import { type RawPeer, RawServer } from "../net/raw_server.ts";

type ProbedServer = RawServer & { readonly requests: readonly string[] };

/**
 * A server that answers by the path of a request, well-formed or not, and remembers what it was sent;
 * afterwards it hangs up, unless the answer is "keep".
 */
export function answering(
  answer: (path: string, peer: RawPeer) => Promise<unknown>,
  options: { hostname?: string } = {},
): ProbedServer {
  const requests: string[] = [];
  const server = new RawServer(async (peer) => {
    const head = new TextDecoder().decode(await peer.readSome());
    requests.push(head);
    if (await answer(head.split(" ")[1] ?? "", peer) === "keep") await peer.ended();
  }, options);
  return Object.assign(server, { requests });
}

/** A server that says this to whatever is asked. */
export function saying(text: string, options: { hostname?: string } = {}): ProbedServer {
  return answering((_, peer) => peer.write(text), options);
}
