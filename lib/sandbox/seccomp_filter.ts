import {
  type ArgumentTest,
  NEWEST_SYSCALL,
  type SealNeeds,
  type SeccompArchitecture,
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
const ALLOW = instruction(RETURN, 0x7fff0000);
const DENY = instruction(RETURN, 0x00050000 | EPERM);
const UNSUPPORTED = instruction(RETURN, 0x00050000 | ENOSYS);

/** A jump's distances are bytes. */
const MAX_DISTANCE = 255;

/**
 * The seccomp filter of a sealed agent whose process has the number `pid`, for
 * `SECCOMP_SET_MODE_FILTER`: 8 bytes an instruction.
 *
 * Calls of another architecture and of x32 fail with EPERM. A number that is newer than the table
 * gets ENOSYS, so that libraries fall back as on a kernel without the call.
 */
export function buildSeccompFilter(
  architecture: SeccompArchitecture,
  pid: number,
  needs: SealNeeds = {},
): Uint8Array<ArrayBuffer> {
  const program: Instruction[] = [
    load(ARCHITECTURE_AT),
    instruction(JUMP_IF_EQUAL, AUDIT_ARCHITECTURE[architecture], { ifTrue: 1 }),
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
function toSegments(actions: ReadonlyMap<number, SyscallAction>): Segment[] {
  const segments: Segment[] = [];
  const add = (from: number, code: readonly Instruction[]) => {
    if (segments.at(-1)?.code !== code) segments.push({ from, code });
  };
  for (let number = 0; number <= NEWEST_SYSCALL; number++) add(number, toCode(actions.get(number)));
  add(NEWEST_SYSCALL + 1, NOT_THERE);
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
  // The distance is known once the lower half stands, and may be longer than a condition can jump.
  program.push(DENY, DENY);
  appendSearch(program, segments, { from, to: middle });
  const distance = program.length - jumpAt - 2;
  program[jumpAt] = instruction(JUMP_IF_GREATER_OR_EQUAL, segment.from, { ifFalse: 1 });
  program[jumpAt + 1] = instruction(JUMP, distance);
  appendSearch(program, segments, { from: middle, to });
}

/**
 * The code for an action. That of a rule tries the alternatives one by one; each test that fails leads
 * to the next alternative.
 */
function toCode(action: SyscallAction | undefined): readonly Instruction[] {
  if (action === undefined) return DENIED;
  if (action === "allow") return ALLOWED;
  if (action === "unsupported") return NOT_THERE;
  const alternatives = action.map((tests) =>
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
    return [low, instruction(JUMP_IF_GREATER_OR_EQUAL, test.below, { ifTrue: rest })];
  }
  if ("not" in test) return [low, instruction(JUMP_IF_EQUAL, test.not, { ifTrue: rest })];
  if ("isNull" in test) {
    const high = load(ARGUMENTS_AT + 8 * test.argument + 4);
    return [low, ...isOneOf([0], rest + 2), high, ...isOneOf([0], rest)];
  }
  return [low, instruction(AND, test.mask), ...isOneOf(test.values, rest)];
}

function isOneOf(values: readonly number[], rest: number): readonly Instruction[] {
  return values.map((value, index) => {
    const others = values.length - 1 - index;
    return instruction(JUMP_IF_EQUAL, value, { ifTrue: others, ifFalse: others === 0 ? rest : 0 });
  });
}

function load(offset: number): Instruction {
  return instruction(LOAD_WORD, offset);
}

function instruction(code: number, value: number, { ifTrue = 0, ifFalse = 0 } = {}): Instruction {
  return { code, ifTrue, ifFalse, value };
}

function encode(program: readonly Instruction[]): Uint8Array<ArrayBuffer> {
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
