import { firstLine, type OnMalformed, throwMalformed } from "./lines.ts";

/** A line with more words is none of a kernel's. */
const MAX_WORDS = 1_000;
const NAME = /^[A-Za-z][A-Za-z0-9]{0,63}$/;
/** Some are signed: -1 is no limit. */
const VALUE = /^-?\d{1,20}$/;

/**
 * Parses `/proc/net/netstat` or `/proc/net/snmp`: pairs of lines, names and then their values. The keys
 * of the result are those of both, as in `Tcp_InSegs`.
 *
 * A pair that does not match goes to `onMalformed`.
 *
 * @throws {SyntaxError} For a malformed pair, without `onMalformed`.
 */
export function parseNetstat(
  text: string,
  onMalformed: OnMalformed = throwMalformed,
): Map<string, number> {
  const found = new Map<string, number>();
  const lines = text.split("\n").filter((line) => line !== "");
  for (let index = 0; index < lines.length; index += 2) {
    const line = lines[index] ?? "";
    const [head = "", ...names] = line.split(" ", MAX_WORDS);
    const [sameHead, ...values] = (lines[index + 1] ?? "").split(" ", MAX_WORDS);
    const protocol = head.slice(0, -1);
    const isPair = head === sameHead && head.endsWith(":") && NAME.test(protocol) &&
      names.length === values.length && names.every((name) => NAME.test(name)) &&
      values.every((value) => VALUE.test(value));
    if (!isPair) onMalformed(new SyntaxError(`Cannot parse netstat: "${firstLine(line)}"`));
    else {
      for (const [at, name] of names.entries()) {
        found.set(`${protocol}_${name}`, Number(values[at]));
      }
    }
  }
  return found;
}

/** Parses `/proc/net/snmp6`; the keys are those of {@linkcode parseNetstat}, as in `Ip6_InOctets`. */
export function parseSnmp6(text: string): Map<string, number> {
  const lines = text.matchAll(/^([A-Za-z]{1,32}6)([A-Za-z0-9]{1,64})\s+(\d{1,20})$/gm);
  return new Map(
    Array.from(lines, ([, protocol, name, value]) => [`${protocol}_${name}`, Number(value)]),
  );
}
