import type {
  FileSystemUse,
  Host,
  InterfaceAddress,
  OpenOptions,
  Roots,
  Source,
} from "../../lib/host/host.ts";
import { FakeTime } from "../fake_time.ts";
import { fakeFile } from "./fake_host.ts";
import { FakeTree } from "./fake_tree.ts";

/** What a machine's `machine.json` tells beside its trees. */
export interface MachineDescription {
  /** The runtime's name of the architecture. */
  readonly arch: string;
  /** Between the two looks. */
  readonly seconds: number;
  /** Processes that `/proc` lists, and those that its link count has; the second are all of the kernel's. */
  readonly processes: { readonly listed: number; readonly linked?: number };
  /** Block size, blocks and free blocks by mount point, at both looks. */
  readonly statfs: Readonly<Record<string, readonly [number, number, number]>>;
  /** What of `statfs` is another at the second look. */
  readonly laterStatfs?: MachineDescription["statfs"];
  /** Mount points that are files. */
  readonly files?: readonly string[];
  /** Where the agent's container has the machine's root; its own trees are below `own/`. */
  readonly mountedAt?: string;
}

class NoFolder extends Error {
  readonly code = "ENOTDIR";
}

/** A machine that stands in a folder of tests/fixtures/, at one look and then at another. */
export class FakeMachine implements Host {
  readonly arch: string;
  readonly roots: Roots;
  readonly description: MachineDescription;
  readonly #tree: FakeTree;
  #statfs: MachineDescription["statfs"];

  constructor(name: string) {
    const folder = new URL(`../fixtures/${name}/`, import.meta.url);
    const sheet: MachineDescription = JSON.parse(
      Deno.readTextFileSync(new URL("machine.json", folder)),
    );
    this.description = sheet;
    this.arch = sheet.arch;
    this.#statfs = sheet.statfs;
    const at = sheet.mountedAt ?? "";
    this.roots = { proc: `${at}/proc`, sys: `${at}/sys`, root: at === "" ? "/" : at };
    this.#tree = new FakeTree(folder, at);
  }

  /** Goes on to the second look, so many seconds later. */
  advance(time: FakeTime): void {
    time.tick(this.description.seconds * 1000);
    this.#statfs = { ...this.#statfs, ...this.description.laterStatfs };
    this.#tree.overlay("later/");
  }

  open(path: string, options?: OpenOptions): Source {
    return fakeFile(path, () => this.readText(path), options);
  }

  readText(path: string): string | undefined {
    return this.#tree.readText(path);
  }

  list(path: string): string[] | undefined {
    const names = this.#tree.list(path);
    if (path !== this.roots.proc || names === undefined) return names;
    const { listed } = this.description.processes;
    const others = names.filter((name) => !/^\d+$/.test(name));
    return [...others, ...Array.from({ length: listed }, (_, index) => `${index + 1}`)];
  }

  listFolders(path: string): string[] | undefined {
    return this.list(path)?.filter((name) => {
      const at = `${path}/${name}`;
      return /^\d+$/.test(name) ||
        (this.readText(at) === undefined && this.readLink(at) === undefined);
    });
  }

  readLink(path: string): string | undefined {
    return this.#tree.readLink(path);
  }

  exists(path: string): boolean {
    return this.#tree.exists(path);
  }

  openLinkCount(path: string): (() => number) | undefined {
    const { linked } = this.description.processes;
    const names = this.#tree.list(path);
    if (linked === undefined || names === undefined) return undefined;
    const folders = names.filter((name) =>
      !/^\d+$/.test(name) && this.#tree.readText(`${path}/${name}`) === undefined
    );
    return () => 2 + folders.length + linked;
  }

  statfs(path: string): FileSystemUse {
    const folder = path.replace(/(?<=.)\/\.$/, "");
    if (folder !== path && this.description.files?.includes(folder)) throw new NoFolder();
    const answer = this.#statfs[folder === "/." ? "/" : folder];
    if (answer === undefined) throw new Error(`Cannot ask for ${path}`);
    const [blockSizeBytes, blocks, freeBlocks] = answer;
    return { blockSizeBytes, blocks, freeBlocks };
  }

  statfsAsync(path: string): Promise<FileSystemUse> {
    return Promise.try(() => this.statfs(path));
  }

  interfaceAddresses(): InterfaceAddress[] {
    return [];
  }

  openLinks(): undefined {
    return undefined;
  }
}
