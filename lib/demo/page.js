"use strict";

// Data of an agent is not trusted: it enters the page as text, never as markup.
const MAX_POINTS = 720;
const MAX_RESULTS = 2000;
const PROBES_SHOWN = 20;
const CARDS_SHOWN = 16;
const VIOLATIONS_SHOWN = 20;
const LOG_LINES_SHOWN = 200;
const COLOURS = ["first", "second", "third"];
const WINDOWS_S = [
  [60, 15],
  [120, 30],
  [180, 60],
  [300, 60],
  [600, 120],
  [900, 300],
  [1800, 600],
  [3600, 900],
];

const isChinese = document.documentElement.lang === "zh";
/** The text in the page's language. */
const t = (english, chinese) => isChinese ? chinese : english;

const model = {
  presenceMs: 35_000,
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
  violations: [],
  counts: undefined,
};

const byId = (id) => document.getElementById(id);
const nowMs = () => Date.now() + model.aheadMs;

/* Texts of values */

const isNumber = (value) => typeof value === "number" && Number.isFinite(value);
const NONE = "–";

function number(value, digits = 0) {
  return isNumber(value)
    ? value.toLocaleString("en-GB", {
      maximumFractionDigits: digits,
      minimumFractionDigits: digits,
    })
    : NONE;
}

function percent(value) {
  return isNumber(value) ? `${number(value, value < 10 ? 1 : 0)} %` : NONE;
}

function bytes(value) {
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

const rate = (value) => isNumber(value) ? `${bytes(value)}/s` : NONE;

/** A result on the wire is rounded to milliseconds, so that 0 is less than a half. */
function latency(value) {
  if (!isNumber(value)) return NONE;
  if (value < 0) return t("lost", "丢失");
  if (value === 0) return "< 0.5 ms";
  return `${number(value, value < 10 && !Number.isInteger(value) ? 1 : 0)} ms`;
}

function duration(seconds) {
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

function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function make(name, properties = {}, children = []) {
  const element = document.createElement(name);
  Object.assign(element, properties);
  element.append(...children);
  return element;
}

function draw(name, attributes = {}, children = []) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

/* Tiles */

const share = (usage) => usage?.total > 0 ? (100 * usage.used) / usage.total : undefined;
const outOf = (usage) =>
  usage && t(
    `${bytes(usage.used)} of ${bytes(usage.total)}`,
    `${bytes(usage.used)} / ${bytes(usage.total)}`,
  );
const tiles = [
  {
    title: "CPU",
    big: (report) => percent(report.cpu.usage),
    meter: (report) => report.cpu.usage,
    small: (report) =>
      `${t("load", "负载")} ${number(report.load.load1, 2)} · ${number(report.load.load5, 2)} · ${
        number(report.load.load15, 2)
      }`,
  },
  {
    title: t("Memory", "内存"),
    big: (report) => percent(share(report.ram)),
    meter: (report) => share(report.ram),
    small: (report) => outOf(report.ram),
  },
  {
    title: t("Disk", "磁盘"),
    big: (report) => percent(share(report.disk)),
    meter: (report) => share(report.disk),
    small: (report) => outOf(report.disk),
  },
  {
    title: t("Swap", "交换"),
    isEmpty: (report) => !(report.swap.total > 0),
    big: (report) => percent(share(report.swap)),
    meter: (report) => share(report.swap) ?? 0,
    small: (report) => outOf(report.swap),
  },
  {
    title: t("Network", "网络"),
    isPair: true,
    big: (report) => `↑ ${rate(report.network.up)}`,
    second: (report) => `↓ ${rate(report.network.down)}`,
    small: (report) =>
      `${t("in all", "总计")} ↑ ${bytes(report.network.totalUp)} ↓ ${
        bytes(report.network.totalDown)
      }`,
  },
  {
    title: t("Connections", "连接"),
    isPair: true,
    big: (report) => `${number(report.connections.tcp)} TCP`,
    second: (report) => `${number(report.connections.udp)} UDP`,
    small: (report) => t(`${number(report.process)} processes`, `${number(report.process)} 个进程`),
  },
  {
    title: t("Uptime", "运行时间"),
    big: (report) => duration(report.uptime),
    small: (report) =>
      `${t("since", "自")} ${
        new Date(report.atMs - report.uptime * 1000).toLocaleString(t("en-GB", "zh-CN"), {
          dateStyle: "medium",
          timeStyle: "short",
        })
      }`,
  },
];

function buildTiles() {
  for (const tile of tiles) {
    tile.bigElement = make("p", { className: tile.isPair ? "big pair" : "big", textContent: NONE });
    tile.smallElement = make("p", { className: "soft" });
    const parts = [make("h3", { textContent: tile.title }), tile.bigElement];
    if (tile.second) {
      tile.secondElement = make("p", { className: "big pair", textContent: NONE });
      parts.push(tile.secondElement);
    }
    if (tile.meter) {
      tile.meterElement = make("div", { className: "meter", role: "meter" }, [make("div")]);
      tile.meterElement.ariaLabel = `${tile.title} ${t("used", "已用")}`;
      tile.meterElement.ariaValueMin = "0";
      tile.meterElement.ariaValueMax = "100";
      tile.meterElement.ariaValueNow = "0";
      parts.push(tile.meterElement);
    }
    parts.push(tile.smallElement);
    const className = tile.isPair ? "card tile paired" : "card tile";
    tile.element = make("div", { className }, parts);
    byId("tiles").append(tile.element);
  }
  byId("tiles").append(
    make("div", { id: "cards", className: "card wide", hidden: true }, [
      make("h3", { textContent: t("Graphics cards", "显卡") }),
    ]),
    make("div", { id: "message-card", className: "card wide", hidden: true }, [
      make("h3", { textContent: t("Message", "消息") }),
      make("p", { id: "message", textContent: NONE }),
    ]),
  );
}

function showReport() {
  const { report } = model;
  if (report === undefined) return;
  for (const tile of tiles) {
    tile.element.hidden = tile.isEmpty?.(report) === true;
    setText(tile.bigElement, tile.big(report));
    if (tile.second) setText(tile.secondElement, tile.second(report));
    setText(tile.smallElement, tile.small(report) ?? "");
    if (tile.meter) {
      const value = Math.min(Math.max(tile.meter(report) ?? 0, 0), 100);
      tile.meterElement.firstChild.style.width = `${value}%`;
      tile.meterElement.ariaValueNow = value.toFixed(1);
    }
  }
  showCards(report.gpu?.detailed_info ?? []);
  byId("message-card").hidden = report.message === "";
  setText(byId("message"), report.message.slice(0, 1000));
}

/** One line per card; a 0 of memory or temperature means unknown. */
function showCards(cards) {
  const lines = cards.slice(0, CARDS_SHOWN).map((card) =>
    [
      `${card.name.slice(0, 80)}: ${percent(card.utilization)}`,
      card.memory_total > 0 ? `${bytes(card.memory_used)} of ${bytes(card.memory_total)}` : "",
      card.temperature === 0 ? "" : `${number(card.temperature)} °C`,
    ].filter((text) => text !== "").join(" · ")
  );
  const element = byId("cards");
  element.hidden = lines.length === 0;
  while (element.children.length - 1 > lines.length) element.lastChild.remove();
  lines.forEach((line, index) =>
    setText(element.children[index + 1] ?? element.appendChild(make("p")), line)
  );
}

/* Plots */

const column = (index) => () => model.history.map((point) => [point[0], point[index]]);
const resultsOf = (task) => model.pingHistory.filter((result) => result[1] === task.id);

const used = t("used", "已用");
const plots = [
  {
    title: "CPU",
    say: percent,
    series: () => [{ name: used, points: column(1)() }],
  },
  {
    title: t("Memory", "内存"),
    say: bytes,
    isBinary: true,
    followsValues: true,
    series: () => [{ name: used, points: column(2)() }],
  },
  {
    title: t("Network", "网络"),
    say: rate,
    isBinary: true,
    series: () => [
      { name: t("up", "上行"), points: column(4)() },
      { name: t("down", "下行"), points: column(5)() },
    ],
  },
  {
    title: t("Probe latency", "探测延迟"),
    say: latency,
    isLatency: true,
    series: () =>
      model.tasks.slice(0, 3).map((task) => {
        const results = resultsOf(task);
        return {
          name: task.name.slice(0, 30),
          points: results.map(([atMs, , value]) => [atMs, value < 0 ? undefined : value]),
          losses: results.filter(([, , value]) => value < 0).map(([atMs]) => atMs),
        };
      }),
  },
];

function buildPlots() {
  for (const plot of plots) {
    plot.svg = draw("svg", { role: "img" });
    plot.legend = make("ul", { className: "legend" });
    plot.name = make("h3", { textContent: plot.title });
    const head = make("div", { className: "head" }, [
      plot.name,
      plot.legend,
    ]);
    const card = make("div", { className: plot.isLatency ? "card plot lanes" : "card plot" }, [
      head,
      plot.svg,
    ]);
    byId("plots").append(card);
    plot.svg.addEventListener("pointermove", (event) => {
      plot.pointerX = event.clientX - plot.svg.getBoundingClientRect().left;
      showPlot(plot);
    });
    plot.svg.addEventListener("pointerleave", () => {
      plot.pointerX = undefined;
      showPlot(plot);
    });
  }
}

/** Even steps: of 1, 2 or 5, and of powers of two for bytes. */
function niceStep(rough, { isBinary }) {
  if (isBinary) return 2 ** Math.max(Math.ceil(Math.log2(rough)), 0);
  const power = 10 ** Math.floor(Math.log10(rough));
  return [1, 2, 5, 10].find((factor) => factor * power >= rough * 0.999) * power;
}

/**
 * The range of the value axis and its step. It begins at 0, except where a plot follows its values:
 * memory in use hardly changes beside the memory that there is.
 */
function valueRange(plot, values) {
  const highest = Math.max(...values, 0);
  const lowest = plot.followsValues && values.length > 0 ? Math.min(...values) : 0;
  // A flat line stays flat: noise of 2 % does not fill the plot.
  const leastSpan = plot.followsValues ? highest * 0.02 : plot.say === percent ? 4 : 1;
  const step = niceStep(Math.max(highest - lowest, leastSpan, 1) / 4, plot);
  const bottom = Math.floor(lowest / step) * step;
  const top = Math.max(Math.ceil(highest / step) * step, bottom + 2 * step);
  return { bottom, top: plot.say === percent ? Math.min(top, 100) : top, step };
}

function windowOf(now) {
  const first = Math.min(
    model.history[0]?.[0] ?? now,
    model.pingHistory[0]?.[0] ?? now,
  );
  return WINDOWS_S.find(([seconds]) => seconds * 1000 >= now - first) ?? WINDOWS_S.at(-1);
}

function showPlot(plot) {
  const width = plot.svg.clientWidth;
  const height = plot.svg.clientHeight;
  if (width === 0) return;
  const now = nowMs();
  const [windowS, stepS] = windowOf(now);
  const startMs = now - windowS * 1000;
  const series = plot.series().map((one) => ({
    ...one,
    points: one.points.filter(([atMs]) => atMs >= startMs),
    losses: (one.losses ?? []).filter((atMs) => atMs >= startMs),
  }));
  // Losses have a strip of their own, apart from the axis: a loss has no latency.
  const strip = plot.isLatency && series.length > 0 ? series.length * 14 + 26 : 0;
  const box = { left: 66, right: width - 16, top: 8, bottom: height - 22 - strip };
  const values = series.flatMap((one) => one.points.map(([, value]) => value ?? 0));
  const { bottom, top, step } = valueRange(plot, values);
  const x = (atMs) => box.left + ((atMs - startMs) / (now - startMs)) * (box.right - box.left);
  const y = (value) => box.bottom - ((value - bottom) / (top - bottom)) * (box.bottom - box.top);

  const parts = [];
  for (let value = bottom; value <= top * 1.0001; value += step) {
    parts.push(
      draw("line", { class: "grid", x1: box.left, x2: box.right, y1: y(value), y2: y(value) }),
      draw("text", { x: box.left - 8, y: y(value) + 4, "text-anchor": "end" }, [
        axisLabel(plot, value, step),
      ]),
    );
  }
  const roomy = (stepS / windowS) * (box.right - box.left) >= 54;
  for (let ago = 0; ago <= windowS; ago += roomy ? stepS : 2 * stepS) {
    const label = ago === 0
      ? t("now", "现在")
      : windowS > 120
      ? `−${ago / 60} ${t("min", "分")}`
      : `−${ago} ${t("s", "秒")}`;
    parts.push(
      draw("text", { x: x(now - ago * 1000), y: height - 4, "text-anchor": "middle" }, [label]),
    );
  }
  if (strip > 0) {
    parts.push(
      draw("text", { x: box.left - 8, y: box.bottom + 20, "text-anchor": "end" }, [
        t("lost:", "丢失："),
      ]),
    );
  }
  series.forEach((one, index) => {
    const colour = COLOURS[index];
    for (const run of unbrokenRuns(one.points)) {
      const path = run.map(([atMs, value]) => `${x(atMs).toFixed(1)} ${y(value).toFixed(1)}`);
      const d = `M${path.join("L")}`;
      if (run.length === 1) {
        parts.push(
          draw("circle", {
            class: `spot ${colour}`,
            cx: x(run[0][0]),
            cy: y(run[0][1]),
            r: 2,
          }),
        );
      } else {
        if (index === 0 && !plot.isLatency) {
          const end = `L${x(run.at(-1)[0])} ${box.bottom}L${x(run[0][0])} ${box.bottom}Z`;
          parts.push(draw("path", { class: `area ${colour}`, d: d + end }));
        }
        parts.push(draw("path", { class: `curve ${colour}`, d }));
      }
    }
    if (plot.isLatency) {
      const laneY = box.bottom + 32 + index * 14;
      parts.push(
        draw("text", { x: box.left - 8, y: laneY + 4, "text-anchor": "end" }, [
          one.name.length > 9 ? `${one.name.slice(0, 8)}…` : one.name,
        ]),
        draw("line", { class: "grid", x1: box.left, x2: box.right, y1: laneY, y2: laneY }),
      );
      for (const atMs of one.losses) parts.push(cross(x(atMs), laneY));
    }
  });
  const at = plot.pointerX === undefined
    ? undefined
    : startMs + ((plot.pointerX - box.left) / (box.right - box.left)) * (now - startMs);
  if (at !== undefined) {
    const cursorX = Math.min(Math.max(plot.pointerX, box.left), box.right);
    parts.push(
      draw("line", { class: "cursor", x1: cursorX, x2: cursorX, y1: box.top, y2: box.bottom }),
    );
  }
  plot.svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  plot.svg.replaceChildren(...parts);
  showLegend(plot, { series, at, now, windowS });
}

/** Runs of points without a loss or a gap between them. */
function unbrokenRuns(points) {
  const spanMs = points.length < 2 ? 0 : points.at(-1)[0] - points[0][0];
  const gapMs = Math.max(20_000, (3 * spanMs) / Math.max(points.length - 1, 1));
  const runs = [];
  let run = [];
  let lastMs;
  for (const point of points) {
    const isGap = lastMs !== undefined && point[0] - lastMs > gapMs;
    if ((point[1] === undefined || isGap) && run.length > 0) {
      runs.push(run);
      run = [];
    }
    if (point[1] !== undefined) run.push(point);
    lastMs = point[0];
  }
  if (run.length > 0) runs.push(run);
  return runs;
}

function cross(x, y) {
  return draw("path", {
    class: "loss",
    d: `M${x - 3} ${y - 3}L${x + 3} ${y + 3}M${x + 3} ${y - 3}L${x - 3} ${y + 3}`,
  });
}

/** A label of the value axis, with as many digits as its step needs. */
function axisLabel(plot, value, step) {
  const digits = step < 1 ? Math.ceil(-Math.log10(step)) : 0;
  if (plot.isLatency) return `${number(value, digits)} ms`;
  if (plot.say === percent) return `${number(value, digits)} %`;
  return plot.say(value);
}

function showLegend(plot, { series, at, now, windowS }) {
  const nearest = (points) =>
    at === undefined ? points.at(-1) : points.reduce(
      (best, point) =>
        best === undefined || Math.abs(point[0] - at) < Math.abs(best[0] - at) ? point : best,
      undefined,
    );
  const items = series.map((one, index) => {
    const point = nearest(one.points);
    const said = point === undefined
      ? NONE
      : point[1] === undefined
      ? t("lost", "丢失")
      : plot.say(point[1]);
    return {
      colour: COLOURS[index],
      text: `${one.name} ${said}`,
      lost: point !== undefined && point[1] === undefined,
    };
  });
  while (plot.legend.children.length > items.length) plot.legend.lastChild.remove();
  items.forEach(({ colour, text, lost }, index) => {
    const item = plot.legend.children[index] ??
      plot.legend.appendChild(make("li", {}, [make("span")]));
    item.className = colour;
    item.firstChild.className = lost ? "bad" : "";
    setText(item.firstChild, text);
  });
  const agoS = at === undefined ? 0 : Math.min(Math.max((now - at) / 1000, 0), windowS);
  const ago = duration(Math.round(agoS));
  const past = t(`${plot.title}, ${ago} ago`, `${plot.title}，${ago}前`);
  setText(plot.name, agoS < 1 ? plot.title : past);
  const losses = series.reduce((sum, one) => sum + one.losses.length, 0);
  const span = windowS >= 120 ? `${windowS / 60} minutes` : `${windowS} seconds`;
  plot.svg.setAttribute(
    "aria-label",
    `${plot.title} over the last ${span}: ${items.map((item) => item.text).join("; ")}` +
      (plot.isLatency ? `; ${losses} lost` : ""),
  );
}

/* Probes */

function showProbes() {
  const shown = model.tasks.slice(0, PROBES_SHOWN);
  const rows = shown.map((task) => {
    const values = resultsOf(task).map((result) => result[2]);
    const answered = values.filter((value) => value >= 0);
    const lost = values.length - answered.length;
    const mean = answered.reduce((sum, value) => sum + value, 0) / answered.length;
    const last = values.at(-1);
    const cell = (label, text, bad = false) => {
      const element = make("td", {
        className: bad ? "number bad" : "number",
        textContent: text,
      });
      element.dataset.label = label;
      return element;
    };
    return make("tr", {}, [
      make("td", { className: "name" }, [
        task.name.slice(0, 80),
        make("span", { className: "kind", textContent: task.type.slice(0, 12) }),
      ]),
      make("td", { className: "target", textContent: task.target.slice(0, 120) }),
      cell(t("Interval", "间隔"), `${number(task.interval)} s`),
      cell(t("Last", "最近"), latency(last), last < 0),
      cell(t("Mean", "平均"), isNumber(mean) && mean > 0 ? `${number(mean, 1)} ms` : latency(mean)),
      cell(
        t("Lost", "丢失"),
        values.length === 0
          ? NONE
          : `${number(lost)} ${t("of", "/")} ${number(values.length)} (${
            number((100 * lost) / values.length)
          }\u00a0%)`,
        lost > 0,
      ),
    ]);
  });
  byId("probes-section").hidden = rows.length === 0;
  byId("probes").replaceChildren(...rows);
  const more = byId("more-probes");
  more.hidden = model.tasks.length <= PROBES_SHOWN;
  const rest = number(model.tasks.length - PROBES_SHOWN);
  setText(more, t(`and ${rest} more`, `另有 ${rest} 个`));
}

/* Basic info and contract */

const facts = [
  [t("System", "系统"), (info) => info.os],
  [t("Kernel", "内核"), (info) => info.kernel_version],
  [t("Architecture", "架构"), (info) => info.arch],
  ["CPU", (info) => info.cpu_name],
  [
    t("Cores", "核心"),
    (info) =>
      info.cpu_cores === undefined ? undefined : info.cpu_physical_cores > 0
        ? t(
          `${number(info.cpu_cores)} (${number(info.cpu_physical_cores)} physical)`,
          `${number(info.cpu_cores)}（物理 ${number(info.cpu_physical_cores)}）`,
        )
        : number(info.cpu_cores),
  ],
  [t("Virtualization", "虚拟化"), (info) => info.virtualization],
  [t("Memory", "内存"), (info) => info.mem_total === undefined ? undefined : bytes(info.mem_total)],
  [
    t("Swap", "交换"),
    (info) =>
      info.swap_total === 0
        ? ""
        : info.swap_total === undefined
        ? undefined
        : bytes(info.swap_total),
  ],
  [t("Disk", "磁盘"), (info) => info.disk_total === undefined ? undefined : bytes(info.disk_total)],
  ["GPU", (info) => info.gpu_name === "None" ? "" : info.gpu_name],
  [t("Public IPv4", "公网 IPv4"), (info) => info.ipv4],
  [t("Public IPv6", "公网 IPv6"), (info) => info.ipv6],
  ["Agent", (info) => info.version],
];

function buildMachine() {
  for (const fact of facts) {
    const value = make("dd", { textContent: NONE });
    fact.push(value);
    const entry = make("div", { hidden: true }, [make("dt", { textContent: fact[0] }), value]);
    fact.push(entry);
    byId("machine").append(entry);
  }
}

function showMachine() {
  for (const [, read, element, entry] of facts) {
    const value = read(model.basicInfo);
    entry.hidden = value === undefined || value === "";
    setText(element, String(value).slice(0, 300));
  }
}

function showContract() {
  const { counts } = model;
  if (counts === undefined) return;
  const some = (count, one) => `${number(count)} ${one}${count === 1 ? "" : "s"}`;
  setText(
    byId("counts"),
    t(
      `Accepted: ${some(counts.reports, "report")}, ${some(counts.basicInfos, "basic info")}, ${
        some(counts.pingResults, "ping result")
      }. Refused: ${some(counts.refused, "message")}. ${
        some(counts.violations, "violation")
      } of the contract.`,
      `已接收：${number(counts.reports)} 次上报、${number(counts.basicInfos)} 次基本信息、${
        number(counts.pingResults)
      } 个探测结果。拒绝 ${number(counts.refused)} 条消息。违反协议 ${
        number(counts.violations)
      } 次。`,
    ),
  );
  if (counts.violations > 0) byId("developers").open = true;
  byId("violations").replaceChildren(
    ...model.violations.toReversed().map(({ atMs, text }) =>
      make("li", {
        className: "bad",
        textContent: `${new Date(atMs).toLocaleTimeString("en-GB")} ${text.slice(0, 300)}`,
      })
    ),
  );
}

function showFault() {
  byId("fault").hidden = model.fault === "";
  setText(
    byId("fault"),
    t(`The panel misbehaves on purpose: ${model.fault}`, `面板正在模拟故障：${model.fault}`),
  );
  const choice = byId("fault-choice");
  if (choice.options.length === 1) {
    // No request of the page would get through "refuse", not even the one that ends it.
    choice.append(
      ...model.faults.map(([name]) =>
        make("option", { value: name, text: name, disabled: name === "refuse" })
      ),
    );
  }
  choice.value = model.fault;
  const [, english, chinese] = model.faults.find(([name]) => name === model.fault) ?? [];
  setText(
    byId("fault-word"),
    english === undefined
      ? t("The panel behaves well.", "面板工作正常。")
      : t(`The panel ${english}.`, `面板${chinese}。`),
  );
}

const ageText = (age) => t(`report ${age} ago`, `${age}前上报`);

function showPresence() {
  const ageMs = model.report === undefined ? undefined : nowMs() - model.report.atMs;
  const online = ageMs !== undefined && ageMs < model.presenceMs;
  const presence = !model.connected
    ? "gone"
    : ageMs === undefined
    ? "waiting"
    : online
    ? "online"
    : "offline";
  const words = {
    gone: t("No panel", "面板已停止"),
    waiting: t("Waiting", "等待中"),
    online: t("Online", "在线"),
    offline: t("Offline", "离线"),
  };
  byId("presence").dataset.presence = presence;
  setText(byId("presence-word"), words[presence]);
  setText(
    byId("age"),
    ageMs === undefined
      ? t("no report yet", "还没有上报")
      : ageText(duration(Math.max(Math.round(ageMs / 1000), 0))),
  );
  const { by } = model.report ?? {};
  byId("transport").hidden = by === undefined;
  setText(
    byId("transport"),
    by === undefined ? "" : by.replace("websocket", "WebSocket")
      .replace("post", "POST"),
  );
  document.title = `${words[presence]} – Komari agent`;
}

/** Keeps the log at its last line, unless its reader has scrolled up. */
function followLog() {
  const log = byId("log");
  let follows = true;
  log.addEventListener("scrollend", () => {
    follows = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
  });
  const scrollToEnd = () => {
    if (follows) log.scrollTop = log.scrollHeight;
  };
  new ResizeObserver(scrollToEnd).observe(log);
  new MutationObserver(scrollToEnd).observe(log, { childList: true });
}

function showLog() {
  const log = byId("log");
  const lines = model.log.map(({ atMs, line }) => {
    // The log's own time is of no use beside others of the page.
    const text = line.replace(/^\S*\d\d:\d\d:\d\d\S* +/, "");
    return make("p", { className: /^(warning|error)/.exec(text)?.[0] ?? "" }, [
      make("time", { textContent: new Date(atMs).toLocaleTimeString("en-GB") }),
      text.slice(0, 1000),
    ]);
  });
  if (lines.length > 0) log.replaceChildren(...lines);
}

/* Remote control and faults */

const key = location.hash.slice(1);

async function order(path, wanted) {
  const response = await fetch(path, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(wanted),
  });
  if (!response.ok) throw new Error(await response.text());
  return await response.json();
}

async function runCommand() {
  setText(byId("remote-word"), t("Running…", "正在运行…"));
  byId("output").hidden = true;
  byId("exit").hidden = true;
  try {
    const command = byId("command").value;
    model.taskId = (await order("/demo/command", { key, command })).taskId;
    refresh(showResult);
  } catch (error) {
    setText(byId("remote-word"), error.message);
  }
}

function showResult() {
  const { taskId, result, exitCode } = model.commandResult ?? {};
  if (taskId === undefined || taskId !== model.taskId) return;
  setText(byId("remote-word"), "");
  const exit = byId("exit");
  exit.hidden = false;
  exit.className = exitCode === 0 ? "exit" : "exit bad";
  const meaning = exitCode === 124 ? t(" (timed out)", "（超时）") : "";
  setText(exit, t(`exit code ${exitCode}${meaning}`, `退出码 ${exitCode}${meaning}`));
  byId("output").hidden = result === "";
  setText(byId("output"), result);
}

/** The emulator adds style elements, which the page's policy forbids: their text is adopted. */
function adoptStyleElements() {
  const create = document.createElement.bind(document);
  document.createElement = (name, options) => {
    if (name !== "style") return create(name, options);
    const element = create("template");
    const sheet = new CSSStyleSheet();
    document.adoptedStyleSheets.push(sheet);
    Object.defineProperty(element, "textContent", { set: (text) => sheet.replaceSync(text) });
    return element;
  };
}

async function loadEmulator() {
  if (globalThis.Terminal !== undefined) return;
  adoptStyleElements();
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(await (await fetch("/demo/xterm.css")).text());
  document.adoptedStyleSheets.push(sheet);
  await new Promise((resolve, reject) => {
    const script = make("script", { src: "/demo/xterm.js", onload: resolve });
    script.onerror = () => reject(new Error("The terminal emulator can't be loaded."));
    document.head.append(script);
  });
}

async function openTerminal() {
  byId("open-terminal").disabled = true;
  setText(byId("remote-word"), t("Waiting for the agent…", "正在等待 Agent…"));
  try {
    await loadEmulator();
    // A session that was left by a reload is continued; a panel that has none opens a new one.
    const id = sessionStorage.getItem("terminal") ?? "";
    const query = new URLSearchParams({ key, id });
    connectTerminal(`ws://${location.host}/demo/terminal?${query}`);
  } catch (error) {
    byId("open-terminal").disabled = false;
    setText(byId("remote-word"), error.message);
  }
}

function connectTerminal(url) {
  const place = byId("terminal");
  place.hidden = false;
  const terminal = new Terminal({ fontSize: 13, cursorBlink: false });
  terminal.open(place);
  const socket = new WebSocket(url);
  socket.binaryType = "arraybuffer";
  const send = (message) => socket.readyState === 1 && socket.send(message);
  const fit = () => {
    const screen = place.querySelector(".xterm-screen");
    const cell = { x: screen.clientWidth / terminal.cols, y: screen.clientHeight / terminal.rows };
    // The padding of the place, and the scroll bar beside the screen.
    const cols = Math.max(Math.floor((place.clientWidth - 16 - 14) / cell.x), 2);
    const rows = Math.max(Math.floor((place.clientHeight - 16) / cell.y), 2);
    if (cols !== terminal.cols || rows !== terminal.rows) terminal.resize(cols, rows);
    send(JSON.stringify({ type: "resize", cols: terminal.cols, rows: terminal.rows }));
  };
  const heartbeat = setInterval(() => send('{"type":"heartbeat"}'), 10_000);
  const closeByUser = () => send('{"type":"close"}');
  const observer = new ResizeObserver(fit);
  let ending = t("The terminal has ended.", "终端已结束。");
  terminal.onData((data) => send(new TextEncoder().encode(data)));
  socket.onmessage = ({ data }) => {
    if (typeof data === "string") {
      const message = data.startsWith("{") ? JSON.parse(data) : { type: "error" };
      if (message.type === "error") ending = data;
      if (message.type === "session") sessionStorage.setItem("terminal", message.id);
      if (message.type === "connected") {
        setText(byId("remote-word"), "");
        byId("close-terminal").hidden = false;
        fit();
      }
      return;
    }
    terminal.write(new Uint8Array(data));
  };
  socket.onclose = () => {
    clearInterval(heartbeat);
    observer.disconnect();
    byId("close-terminal").removeEventListener("click", closeByUser);
    byId("close-terminal").hidden = true;
    terminal.dispose();
    place.replaceChildren();
    place.hidden = true;
    byId("open-terminal").disabled = false;
    setText(byId("remote-word"), ending);
  };
  byId("close-terminal").addEventListener("click", closeByUser);
  observer.observe(place);
  terminal.focus();
}

/* Files */

async function fileRequest(path, wanted, body) {
  const query = new URLSearchParams(wanted);
  const response = await fetch(`${path}?${query}`, {
    method: "POST",
    headers: { "x-demo-key": key, "content-type": "application/octet-stream" },
    body,
  });
  if (!response.ok) throw new Error(await response.text());
  return response;
}

async function listFolder(path = byId("folder").value) {
  setText(byId("files-word"), t("Reading…", "正在读取…"));
  try {
    const files = await (await fileRequest("/demo/files/list", { path })).json();
    byId("folder").value = path;
    setText(byId("files-word"), "");
    byId("file-list").replaceChildren(...files.map(fileEntry));
  } catch (error) {
    setText(byId("files-word"), error.message);
  }
}

function fileEntry(file) {
  const name = file.is_dir ? `${file.name}/` : file.name;
  const button = make("button", { type: "button", textContent: name.slice(0, 300) });
  button.addEventListener("click", () => file.is_dir ? listFolder(file.path) : download(file));
  const size = make("span", {
    className: "soft",
    textContent: file.is_dir ? "" : bytes(file.size),
  });
  return make("li", {}, [button, size]);
}

async function download({ path, name }) {
  setText(byId("files-word"), t("Downloading…", "正在下载…"));
  try {
    const blob = await (await fileRequest("/demo/files/download", { path })).blob();
    const href = URL.createObjectURL(blob);
    make("a", { href, download: name }).click();
    URL.revokeObjectURL(href);
    setText(byId("files-word"), `${name}: ${bytes(blob.size)}`);
  } catch (error) {
    setText(byId("files-word"), error.message);
  }
}

async function uploadFile() {
  const [file] = byId("upload").files;
  if (file === undefined) return;
  setText(byId("files-word"), t("Uploading…", "正在上传…"));
  const folder = byId("folder").value;
  try {
    const path = `${folder.replace(/\/?$/, "/")}${file.name}`;
    await fileRequest("/demo/files/upload", { path }, file);
    await listFolder(folder);
  } catch (error) {
    setText(byId("files-word"), error.message);
  }
  byId("upload").value = "";
}

function buildRemoteControl() {
  const { remoteControl, panel } = document.body.dataset;
  const isOn = remoteControl === "on" && key !== "";
  byId("remote-on").hidden = !isOn;
  byId("remote-off").hidden = isOn;
  setText(
    byId("remote-off"),
    remoteControl === "on"
      ? t(
        "Open this page by the address that was printed at the start.",
        "请用启动时显示的地址打开本页。",
      )
      : t(
        "Remote control is off. Start the demo with --enable-remote-control to run commands and " +
          "terminals on this machine.",
        "远程控制未启用。用 --enable-remote-control 启动演示，即可在本机运行命令和终端。",
      ),
  );
  if (remoteControl === "on" && !isOn) byId("developers").open = true;
  byId("files").hidden = !/^(1\.5|main)$/.test(panel);
  setText(byId("panel"), t(`panel ${panel}`, `面板 ${panel}`));
  byId("list").addEventListener("click", () => listFolder());
  byId("files").addEventListener("toggle", () => byId("files").open && listFolder());
  byId("upload").addEventListener("change", uploadFile);
  byId("run").addEventListener("click", runCommand);
  byId("command").addEventListener("keydown", (event) => {
    if (event.key === "Enter") runCommand();
  });
  byId("open-terminal").addEventListener("click", openTerminal);
  byId("fault-choice").addEventListener("change", (event) => {
    order("/demo/fault", { fault: event.target.value })
      .catch((error) => setText(byId("fault-word"), error.message));
  });
}

/* Events */

const stale = new Set();

/** Schedules what has to be drawn again: once a frame, and not while the page is hidden. */
function refresh(...shows) {
  if (stale.size === 0) requestAnimationFrame(flush);
  for (const show of shows) stale.add(show);
}

function flush() {
  const shows = [...stale];
  stale.clear();
  for (const show of shows) show();
}

function showPlots() {
  for (const plot of plots) showPlot(plot);
}

function receive(event) {
  if (event.nowMs !== undefined) {
    model.aheadMs = event.nowMs - Date.now();
    Object.assign(model, { history: [], pingHistory: [], violations: [], log: [] });
    model.report = undefined;
    model.presenceMs = event.presenceMs;
    refresh(showProbes, showFault, showMachine, showLog);
  }
  if (event.report) model.report = event.report;
  if (event.history) model.history = [...model.history, ...event.history].slice(-MAX_POINTS);
  if (event.pingHistory) {
    model.pingHistory = [...model.pingHistory, ...event.pingHistory].slice(-MAX_RESULTS);
    refresh(showProbes);
  }
  if (event.log) {
    model.log = [...model.log, ...event.log].slice(-LOG_LINES_SHOWN);
    refresh(showLog);
  }
  if (event.basicInfo) {
    model.basicInfo = event.basicInfo;
    refresh(showMachine);
  }
  if (event.tasks) {
    model.tasks = event.tasks;
    refresh(showProbes);
  }
  if (event.commandResult) {
    model.commandResult = event.commandResult;
    refresh(showResult);
  }
  if (event.faults) model.faults = event.faults;
  if (event.fault !== undefined) {
    model.fault = event.fault;
    refresh(showFault);
  }
  if (event.violations) {
    model.violations = [...model.violations, ...event.violations].slice(-VIOLATIONS_SHOWN);
  }
  if (event.counts) model.counts = event.counts;
  refresh(showReport, showContract, showPresence, showPlots);
}

if (isChinese) {
  for (const element of document.querySelectorAll("[data-zh]")) {
    element.textContent = element.dataset.zh;
  }
}
buildTiles();
buildPlots();
buildMachine();
buildRemoteControl();
followLog();
showPlots();

const events = new EventSource("/demo/events");
events.onopen = () => {
  model.connected = true;
  refresh(showPresence);
};
events.onmessage = (message) => receive(JSON.parse(message.data));
events.onerror = () => {
  model.connected = false;
  refresh(showPresence);
};
setInterval(() => refresh(showPresence, showPlots), 1000);
addEventListener("resize", () => refresh(showPlots));
