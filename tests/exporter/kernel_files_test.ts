import { assertEquals, assertThrows } from "@std/assert";
import {
  arpMetrics,
  MAX_ROWS,
  netstatMetrics,
  networkMetrics,
  numberMetric,
  PRESSURE_FILES,
  pressureMetrics,
  schedstatMetrics,
  sockstatMetrics,
  softnetMetrics,
  StatReader,
} from "../../lib/exporter/kernel_files.ts";
import { samplesOf as lines } from "./exposition.ts";

const stat = (idle: number, user = 5) => `cpu0 ${user} 0 0 ${idle} 0 0 0 0 7 1\nctxt 3\n`;

Deno.test("StatReader.read() gives each core's time by mode, in seconds, guests apart", () => {
  assertEquals(lines(new StatReader().read(stat(250))), [
    'node_cpu_seconds_total{cpu="0",mode="user"} 0.05',
    'node_cpu_seconds_total{cpu="0",mode="nice"} 0',
    'node_cpu_seconds_total{cpu="0",mode="system"} 0',
    'node_cpu_seconds_total{cpu="0",mode="idle"} 2.5',
    'node_cpu_seconds_total{cpu="0",mode="iowait"} 0',
    'node_cpu_seconds_total{cpu="0",mode="irq"} 0',
    'node_cpu_seconds_total{cpu="0",mode="softirq"} 0',
    'node_cpu_seconds_total{cpu="0",mode="steal"} 0',
    'node_cpu_guest_seconds_total{cpu="0",mode="user"} 0.07',
    'node_cpu_guest_seconds_total{cpu="0",mode="nice"} 0.01',
    "node_context_switches_total 3",
  ]);
});

Deno.test("StatReader.read() never falls by jitter, but with a core that was offline", () => {
  const reader = new StatReader();
  const idle = (text: string) =>
    lines(reader.read(text)).find((line) => line.includes("idle"))?.split(" ")[1];
  assertEquals(["1000", "999", "1001", "702", "701"].map((it) => idle(stat(Number(it)))), [
    "10",
    "10",
    "10.01",
    "10.01",
    "7.01",
  ]);
});

Deno.test("StatReader.read() shows at most 1,024 cores", () => {
  const text = Array.from({ length: 2_000 }, (_, cpu) => `cpu${cpu} 1 1 1 1\n`).join("");
  assertEquals(lines(new StatReader().read(text)).length, MAX_ROWS * 10);
});

Deno.test("netstatMetrics() has fields of no type, which the help names", () => {
  const [family] = netstatMetrics("Tcp: InSegs\nTcp: 5\n", () => {});
  assertEquals([family?.type, family?.help], ["untyped", "Tcp InSegs, as the kernel counts it."]);
});

Deno.test("pressureMetrics() tells of each file who waited, and who was stalled", () => {
  const both =
    "some avg10=0 avg60=0 avg300=0 total=1000000\nfull avg10=0 avg60=0 avg300=0 total=2000000\n";
  const shown = PRESSURE_FILES.flatMap((file) => lines(pressureMetrics(file)(both, () => {})));
  assertEquals(shown, [
    "node_pressure_cpu_waiting_seconds_total 1",
    "node_pressure_io_waiting_seconds_total 1",
    "node_pressure_io_stalled_seconds_total 2",
    "node_pressure_memory_waiting_seconds_total 1",
    "node_pressure_memory_stalled_seconds_total 2",
    "node_pressure_irq_stalled_seconds_total 2",
  ]);
  const irq = "full avg10=0 avg60=0 avg300=0 total=3000000\n";
  assertEquals(lines(pressureMetrics("pressure/irq")(irq, () => {})), [
    "node_pressure_irq_stalled_seconds_total 3",
  ]);
});

Deno.test("sockstatMetrics() adds bytes to pages, if their size is known", () => {
  const text = "sockets: used 9\nTCP: inuse 2 mem 3\n";
  assertEquals(lines(sockstatMetrics(text, 16384)), [
    "node_sockstat_sockets_used 9",
    "node_sockstat_TCP_inuse 2",
    "node_sockstat_TCP_mem 3",
    "node_sockstat_TCP_mem_bytes 49152",
  ]);
  assertEquals(lines(sockstatMetrics(text, undefined)).length, 3);
});

Deno.test("networkMetrics() shows each interface once, bounded, and not loopback", () => {
  const row = (name: string) => `${name}:${" 1".repeat(8)}${" 2".repeat(8)}\n`;
  const shown = lines(networkMetrics(row("lo") + row("eth0") + row("eth0"), () => {}));
  assertEquals(shown.length, 16);
  assertEquals(shown[3], 'node_network_receive_drop_total{device="eth0"} 1');
  assertEquals(shown[15], 'node_network_transmit_compressed_total{device="eth0"} 2');
  const many = Array.from({ length: 1_500 }, (_, index) => row(`veth${index}`)).join("");
  assertEquals(lines(networkMetrics(many, () => {})).length, MAX_ROWS * 16);
});

Deno.test("networkMetrics() escapes names, and counts others beside a malformed line", () => {
  const malformed: string[] = [];
  const text = `a"b\\c:${" 1".repeat(16)}\nbad: 1\n`;
  const [first] = lines(networkMetrics(text, ({ message }) => malformed.push(message)));
  assertEquals(first, 'node_network_receive_bytes_total{device="a\\"b\\\\c"} 1');
  assertEquals(malformed.length, 1);
});

Deno.test("softnetMetrics() and schedstatMetrics() give seconds and counts", () => {
  const softnet = "0000000a 00000001 00000002\n";
  assertEquals(lines(softnetMetrics(softnet, () => {})), [
    'node_softnet_processed_total{cpu="0"} 10',
    'node_softnet_dropped_total{cpu="0"} 1',
    'node_softnet_times_squeezed_total{cpu="0"} 2',
  ]);
  assertEquals(lines(schedstatMetrics("cpu0 0 0 0 0 0 0 1500000000 2000000000 3\n")), [
    'node_schedstat_running_seconds_total{cpu="0"} 1.5',
    'node_schedstat_waiting_seconds_total{cpu="0"} 2',
    'node_schedstat_timeslices_total{cpu="0"} 3',
  ]);
});

Deno.test("schedstatMetrics(), softnetMetrics() and arpMetrics() show at most 1,024 rows", () => {
  const rows = (row: (at: number) => string) =>
    Array.from({ length: MAX_ROWS + 1 }, (_, at) => `${row(at)}\n`).join("");
  const schedstat = rows((at) => `cpu${at} 0 0 0 0 0 0 1 2 3`);
  assertEquals(lines(schedstatMetrics(schedstat)).length, MAX_ROWS * 3);
  const softnet = rows(() => "0000000a 00000001 00000002");
  assertEquals(lines(softnetMetrics(softnet, () => {})).length, MAX_ROWS * 3);
  const arp = rows((at) => `10.0.0.1 0x1 0x2 02:00:00:00:00:01 * eth${at}`);
  const head = "IP address       HW type     Flags       HW address            Mask     Device\n";
  assertEquals(lines(arpMetrics(head + arp)).length, MAX_ROWS);
  assertEquals(MAX_ROWS, 1_024);
});

Deno.test("numberMetric() refuses what is no number", () => {
  const read = numberMetric("node_x", "X.");
  assertEquals(lines(read("256\n", () => {})), ["node_x 256"]);
  assertThrows(() => read("-1\n", () => {}), SyntaxError, "Cannot parse node_x");
});
