import { createHash } from "node:crypto";
import { realDeadline } from "../real_deadline.ts";
import { ReleaseKeys } from "./release_keys.ts";

/** How a server of releases can go wrong. */
export interface ServerFaults {
  /** Answers the requests for paths that contain a word; what it does not, is answered as usual. */
  readonly answer?: Readonly<Record<string, (request: Request) => Response | Promise<Response>>>;
  /** Changes the fields of the release. */
  readonly release?: Record<string, unknown>;
  /** Changes the fields of the description of each file. */
  readonly asset?: Record<string, unknown>;
  /** Replaces `SHA256SUMS`, which is signed as it is. */
  readonly sums?: string;
  /** Replaces the signature; `undefined` leaves it out of the release. */
  readonly signature?: string | undefined;
}

/** A signed release that is served on loopback, in the form of GitHub's API. */
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

  /** The address of the newest release's description. */
  get url(): string {
    return `${this.origin}/latest`;
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
    if (["/latest", `/tags/${this.#tag}`].includes(pathname)) return Response.json(this.#release());
    const [, tag, listed] =
      /\/releases\/(latest\/download|download\/v[^/]+)\/(.+)$/.exec(pathname) ??
        [];
    const isOther = tag !== undefined &&
      !["latest/download", `download/${this.#tag}`].includes(tag);
    const name = isOther ? "" : listed ?? pathname.slice("/files/".length);
    if (name === "SHA256SUMS") return new Response(this.#sums());
    if (name === "SHA256SUMS.sig") return new Response(this.#signature());
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

  #release(): Record<string, unknown> {
    const encoder = new TextEncoder();
    const signature = this.#signature();
    const lists: [string, Uint8Array<ArrayBuffer>][] = [
      ["SHA256SUMS", encoder.encode(this.#sums())],
    ];
    if (signature !== undefined) lists.push(["SHA256SUMS.sig", encoder.encode(signature)]);
    const assets = [...this.#files, ...lists].map(([name, bytes]) => ({
      name,
      size: bytes.length,
      digest: `sha256:${sha256(bytes)}`,
      browser_download_url: `${this.origin}/files/${name}`,
      ...(name.startsWith("SHA256SUMS") ? {} : this.faults.asset),
    }));
    return { tag_name: this.#tag, draft: false, prerelease: false, assets, ...this.faults.release };
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
