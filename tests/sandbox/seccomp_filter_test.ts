import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { buildSeccompFilter } from "../../lib/sandbox/seccomp_filter.ts";
import {
  type SealNeeds,
  type SeccompArchitecture,
  seccompPolicy,
} from "../../lib/sandbox/seccomp_policy.ts";

const ALLOW = 0x7fff0000;
const EPERM = 0x00050001;
const ENOSYS = 0x00050026;
const PID = 4321;
const ARCHITECTURES: readonly SeccompArchitecture[] = ["amd64", "arm64"];
const AUDIT = { amd64: 0xc000003e, arm64: 0xc00000b7 };

/** All calls of Linux 6.18 that a sealed agent has no use for, with their numbers on both architectures. */
const DENIED = parseTable(`
  _sysctl 156 -; acct 163 89; add_key 248 217; adjtimex 159 171; afs_syscall 183 -; alarm 37 -;
  bpf 321 280; cachestat 451 451; capset 126 91; chdir 80 49; chmod 90 -; chown 92 -;
  chroot 161 51; clock_adjtime 305 266; clock_settime 227 112; copy_file_range 326 285;
  creat 85 -; create_module 174 -; delete_module 176 106; epoll_ctl_old 214 -;
  epoll_wait_old 215 -; execve 59 221; execveat 322 281; fallocate 285 47; fanotify_init 300 262;
  fanotify_mark 301 263; fchdir 81 50; fchmod 91 52; fchmodat 268 53; fchmodat2 452 452;
  fchown 93 55; fchownat 260 54; fgetxattr 193 10; file_getattr 468 468; file_setattr 469 469;
  finit_module 313 273; flistxattr 196 13; fork 57 -; fremovexattr 199 16; fsconfig 431 431;
  fsetxattr 190 7; fsmount 432 432; fsopen 430 430; fspick 433 433; ftruncate 77 46;
  futimesat 261 -; get_kernel_syms 177 -; get_robust_list 274 100; get_thread_area 211 -;
  getitimer 36 102; getpmsg 181 -; getxattr 191 8; getxattrat 464 464;
  init_module 175 105; inotify_add_watch 254 27; inotify_init 253 -; inotify_init1 294 26;
  inotify_rm_watch 255 28; io_cancel 210 3; io_destroy 207 1; io_getevents 208 4;
  io_pgetevents 333 292; io_setup 206 0; io_submit 209 2; io_uring_enter 426 426;
  io_uring_register 427 427; io_uring_setup 425 425; ioperm 173 -; iopl 172 -; ioprio_get 252 31;
  ioprio_set 251 30; kcmp 312 272; kexec_file_load 320 294; kexec_load 246 104; keyctl 250 219;
  landlock_add_rule 445 445; landlock_create_ruleset 444 444; landlock_restrict_self 446 446;
  lchown 94 -; lgetxattr 192 9; link 86 -; linkat 265 37; listmount 458 458; listxattr 194 11;
  listxattrat 465 465; llistxattr 195 12; lookup_dcookie 212 18; lremovexattr 198 15;
  lsetxattr 189 6; lsm_get_self_attr 459 459; lsm_list_modules 461 461; lsm_set_self_attr 460 460;
  map_shadow_stack 453 453; mbind 237 235; memfd_create 319 279; memfd_secret 447 447;
  migrate_pages 256 238; mkdir 83 -; mkdirat 258 34; mknod 133 -; mknodat 259 33; mlock 149 228;
  mlock2 325 284; mlockall 151 230; modify_ldt 154 -; mount 165 40; mount_setattr 442 442;
  move_mount 429 429; move_pages 279 239; mq_getsetattr 245 185; mq_notify 244 184;
  mq_open 240 180; mq_timedreceive 243 183; mq_timedsend 242 182; mq_unlink 241 181;
  msgctl 71 187; msgget 68 186; msgrcv 70 188; msgsnd 69 189; munlock 150 229; munlockall 152 231;
  name_to_handle_at 303 264; nfsservctl 180 42; open_by_handle_at 304 265; open_tree 428 428;
  open_tree_attr 467 467; openat2 437 437; pause 34 -; perf_event_open 298 241;
  personality 135 92; pidfd_getfd 438 438; pidfd_open 434 434; pidfd_send_signal 424 424;
  pivot_root 155 41; process_madvise 440 440; process_mrelease 448 448; process_vm_readv 310 270;
  process_vm_writev 311 271; ptrace 101 117; putpmsg 182 -; query_module 178 -; quotactl 179 60;
  quotactl_fd 443 443; readahead 187 213; reboot 169 142; remap_file_pages 216 234;
  removexattr 197 14; removexattrat 466 466; rename 82 -; renameat 264 38; renameat2 316 276;
  request_key 249 218; rmdir 84 -; rt_sigqueueinfo 129 138; rt_tgsigqueueinfo 297 240;
  sched_getattr 315 275; sched_rr_get_interval 148 127; sched_setaffinity 203 122;
  sched_setattr 314 274; sched_setparam 142 118; sched_setscheduler 144 119; seccomp 317 277;
  security 185 -; semctl 66 191; semget 64 190; semop 65 193; semtimedop 220 192; sendfile 40 71;
  set_mempolicy 238 237; set_mempolicy_home_node 450 450; set_thread_area 205 -;
  setdomainname 171 162; setfsgid 123 152; setfsuid 122 151; setgid 106 144; setgroups 116 159;
  sethostname 170 161; setitimer 38 103; setns 308 268; setpgid 109 154; setpriority 141 140;
  setregid 114 143; setresgid 119 149; setresuid 117 147; setreuid 113 145; setrlimit 160 164;
  setsid 112 157; settimeofday 164 170; setuid 105 146; setxattr 188 5; setxattrat 463 463;
  shmat 30 196; shmctl 31 195; shmdt 67 197; shmget 29 194; signalfd 282 -; signalfd4 289 74;
  socketpair 53 199; splice 275 76; statmount 457 457; swapoff 168 225; swapon 167 224;
  symlink 88 -; symlinkat 266 36; sync 162 81; sync_file_range 277 84; syncfs 306 267;
  sysfs 139 -; syslog 103 116; tee 276 77; timer_create 222 107; timer_delete 226 111;
  timer_getoverrun 225 109; timer_gettime 224 108; timer_settime 223 110; tkill 200 130;
  truncate 76 45; tuxcall 184 -; umask 95 166; umount2 166 39; unlink 87 -; unlinkat 263 35;
  unshare 272 97; uselib 134 -; userfaultfd 323 282; ustat 136 -; utime 132 -; utimensat 280 88;
  utimes 235 -; vfork 58 -; vhangup 153 58; vmsplice 278 75; vserver 236 -;
  bind 49 200; listen 50 201; open 2 -; openat 257 56;
`);

interface Call {
  readonly number: number;
  readonly args?: readonly (number | bigint)[];
  readonly audit?: number;
}

/** Runs a filter as the kernel does: `struct seccomp_data` in, the returned action out. */
function run(program: Uint8Array<ArrayBuffer>, { number, args = [], audit }: Call): number {
  const data = new DataView(new ArrayBuffer(64));
  data.setUint32(0, number, true);
  data.setUint32(4, audit ?? AUDIT.amd64, true);
  args.forEach((value, index) => data.setBigUint64(16 + 8 * index, BigInt(value), true));
  const code = new DataView(program.buffer);
  let accumulator = 0;
  for (let at = 0; at < program.length / 8;) {
    const operation = code.getUint16(8 * at, true);
    const jump = (holds: boolean) => 1 + code.getUint8(8 * at + (holds ? 2 : 3));
    const value = code.getUint32(8 * at + 4, true);
    switch (operation) {
      case 0x20:
        assert(value % 4 === 0 && value < 64, `offset ${value}`);
        accumulator = data.getUint32(value, true);
        at++;
        break;
      case 0x54:
        accumulator = (accumulator & value) >>> 0;
        at++;
        break;
      case 0x05:
        at += 1 + value;
        break;
      case 0x15:
        at += jump(accumulator === value);
        break;
      case 0x35:
        at += jump(accumulator >= value);
        break;
      case 0x06:
        return value;
      default:
        throw new Error(`Cannot run instruction ${operation}`);
    }
  }
  throw new RangeError("Cannot run beyond the end of the filter");
}

function parseTable(text: string): Map<string, Record<SeccompArchitecture, number>> {
  const rows = text.split(";").map((row) => row.trim().split(" ")).filter(([name]) => name !== "");
  return new Map(
    rows.map(([name = "", amd64, arm64]) => [name, { amd64: Number(amd64), arm64: Number(arm64) }]),
  );
}

/** The filters of an agent, of one that reads files, and of one that binds sockets. */
const filters = {
  usual: filtersFor({}),
  reading: filtersFor({ readsFiles: "there is no getent" }),
  binding: filtersFor({ bindsSockets: true }),
};

function filtersFor(needs: SealNeeds) {
  return {
    amd64: buildSeccompFilter("amd64", PID, needs),
    arm64: buildSeccompFilter("arm64", PID, needs),
  };
}

function answer(
  architecture: SeccompArchitecture,
  call: Call,
  needs: keyof typeof filters = "usual",
): number {
  return run(filters[needs][architecture], { audit: AUDIT[architecture], ...call });
}

Deno.test("buildSeccompFilter() denies every call of today's kernel that is not listed, and gives each other number an answer", () => {
  for (const architecture of ARCHITECTURES) {
    const actions = seccompPolicy(architecture, PID);
    const denied = new Set([...DENIED.values()].map((numbers) => numbers[architecture]));
    for (let number = 0; number <= 469; number++) {
      const action = actions.get(number);
      assertEquals(action === undefined, denied.has(number), `${number} is one of both`);
      // The rest is no kernel's, or clone3, or allowed in part.
      const expected = { allow: ALLOW, unsupported: ENOSYS, none: EPERM }[`${action ?? "none"}`];
      const found = answer(architecture, { number });
      if (expected !== undefined) assertEquals(found, expected, `${architecture} ${number}`);
    }
  }
});

Deno.test("buildSeccompFilter() answers as an older kernel when a call is newer than the table", () => {
  for (const architecture of ARCHITECTURES) {
    for (const number of [470, 471, 512, 1000, 0x3fffffff]) {
      assertEquals(answer(architecture, { number }), ENOSYS, `${number}`);
    }
  }
});

Deno.test("buildSeccompFilter() denies x32 and other architectures, whatever the call", () => {
  for (const architecture of ARCHITECTURES) {
    for (const number of [0, 1, 59, 520]) {
      assertEquals(answer(architecture, { number: 0x40000000 + number }), EPERM);
      // i386, the other of the two, and arm of 32 bits.
      for (const audit of [0x40000003, 0x40000028, AUDIT.amd64, AUDIT.arm64]) {
        if (audit === AUDIT[architecture]) continue;
        assertEquals(answer(architecture, { number, audit }), EPERM);
      }
    }
    assertEquals(answer(architecture, { number: 0xffffffff }), EPERM);
  }
});

Deno.test("buildSeccompFilter() lets no file be opened, and no socket be bound or listen", () => {
  const BIND = { amd64: 49, arm64: 200 };
  const LISTEN = { amd64: 50, arm64: 201 };
  for (const [architecture, number, at] of OPENERS) {
    for (const needs of ["usual", "binding"] as const) {
      for (const flags of [0, 0o2000000, 0o10000000, 0o200000, 1, 2, 0o100]) {
        const call = { number, args: argumentAt(at, flags) };
        assertEquals(answer(architecture, call, needs), EPERM, flags.toString(8));
      }
    }
  }
  for (const architecture of ARCHITECTURES) {
    const bind = { number: BIND[architecture] };
    assertEquals(answer(architecture, bind), EPERM);
    assertEquals(answer(architecture, bind, "binding"), ALLOW);
    assertEquals(answer(architecture, bind, "reading"), ALLOW);
    const listen = { number: LISTEN[architecture] };
    for (const needs of ["usual", "binding", "reading"] as const) {
      assertEquals(answer(architecture, listen, needs), EPERM);
    }
  }
});

Deno.test("buildSeccompFilter() lets open() and openat() of an agent that needs them read only", () => {
  const O_CLOEXEC = 0o2000000;
  const O_NONBLOCK = 0o4000;
  const readOnly = [0, O_CLOEXEC, O_CLOEXEC | O_NONBLOCK, 0o200000, 0o10000000, 0o400000, 0o2000];
  const writing = [1, 2, 3, 0o100, 0o101, 0o102, 0o1000, 0o1001, 0o2001, 0o20200002, 0o20000000];
  for (const [architecture, number, at] of OPENERS) {
    const withFlags = (flags: number | bigint) =>
      answer(architecture, { number, args: argumentAt(at, flags) }, "reading");
    for (const flags of readOnly) assertEquals(withFlags(flags), ALLOW, flags.toString(8));
    for (const flags of writing) {
      assertEquals(withFlags(flags), EPERM, flags.toString(8));
      assertEquals(withFlags(flags | O_CLOEXEC), EPERM, flags.toString(8));
      // The kernel reads 32 bits, so bits above them must not hide the others.
      assertEquals(withFlags(BigInt(flags) | 1n << 32n), EPERM);
    }
  }
});

/** Arguments that are 0 but for one. */
function argumentAt(at: number, value: number | bigint): (number | bigint)[] {
  return Array.from({ length: 6 }, (_, index) => index === at ? value : 0);
}

const OPENERS = [["amd64", 2, 1], ["amd64", 257, 2], ["arm64", 56, 2]] as const;

Deno.test("buildSeccompFilter() lets clone() start threads, and neither processes nor namespaces", () => {
  const THREAD = 0x3d0f00;
  for (const [architecture, number] of [["amd64", 56], ["arm64", 220]] as const) {
    const clone = (flags: number | bigint) => answer(architecture, { number, args: [flags] });
    assertEquals(clone(THREAD), ALLOW);
    for (const flags of [0, 17, 0x1200011, 0x4111, 0x100, 0x10000]) {
      assertEquals(clone(flags), EPERM, flags.toString(16));
    }
    for (const namespace of [0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000]) {
      assertEquals(clone(THREAD | namespace), EPERM, namespace.toString(16));
    }
    assertEquals(clone(BigInt(THREAD) | 0x40000000n), EPERM);
    assertEquals(answer(architecture, { number: 435 }), ENOSYS, "clone3");
  }
});

Deno.test("buildSeccompFilter() lets the process send signals to itself alone", () => {
  const numbers = [["amd64", 62], ["amd64", 234], ["arm64", 129], ["arm64", 131]] as const;
  for (const [architecture, number] of numbers) {
    assertEquals(answer(architecture, { number, args: [PID, 10] }), ALLOW);
    for (const pid of [0, 1, PID + 1, 0xffffffff, 0xffffffff - PID + 1]) {
      assertEquals(answer(architecture, { number, args: [pid, 9] }), EPERM, `${pid}`);
    }
  }
});

Deno.test("buildSeccompFilter() lets every signal be handled but the debugger's", () => {
  const SIGUSR1 = 10;
  for (const [architecture, number] of [["amd64", 13], ["arm64", 134]] as const) {
    for (let signal = 1; signal <= 64; signal++) {
      const expected = signal === SIGUSR1 ? EPERM : ALLOW;
      assertEquals(answer(architecture, { number, args: [signal] }), expected, `${signal}`);
    }
    assertEquals(answer(architecture, { number, args: [1n << 32n | 10n] }), EPERM);
  }
});

Deno.test("buildSeccompFilter() allows no other commands and options than those that are listed", () => {
  const range = (first: number, last: number) =>
    Array.from({ length: last - first + 1 }, (_, index) => first + index);
  const cases = [
    // F_DUPFD_CLOEXEC is one; F_SETOWN, F_SETSIG, F_SETLEASE, F_NOTIFY and F_ADD_SEALS are none.
    { numbers: [72, 25], tried: range(0, 1100), allowed: [...range(0, 7), 1030] },
    {
      // TCGETS and FIONBIO are; TIOCSTI, TIOCLINUX, SIOCSIFADDR and FS_IOC_SETFLAGS are not.
      numbers: [16, 29],
      tried: [...range(0x5400, 0x54ff), ...range(0x8900, 0x89ff), 0x40086602],
      allowed: [...[0x5401, 0x5413, 0x541b, 0x5421, 0x5450, 0x5451]],
    },
    { numbers: [157, 167], at: 0, tried: range(0, 100), allowed: [3, 15, 16, 21, 23, 39] },
    {
      // PR_SET_VMA is; PR_SET_PTRACER is not.
      ...{ numbers: [157, 167], at: 0, allowed: [0x53564d41] },
      tried: [0x53564d41, 0x53564d42, 0x59616d61],
    },
    { numbers: [302, 261], at: 0, tried: [0, 1, PID], allowed: [0] },
    { numbers: [28, 233], at: 2, tried: [4, 10, 17, 100, 101, 0xffffffff], allowed: [4, 10, 17] },
    // SO_BINDTODEVICE, SO_ATTACH_FILTER, TCP_REPAIR, IP_TRANSPARENT and packet filters are not.
    { numbers: [54, 208], level: 0, tried: range(0, 255), allowed: [11] },
    { numbers: [54, 208], level: 1, tried: range(0, 255), allowed: [2, 7, 8, 9, 15] },
    { numbers: [54, 208], level: 6, tried: range(0, 255), allowed: [1, 4, 5, 6, 18] },
    { numbers: [54, 208], level: 41, tried: range(0, 255), allowed: [25, 26] },
    ...[17, 255, 270].map((level) => ({
      ...{ numbers: [54, 208], level, tried: range(0, 255), allowed: [] },
    })),
  ];
  for (const { numbers, at = 1, level, tried, allowed } of cases) {
    ARCHITECTURES.forEach((architecture, column) => {
      const number = numbers[column] ?? 0;
      const args = (value: number) =>
        level === undefined ? argumentAt(at, value) : [5, level, value];
      const found = tried.filter((value) =>
        answer(architecture, { number, args: args(value) }) === ALLOW
      );
      assertEquals(found, allowed, `${architecture} ${number} ${level}`);
    });
  }
});

Deno.test("buildSeccompFilter() lets sockets of four kinds be made, and no others", () => {
  const [families, types, protocols] = [50, 12, 300].map((count) => [...Array(count).keys()]);
  const four = [
    ...["2,1,0", "2,1,6", "2,2,0", "2,2,17"],
    ...["10,1,0", "10,1,6", "10,2,0", "10,2,17"],
  ];
  const CLOEXEC_NONBLOCK = 0o2004000;
  for (const [architecture, number] of [["amd64", 41], ["arm64", 198]] as const) {
    const socket = (...args: number[]) => answer(architecture, { number, args });
    const found: string[] = [];
    for (const family of families ?? []) {
      for (const type of types ?? []) {
        for (const protocol of protocols ?? []) {
          const action = socket(family, type, protocol);
          if (action !== ALLOW) continue;
          assertEquals(socket(family, type | CLOEXEC_NONBLOCK, protocol), ALLOW);
          found.push(`${family},${type},${protocol}`);
        }
      }
    }
    assertEquals(found, four, architecture);
  }
});

Deno.test("buildSeccompFilter() lets limits be read and not be set", () => {
  for (const [architecture, number] of [["amd64", 302], ["arm64", 261]] as const) {
    assertEquals(answer(architecture, { number, args: [0, 7, 0, 0x7fff0000] }), ALLOW);
    for (const pointer of [1n, 0x7fff00000000n, 1n << 40n]) {
      assertEquals(answer(architecture, { number, args: [0, 7, pointer, 0] }), EPERM);
    }
  }
});

Deno.test("buildSeccompFilter() ends with an answer for any call", () => {
  fc.assert(fc.property(
    fc.constantFrom(...ARCHITECTURES),
    fc.oneof(fc.integer({ min: 0, max: 480 }), fc.integer({ min: 0, max: 0xffffffff })),
    fc.array(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), { minLength: 6, maxLength: 6 }),
    fc.constantFrom(...Object.values(AUDIT), 0x40000003),
    (architecture, number, args, audit) => {
      assert([ALLOW, EPERM, ENOSYS].includes(answer(architecture, { number, args, audit })));
    },
  ));
});

Deno.test("buildSeccompFilter() stays below the kernel's 4096 instructions", () => {
  const lengths = Object.values(filters).flatMap((it) => Object.values(it)).map((filter) =>
    filter.length / 8
  );
  assertEquals(lengths.length, 3 * ARCHITECTURES.length);
  assert(lengths.every((length) => length > 0 && length < 1000), lengths.join());
});
