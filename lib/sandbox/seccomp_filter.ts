import {
  type ArgumentRule,
  type ArgumentTest,
  type SealNeeds,
  type SeccompArchitecture,
  type SeccompPolicy,
  seccompPolicy,
  type SyscallAction,
} from "./seccomp_policy.ts";

/** One instruction of classic BPF, `struct sock_filter` of `linux/filter.h`. */
interface Instruction {
  readonly code: number;
  /** Instructions to skip when the condition holds. */
  readonly ifTrue: number;
  /** Instructions to skip when it does not. */
  readonly ifFalse: number;
  readonly value: number;
}

/** A program in the layout that the kernel takes: 8 bytes an instruction. */
export type BpfProgram = Uint8Array<ArrayBuffer>;

const LOAD_WORD = 0x20;
const AND = 0x54;
const JUMP = 0x05;
const JUMP_IF_EQUAL = 0x15;
const JUMP_IF_GREATER_OR_EQUAL = 0x35;
const RETURN = 0x06;

/** Offsets in `struct seccomp_data` on little-endian machines. */
const NUMBER_AT = 0;
const ARCHITECTURE_AT = 4;
const ARGUMENTS_AT = 16;

/** `AUDIT_ARCH_…` of `linux/audit.h`. */
const AUDIT_ARCHITECTURE = { amd64: 0xc000003e, arm64: 0xc00000b7 } as const;
/** Calls of the x32 interface carry this bit and would run past every rule. */
const X32_BIT = 0x40000000;

const EPERM = 1;
const ENOSYS = 38;
const ALLOW: Instruction = returns(0x7fff0000);
const DENY: Instruction = returns(0x00050000 | EPERM);
const UNSUPPORTED: Instruction = returns(0x00050000 | ENOSYS);

/** A jump's distances are bytes. */
const MAX_DISTANCE = 255;

/**
 * The seccomp filter of a sealed agent whose process has the number `pid`, for
 * `SECCOMP_SET_MODE_FILTER`.
 *
 * Calls of another architecture and of x32 fail with EPERM. A number that is newer than the table
 * gets ENOSYS, so that libraries fall back as on a kernel without the call.
 */
export function buildSeccompFilter(
  architecture: SeccompArchitecture,
  pid: number,
  needs: SealNeeds = {},
): BpfProgram {
  const program: Instruction[] = [
    load(ARCHITECTURE_AT),
    { code: JUMP_IF_EQUAL, ifTrue: 1, ifFalse: 0, value: AUDIT_ARCHITECTURE[architecture] },
    DENY,
    load(NUMBER_AT),
  ];
  appendSearch(program, toSegments(seccompPolicy(architecture, pid, needs)));
  return encode(program);
}

/** Numbers from here up to the next segment's are answered by `code`, which ends by returning. */
interface Segment {
  readonly from: number;
  readonly code: readonly Instruction[];
}

const DENIED = [DENY];
const ALLOWED = [ALLOW];
const NOT_THERE = [UNSUPPORTED];

/** All numbers in order, neighbours that are answered alike in one. */
function toSegments({ actions, unassigned, newestSyscall }: SeccompPolicy): Segment[] {
  const codes = new Map<number, readonly Instruction[]>();
  for (const [number, action] of actions) codes.set(number, toCode(action));
  for (const [first, last] of unassigned) {
    for (let number = first; number <= last; number++) codes.set(number, NOT_THERE);
  }
  const segments: Segment[] = [];
  const add = (from: number, code: readonly Instruction[]) => {
    if (segments.at(-1)?.code !== code) segments.push({ from, code });
  };
  for (let number = 0; number <= newestSyscall; number++) {
    add(number, codes.get(number) ?? DENIED);
  }
  add(newestSyscall + 1, NOT_THERE);
  add(X32_BIT, DENIED);
  return segments;
}

/** Appends a binary search for the segment of the number that is loaded. */
function appendSearch(
  program: Instruction[],
  segments: readonly Segment[],
  { from = 0, to = segments.length } = {},
): void {
  const middle = (from + to) >> 1;
  const segment = segments[middle];
  if (segment === undefined) return;
  if (to - from === 1) {
    program.push(...segment.code);
    return;
  }
  const jumpAt = program.length;
  const jump = { code: JUMP_IF_GREATER_OR_EQUAL, value: segment.from };
  // The distance is known once the lower half stands, and may be longer than a condition can jump.
  program.push(DENY, DENY);
  appendSearch(program, segments, { from, to: middle });
  const distance = program.length - jumpAt - 2;
  program[jumpAt] = { ...jump, ifTrue: 0, ifFalse: 1 };
  program[jumpAt + 1] = { code: JUMP, ifTrue: 0, ifFalse: 0, value: distance };
  appendSearch(program, segments, { from: middle, to });
}

function toCode(action: SyscallAction): readonly Instruction[] {
  if (action === "allow") return ALLOWED;
  if (action === "unsupported") return NOT_THERE;
  return compileRule(action);
}

/** Tries the alternatives one by one; each test that fails leads to the next alternative. */
function compileRule(rule: ArgumentRule): readonly Instruction[] {
  const alternatives = rule.map((tests) =>
    tests.reduceRight<readonly Instruction[]>(
      (rest, test) => [...check(test, rest.length), ...rest],
      [ALLOW],
    )
  );
  return [...alternatives.flat(), DENY];
}

/** Goes on behind itself when the test holds, and skips `rest` more instructions when it does not. */
function check(test: ArgumentTest, rest: number): readonly Instruction[] {
  const low = load(ARGUMENTS_AT + 8 * test.argument);
  if ("below" in test) {
    return [low, {
      code: JUMP_IF_GREATER_OR_EQUAL,
      ifTrue: rest,
      ifFalse: 0,
      value: test.below,
    }];
  }
  if ("not" in test) {
    return [low, { code: JUMP_IF_EQUAL, ifTrue: rest, ifFalse: 0, value: test.not }];
  }
  if ("isNull" in test) {
    const high = load(ARGUMENTS_AT + 8 * test.argument + 4);
    return [low, isOneOf([0], rest + 2), high, isOneOf([0], rest)].flat();
  }
  const mask = { code: AND, ifTrue: 0, ifFalse: 0, value: test.mask };
  return [low, mask, ...isOneOf(test.values, rest)];
}

function isOneOf(values: readonly number[], rest: number): readonly Instruction[] {
  return values.map((value, index) => {
    const others = values.length - 1 - index;
    return {
      code: JUMP_IF_EQUAL,
      ifTrue: others,
      ifFalse: others === 0 ? rest : 0,
      value,
    };
  });
}

function load(offset: number): Instruction {
  return { code: LOAD_WORD, ifTrue: 0, ifFalse: 0, value: offset };
}

function returns(value: number): Instruction {
  return { code: RETURN, ifTrue: 0, ifFalse: 0, value };
}

function encode(program: readonly Instruction[]): BpfProgram {
  const bytes = new Uint8Array(8 * program.length);
  const view = new DataView(bytes.buffer);
  program.forEach(({ code, ifTrue, ifFalse, value }, index) => {
    if (Math.max(ifTrue, ifFalse) > MAX_DISTANCE) {
      throw new RangeError(`Cannot encode a jump of ${Math.max(ifTrue, ifFalse)} instructions`);
    }
    view.setUint16(8 * index, code, true);
    view.setUint8(8 * index + 2, ifTrue);
    view.setUint8(8 * index + 3, ifFalse);
    view.setUint32(8 * index + 4, value, true);
  });
  return bytes;
}
