/** A count with its noun: `1 time`, `2 times`. */
export function counted(count: number, noun: string): string {
  return `${count} ${count === 1 ? noun : `${noun}s`}`;
}

/** A duration such as `0.4 s`, `42 s`, `5 min`, `3 h` or `2 d`, rounded down. */
export function duration(ms: number): string {
  const seconds = Math.max(0, ms) / 1000;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 120) return `${Math.floor(seconds)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 120) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} h` : `${Math.floor(hours / 24)} d`;
}

const UNITS: Readonly<Record<string, number>> = {
  ...{ "": 1, b: 1, k: 1000, m: 1000 ** 2, g: 1000 ** 3, t: 1000 ** 4 },
  ...{ kb: 1000, mb: 1000 ** 2, gb: 1000 ** 3, tb: 1000 ** 4 },
  ...{ kib: 1024, mib: 1024 ** 2, gib: 1024 ** 3, tib: 1024 ** 4 },
};

const BINARY = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"] as const;

/**
 * Parses a number of bytes such as `1048576`, `12.5GiB` or `300 GB`; units are case-insensitive.
 *
 * @throws {RangeError} When the text is not a size; the message is the expected form.
 */
export function parseByteCount(text: string): number {
  const [, digits = "", unit = ""] = /^(\d+(?:\.\d+)?) ?([a-z]*)$/i.exec(text.trim()) ?? [];
  const bytes = Math.round(Number(digits) * (UNITS[unit.toLowerCase()] ?? NaN));
  if (digits === "" || !Number.isSafeInteger(bytes)) {
    throw new RangeError("a number of bytes, such as 1048576, 12.5GiB or 300GB");
  }
  return bytes;
}

/** Formats bytes in the largest binary unit that gives at least 1, such as `12.5 GiB`. */
export function formatByteCount(count: number): string {
  let value = count;
  let unit = 0;
  while (value >= 1024 && unit < BINARY.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${BINARY[unit]}`;
}
