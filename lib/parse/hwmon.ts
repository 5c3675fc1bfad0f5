/** A file of a sensor in `/sys/class/hwmon`. */
export interface SensorFile {
  /** `temp1`, `fan2`. */
  readonly sensor: string;
  /** `temp`, `fan`. */
  readonly kind: string;
  /** `input`, `max`, `label`. */
  readonly property: string;
}

const SENSOR_FILE =
  /^((in|cpu|fan|pwm|temp|curr|power|energy|humidity|intrusion)\d{1,4})_([a-z][a-z0-9_]{0,31})$/;

/** Parses the name of a sensor's file; `undefined` for other files. */
export function parseSensorFile(name: string): SensorFile | undefined {
  const [, sensor, kind, property] = SENSOR_FILE.exec(name) ?? [];
  return sensor === undefined || kind === undefined || property === undefined
    ? undefined
    : { sensor, kind, property };
}

/** Parses a sensor's value, which may be negative; `undefined` when it is none. */
export function parseSensorValue(text: string): number | undefined {
  return /^-?\d{1,15}\n?$/.test(text) ? Number(text) : undefined;
}
