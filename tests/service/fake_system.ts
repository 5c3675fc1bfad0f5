import { type Config, resolveConfig } from "../../lib/config/config.ts";
import type { HealthFile } from "../../lib/state/health_file.ts";
import { attempt } from "../../lib/attempt.ts";
import { readInstallRecord } from "../../lib/service/install_record.ts";
import { ToolRunner } from "../../lib/host/tool_runner.ts";
import { install, type InstallOptions } from "../../lib/service/install.ts";
import type { TargetSystem } from "../../lib/service/target_system.ts";
import { uninstall, type UninstallOptions } from "../../lib/service/uninstall.ts";
import { writeExecutable } from "../executable.ts";
import { FakeTime, realTurn } from "../fake_time.ts";
import { acceptAt } from "../state/accept_at.ts";
import { openHealth } from "../state/health_folder.ts";
import { testsWith } from "../tests_with.ts";

/** A public key for releases. */
export const PUBLIC_KEY = "MCowBQYDK2VwAyEAD3UAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

/** The service, its configuration, and the words that install it. */
export const NAME = "komari-agent-deno";
export const CONFIG = `/etc/${NAME}/config.json`;
export const ARGS: readonly string[] = ["-e", "https://p.example", "-t", "top-secret"];
/** What a build of the sources does not know by itself. */
export const RELEASES: readonly string[] = [
  ...["--update-url", "https://u.example", "--update-key", PUBLIC_KEY],
];

/** What a fake command does beside being recorded; `$ROOT` is the root. */
export type Fakes = Readonly<Record<string, string>>;

/** Fake commands of a machine with users as most have them. */
export const USERS: Fakes = {
  // Every user has the ids of the one who runs the test, and a group of the same name.
  id: `[ "$2" = root ] || [ -e "$ROOT/users/$2" ] || exit 1
[ "$1" = -gn ] && echo "$2" || echo ${Deno.uid()}`,
  useradd: 'for name; do :; done; : >"$ROOT/users/$name"',
  userdel: '/bin/rm "$ROOT/users/$1"',
  groupdel: "exit 6",
};

interface InstalledConfig extends Record<string, unknown> {
  readonly endpoint?: string;
  readonly panels?: readonly (Record<string, unknown> & { readonly endpoint: string })[];
}

interface Machine {
  readonly folders: readonly string[];
  readonly fakes: Fakes;
  readonly system?: Partial<TargetSystem>;
}

/** Machines by what starts their services; `user` is one of systemd's, for a user without root. */
const MACHINES = {
  openrc: {
    folders: ["run/openrc", "etc/init.d", "var/log"],
    fakes: {
      ...USERS,
      "rc-update": "",
      "rc-service": "",
      tail: "echo panel: refused",
      chown: "",
      rm: "",
    },
  },
  systemd: {
    folders: ["run/systemd/system"],
    fakes: { ...USERS, systemctl: "", "systemd-run": "", journalctl: "", loginctl: "" },
  },
  user: {
    folders: ["run/systemd/system", "home/ann", "run/user/1000"],
    fakes: { id: "echo ann", systemctl: "", journalctl: "", loginctl: "" },
    system: { uid: 1000, home: "/home/ann", userRuntimeDir: "/run/user/1000" },
  },
  mac: {
    folders: ["Library/LaunchDaemons", "var/log"],
    fakes: { id: `echo ${Deno.uid()}`, chmod: "", launchctl: "", tail: "" },
    system: { os: "darwin", sudoUser: "ann" },
  },
} as const satisfies Record<string, Machine>;

/** One of {@linkcode MACHINES}, where some commands do something else, with more folders. */
export function machineOf(
  kind: keyof typeof MACHINES,
  fakes: Fakes = {},
  { folders = [], system = {} }: Partial<Machine> = {},
): FakeSystem {
  const usual: Machine = MACHINES[kind];
  return new FakeSystem({
    folders: [...usual.folders, ...folders],
    fakes: { ...usual.fakes, ...fakes },
    system: { ...usual.system, ...system },
  });
}

/** A machine that is thrown away: a root with fake commands that record how they are called. */
export class FakeSystem implements AsyncDisposable {
  readonly root: string;
  readonly system: TargetSystem;
  /** What the user was told. */
  readonly printed: string[] = [];

  constructor(options: Machine) {
    this.root = Deno.makeTempDirSync();
    // What every machine has, and what is ours: outside of the root, which is compared.
    for (const folder of ["users", "usr/local/bin", "etc", "var/lib", ...options.folders]) {
      Deno.mkdirSync(`${this.root}/${folder}`, { recursive: true });
    }
    const bin = Deno.makeTempDirSync();
    this.#fake(bin, options.fakes);
    const program = `${bin}/new-program`;
    Deno.writeTextFileSync(program, "#!/bin/sh\necho this is it\n");
    Deno.writeTextFileSync(`${bin}/calls`, "");
    this.#bin = bin;
    const runner = new ToolRunner({ PATH: bin, ROOT: this.root });
    this.system = {
      root: this.root,
      os: "linux",
      uid: 0,
      home: "/root",
      userRuntimeDir: "",
      sudoUser: "",
      tools: {
        has: (tool) => runner.has(tool),
        // A program that is named by its path is a fake as well.
        run: ({ tool, ...rest }, options) =>
          runner.run({ ...rest, tool: tool.slice(tool.lastIndexOf("/") + 1) }, options),
      },
      program: { form: "binary", path: program },
      denoPath: Deno.execPath(),
      folder: "/srv/here",
      isTokenKnown: () => Promise.resolve(true),
      printLine: (line) => void this.printed.push(line),
      ...options.system,
    };
  }

  readonly #bin: string;

  /** One script is all of the commands, by the name that it is called by. */
  #fake(bin: string, fakes: Fakes): void {
    const calls = Object.entries(fakes).map(([name, body]) => {
      const path = name.startsWith("/") ? this.root + name : `${bin}/${name}`;
      Deno.symlinkSync(`${bin}/.fakes`, path);
      return `'${path}')\necho "${name} $*" >>'${bin}/calls'\n${body}\n;;\n`;
    });
    writeExecutable(`${bin}/.fakes`, `#!/bin/sh\ncase $0 in\n${calls.join("")}esac\n`);
  }

  /** The commands that were run since the last call, but questions for users. */
  calls(): string[] {
    const path = `${this.#bin}/calls`;
    const lines = Deno.readTextFileSync(path).split("\n");
    Deno.writeTextFileSync(path, "");
    return lines.filter((line) => line !== "" && !line.startsWith("id "))
      .map((line) => line.replace(/(--property=)LoadState,.*/, "$1…"));
  }

  /** The paths of all that is in the root, with what a file is and who may do what. */
  tree(folder = ""): string[] {
    return Array.from(Deno.readDirSync(this.root + folder)).flatMap((entry) => {
      const path = `${folder}/${entry.name}`;
      const mode = ((Deno.lstatSync(this.root + path).mode ?? 0) & 0o7777).toString(8);
      return entry.isDirectory ? [`${path}/ ${mode}`, ...this.tree(path)] : [`${path} ${mode}`];
    }).sort();
  }

  /** As `install` with these words, over what is installed, without a wait for the first report. */
  async install(
    words: readonly string[] = [],
    { env = {}, ...options }: { env?: Record<string, string> } & Partial<InstallOptions> = {},
  ): Promise<string | undefined> {
    return await installNow(
      configOf(["install", ...words], { root: this.root, env }),
      this.system,
      options,
    );
  }

  async uninstall(options: Partial<UninstallOptions> = {}): Promise<void> {
    const { signal } = new AbortController();
    await uninstall(this.system, { serviceName: NAME, print: false, signal, ...options });
  }

  /** The installed configuration. */
  config(): InstalledConfig {
    return JSON.parse(this.text(CONFIG));
  }

  /** All that the user was told. */
  get output(): string {
    return this.printed.join("\n");
  }

  text(path: string): string {
    return Deno.readTextFileSync(this.root + path);
  }

  write(path: string, text: string): void {
    Deno.mkdirSync(this.root + path.slice(0, path.lastIndexOf("/")), { recursive: true });
    Deno.writeTextFileSync(this.root + path, text);
  }

  /** What an agent does that runs there and whose reports are accepted. */
  acceptedAgent(runtimeFolder: string): HealthFile & Disposable {
    const health = openHealth(this.root + runtimeFolder, { version: "1.0.0" });
    // After the start, which the caller makes later.
    acceptAt(health, { intervalMs: 1000, atMs: Date.now() + 86_400_000 });
    return health;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.root, { recursive: true });
    await Deno.remove(this.#bin, { recursive: true });
  }
}

/** Lets time pass at once where nothing but time is waited for. */
export async function withoutWaiting<T>(
  system: TargetSystem,
  act: (system: TargetSystem) => Promise<T>,
): Promise<T> {
  using time = new FakeTime({ now: Date.now() });
  let runningTools = 0;
  let isDone = false;
  const tools: TargetSystem["tools"] = {
    has: (tool) => system.tools.has(tool),
    run: async (command, options) => {
      runningTools++;
      return await system.tools.run(command, options).finally(() => runningTools--);
    },
  };
  const acting = act({ ...system, tools });
  const finish = () => void (isDone = true);
  acting.then(finish, finish);
  while (!isDone) {
    await realTurn();
    if (runningTools === 0 && time.timers > 0) await time.run(10_000);
  }
  return await acting;
}

/** As {@linkcode install}, without a wait for the first report. */
export async function installNow(
  config: Config,
  system: TargetSystem,
  options: Partial<InstallOptions> = {},
): Promise<string | undefined> {
  const { signal } = new AbortController();
  return await withoutWaiting(system, (it) => install(config, it, { signal, ...options }));
}

/** What a command line asks for, with the files that an installed service may have left there. */
export function configOf(
  args: readonly string[],
  { env = {}, root = "", ...more }: {
    env?: Record<string, string>;
    root?: string;
    importedOptions?: ReadonlyMap<string, string>;
  } = {},
): Config {
  return resolveConfig({
    args,
    env,
    readText: (path) => Deno.readTextFileSync(path),
    readMode: () => 0o600,
    installedConfigs: (name) => root === "" ? [] : [`${root}/etc/${name}/config.json`],
    recordedOptions(name) {
      if (root === "") return new Map();
      const record = attempt(() => readInstallRecord(`${root}/etc/${name}/install.json`));
      return new Map(Object.entries(record?.rootOptions ?? {}));
    },
    ...more,
  });
}

/** Tests on a machine whose services OpenRC starts. */
export const onOpenRc = testsWith(() => machineOf("openrc"));
