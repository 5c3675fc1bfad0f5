import type { FileSystemUse, Host, InterfaceAddress, Roots, Source } from "../lib/host/host.ts";
import { paperHost, paperSource } from "./collect/paper_host.ts";

/** What a machine's `machine.json` tells beside its trees. */
export interface MachineSheet {
  /** The runtime's name of the architecture. */
  readonly arch: string;
  /** Between the two looks. */
  readonly seconds: number;
  /** Processes that `/proc` lists, and those that its link count has; the second are all of the kernel's. */
  readonly processes: { readonly listed: number; readonly linked?: number };
  /** Block size, blocks, free and available blocks by mount point, at both looks. */
  readonly statfs: Readonly<Record<string, readonly [number, number, number, number]>>;
  /** What of `statfs` is another at the second look. */
  readonly laterStatfs?: MachineSheet["statfs"];
  /** Mount points that are files. */
  readonly files?: readonly string[];
  /** Where the agent's container has the machine's root; its own trees are below `own/`. */
  readonly mountedAt?: string;
}

/** Between two looks `later/` is laid over the trees. */
const LATER = "later/";
/** Small files of one line each, as `grep -r ''` prints them, and links as `PATH -> TARGET`. */
const ONE_LINERS = "lines.txt";

class NoFolder extends Error {
  readonly code = "ENOTDIR";
}

/** A machine that stands in a folder of tests/fixtures/. */
export class PaperMachine implements Host {
  readonly roots: Roots;
  readonly sheet: MachineSheet;
  readonly #folder: URL;
  #files: Readonly<Record<string, string>> = {};
  #host = paperHost({});
  #statfs: MachineSheet["statfs"];
  #atMs = 0;

  constructor(name: string) {
    this.#folder = new URL(`fixtures/${name}/`, import.meta.url);
    const sheet: MachineSheet = JSON.parse(this.#text("machine.json"));
    this.sheet = sheet;
    this.#statfs = sheet.statfs;
    const at = sheet.mountedAt ?? "";
    this.roots = { proc: `${at}/proc`, sys: `${at}/sys`, root: at === "" ? "/" : at };
    this.#layOver("");
  }

  /** Goes on to the second look. */
  later(): void {
    this.#atMs += this.sheet.seconds * 1000;
    this.#statfs = { ...this.#statfs, ...this.sheet.laterStatfs };
    this.#layOver(LATER);
  }

  open(path: string): Source {
    return paperSource(() => this.readText(path));
  }

  readText(path: string): string | undefined {
    return this.#host.readText(this.#followed(path));
  }

  list(path: string): string[] | undefined {
    const names = this.#host.list(this.#followed(path));
    if (path !== this.roots.proc || names === undefined) return names;
    const { listed } = this.sheet.processes;
    const others = names.filter((name) => !/^\d+$/.test(name));
    return [...others, ...Array.from({ length: listed }, (_, index) => `${index + 1}`)];
  }

  readLink(path: string): string | undefined {
    const slash = path.lastIndexOf("/");
    return this.#host.readLink(this.#followed(path.slice(0, slash)) + path.slice(slash));
  }

  exists(path: string): boolean {
    return this.#host.exists(this.#followed(path));
  }

  openLinkCount(path: string): (() => number) | undefined {
    const { linked } = this.sheet.processes;
    const names = this.#host.list(path);
    if (linked === undefined || names === undefined) return undefined;
    const folders = names.filter((name) =>
      !/^\d+$/.test(name) && this.#host.readText(`${path}/${name}`) === undefined
    );
    return () => 2 + folders.length + linked;
  }

  statfs(path: string): FileSystemUse {
    const folder = path.replace(/(?<=.)\/\.$/, "");
    if (folder !== path && this.sheet.files?.includes(folder)) throw new NoFolder();
    const answer = this.#statfs[folder === "/." ? "/" : folder];
    if (answer === undefined) throw new Error(`Cannot ask for ${path}`);
    const [blockSizeBytes, blocks, freeBlocks, availableBlocks] = answer;
    return { blockSizeBytes, blocks, freeBlocks, availableBlocks };
  }

  statfsAsync(path: string): Promise<FileSystemUse> {
    return Promise.try(() => this.statfs(path));
  }

  interfaceAddresses(): InterfaceAddress[] {
    return [];
  }

  monotonicMs(): number {
    return this.#atMs;
  }

  #layOver(layer: string): void {
    const found: Record<string, string> = { ...this.#files };
    for (const path of this.#walk(layer)) {
      if (path === layer + ONE_LINERS) Object.assign(found, this.#oneLiners(path));
      else found[this.#placeOf(path.slice(layer.length))] = this.#textOrLink(path);
    }
    this.#files = found;
    this.#host = paperHost(found);
  }

  *#walk(folder: string): Generator<string> {
    for (const entry of optional(() => [...Deno.readDirSync(new URL(folder, this.#folder))])) {
      const path = folder + entry.name;
      if (path === "later" || /^(README\.md|machine\.json|expected\.json)$/.test(path)) continue;
      if (entry.isDirectory) yield* this.#walk(`${path}/`);
      else yield path;
    }
  }

  #oneLiners(path: string): Record<string, string> {
    const found: Record<string, string> = {};
    for (const line of this.#text(path).split("\n")) {
      const [, name = "", sign, value = ""] = /^(.*?)(:| -> )(.*)$/.exec(line) ?? [];
      if (name === "") continue;
      found[this.#placeOf(name)] = sign === ":" ? `${value}\n` : `-> ${value}`;
    }
    return found;
  }

  #placeOf(path: string): string {
    const { mountedAt = "" } = this.sheet;
    return path.startsWith("own/") ? path.slice("own".length) : `${mountedAt}/${path}`;
  }

  /** The path without the links that lead to it. */
  #followed(path: string): string {
    let place = "";
    for (const name of path.split("/").filter((name) => name !== "" && name !== ".")) {
      place = name === ".." ? place.replace(/\/[^/]*$/, "") : `${place}/${name}`;
      const target = this.#host.readLink(place);
      if (target === undefined) continue;
      const base = target.startsWith("/") ? "" : place.replace(/[^/]*$/, "");
      place = this.#followed(base + target);
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

function optional(ask: () => Deno.DirEntry[]): Deno.DirEntry[] {
  try {
    return ask();
  } catch {
    return [];
  }
}
