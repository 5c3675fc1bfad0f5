/**
 * The system calls of a sealed agent: everything that is not listed here fails with EPERM.
 *
 * A filter sees numbers, never the memory behind a pointer. A call whose effect hides behind a
 * pointer is therefore left out as a whole (`openat2`, `clone3`, `io_uring_enter`).
 *
 * @module
 */

/** Needs that some agents have after the seal; others have none. */
export interface SealNeeds {
  /** Why files are opened for reading; `undefined` when none are. */
  readonly readsFiles?: string | undefined;
  /** Whether sockets are bound to addresses. */
  readonly bindsSockets?: boolean;
  /** Whether it looks at files that are open, for which the runtime asks for the permission to read. */
  readonly looksAtFiles?: boolean;
  /** The user that root's process shall be of, as its helper shell is; by default one that is free. */
  readonly user?: number | undefined;
  /** Why the helper shell of root's process runs as root; `undefined` when it does not. */
  readonly rootShell?: string | undefined;
  /** Whether the runtime is asked about the system, as on macOS, whose kernel has no files for it. */
  readonly asksSystem?: boolean;
}

/** Architectures that there is a table for, by Go's names. */
export type SeccompArchitecture = "amd64" | "arm64";

/** A condition on the lower half of an argument, which is all that the kernel reads of an `int`. */
export type ArgumentTest =
  /** `(argument & mask)` is one of the values. */
  | { readonly argument: number; readonly mask: number; readonly values: readonly number[] }
  | { readonly argument: number; readonly below: number }
  | { readonly argument: number; readonly not: number }
  /** Both halves are zero. */
  | { readonly argument: number; readonly isNull: true };

/** Allowed when all tests of at least one alternative hold; otherwise EPERM. */
export type ArgumentRule = readonly (readonly ArgumentTest[])[];

/** Numbers on amd64 and arm64; `undefined` where the architecture lacks the call. */
type Numbers = readonly [amd64: number | undefined, arm64: number | undefined];

/** The highest number of Linux 6.18; a higher one gets ENOSYS, as a kernel without the call answers. */
export const NEWEST_SYSCALL = 469;

/** Numbers that no kernel has given to a 64-bit call. */
const UNASSIGNED = { amd64: [[337, 423]], arm64: [[244, 259], [295, 423]] } as const;

/**
 * Allowed with any arguments: they act on this process, on open files, or only read. The name of each, and its
 * numbers on amd64 and arm64.
 */
const ALLOWED = `
  # Files that are open, and looking at those that are not.
  read 0 63; pread64 17 67; readv 19 65; preadv 295 69; preadv2 327 286; lseek 8 62; write 1 64;
  pwrite64 18 68; writev 20 66; pwritev 296 70; pwritev2 328 287; close 3 57;
  close_range 436 436; dup 32 23; dup2 33 -; dup3 292 24; fsync 74 82; fdatasync 75 83;
  flock 73 32; fadvise64 221 223; fstat 5 80; stat 4 -; lstat 6 -; newfstatat 262 79;
  statx 332 291; statfs 137 43; fstatfs 138 44; access 21 -; faccessat 269 48;
  faccessat2 439 439; readlink 89 -; readlinkat 267 78; getcwd 79 17;
  # Up to glibc 2.27.
  getdents 78 -; getdents64 217 61;
  # Memory.
  brk 12 214; mmap 9 222; munmap 11 215; mremap 25 216; mprotect 10 226; msync 26 227;
  mincore 27 232; membarrier 324 283; pkey_alloc 330 289; pkey_free 331 290;
  pkey_mprotect 329 288; mseal 462 462; get_mempolicy 239 236;
  # Threads, and reading what the process is.
  exit 60 93; exit_group 231 94; futex 202 98; futex_waitv 449 449; futex_wake 454 454;
  futex_wait 455 455; futex_requeue 456 456; rseq 334 293; set_robust_list 273 99;
  set_tid_address 218 96; sched_yield 24 124; sched_getaffinity 204 123; sched_getparam 143 121;
  sched_getscheduler 145 120; sched_get_priority_max 146 125; sched_get_priority_min 147 126;
  getcpu 309 168; gettid 186 178; getpid 39 172; getppid 110 173; getuid 102 174;
  geteuid 107 175; getgid 104 176; getegid 108 177; getgroups 115 158; getresuid 118 148;
  getresgid 120 150; getpgrp 111 -; getpgid 121 155; getsid 124 156; getpriority 140 141;
  getrlimit 97 163; capget 125 90; arch_prctl 158 -;
  # The kernel itself makes these two when an administrator traces the program.
  uretprobe 335 -; uprobe 336 -;
  # The helper shell is a child, and its end is noticed.
  wait4 61 260; waitid 247 95;
  # Signals of its own.
  rt_sigprocmask 14 135; rt_sigreturn 15 139; rt_sigpending 127 136; rt_sigsuspend 130 133;
  rt_sigtimedwait 128 137; sigaltstack 131 132; restart_syscall 219 128;
  # Time, and facts of the machine.
  clock_gettime 228 113; clock_getres 229 114; clock_nanosleep 230 115; nanosleep 35 101;
  gettimeofday 96 169; time 201 -; times 100 153; timerfd_create 283 85; timerfd_settime 286 86;
  timerfd_gettime 287 87; getrusage 98 165; sysinfo 99 179; uname 63 160; getrandom 318 278;
  # Waiting for several files.
  poll 7 -; ppoll 271 73; select 23 -; pselect6 270 72; epoll_create 213 -; epoll_create1 291 20;
  epoll_ctl 233 21; epoll_wait 232 -; epoll_pwait 281 22; epoll_pwait2 441 441; eventfd 284 -;
  eventfd2 290 19; pipe 22 -; pipe2 293 59;
  # The network, over sockets that socket() allows.
  connect 42 203; accept 43 202; accept4 288 242; getsockname 51 204; getpeername 52 205;
  getsockopt 55 209; shutdown 48 210; sendto 44 206; sendmsg 46 211; sendmmsg 307 269;
  recvfrom 45 207; recvmsg 47 212; recvmmsg 299 243;
`;

/** `clone3` is answered as by a kernel without it, so that the C library takes `clone`. */
const CLONE3 = 435;

/** Of `open`: the access mode is "read only", and nothing is created, emptied or a nameless new file. */
const NOT_READING = 0o3 | 0o100 | 0o1000 | 0o20000000;
/** Allowed to open files for reading, for agents that need it. */
const OPENING: readonly (readonly [string, Numbers, ArgumentRule])[] = [
  ["open", [2, undefined], [[masked(1, NOT_READING, 0)]]],
  ["openat", [257, 56], [[masked(2, NOT_READING, 0)]]],
];

const BIND: Numbers = [49, 200];
/** Of `clone`: the new one shares memory and process, and gets no namespace of its own. */
const CLONE_THREAD = 0x100 | 0x10000;
const CLONE_NEW_NAMESPACE = 0x7e020000;
const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_STREAM = 1;
const SOCK_DGRAM = 2;
/** Above the type lie the flags for closing and not blocking. */
const SOCK_TYPE = 0xf;
const ANY_BIT = 0xffffffff;
/** Of `hardening.ts`: the runtime's handler starts a debugger. */
const SIGUSR1 = 10;
const F_SETFL = 4;
const O_ASYNC = 0o20000;
/** Advice from here on damages pages of the machine. */
const MADV_HWPOISON = 100;

/** Conditional calls, each with its numbers. */
function conditional(pid: number): readonly (readonly [string, Numbers, ArgumentRule])[] {
  return [
    ["clone", [56, 220], [[masked(0, CLONE_THREAD | CLONE_NEW_NAMESPACE, CLONE_THREAD)]]],
    ["rt_sigaction", [13, 134], [[{ argument: 0, not: SIGUSR1 }]]],
    // Signals to itself only: not to its group (0) nor to everybody (-1).
    ["kill", [62, 129], [[equals(0, pid)]]],
    ["tgkill", [234, 131], [[equals(0, pid)]]],
    ["socket", [41, 198], [
      [
        equals(0, AF_INET, AF_INET6),
        masked(1, SOCK_TYPE, SOCK_STREAM),
        equals(2, 0, 6), // TCP
      ],
      [
        equals(0, AF_INET, AF_INET6),
        masked(1, SOCK_TYPE, SOCK_DGRAM),
        equals(2, 0, 17), // UDP
      ],
    ]],
    // No packet filter, no foreign address (IP_TRANSPARENT), no connection out of nothing (TCP_REPAIR).
    ["setsockopt", [54, 208], [
      [equals(1, 1), equals(2, 2, 7, 8, 9, 15)], // SO_REUSEADDR, _SNDBUF, _RCVBUF, _KEEPALIVE, _REUSEPORT
      [equals(1, 6), equals(2, 1, 4, 5, 6, 18)], // TCP_NODELAY, _KEEPIDLE, _KEEPINTVL, _KEEPCNT, _USER_TIMEOUT
      [equals(1, 0), equals(2, 11)], // IP_RECVERR
      [equals(1, 41), equals(2, 25, 26)], // IPV6_RECVERR, _V6ONLY
    ]],
    // Duplicates, flags and locks; no signals to an owner (a terminal has one), no lease, no seal.
    ["fcntl", [72, 25], [
      [equals(1, 0, 1, 2, 3, 5, 6, 7, 1030)],
      [equals(1, F_SETFL), masked(2, O_ASYNC, 0)],
    ]],
    ["ioctl", [16, 29], [[equals(
      1,
      0x5401, // TCGETS
      0x5413, // TIOCGWINSZ
      0x541b, // FIONREAD
      0x5421, // FIONBIO
      0x5450, // FIONCLEX
      0x5451, // FIOCLEX
    )]]],
    ["prctl", [157, 167], [[equals(
      0,
      3, // PR_GET_DUMPABLE
      15, // PR_SET_NAME
      16, // PR_GET_NAME
      21, // PR_GET_SECCOMP
      23, // PR_CAPBSET_READ
      39, // PR_GET_NO_NEW_PRIVS
      0x53564d41, // PR_SET_VMA
    )]]],
    // Reading its own limits.
    ["prlimit64", [302, 261], [[equals(0, 0), { argument: 2, isNull: true }]]],
    ["madvise", [28, 233], [[{ argument: 2, below: MADV_HWPOISON }]]],
  ];
}

/** Whether `bind` is allowed: names are resolved in the process by its means too. */
export function mayBind({ readsFiles, bindsSockets = false }: SealNeeds): boolean {
  return bindsSockets || readsFiles !== undefined;
}

/** How a system call is answered. */
export type SyscallAction = "allow" | "unsupported" | ArgumentRule;

/**
 * The policy of an agent whose process has the number `pid`, by the calls' numbers on an architecture;
 * what has none fails with EPERM.
 */
export function seccompPolicy(
  architecture: SeccompArchitecture,
  pid: number,
  needs: SealNeeds = {},
): ReadonlyMap<number, SyscallAction> {
  const column = architecture === "amd64" ? 0 : 1;
  const actions = new Map<number, SyscallAction>([[CLONE3, "unsupported"]]);
  const add = (numbers: Numbers, action: SyscallAction) => {
    const number = numbers[column];
    if (number !== undefined) actions.set(number, action);
  };
  for (const [first, last] of UNASSIGNED[architecture]) {
    for (let number = first; number <= last; number++) actions.set(number, "unsupported");
  }
  for (const [, ...numbers] of ALLOWED.matchAll(/\w+ (\d+|-) (\d+|-)/g)) {
    const number = Number(numbers[column]);
    // NaN where the architecture lacks the call.
    if (number >= 0) actions.set(number, "allow");
  }
  for (const [, numbers, rule] of conditional(pid)) add(numbers, rule);
  if (needs.readsFiles !== undefined) {
    for (const [, numbers, rule] of OPENING) add(numbers, rule);
  }
  if (mayBind(needs)) add(BIND, "allow");
  return actions;
}

function equals(argument: number, ...values: readonly number[]): ArgumentTest {
  return { argument, mask: ANY_BIT, values };
}

function masked(argument: number, mask: number, ...values: readonly number[]): ArgumentTest {
  return { argument, mask, values };
}
