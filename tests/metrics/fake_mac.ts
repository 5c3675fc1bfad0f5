import type { FileSystemUse } from "../../lib/host/host.ts";
import type { CoreTimes, DarwinHost, DarwinMemoryInfo } from "../../lib/host/host_darwin.ts";
import { DarwinShell } from "../../lib/sandbox/shell_darwin.ts";
import { writeExecutable } from "../executable.ts";

/** What `node:os` and the runtime tell at one look. */
interface Look {
  readonly cores: CoreTimes[];
  readonly load: number[];
  readonly uptime: number;
}

interface Sheet {
  readonly arch: string;
  readonly processes: number;
  readonly first: Look;
  readonly later: Look;
  readonly memory: DarwinMemoryInfo;
  readonly statfs: Readonly<Record<string, FileSystemUse>>;
}

/** A Mac of `tests/fixtures/`: its commands are scripts in a folder, and a real shell runs them. */
export class FakeMac implements AsyncDisposable {
  readonly sheet: Sheet;
  readonly host: DarwinHost;
  readonly shell: DarwinShell;
  /** Where the commands are. */
  readonly folder: string;
  #fixture: URL;
  #look: Look;

  constructor(name: string) {
    this.#fixture = new URL(`../fixtures/${name}/`, import.meta.url);
    const sheet: Sheet = JSON.parse(Deno.readTextFileSync(new URL("node.json", this.#fixture)));
    this.sheet = sheet;
    this.#look = sheet.first;
    this.folder = Deno.makeTempDirSync();
    const printed = (file: string) => new URL(file, this.#fixture).pathname;
    this.command(
      "sysctl",
      [
        'while [ -n "$1" ]; do while IFS= read -r line; do',
        `case $line in "$1: "*) echo "$line" ;; esac; done <'${printed("sysctl")}'`,
        "shift; done; exit 1",
      ].join("\n"),
    );
    this.command("netstat", `[ "$*" = -ibn ] && /bin/cat '${printed("netstat")}'`);
    this.command("vm_stat", `/bin/cat '${printed("vm_stat")}'`);
    this.command("mount", `[ $# = 0 ] && /bin/cat '${printed("mount")}'`);
    this.command(
      "ps",
      `[ "$*" = "-A -o pid=" ] && i=0 && while [ $i -lt ${sheet.processes} ]; do
  i=$((i + 1)); echo "  $i"; done`,
    );
    this.host = this.#hostOf();
    this.shell = new DarwinShell({ path: this.folder });
  }

  /** Puts another command in place of one; `undefined` takes it away. */
  command(name: string, script: string | undefined): void {
    const path = `${this.folder}/${name}`;
    // A new file each time: one that is run can't be written to.
    try {
      Deno.removeSync(path);
    } catch {
      // It is the first.
    }
    if (script !== undefined) {
      writeExecutable(path, `#!/bin/sh\n${script}\n`);
    }
  }

  /** Moves on to the second look. */
  later(): void {
    this.#look = this.sheet.later;
    const netstat = new URL("later/netstat", this.#fixture).pathname;
    this.command("netstat", `[ "$*" = -ibn ] && /bin/cat '${netstat}'`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.shell.close();
    await Deno.remove(this.folder, { recursive: true });
  }

  #hostOf(): DarwinHost {
    const statfs = (path: string) => {
      const use = this.sheet.statfs[path];
      if (use === undefined) throw new Error(`Cannot ask ${path}`);
      return use;
    };
    return {
      arch: this.sheet.arch,
      cores: () => this.#look.cores,
      memory: () => this.sheet.memory,
      load: () => this.#look.load,
      uptime: () => this.#look.uptime,
      statfs,
      statfsAsync: (path) => Promise.resolve().then(() => statfs(path)),
      interfaceAddresses: () => [],
    };
  }
}
