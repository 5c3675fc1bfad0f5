import { assertEquals } from "@std/assert";
import { parseSensorFile, parseSensorValue } from "../../lib/parse/hwmon.ts";

Deno.test("parseSensorFile() tells sensors from other files", () => {
  assertEquals(parseSensorFile("temp1_crit_hyst"), {
    ...{ sensor: "temp1", kind: "temp", property: "crit_hyst" },
  });
  const kinds = ["in", "cpu", "fan", "pwm", "temp", "curr", "power", "energy"];
  for (const kind of [...kinds, "humidity", "intrusion"]) {
    const sensor = `${kind}1234`;
    assertEquals(parseSensorFile(`${sensor}_input`), { sensor, kind, property: "input" });
    assertEquals(parseSensorFile(`${sensor}5_input`), undefined);
  }
  for (const name of ["name", "uevent", "temp1", "temp_input", "temp1_", 'temp1_a"b', "tempx1_a"]) {
    assertEquals(parseSensorFile(name), undefined, name);
  }
});

Deno.test("parseSensorValue() reads whole numbers, also below zero, and nothing else", () => {
  assertEquals(parseSensorValue("45500\n"), 45500);
  assertEquals(parseSensorValue("-5000\n"), -5000);
  for (const text of ["", "\n", "1.5", "1e9", "nan", "1\n2\n", "9".repeat(16)]) {
    assertEquals(parseSensorValue(text), undefined, text);
  }
});
