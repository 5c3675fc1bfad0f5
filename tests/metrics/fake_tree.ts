import { fakeHost } from "./fake_host.ts";

/** Small files of one line each, as `grep -r ''` prints them, and links as `PATH -> TARGET`. */
const ONE_LINERS = "lines.txt";
/** What lies in a machine's folder and is none of its files. */
const ASIDE = new Set(["later", "machine.json", "expected.json", "README.md"]);

/** The files of a machine that stands in a folder of tests/fixtures/, at their places. */
export class FakeTree {
  readonly #folder: URL;
  readonly #mountedAt: string;
  #files: Readonly<Record<string, string>> = {};
  #host = fakeHost({});

  /** `mountedAt` is where the machine's root is; what lies below `own/` is at `/`. */
  constructor(folder: URL, mountedAt: string) {
    this.#folder = folder;
    this.#mountedAt = mountedAt;
    this.overlay("");
  }

  /** Lays the files of a folder, `later/`, over those that there are. */
  overlay(layer: string): void {
    const found: Record<string, string> = { ...this.#files };
    for (const path of this.#walk(layer)) {
      if (path === layer + ONE_LINERS) Object.assign(found, this.#parseLines(path));
      else found[this.#targetPath(path.slice(layer.length))] = this.#textOrLink(path);
    }
    this.#files = found;
    this.#host = fakeHost(found);
  }

  /** Writes the files and links below a folder, for an agent that is started with `HOST_PROC`. */
  writeTo(folder: string): void {
    for (const [path, text] of Object.entries(this.#files)) {
      const target = folder + path;
      Deno.mkdirSync(target.replace(/\/[^/]*$/, ""), { recursive: true });
      if (text.startsWith("-> ")) Deno.symlinkSync(text.slice(3), target);
      else Deno.writeTextFileSync(target, text);
    }
  }

  readText(path: string): string | undefined {
    return this.#host.readText(this.#resolveLinks(path));
  }

  list(path: string): string[] | undefined {
    return this.#host.list(this.#resolveLinks(path));
  }

  readLink(path: string): string | undefined {
    const slash = path.lastIndexOf("/");
    return this.#host.readLink(this.#resolveLinks(path.slice(0, slash)) + path.slice(slash));
  }

  exists(path: string): boolean {
    return this.#host.exists(this.#resolveLinks(path));
  }

  *#walk(folder: string): Generator<string> {
    for (const entry of entriesOf(new URL(folder, this.#folder))) {
      const path = folder + entry.name;
      if (ASIDE.has(path)) continue;
      if (entry.isDirectory) yield* this.#walk(`${path}/`);
      else yield path;
    }
  }

  #parseLines(path: string): Record<string, string> {
    const found: Record<string, string> = {};
    for (const line of this.#text(path).split("\n")) {
      const [, name = "", sign, value = ""] = /^(.*?)(:| -> )(.*)$/.exec(line) ?? [];
      if (name === "") continue;
      found[this.#targetPath(name)] = sign === ":" ? `${value}\n` : `-> ${value}`;
    }
    return found;
  }

  #targetPath(path: string): string {
    return path.startsWith("own/") ? path.slice("own".length) : `${this.#mountedAt}/${path}`;
  }

  /** The path without the links that lead to it. */
  #resolveLinks(path: string): string {
    let place = "";
    for (const name of path.split("/").filter((name) => name !== "" && name !== ".")) {
      place = name === ".." ? place.replace(/\/[^/]*$/, "") : `${place}/${name}`;
      const target = this.#host.readLink(place);
      if (target === undefined) continue;
      const base = target.startsWith("/") ? "" : place.replace(/[^/]*$/, "");
      place = this.#resolveLinks(base + target);
    }
    return place || "/";
  }

  #textOrLink(path: string): string {
    const { isSymlink } = Deno.lstatSync(this.#urlOf(path));
    return isSymlink ? `-> ${Deno.readLinkSync(this.#urlOf(path))}` : this.#text(path);
  }

  #text(path: string): string {
    return Deno.readTextFileSync(this.#urlOf(path));
  }

  #urlOf(path: string): URL {
    return new URL(path.replaceAll("%", "%25"), this.#folder);
  }
}

/** A machine on which nothing changes has no `later/`. */
function entriesOf(folder: URL): Deno.DirEntry[] {
  try {
    return [...Deno.readDirSync(folder)];
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}
