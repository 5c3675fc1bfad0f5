// Elements of the page, what it has received, and texts of values in its language.

export const byId = (id) => document.getElementById(id);

export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export function make(name, properties = {}, children = []) {
  const element = document.createElement(name);
  Object.assign(element, properties);
  element.append(...children);
  return element;
}

export function draw(name, attributes = {}, children = []) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

const stale = new Set();

/** Schedules what has to be drawn again: once a frame, and not while the page is hidden. */
export function refresh(...shows) {
  if (stale.size === 0) requestAnimationFrame(flush);
  for (const show of shows) stale.add(show);
}

function flush() {
  const shows = [...stale];
  stale.clear();
  for (const show of shows) show();
}

// Data of an agent is not trusted: it enters the page as text, never as markup.
export const model = {
  log: [],
  aheadMs: 0,
  connected: false,
  report: undefined,
  history: [],
  pingHistory: [],
  basicInfo: {},
  tasks: [],
  fault: "",
  faults: [],
  counts: undefined,
};

/** The panel's time, in milliseconds since 1970. */
export const nowMs = () => Date.now() + model.aheadMs;

/** The results of a probe: time, id of the task, milliseconds or -1 when it was lost. */
export const resultsOf = (task) => model.pingHistory.filter((result) => result[1] === task.id);

export const isChinese = document.documentElement.lang === "zh";
/** The text in the page's language. */
export const t = (english, chinese) => isChinese ? chinese : english;

export const isNumber = (value) => typeof value === "number" && Number.isFinite(value);
export const NONE = "–";

export function number(value, digits = 0) {
  return isNumber(value)
    ? value.toLocaleString("en-GB", {
      maximumFractionDigits: digits,
      minimumFractionDigits: digits,
    })
    : NONE;
}

export function percent(value) {
  return isNumber(value) ? `${number(value, value < 10 ? 1 : 0)} %` : NONE;
}

export function bytes(value) {
  if (!isNumber(value)) return NONE;
  const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
  let scaled = value;
  let unit = 0;
  while (Math.abs(scaled) >= 1023.5 && unit < units.length - 1) {
    scaled /= 1024;
    unit++;
  }
  const digits = unit === 0 || scaled >= 100 || Number.isInteger(scaled) ? 0 : scaled >= 10 ? 1 : 2;
  return `${number(scaled, digits)} ${units[unit]}`;
}

export const rate = (value) => isNumber(value) ? `${bytes(value)}/s` : NONE;

/** A result on the wire is rounded to milliseconds, so that 0 is less than a half. */
export function latency(value) {
  if (!isNumber(value)) return NONE;
  if (value < 0) return t("lost", "丢失");
  if (value === 0) return "< 0.5 ms";
  return `${number(value, value < 10 && !Number.isInteger(value) ? 1 : 0)} ms`;
}

export function duration(seconds) {
  if (!isNumber(seconds)) return NONE;
  const parts = [
    [86400, t("d", "天")],
    [3600, t("h", "小时")],
    [60, t("min", "分")],
    [1, t("s", "秒")],
  ];
  const first = Math.max(parts.findIndex(([size]) => seconds >= size), 0);
  const at = seconds < 1 ? 3 : first;
  const [size, name] = parts[at];
  const whole = `${Math.floor(seconds / size)} ${name}`;
  const next = parts[at + 1];
  return next === undefined
    ? whole
    : `${whole} ${Math.floor((seconds % size) / next[0])} ${next[1]}`;
}
