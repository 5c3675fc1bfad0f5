import { assertEquals } from "@std/assert";
import { FileRequests } from "../../lib/remote/file_requests.ts";
import { LargeGarbage } from "../../lib/host/memory_release.ts";
import type { FileContext } from "../../lib/remote/file_arguments.ts";
import { FolderReader } from "../../lib/remote/folder_reader.ts";
import { Turns } from "../../lib/remote/task_queue.ts";
import type { FileResult } from "../../lib/types.ts";
import { openBelow } from "../open_below.ts";
import { FakeTransfers } from "./fake_panel.ts";
import { testsWith } from "../tests_with.ts";

/** File requests within a temporary folder, and the answers to them. */
export class FilesUnderTest implements AsyncDisposable {
  readonly transfers = new FakeTransfers();
  readonly answers: FileResult[] = [];
  readonly requests: FileRequests;
  /** Resolves when an answer was sent. */
  sent: Promise<void> = Promise.resolve();
  readonly #waiting = new Map<string, (result: FileResult) => void>();
  #count = 0;

  constructor(readonly folder: string) {
    this.requests = new FileRequests(this.transfers, {
      home: folder,
      send: (result) => {
        this.answers.push(result);
        this.#waiting.get(result.requestId)?.(result);
        return this.sent;
      },
    });
  }

  /** The answer to a request. */
  ask(op: string, args: Record<string, unknown> = {}): Promise<FileResult> {
    const requestId = `r${++this.#count}`;
    const { promise, resolve } = Promise.withResolvers<FileResult>();
    this.#waiting.set(requestId, resolve);
    this.requests.handle({ kind: "file", requestId, op, args });
    return promise;
  }

  /** What a request that goes well gives. */
  async result(op: string, args: Record<string, unknown> = {}): Promise<unknown> {
    const { ok, result, error } = await this.ask(op, args);
    if (!ok) throw new Error(`${op} failed: ${error}`);
    return result;
  }

  /** What an order comes to, with `~` for the folder: its result as JSON, or why it fails. */
  async outcome(op: string, args: Record<string, unknown> = {}): Promise<string> {
    const { ok, result, error } = await this.ask(op, args);
    return (ok ? JSON.stringify(result) : error).replaceAll(this.folder, "~");
  }

  /** The outcome of `copy` or `move`, of names in the folder. */
  transfer(op: "copy" | "move", source: string, destination: string): Promise<string> {
    const inFolder = (name: string) => name.startsWith("/") ? name : `~/${name}`;
    return this.outcome(op, { source: inFolder(source), destination: inFolder(destination) });
  }

  /** Runs a shell in the folder, and gives what it prints, a blank in place of each line's end. */
  async sh(script: string): Promise<string> {
    const args = ["-euc", `umask 022; ${script}`];
    const output = await new Deno.Command("sh", { args, cwd: this.folder }).output();
    assertEquals([output.code, new TextDecoder().decode(output.stderr)], [0, ""], script);
    return new TextDecoder().decode(output.stdout).trim().replaceAll("\n", " ");
  }

  /** The sorted names in the folder, or in one below it. */
  names(path = ""): string[] {
    return [...Deno.readDirSync(`${this.folder}/${path}`)].map(({ name }) => name).sort();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.requests.close();
    assertEquals(openBelow(this.folder), [], "nothing stays open");
    assertEquals(this.names().filter((name) => name.endsWith(".part")), [], "no part is left");
    await Deno.remove(this.folder, { recursive: true });
  }
}

/** Where what is tested waits until a test lets it go on. */
export class Gate {
  readonly #reached = Promise.withResolvers<void>();
  readonly #opened = Promise.withResolvers<void>();
  /** Resolves when something waits here. */
  readonly reached = this.#reached.promise;
  readonly open = this.#opened.resolve;

  readonly pass = (): Promise<void> => {
    this.#reached.resolve();
    return this.#opened.promise;
  };
}

/** File requests in a folder of the test's own. */
export function openFiles(dir?: string): FilesUnderTest {
  return new FilesUnderTest(Deno.realPathSync(Deno.makeTempDirSync({ dir })));
}

/** Tests with file requests in a folder of their own. */
export const withFiles = testsWith(() => openFiles());

/** What an operation gets from the queue of requests. */
export function contextOf(
  signal = new AbortController().signal,
  folders = new FolderReader(),
): FileContext {
  return {
    signal,
    folders,
    transfers: new FakeTransfers(),
    longLists: new Turns(),
    garbage: new LargeGarbage(),
    untilSent: new DisposableStack(),
  };
}

/** Folders that a test makes up: names below a path, with a slash behind those of folders. */
export class FakeFolders extends FolderReader {
  constructor(readonly namesOf: (path: string) => readonly string[]) {
    super();
  }

  override async read(
    path: string,
    take: (entries: readonly Deno.DirEntry[]) => void,
  ): Promise<void> {
    await Promise.resolve();
    take(
      this.namesOf(path).map((name) => {
        const isDirectory = name.endsWith("/");
        return {
          name: name.replace(/\/$/, ""),
          isDirectory,
          isFile: !isDirectory,
          isSymlink: false,
        };
      }),
    );
  }
}
