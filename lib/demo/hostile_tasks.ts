/**
 * A task list that no admin would mean.
 *
 * @module
 */

const types = ["icmp", "tcp", "http", "", "udp", "ICMP", "__proto__", "icmp; reboot"];

/** Targets that are options, hold commands or lie. */
export const hostileTargets = [
  "192.0.2.1",
  "-f",
  "--flood",
  "127.0.0.1 -c 100000",
  "$(reboot)",
  "127.0.0.1\n-f",
  "\u0000",
  "",
  "::1%lo",
  "[::1]:99999",
  "127.0.0.1:0",
  "http://user:secret@127.0.0.1:1/",
  "file:///etc/passwd",
  "javascript:alert(1)",
  "\u202e127.0.0.1",
];

const intervals = [1, 0, -1, 60, 2 ** 31, -(2 ** 53), 2 ** 53];

const misfits = [
  null,
  7,
  "icmp",
  [],
  {},
  { id: "1", name: "t", type: "icmp", target: "127.0.0.1", interval: 1 },
  { id: 1.5, name: "t", type: "icmp", target: "127.0.0.1", interval: 1 },
  { id: -1, name: "t", type: "icmp", target: "127.0.0.1", interval: 1 },
  { id: 20_001, name: 7, type: ["icmp"], target: { host: "127.0.0.1" }, interval: "1" },
  { id: 20_002, name: "t", type: "tcp", target: "x".repeat(100_000), interval: 1 },
  { id: 20_003, name: "t", type: "icmp", target: null, interval: null },
];

/**
 * 10,000 tasks and some misfits: odd types, targets that are options or hold commands, intervals
 * of nothing and of ages, ids that come twice.
 *
 * The text stays below 1 MiB, so that it is read and not cut off.
 */
export function hostileTaskList(): string {
  const tasks = Array.from({ length: 10_000 }, (_, index) => ({
    id: index % 9_000,
    name: "t",
    type: types[index % types.length],
    target: hostileTargets[index % hostileTargets.length],
    interval: intervals[index % intervals.length],
  }));
  return JSON.stringify([...misfits, ...tasks]);
}
