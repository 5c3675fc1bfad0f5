import { createHash } from "node:crypto";
import { realDeadline } from "../real_deadline.ts";
import { ReleaseKeys } from "./release_keys.ts";

const NAME = "komari-agent-deno-portable";

/** How a server of releases can go wrong. */
export interface ServerFaults {
  /** Answers the requests for paths that contain a word; what it does not, is answered as usual. */
  readonly answer?: Readonly<Record<string, (request: Request) => Response | Promise<Response>>>;
  /** Replaces `SHA256SUMS`, which is signed as it is. */
  readonly sums?: string;
  /** Replaces the signature; `none` leaves it out of the release. */
  readonly signature?: string;
}

/** A signed release that is served on loopback, as GitHub serves it. */
export class ReleaseServer implements AsyncDisposable {
  faults: ServerFaults = {};
  /** Paths that were asked for. */
  readonly requestedPaths: string[] = [];
  readonly keys = new ReleaseKeys();
  readonly #server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    (request) => this.#answer(request),
  );
  /** Where it can be reached. */
  readonly origin = `http://127.0.0.1:${this.#server.addr.port}`;
  /** The folder of the newest release's files. */
  readonly url = `${this.origin}/releases/latest/download`;
  #tag = "v0.0.0";
  #program = new Uint8Array();

  /** Publishes a version, with a program for the portable target. */
  publish(version: string, program: string | Uint8Array<ArrayBuffer>): void {
    this.#tag = `v${version}`;
    this.#program = typeof program === "string" ? new TextEncoder().encode(program) : program;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await realDeadline(this.#server.shutdown());
  }

  #answer(request: Request): Response | Promise<Response> {
    const { pathname } = new URL(request.url);
    this.requestedPaths.push(pathname);
    for (const [word, answer] of Object.entries(this.faults.answer ?? {})) {
      if (pathname.includes(word)) return answer(request);
    }
    const [, tag = "", listed = ""] =
      /\/releases\/(latest\/download|download\/v[^/]+)\/(.+)$/.exec(pathname) ?? [];
    const name = ["latest/download", `download/${this.#tag}`].includes(tag) ? listed : "";
    if (name === "SHA256SUMS") return new Response(this.#sums());
    const { signature = this.keys.sign(this.#sums()) } = this.faults;
    if (name === "SHA256SUMS.sig" && signature !== "none") return new Response(signature);
    if (name === NAME) return new Response(this.#program);
    return new Response("<html>Not found</html>", { status: 404 });
  }

  #sums(): string {
    const sum = `#size=${this.#program.length}:${NAME}\n${sha256(this.#program)}  ${NAME}\n`;
    return this.faults.sums ?? `#version=${this.#tag.slice(1)}\n${sum}`;
  }
}

/** The SHA-256 of a text or bytes, in hexadecimal digits. */
export function sha256(data: string | Uint8Array): string {
  return createHash("sha256").update(data).digest("hex");
}

/** A script that says of itself that it is a version. */
export function programOf(version: string, more = ""): string {
  return `#!/bin/sh\n${more}\necho '{"version": "${version}"}'\n`;
}
