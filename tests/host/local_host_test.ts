import { assertEquals, assertThrows } from "@std/assert";
import { attempt } from "../../lib/attempt.ts";
import { FileSource, hostName, LocalHost } from "../../lib/host/local_host.ts";
import { replaced } from "../replaced.ts";
import { TempFolder } from "../temp_folder.ts";
import { onLinux } from "../only_on.ts";

/** A file, and a source of it. */
class SourceFile extends TempFolder {
  readonly file = `${this.path}/file`;
  readonly source: ReturnType<LocalHost["open"]>;

  constructor() {
    super();
    Deno.writeTextFileSync(this.file, "");
    this.source = new LocalHost().open(this.file);
  }
}

/** Numbered lines, so that a gap or a repetition shows. */
function lines(bytes: number): string {
  let text = "";
  for (let at = 0; text.length < bytes; at++) text += `${at} line\n`;
  return text.slice(0, bytes);
}

Deno.test("FileSource.read() reads all of a file that is longer than its buffer", () => {
  using temp = new SourceFile();
  const { file: path, source } = temp;
  for (const bytes of [10, 0, 4096, 32 * 1024, 32 * 1024 + 1, 100_000, 3]) {
    Deno.writeTextFileSync(path, lines(bytes));
    assertEquals(source.read(), lines(bytes));
  }
});

Deno.test("FileSource.read() reads kernel text of more than a page", () => {
  // Neither changes while the machine runs.
  for (const path of ["/proc/kallsyms", "/proc/crypto", "/proc/ioports", "/proc/filesystems"]) {
    let whole: string;
    try {
      whole = Deno.readTextFileSync(path);
    } catch {
      continue; // This kernel has none.
    }
    if (whole.length < 4 * 1024 * 1024) {
      assertEquals(new LocalHost().open(path).read(), whole, path);
    }
  }
});

/** Hands out a text as the kernel does: at most a page of whole lines at a time. */
class PagedFile implements Disposable {
  readonly #lines: readonly string[];
  readonly #openSync = Deno.openSync;
  #at = 0;
  #rest = new Uint8Array();

  constructor(lines: readonly string[]) {
    this.#lines = lines;
    Object.defineProperty(Deno, "openSync", { value: () => this, configurable: true });
  }

  seekSync(): number {
    this.#at = 0;
    this.#rest = new Uint8Array();
    return 0;
  }

  readSync(buffer: Uint8Array): number | null {
    if (this.#rest.length === 0) {
      let page = "";
      for (let line; (line = this.#lines[this.#at]) !== undefined; this.#at++) {
        if (page !== "" && page.length + line.length > 4096) break;
        page += line;
      }
      this.#rest = new TextEncoder().encode(page);
    }
    const count = Math.min(buffer.length, this.#rest.length);
    buffer.set(this.#rest.subarray(0, count));
    this.#rest = this.#rest.subarray(count);
    return count === 0 ? null : count;
  }

  [Symbol.dispose](): void {
    Object.defineProperty(Deno, "openSync", { value: this.#openSync, configurable: true });
  }
}

Deno.test("FileSource.read() reads all pages of kernel text that is longer than its buffer", () => {
  const text = Array.from({ length: 500 }, (_, at) => `veth${at}: `.padEnd(123, "0") + "\n");
  using _file = new PagedFile(text);
  assertEquals(new LocalHost().open("/proc/net/dev").read(), text.join(""));
});

Deno.test("FileSource.read() reads on after a short page before a long line", () => {
  const text = ["short\n", `${"/layer:".repeat(600)}\n`, "last\n"];
  using _file = new PagedFile(text);
  const source = new LocalHost().open("/proc/self/mountinfo", { hasLongLines: true });
  assertEquals(source.read(), text.join(""));
});

Deno.test("FileSource.read() refuses a file of more than 4 MiB", () => {
  using temp = new SourceFile();
  const { file: path, source } = temp;
  const limit = 4 * 1024 * 1024;
  Deno.truncateSync(path, limit - 1);
  assertEquals(source.read()?.length, limit - 1);
  Deno.truncateSync(path, limit + 1);
  const error = assertThrows(() => source.read(), Error, `Cannot read ${path}`);
  assertEquals(error.cause instanceof RangeError, true);
  Deno.writeTextFileSync(path, "short again");
  assertEquals(source.read(), "short again");
});

Deno.test("FileSource.read() keeps no large buffer for what it reads next", () => {
  using temp = new SourceFile();
  const { file: path } = temp;
  const scratch = { bytes: new Uint8Array(32 * 1024), decoder: new TextDecoder() };
  const source = new FileSource(path, scratch);
  for (const bytes of [4 * 1024 * 1024 - 1, 5 * 1024 * 1024, 500_000, 100]) {
    Deno.truncateSync(path, bytes);
    attempt(() => source.read());
    assertEquals(scratch.bytes.length > 512 * 1024, bytes > 512 * 1024, `${bytes}`);
  }
});

Deno.test("FileSource.read() reads only the start of a file, where that is asked for", () => {
  using temp = new SourceFile();
  const { file: path } = temp;
  const source = new LocalHost().open(path, { startBytes: 4 });
  const table = [["cpu  1 2\ncpu0 1 2\n", "cpu "], ["é2\n", "é2\n"], ["", ""]] as const;
  for (const [text, start] of table) {
    Deno.writeTextFileSync(path, text);
    assertEquals(source.read(), start);
  }
});

Deno.test("FileSource has no data without its file, and throws for one that can't be read", () => {
  const host = new LocalHost();
  const required = host.open("/nonexistent/file", { isRequired: true });
  assertThrows(() => required.read(), Error, "Cannot read /nonexistent/file: no such file");
  assertEquals(host.open("/nonexistent/file").read(), undefined);
  assertThrows(() => host.open("/proc").read(), Error, "Cannot read /proc");
});

onLinux.test("LocalHost.statfs() finds a folder whose name is no UTF-8 by a text that has its path", async () => {
  using folder = new TempFolder();
  const script =
    `cd "$1" && name=$(printf 'm\\351') && mkdir "$name" && printf '%s' "$1/$name" >paths`;
  const { success } = await new Deno.Command("sh", { args: ["-c", script, "sh", folder.path] })
    .output();
  assertEquals(success, true);
  const host = new LocalHost();
  const path = host.open(`${folder.path}/paths`, { hasPaths: true }).read() ?? "";
  assertEquals(path, `${folder.path}/m\udce9`);
  assertEquals(host.statfs(path).blocks, host.statfs(folder.path).blocks);
});

onLinux.test("LocalHost.interfaceAddresses() does not ask the runtime, which may not answer when sealed", () => {
  const networkInterfaces = () => {
    throw new Deno.errors.PermissionDenied("sealed");
  };
  using _sealed = replaced(Deno, { networkInterfaces });
  const addresses = new LocalHost().interfaceAddresses();
  const own = addresses.find(({ address }) => address === "127.0.0.1");
  assertEquals([own?.name, own?.family], ["lo", "IPv4"]);
});

onLinux.test("hostName() gives the kernel's name of the machine", () => {
  assertEquals(hostName(), Deno.readTextFileSync("/proc/sys/kernel/hostname").trim());
});

Deno.test("hostName() is empty where the runtime may not ask", () => {
  const hostname = () => {
    throw new Deno.errors.NotCapable("requires sys access");
  };
  using _sealed = replaced(Deno, { hostname });
  assertEquals(hostName(), "");
});
