import { createHash } from "node:crypto";
import { realDeadline } from "../real_deadline.ts";
import { ReleaseKeys } from "./release_keys.ts";

/** How a server of releases can go wrong. */
export interface ServerFaults {
  /** Answers the requests for paths that contain a word; what it does not, is answered as usual. */
  readonly answer?: Readonly<Record<string, (request: Request) => Response | Promise<Response>>>;
  /** Replaces `SHA256SUMS`, which is signed as it is. */
  readonly sums?: string;
  /** Replaces the signature; `undefined` leaves it out of the release. */
  readonly signature?: string | undefined;
}

/** A signed release that is served on loopback, as GitHub serves it. */
export class ReleaseServer implements AsyncDisposable {
  faults: ServerFaults = {};
  /** Paths that were asked for. */
  readonly requestedPaths: string[] = [];
  readonly keys = new ReleaseKeys();
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  #tag = "v0.0.0";
  #files = new Map<string, Uint8Array<ArrayBuffer>>();

  constructor() {
    this.#server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen() {} },
      (request) => this.#answer(request),
    );
  }

  /** Where it can be reached. */
  get origin(): string {
    return `http://127.0.0.1:${this.#server.addr.port}`;
  }

  /** The folder of the newest release's files. */
  get url(): string {
    return `${this.origin}/releases/latest/download`;
  }

  /** Publishes a version with one program, by its target. */
  publish(version: string, program: string | Uint8Array<ArrayBuffer>, target = "portable"): void {
    const bytes = typeof program === "string" ? new TextEncoder().encode(program) : program;
    this.#tag = `v${version}`;
    this.#files = new Map([[`komari-agent-deno-${target}`, bytes]]);
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
    const signature = this.#signature();
    if (name === "SHA256SUMS.sig" && signature !== undefined) return new Response(signature);
    const bytes = this.#files.get(name);
    return bytes === undefined
      ? new Response("<html>Not found</html>", { status: 404 })
      : new Response(bytes);
  }

  #sums(): string {
    const lines = [...this.#files].map(([name, bytes]) =>
      `#size=${bytes.length}:${name}\n${sha256(bytes)}  ${name}\n`
    );
    return this.faults.sums ?? [`#version=${this.#tag.slice(1)}\n`, ...lines].join("");
  }

  #signature(): string | undefined {
    return "signature" in this.faults ? this.faults.signature : this.keys.sign(this.#sums());
  }
}

/** The SHA-256 of bytes, in hexadecimal digits. */
export function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** A script that says of itself that it is a version. */
export function programOf(version: string, more = ""): string {
  return `#!/bin/sh\n${more}\necho '{"version": "${version}"}'\n`;
}
