import { createSocket } from "node:dgram";

/** What a name server of the tests knows of a name: addresses by record; absent for no such name. */
export type Zone = Readonly<Record<string, { A?: readonly string[]; AAAA?: readonly string[] }>>;

const TYPES = { 1: "A", 28: "AAAA" } as const;

/** A name server on loopback, with what it was asked, such as `panel.test AAAA`. */
export interface TestNameServer extends AsyncDisposable {
  readonly port: number;
  readonly questions: readonly string[];
}

/**
 * Starts one at an address, by default a free port of 127.0.0.1; it never answers for the record types
 * that are `mute`.
 */
export async function startNameServer(
  zone: Zone,
  { mute = [], hostname = "127.0.0.1", port = 0 }: {
    mute?: readonly ("A" | "AAAA")[];
    hostname?: string;
    port?: number;
  } = {},
): Promise<TestNameServer> {
  const socket = createSocket("udp4");
  await new Promise<void>((resolve, reject) => {
    socket.once("error", reject).bind(port, hostname, resolve);
  });
  const questions: string[] = [];
  socket.on("message", (query, from) => {
    const { name, type, end } = readQuestion(query);
    questions.push(`${name} ${type}`);
    if (mute.includes(type)) return;
    socket.send(makeAnswer(query.subarray(0, end), zone[name], type), from.port, from.address);
  });
  const closed = () => new Promise<void>((resolve) => socket.close(() => resolve()));
  return { port: socket.address().port, questions, [Symbol.asyncDispose]: closed };
}

function readQuestion(query: Uint8Array): { name: string; type: "A" | "AAAA"; end: number } {
  const labels: string[] = [];
  let at = 12;
  for (let length; (length = query[at] ?? 0) > 0; at += length + 1) {
    labels.push(new TextDecoder().decode(query.subarray(at + 1, at + 1 + length)));
  }
  const code = query[at + 2];
  const type = code === 1 || code === 28 ? TYPES[code] : undefined;
  if (type === undefined) throw new Error(`Cannot answer: record type ${code}`);
  return { name: labels.join(".").toLowerCase(), type, end: at + 5 };
}

function makeAnswer(
  query: Uint8Array,
  known: Zone[string] | undefined,
  type: "A" | "AAAA",
): Uint8Array {
  const addresses = known?.[type] ?? [];
  const answer = [...query];
  // An answer, with recursion; and whether there is such a name.
  answer.splice(2, 2, 0x81, known ? 0x80 : 0x83);
  answer.splice(6, 6, 0, addresses.length, 0, 0, 0, 0);
  for (const address of addresses) {
    const bytes = type === "A" ? address.split(".").map(Number) : ipv6Bytes(address);
    answer.push(0xc0, 12, 0, type === "A" ? 1 : 28, 0, 1, 0, 0, 0, 60, 0, bytes.length, ...bytes);
  }
  return Uint8Array.from(answer);
}

/** Of an address that has `::`. */
function ipv6Bytes(address: string): number[] {
  const [head = [], tail = []] = address.split("::").map((part) =>
    part.split(":").filter((group) => group !== "").map((group) => Number.parseInt(group, 16))
  );
  const groups = [...head, ...Array(8 - head.length - tail.length).fill(0), ...tail];
  return groups.flatMap((group) => [group >> 8, group & 0xff]);
}
