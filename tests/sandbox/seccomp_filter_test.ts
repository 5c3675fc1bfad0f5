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
const DENIED = `
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
`;

interface Call {
  readonly number: number;
  readonly args?: readonly (number | bigint)[];
  readonly audit?: number;
}

/** Runs a filter as the kernel does: `struct seccomp_data` in, the returned action out. */
function run(program: Uint8Array<ArrayBuffer>, { number, args = [], audit = 0 }: Call): number {
  const data = new DataView(new ArrayBuffer(64));
  data.setUint32(0, number, true);
  data.setUint32(4, audit, true);
  args.forEach((value, index) => data.setBigUint64(16 + 8 * index, BigInt(value), true));
  const code = new DataView(program.buffer);
  let accumulator = 0;
  for (let at = 0; at < program.length; at += 8) {
    const operation = code.getUint16(at, true);
    const value = code.getUint32(at + 4, true);
    const jump = (holds: boolean) => at += 8 * code.getUint8(at + (holds ? 2 : 3));
    if (operation === 0x06) return value;
    if (operation === 0x20) {
      assert(value % 4 === 0, `offset ${value}`);
      accumulator = data.getUint32(value, true);
    } else if (operation === 0x54) accumulator = (accumulator & value) >>> 0;
    else if (operation === 0x05) at += 8 * value;
    else if (operation === 0x15) jump(accumulator === value);
    else if (operation === 0x35) jump(accumulator >= value);
    else throw new Error(`Cannot run instruction ${operation}`);
  }
  throw new RangeError("Cannot run beyond the end of the filter");
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
    const column = architecture === "amd64" ? 1 : 2;
    const calls = DENIED.matchAll(/\w+ (\d+|-) (\d+|-);/g);
    const denied = new Set(Array.from(calls, (numbers) => Number(numbers[column])));
    for (let number = 0; number <= 469; number++) {
      const action = actions.get(number);
      assertEquals(action === undefined, denied.has(number), `${number} is one of both`);
      // The rest is no kernel's, or clone3, or allowed in part.
      const expected = { allow: ALLOW, unsupported: ENOSYS, none: EPERM }[`${action ?? "none"}`];
      const found = answer(architecture, { number });
      if (expected !== undefined) assertEquals(found, expected, `${architecture} ${number}`);
    }
    // clone3, and what is newer than the table, as of an older kernel.
    for (const number of [435, 470, 471, 512, 1000, 0x3fffffff]) {
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

/** The numbers of the calls that open files, and before which argument their flags stand. */
const OPENERS = [["amd64", 2, [0]], ["amd64", 257, [0, 0]], ["arm64", 56, [0, 0]]] as const;

Deno.test("buildSeccompFilter() lets no file be opened, and no socket be bound or listen", () => {
  for (const needs of ["usual", "binding"] as const) {
    for (const [architecture, number, before] of OPENERS) {
      for (const flags of [0, 0o2000000, 0o10000000, 0o200000, 1, 2, 0o100]) {
        const call = { number, args: [...before, flags] };
        assertEquals(answer(architecture, call, needs), EPERM, flags.toString(8));
      }
    }
  }
  for (const [architecture, bind, listen] of [["amd64", 49, 50], ["arm64", 200, 201]] as const) {
    const needs = ["usual", "binding", "reading"] as const;
    const answers = (number: number) => needs.map((it) => answer(architecture, { number }, it));
    assertEquals(answers(bind), [EPERM, ALLOW, ALLOW]);
    assertEquals(answers(listen), [EPERM, EPERM, EPERM]);
  }
});

Deno.test("buildSeccompFilter() lets open() and openat() of an agent that needs them read only", () => {
  const O_CLOEXEC = 0o2000000;
  const O_NONBLOCK = 0o4000;
  const readOnly = [0, O_CLOEXEC, O_CLOEXEC | O_NONBLOCK, 0o200000, 0o10000000, 0o400000, 0o2000];
  const writing = [1, 2, 3, 0o100, 0o101, 0o102, 0o1000, 0o1001, 0o2001, 0o20200002, 0o20000000];
  for (const [architecture, number, before] of OPENERS) {
    const withFlags = (flags: number | bigint) =>
      answer(architecture, { number, args: [...before, flags] }, "reading");
    for (const flags of readOnly) assertEquals(withFlags(flags), ALLOW, flags.toString(8));
    for (const flags of writing) {
      // The kernel reads 32 bits, so bits above them must not hide the others.
      for (const given of [flags, flags | O_CLOEXEC, BigInt(flags) | 1n << 32n]) {
        assertEquals(withFlags(given), EPERM, given.toString(8));
      }
    }
  }
});

/**
 * Calls that are allowed in part: a name, its numbers on both architectures, and the arguments; what is
 * allowed in place of the question mark; and what is tried and not allowed, or a range with all of these.
 */
const IN_PART = [
  // Threads, and neither processes nor namespaces.
  "clone 56 220 (?): 0x3d0f00 | 0 17 0x1200011 0x4111 0x100 0x10000",
  "clone 56 220 (?): | 0x3f0f00 0x23d0f00 0x43d0f00 0x83d0f00 0x103d0f00 0x203d0f00 0x403d0f00",
  // Signals to itself alone: not to its group, to everybody, or to the group of its number.
  `kill 62 129 (?, 9): ${PID} | 0 1 ${PID + 1} 0xffffffff ${2 ** 32 - PID}`,
  `tgkill 234 131 (?, 9): ${PID} | 0 1 ${PID + 1} 0xffffffff ${2 ** 32 - PID}`,
  // Every signal is handled but the debugger's.
  "rt_sigaction 13 134 (?): 1-9 11-64 | 10 0x10000000a",
  // F_DUPFD_CLOEXEC and F_SETFL are; F_SETOWN, F_SETSIG, F_SETLEASE and O_ASYNC are not.
  "fcntl 72 25 (5, ?): 0-7 1030 | 0-1100",
  "fcntl 72 25 (5, 4, ?): 0 0x400 0x800 0x8802 | 0x2000 0x2800 0x100002000",
  // TCGETS and FIONBIO are; TIOCSTI, TIOCLINUX, SIOCSIFADDR and FS_IOC_SETFLAGS are not.
  "ioctl 16 29 (5, ?): 0x5401 0x5413 0x541b 0x5421 0x5450 0x5451 | 0x5400-0x54ff 0x8900-0x89ff 0x40086602",
  // PR_SET_VMA is; PR_SET_PTRACER is not.
  "prctl 157 167 (?): 3 15 16 21 23 39 0x53564d41 | 0-100 0x53564d42 0x59616d61",
  // Limits of its own are read, and not set.
  `prlimit64 302 261 (?): 0 | 1 ${PID}`,
  "prlimit64 302 261 (0, 7, ?, 0x7fff0000): 0 | 1 0x7fff00000000 0x10000000000",
  "madvise 28 233 (0, 0, ?): 4 10 17 | 100 101 0xffffffff",
  // SO_BINDTODEVICE, SO_ATTACH_FILTER, TCP_REPAIR, IP_TRANSPARENT and packet filters are not.
  "setsockopt 54 208 (5, 0, ?): 11 | 0-255",
  "setsockopt 54 208 (5, 1, ?): 2 7 8 9 15 | 0-255",
  "setsockopt 54 208 (5, 6, ?): 1 4 5 6 18 | 0-255",
  "setsockopt 54 208 (5, 41, ?): 25 26 | 0-255",
  ...[17, 255, 270].map((level) => `setsockopt 54 208 (5, ${level}, ?): | 0-255`),
];

/** Numbers and ranges of them in a text. */
function numbersIn(text = ""): bigint[] {
  return text.split(" ").filter((part) => part !== "").flatMap((part) => {
    const [first = 0n, last = first] = part.split("-").map(BigInt);
    return Array.from({ length: Number(last - first) + 1 }, (_, index) => first + BigInt(index));
  });
}

Deno.test("buildSeccompFilter() allows no other commands and options than those that are listed", () => {
  for (const row of IN_PART) {
    const match = /^\w+ (.*) \((.*)\):(.*)\|(.*)$/.exec(row);
    assert(match, row);
    const [, numbers, args = "", allowed, others] = match;
    const listed = new Set(numbersIn(allowed));
    for (const value of [...listed, ...numbersIn(others)]) {
      const given = args.split(", ").map((arg) => arg === "?" ? value : BigInt(arg));
      numbersIn(numbers).forEach((number, column) => {
        const call = { number: Number(number), args: given };
        const found = answer(column === 0 ? "amd64" : "arm64", call);
        assertEquals(found, listed.has(value) ? ALLOW : EPERM, `${value} of ${row}`);
      });
    }
  }
});

Deno.test("buildSeccompFilter() lets sockets of four kinds be made, and no others", () => {
  const four = "2,1,0 2,1,6 2,2,0 2,2,17 10,1,0 10,1,6 10,2,0 10,2,17";
  const CLOEXEC_NONBLOCK = 0o2004000;
  for (const [architecture, number] of [["amd64", 41], ["arm64", 198]] as const) {
    const socket = (...args: number[]) => answer(architecture, { number, args });
    const found: string[] = [];
    for (let family = 0; family < 50; family++) {
      for (let type = 0; type < 12; type++) {
        for (let protocol = 0; protocol < 300; protocol++) {
          if (socket(family, type, protocol) !== ALLOW) continue;
          assertEquals(socket(family, type | CLOEXEC_NONBLOCK, protocol), ALLOW);
          found.push(`${family},${type},${protocol}`);
        }
      }
    }
    assertEquals(found.join(" "), four, architecture);
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
  for (const filter of Object.values(filters).flatMap(({ amd64, arm64 }) => [amd64, arm64])) {
    assert(filter.length > 0 && filter.length / 8 < 1000, `${filter.length / 8}`);
  }
});
