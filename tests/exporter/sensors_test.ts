import { assertEquals, assertRejects } from "@std/assert";
import { SensorReader } from "../../lib/exporter/sensors.ts";
import { timed } from "../fake_time.ts";
import { fakeHost } from "../metrics/fake_host.ts";
import { samplesOf } from "./exposition.ts";

async function lines(reader: SensorReader): Promise<string[]> {
  return samplesOf(await reader.read());
}

/** The lines of a machine with these files below `/sys/class/hwmon`. */
function linesOf(files: Record<string, string>): Promise<string[]> {
  const paths = Object.entries(files).map(([path, text]) => [`/sys/class/hwmon/${path}`, text]);
  return lines(new SensorReader(fakeHost(Object.fromEntries(paths))));
}

Deno.test("SensorReader.read() names chips by their device, and sensors by their files", async () => {
  const found = await linesOf({
    "hwmon0": "-> ../../devices/platform/coretemp.0/hwmon/hwmon0",
    "hwmon0/device": "-> ../../../coretemp.0",
    "hwmon0/name": "coretemp\n",
    "hwmon0/temp1_input": "45500\n",
    "hwmon0/temp1_max": "82000\n",
    "hwmon0/temp1_crit_alarm": "1\n",
    "hwmon0/temp1_alarm": "1\n",
    "hwmon0/temp1_type": "2\n",
    "hwmon0/temp1_label": 'Core "0"\n',
    "hwmon0/fan1_input": "1200\n",
    "hwmon0/fan1_min": "300\n",
    "hwmon0/in0_label": "Vcore\n",
    "hwmon0/in0_input": "1100\n",
    "hwmon0/uevent": "",
  });
  const labels = 'chip="platform_coretemp_0",sensor="temp1"';
  const fan = 'chip="platform_coretemp_0",sensor="fan1"';
  assertEquals(found, [
    'node_hwmon_chip_names{chip="platform_coretemp_0",chip_name="coretemp"} 1',
    `node_hwmon_sensor_label{${labels},label="Core \\"0\\""} 1`,
    'node_hwmon_sensor_label{chip="platform_coretemp_0",sensor="in0",label="Vcore"} 1',
    `node_hwmon_temp_celsius{${labels}} 45.5`,
    `node_hwmon_temp_max_celsius{${labels}} 82`,
    `node_hwmon_temp_crit_alarm_celsius{${labels}} 0.001`,
    `node_hwmon_temp_alarm{${labels}} 1`,
    `node_hwmon_temp_type{${labels}} 2`,
    `node_hwmon_fan_rpm{${fan}} 1200`,
    `node_hwmon_fan_min_rpm{${fan}} 300`,
  ]);
});

Deno.test("SensorReader.read() tells chips of one name apart that have no device", async () => {
  const found = await linesOf({
    ...{ "hwmon0/name": "k10temp\n", "hwmon0/temp1_input": "40000\n" },
    ...{ "hwmon1/name": "k10temp\n", "hwmon1/temp1_input": "41000\n" },
  });
  assertEquals(found, [
    'node_hwmon_chip_names{chip="k10temp",chip_name="k10temp"} 1',
    'node_hwmon_chip_names{chip="k10temp_hwmon1",chip_name="k10temp"} 1',
    'node_hwmon_temp_celsius{chip="k10temp",sensor="temp1"} 40',
    'node_hwmon_temp_celsius{chip="k10temp_hwmon1",sensor="temp1"} 41',
  ]);
});

Deno.test("SensorReader.read() has the units of each property", async () => {
  const files = {
    ...{ temp1_fault: "1", temp1_beep: "1", fan1_max: "3000", fan1_target: "900", fan1_beep: "0" },
    ...{ fan1_fault: "0", fan1_alarm: "1", fan1_pulses: "2" },
  };
  const paths = Object.entries(files).map(([name, text]) => [`hwmon0/${name}`, text]);
  const shown = await linesOf(Object.fromEntries(paths));
  assertEquals(shown.map((line) => line.replace(/\{.*\}/, "")), [
    ...["node_hwmon_temp_fault 1", "node_hwmon_temp_beep_enabled 1", "node_hwmon_fan_max_rpm 3000"],
    ...["node_hwmon_fan_target_rpm 900", "node_hwmon_fan_beep_enabled 0"],
    ...["node_hwmon_fan_fault 0", "node_hwmon_fan_alarm 1", "node_hwmon_fan_pulses 2"],
  ]);
});

Deno.test("SensorReader.read() finds the sensors of old drivers in the folder of the device, and prefers them to others of their names", async () => {
  const old = { "hwmon0/name": "old\n", "hwmon0/device/temp1_input": "45000\n" };
  for (const files of [old, { ...old, "hwmon0/temp1_input": "1000\n" }]) {
    const shown = (await linesOf(files)).slice(1);
    assertEquals(shown, ['node_hwmon_temp_celsius{chip="old",sensor="temp1"} 45']);
  }
});

Deno.test("SensorReader.read() names a chip without a device by its name, or its number", async () => {
  const found = await linesOf({
    ...{ "hwmon1/name": "ACPI Zone!\n", "hwmon1/temp1_input": "1000\n" },
    ...{ "hwmon2/temp1_input": "-2000\n", "hwmon2/temp2_input": "hot\n" },
  });
  assertEquals(found, [
    'node_hwmon_chip_names{chip="acpi_zone",chip_name="acpi_zone"} 1',
    'node_hwmon_temp_celsius{chip="acpi_zone",sensor="temp1"} 1',
    'node_hwmon_temp_celsius{chip="hwmon2",sensor="temp1"} -2',
  ]);
});

Deno.test("SensorReader.read() shows thermal zones and cooling devices", async () => {
  const host = fakeHost({
    "/sys/class/thermal/thermal_zone10/type": "x86_pkg_temp\n",
    "/sys/class/thermal/thermal_zone10/temp": "51000\n",
    "/sys/class/thermal/thermal_zone2/type": "acpitz\n",
    "/sys/class/thermal/thermal_zone2/temp": "",
    "/sys/class/thermal/cooling_device0/type": "Processor\n",
    "/sys/class/thermal/cooling_device0/cur_state": "2\n",
    "/sys/class/thermal/cooling_device0/max_state": "10\n",
  });
  assertEquals(await lines(new SensorReader(host)), [
    'node_cooling_device_cur_state{name="0",type="Processor"} 2',
    'node_cooling_device_max_state{name="0",type="Processor"} 10',
    'node_thermal_zone_temp{zone="10",type="x86_pkg_temp"} 51',
  ]);
});

Deno.test("SensorReader keeps at most 256 files open", async () => {
  const files = Array.from({ length: 1_000 }, (_, index) => `temp${index}_input`);
  const host = fakeHost(
    Object.fromEntries(files.map((name) => [`/sys/class/hwmon/hwmon0/${name}`, "1000\n"])),
  );
  let opened = 0;
  const openSlow = (path: string) => {
    opened++;
    return host.openSlow(path);
  };
  assertEquals((await lines(new SensorReader({ ...host, openSlow }))).length, 256);
  assertEquals(opened, 256);
});

Deno.test("SensorReader names at most 128 chips, the first by their numbers", async () => {
  const numbers = Array.from({ length: 200 }, (_, index) => 199 - index);
  const files = numbers.map((number) => [`hwmon${number}/name`, `c${number}`]);
  const shown = await linesOf(Object.fromEntries(files));
  assertEquals(shown.length, 128);
  assertEquals(shown[0], 'node_hwmon_chip_names{chip="c0",chip_name="c0"} 1');
  assertEquals(shown.at(-1), 'node_hwmon_chip_names{chip="c127",chip_name="c127"} 1');
});

Deno.test("SensorReader.read() is empty on a machine without sensors", async () => {
  assertEquals(await lines(new SensorReader(fakeHost({}))), []);
});

/** A machine of two sensors, one of which answers when it is told so. */
function withHungSensor() {
  const host = fakeHost({
    "/sys/class/hwmon/hwmon0/temp1_input": "1000\n",
    "/sys/class/hwmon/hwmon0/temp2_input": "2000\n",
  });
  const answer = Promise.withResolvers<string>();
  let asked = 0;
  const openSlow = (path: string) => () => {
    if (!path.endsWith("temp1_input")) return Promise.resolve("2000\n");
    asked++;
    return answer.promise;
  };
  return { reader: new SensorReader({ ...host, openSlow }), answer, asked: () => asked };
}

timed.test("SensorReader.read() waits for a slow chip", async (time) => {
  const { reader, answer } = withHungSensor();
  const slow = lines(reader);
  await time.run(4_999);
  answer.resolve("1000\n");
  assertEquals((await slow).length, 2);
});

timed.test("SensorReader.read() asks a chip that hangs once, until it answers", async (time) => {
  const { reader, answer, asked } = withHungSensor();
  const refused = assertRejects(() => reader.read(), Error, "one does not answer");
  await time.run(5_000);
  await refused;
  await assertRejects(() => reader.read(), Error, "one does not answer");
  assertEquals([asked(), time.timers], [1, 0]);
  answer.reject(new Error("gone"));
  await time.run(0);
  assertEquals(await lines(reader), ['node_hwmon_temp_celsius{chip="hwmon0",sensor="temp2"} 2']);
  assertEquals(asked(), 2);
});
