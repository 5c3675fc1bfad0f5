/**
 * Attacks from inside the agent's process: `attacks.ts sealed|open FOLDER ATTACK…` tries each and
 * prints a line `{name, succeeded, error}` for it.
 *
 * The process has all of the runtime's permissions and opened native calls before the seal, as an
 * attacker with native code in it would have them: only the kernel's filter stands in the way.
 *
 * @module
 */

import { sealByKernel } from "../../lib/sandbox/seal.ts";
import { exists } from "../exists.ts";

/** Tries something; resolves to whether it has had its effect. */
type Attack = (place: Place) => unknown;

/** Files and a process of the test's, for the attacker to reach for. */
interface Place {
  readonly folder: string;
  /** Files, folders, links and pipes of the test's, and of `/usr` and `/proc`. */
  readonly paths: readonly string[];
  /** The number of a handle for writing that was opened before the seal, as those of the state are. */
  readonly written: number;
  /** A process that was started before the seal, as the helper shell is. */
  readonly victim: Deno.ChildProcess;
}

const word = "usize";
const libc = Deno.dlopen("libc.so.6", {
  syscall: { parameters: ["i64", word, word, word, word, word, word], result: "i64" },
  system: { parameters: ["buffer"], result: "i32" },
  _exit: { parameters: ["i32"], result: "void" },
  mmap: { parameters: [word, word, "i32", "i32", "i32", "i64"], result: word },
  memcpy: { parameters: [word, "buffer", word], result: word },
}).symbols;

const isSealed = import.meta.main && Deno.args[0] === "sealed";

type Argument = number | bigint | string | Uint8Array<ArrayBuffer>;
const isAmd64 = Deno.build.arch === "x86_64";
/** Keeps buffers alive while the kernel reads them. */
const kept: Uint8Array<ArrayBuffer>[] = [];

/** Makes a system call; `numbers` are those of amd64 and arm64. @throws {Error} When it fails. */
function syscall(numbers: readonly [number, number], ...args: readonly Argument[]): number {
  const words = Array.from({ length: 6 }, (_, index) => toWord(args[index] ?? 0));
  const [a = 0n, b = 0n, c = 0n, d = 0n, e = 0n, f = 0n] = words;
  const number = BigInt(numbers[isAmd64 ? 0 : 1]);
  const result = Number(libc.syscall(number, a, b, c, d, e, f));
  if (result < 0) throw new Error(`system call ${number} failed`);
  return result;
}

function toWord(value: Argument): bigint {
  if (typeof value === "number") return BigInt.asUintN(64, BigInt(value));
  if (typeof value === "bigint") return value;
  const bytes = typeof value === "string" ? cString(value) : value;
  kept.push(bytes);
  return Deno.UnsafePointer.value(Deno.UnsafePointer.of(bytes));
}

function cString(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(`${text}\0`);
}

/** `char *[]`, ended by a null pointer. */
function strings(...texts: readonly string[]): Uint8Array<ArrayBuffer> {
  return new Uint8Array(BigUint64Array.from([...texts.map(toWord), 0n]).buffer);
}

/** A copy of the process that ends at once. */
function endIfChild(pid: number): boolean {
  if (pid === 0) libc._exit(0);
  return pid > 0;
}

const AT_FDCWD = -100;
const O_WRONLY = 1;
const O_RDWR = 2;
const O_CREAT = 0o100;

function contains(path: string, text: string): boolean {
  return Deno.readTextFileSync(path).includes(text);
}

/** Writes a text to a file of the folder, and looks whether it is there. */
function writes(
  name: string,
  text: string,
  act: (path: string, text: string) => unknown,
): Attack {
  return async ({ folder }) => {
    await act(`${folder}/${name}`, text);
    return contains(`${folder}/${name}`, text);
  };
}

/** Makes an entry of the folder, and looks whether it is there. */
function makes(name: string, act: (path: string, folder: string) => unknown): Attack {
  return ({ folder }) => {
    act(`${folder}/${name}`, folder);
    return exists(`${folder}/${name}`);
  };
}

/** Runs code in a worker; resolves to what it posts, and rejects with what it throws. */
async function inWorker(code: string): Promise<unknown> {
  const wrapped = `try { ${code}; postMessage("") } catch (error) { postMessage(error.message) }`;
  const worker = new Worker(`data:text/javascript,${encodeURIComponent(wrapped)}`, {
    type: "module",
  });
  const message = await new Promise<unknown>((resolve) => {
    worker.onmessage = ({ data }) => resolve(data);
  });
  worker.terminate();
  if (message !== "") throw new Error(String(message));
  return true;
}

const PROGRAMS: Readonly<Record<string, Attack>> = {
  "Deno.Command": () => new Deno.Command("/bin/true").outputSync().success,
  "Deno.Command in a worker": () => inWorker(`new Deno.Command("/bin/true").outputSync()`),
  "system() of the C library": () => libc.system(cString("exit 7")) === 7 << 8,
  "fork": () => endIfChild(syscall(isAmd64 ? [57, 0] : [0, 220], isAmd64 ? 0 : 17)),
  "clone as a process": () => endIfChild(syscall([56, 220], 17)),
  "clone3 as a process": () => {
    const args = new BigUint64Array(11);
    args[4] = 17n;
    return endIfChild(syscall([435, 435], new Uint8Array(args.buffer), 88));
  },
  "memfd_create": () => syscall([319, 279], "program", 0) > 0,
};

/** These end in another program, so each needs a process of its own. */
const REPLACEMENTS: Readonly<Record<string, Attack>> = {
  "execve": () => syscall([59, 221], "/bin/sh", reportSuccess("execve"), strings()),
  "execveat": () =>
    syscall([322, 281], AT_FDCWD, "/bin/sh", reportSuccess("execveat"), strings(), 0),
};

/** The words of a shell that reports in the attack's place. */
function reportSuccess(name: string): Uint8Array<ArrayBuffer> {
  return strings("sh", "-c", `echo '${JSON.stringify({ name, succeeded: true })}'`);
}

const FILES: Readonly<Record<string, Attack>> = {
  "append to authorized_keys": writes("authorized_keys", "ssh-ed25519 attacker", (path, text) => {
    Deno.writeTextFileSync(path, text, { append: true });
  }),
  "append in a worker": writes("authorized_keys", "from a worker", (path, text) => {
    const words = [path, text].map((word) => JSON.stringify(word));
    return inWorker(`Deno.writeTextFileSync(${words}, { append: true })`);
  }),
  "create a cron job": writes("cron.d/job", "* * * * * root attack", Deno.writeTextFileSync),
  "openat for writing": ({ folder }) =>
    syscall([257, 56], AT_FDCWD, `${folder}/agent`, O_WRONLY) > 0,
  "openat for writing, with high bits": ({ folder }) =>
    syscall([257, 56], AT_FDCWD, `${folder}/agent`, (1n << 32n) | BigInt(O_RDWR)) > 0,
  "openat that creates": ({ folder }) =>
    syscall([257, 56], AT_FDCWD, `${folder}/created`, O_CREAT, 0o600) > 0,
  "openat that empties": ({ folder }) => {
    syscall([257, 56], AT_FDCWD, `${folder}/emptied`, 0o1000);
    return Deno.statSync(`${folder}/emptied`).size === 0;
  },
  "openat of a nameless file": ({ folder }) =>
    syscall([257, 56], AT_FDCWD, folder, O_RDWR | 0o20000000 | (isAmd64 ? 0o200000 : 0o40000)) > 0,
  "openat2 for writing": ({ folder }) => {
    const how = new Uint8Array(BigUint64Array.from([BigInt(O_WRONLY), 0n, 0n]).buffer);
    return syscall([437, 437], AT_FDCWD, `${folder}/agent`, how, 24) > 0;
  },
  "reopen of an open file for writing": ({ folder }) => {
    const fd = syscall([257, 56], AT_FDCWD, `${folder}/agent`, 0);
    return syscall([257, 56], AT_FDCWD, `/proc/self/fd/${fd}`, O_WRONLY) > 0;
  },
  "write the runtime's cache of compiled code": () => {
    const folder = "/proc/self/fd";
    const descriptors = [...Deno.readDirSync(folder)].map(({ name }) => name).filter((name) => {
      try {
        return /v8_code_cache_v\d+$/.test(Deno.readLinkSync(`${folder}/${name}`));
      } catch {
        return false;
      }
    });
    // Nothing is written, but only a handle for writing lets that be done.
    return descriptors.some((it) => syscall([18, 68], Number(it), new Uint8Array(1), 0, 0) === 0);
  },
  "write beyond all bounds into an open file": ({ written }) =>
    syscall([18, 68], written, new Uint8Array(1), 1, 2 ** 40) === 1,
  "io_uring": () => syscall([425, 425], 4, new Uint8Array(120)) > 0,
  "rename": makes("renamed", (path, folder) => Deno.renameSync(`${folder}/new`, path)),
  "renameat2": makes("moved", (path, folder) => {
    syscall([316, 276], AT_FDCWD, `${folder}/other`, AT_FDCWD, path, 0);
  }),
  "link": makes("linked", (path, folder) => Deno.linkSync(`${folder}/agent`, path)),
  "symlink": makes("symlink", (path) => Deno.symlinkSync("/etc/passwd", path)),
  "unlink": ({ folder }) => {
    Deno.removeSync(`${folder}/removable`);
    return !exists(`${folder}/removable`);
  },
  "mkdir": makes("made", (path) => Deno.mkdirSync(path)),
  "rmdir": ({ folder }) => {
    Deno.removeSync(`${folder}/empty`);
    return !exists(`${folder}/empty`);
  },
  "mknod": ({ folder }) => syscall([259, 33], AT_FDCWD, `${folder}/fifo`, 0o10600, 0) === 0,
  "chmod": ({ folder }) => {
    Deno.chmodSync(`${folder}/agent`, 0o4755);
    return Deno.statSync(`${folder}/agent`).mode === 0o104755;
  },
  "fchmod of a file that is open for reading": ({ folder }) => {
    const fd = syscall([257, 56], AT_FDCWD, `${folder}/agent`, 0);
    return syscall([91, 52], fd, 0o777) === 0;
  },
  "fchmodat2": ({ folder }) => syscall([452, 452], AT_FDCWD, `${folder}/agent`, 0o777, 0) === 0,
  "chown": ({ folder }) => {
    Deno.chownSync(`${folder}/agent`, Deno.uid() ?? 0, Deno.gid() ?? 0);
    return true;
  },
  "truncate": ({ folder }) => {
    Deno.truncateSync(`${folder}/truncated`);
    return Deno.statSync(`${folder}/truncated`).size === 0;
  },
  "utimensat": ({ folder }) => {
    Deno.utimeSync(`${folder}/agent`, 1, 1);
    return Deno.statSync(`${folder}/agent`).mtime?.getTime() === 1000;
  },
  "setxattr": ({ folder }) =>
    syscall([188, 5], `${folder}/agent`, "user.attack", "attack", 6, 0) === 0,
  "shmget": () => {
    const id = syscall([29, 194], 0, 4096, 0o1600);
    // What is made outlives the process.
    return syscall([31, 195], id, 0, 0) === 0;
  },
  "mq_open": () => {
    const name = `komari-attack-${Deno.pid}`;
    const descriptor = syscall([240, 180], name, O_RDWR | O_CREAT, 0o600, 0);
    return descriptor > 0 && syscall([241, 181], name) === 0;
  },
};

const PROCESSES: Readonly<Record<string, Attack>> = {
  "write its own memory through /proc": () => {
    using memory = Deno.openSync("/proc/self/mem", { write: true });
    return memory.isTerminal() === false;
  },
  "write a child's memory through /proc": ({ victim }) => {
    using memory = Deno.openSync(`/proc/${victim.pid}/mem`, { write: true });
    return memory.isTerminal() === false;
  },
  "Deno.kill": ({ victim }) => {
    Deno.kill(victim.pid, "SIGCONT");
    return true;
  },
  "kill of its group": () => syscall([62, 129], 0, 0) === 0,
  "tkill": ({ victim }) => syscall([200, 130], victim.pid, 0) === 0,
  "tgkill": ({ victim }) => syscall([234, 131], victim.pid, victim.pid, 0) === 0,
  "pidfd_send_signal": ({ victim }) => {
    const fd = syscall([434, 434], victim.pid, 0);
    return syscall([424, 424], fd, 0, 0, 0) === 0;
  },
  "F_SETOWN": ({ victim }) => syscall([72, 25], syscall([290, 19], 0, 0), 8, victim.pid) === 0,
  "F_SETFL with O_ASYNC": () => syscall([72, 25], syscall([290, 19], 0, 0), 4, 0x2000) === 0,
  "process_vm_readv": ({ victim }) =>
    syscall([310, 270], victim.pid, new Uint8Array(16), 0, new Uint8Array(16), 0, 0) === 0,
  "process_vm_writev": ({ victim }) =>
    syscall([311, 271], victim.pid, new Uint8Array(16), 0, new Uint8Array(16), 0, 0) === 0,
  "prlimit64": ({ victim }) => syscall([302, 261], victim.pid, 7, 0, new Uint8Array(16)) === 0,
  "setpriority of a child": ({ victim }) => syscall([141, 140], 0, victim.pid, 5) === 0,
  "affinity": ({ victim }) => syscall([203, 122], victim.pid, 8, new Uint8Array(8).fill(1)) === 0,
  "ptrace": ({ victim }) => syscall([101, 117], 0x4206, victim.pid, 0, 0) === 0,
};

const SOCKETS: Readonly<Record<string, Attack>> = {
  "connect to a unix socket": async ({ folder }) => {
    using connection = await Deno.connect({ transport: "unix", path: `${folder}/socket` });
    return connection.localAddr !== undefined;
  },
  "listen at a unix socket": ({ folder }) => {
    using listener = Deno.listen({ transport: "unix", path: `${folder}/listening` });
    return listener.addr !== undefined;
  },
  "unix datagrams": () => syscall([41, 198], 1, 2, 0) > 0,
  "socketpair": () => syscall([53, 199], 1, 2, 0, new Uint8Array(8)) === 0,
  "a socket file of the runtime's own sockets": ({ folder }) => {
    const path = `${folder}/bound`;
    const address = new Uint8Array(110);
    address[0] = 1;
    new TextEncoder().encodeInto(path, address.subarray(2));
    for (let descriptor = 0; descriptor < 100; descriptor++) {
      libc.syscall(isAmd64 ? 49n : 200n, BigInt(descriptor), toWord(address), 110n, 0n, 0n, 0n);
    }
    return exists(path);
  },
  "netlink of the audit system": () => syscall([41, 198], 16, 3, 9) > 0,
};

/** A TCP socket with an option set to 1. */
function setOption(level: number, option: number): boolean {
  const descriptor = syscall([41, 198], 2, 1, 0);
  return syscall([54, 208], descriptor, level, option, Uint8Array.from([1, 0, 0, 0]), 4) === 0;
}

const SYSTEM: Readonly<Record<string, Attack>> = {
  "unshare": () => syscall([272, 97], 0x200) === 0,
  "setuid": () => syscall([105, 146], Deno.uid() ?? 0) === 0,
  "setgid": () => syscall([106, 144], Deno.gid() ?? 0) === 0,
  "prctl that asks for a signal": () => syscall([157, 167], 1, 0) === 0,
  "setrlimit": () => {
    const limit = new Uint8Array(16);
    syscall([302, 261], 0, 4, 0, limit);
    return syscall([302, 261], 0, 4, limit, 0) === 0;
  },
  "a handler of its own for SIGUSR1": () => syscall([13, 134], 10, 0, 0, 8) === 0,
  "personality": () => syscall([135, 92], 0xffffffff) >= 0,
  "chdir": () => syscall([80, 49], "/") === 0,
  "umask": () => syscall([95, 166], 0o77) >= 0,
  "keyctl": () => syscall([250, 219], 0, -3, 0) !== 0,
};

/** A test that is not the superuser's can't show that these work without the filter. */
const SUPERUSER: Readonly<Record<string, Attack>> = {
  "raw sockets": () => syscall([41, 198], 2, 3, 1) > 0,
  "packet sockets": () => syscall([41, 198], 17, 3, 0) > 0,
  "IP_TRANSPARENT, for foreign addresses": () => setOption(0, 19),
  "TCP_REPAIR, for connections out of nothing": () => setOption(6, 19),
  "chroot": () => syscall([161, 51], "/") === 0,
  "a namespace of its own": () => syscall([272, 97], 0x08000000) === 0,
  "sethostname": () => {
    const name = Deno.hostname();
    return syscall([170, 161], name, name.length) === 0;
  },
  "open_by_handle_at": ({ folder }) => {
    const handle = new Uint8Array(8 + 128);
    new DataView(handle.buffer).setUint32(0, 128, true);
    const mount = new Uint8Array(4);
    syscall([303, 264], AT_FDCWD, `${folder}/agent`, handle, mount, 0);
    const fd = syscall([257, 56], AT_FDCWD, folder, 0);
    return syscall([304, 265], fd, handle, O_WRONLY) > 0;
  },
  "bpf": () => {
    const map = new Uint32Array([2, 4, 4, 1, ...Array.from({ length: 28 }, () => 0)]);
    return syscall([321, 280], 0, new Uint8Array(map.buffer), 72) > 0;
  },
};

/** Only there where the kernel runs programs of 32 bits beside those of 64. */
const AMD64: Readonly<Record<string, Attack>> = {
  "a system call of 32 bits": () => {
    const memory = libc.mmap(0n, 4096n, 7, 0x22, -1, 0n);
    // push rbx; mov eax, 20 (getpid of i386); int 0x80; pop rbx; ret
    libc.memcpy(memory, Uint8Array.from([0x53, 0xb8, 20, 0, 0, 0, 0xcd, 0x80, 0x5b, 0xc3]), 10n);
    const definition = { parameters: [], result: "i32" } as const;
    const pointer = Deno.UnsafePointer.create<typeof definition>(memory);
    return pointer !== null &&
      new Deno.UnsafeFnPointer(pointer, definition).call() === Deno.pid;
  },
};

/** Opens a path by a system call: `open`, `openat` or `openat2`. */
function opens(path: string, how: "open" | "openat" | "openat2"): boolean {
  if (how === "open" && isAmd64) return syscall([2, -1], path, 0) > 0;
  if (how !== "openat2") return syscall([257, 56], AT_FDCWD, path, 0) > 0;
  return syscall([437, 437], AT_FDCWD, path, new Uint8Array(24), 24) > 0;
}

const READING: Readonly<Record<string, Attack>> = {
  "read the configuration with the token": ({ folder }) =>
    contains(`${folder}/config.json`, "original"),
  "read in a worker": ({ folder }) =>
    inWorker(`Deno.readTextFileSync(${JSON.stringify(`${folder}/config.json`)})`),
  "read by importing": async ({ folder }) => {
    const { default: value } = await import(`file://${folder}/data.json`, {
      with: { type: "json" },
    });
    return value === 7;
  },
  "list a folder": ({ folder }) => [...Deno.readDirSync(folder)].length > 0,
  "open": ({ folder }) => opens(`${folder}/config.json`, "open"),
  "openat": ({ folder }) => opens(`${folder}/config.json`, "openat"),
  "openat2": ({ folder }) => opens(`${folder}/config.json`, "openat2"),
  "openat, only to name it": ({ folder }) =>
    syscall([257, 56], AT_FDCWD, `${folder}/config.json`, 0o10000000) > 0,
  "openat of a handle that is open": () => opens("/proc/self/fd/0", "openat"),
  "its own environment": () => opens("/proc/self/environ", "openat"),
  "load a library": () => Deno.dlopen("libthread_db.so.1", {}) !== undefined,
  "watch a folder": ({ folder }) => syscall([254, 27], syscall([294, 26], 0), folder, 0x100) > 0,
  "one of 1,000 paths of all kinds": ({ paths }) => {
    const opened = paths.filter((path, index) => {
      try {
        return opens(path, (["open", "openat", "openat2"] as const)[index % 3] ?? "open");
      } catch {
        return false;
      }
    });
    return opened.length > 0 && (isSealed || opened.length === paths.length);
  },
};

/** All attacks by name, in the rooms that a test's steps are grouped by. */
export const ATTACKS = {
  reading: READING,
  programs: PROGRAMS,
  replacements: REPLACEMENTS,
  files: FILES,
  processes: PROCESSES,
  sockets: SOCKETS,
  system: SYSTEM,
  superuser: SUPERUSER,
  amd64: AMD64,
} as const;

/** How an attack went. */
export interface AttackResult {
  readonly name: string;
  readonly succeeded: boolean;
  readonly error?: string;
}

/** A thousand paths that can be opened without effect. */
function pathsOfAllKinds(folder: string): string[] {
  const folders = ["/usr/bin", "/usr/lib", "/usr/share", "/proc/self"];
  const found = [folder, `${folder}/config.json`, `${folder}/link`, "/dev/null", "/dev/zero"];
  for (
    let next = folders.shift();
    next !== undefined && found.length < 1000;
    next = folders.shift()
  ) {
    for (const { name, isFile, isDirectory } of Deno.readDirSync(next)) {
      const path = `${next}/${name}`;
      if (isFile && isReadable(path)) found.push(path);
      if (isDirectory && next !== "/proc/self" && isReadable(path)) folders.push(path);
    }
  }
  if (found.length < 1000) throw new Error(`Cannot try 1,000 paths: found ${found.length}`);
  return found.slice(0, 1000);
}

function isReadable(path: string): boolean {
  try {
    Deno.openSync(path).close();
    return true;
  } catch {
    return false;
  }
}

async function attempt(name: string, place: Place): Promise<AttackResult> {
  const attack = Object.values(ATTACKS).map((room) => room[name]).find((it) => it !== undefined);
  if (attack === undefined) throw new RangeError(`Cannot try "${name}": there is no such attack`);
  try {
    return { name, succeeded: await attack(place) === true };
  } catch (error) {
    return { name, succeeded: false, error: error instanceof Error ? error.message : `${error}` };
  }
}

if (import.meta.main) {
  const [, folder = "", ...names] = Deno.args;
  const paths = pathsOfAllKinds(folder);
  const victim = new Deno.Command("/bin/sleep", {
    // A replaced process can not say which one to end.
    args: ["60"],
    // The test reads this process's output to its end, and the victim outlives it.
    stdout: "null",
    stderr: "null",
  }).spawn();
  // The runtime makes sockets for signals with the first listener, as in the agent.
  Deno.addSignalListener("SIGTERM", () => Deno.exit(2));
  const written = syscall([257, 56], AT_FDCWD, `${folder}/state`, O_WRONLY | O_CREAT, 0o600);
  if (isSealed) sealByKernel();
  for (const name of names) {
    console.log(JSON.stringify(await attempt(name, { folder, paths, victim, written })));
  }
  // The test ends the victim: a sealed process can't.
  console.log(JSON.stringify({ victim: victim.pid }));
  Deno.exit(0);
}
