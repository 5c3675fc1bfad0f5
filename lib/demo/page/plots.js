// The plots: history of a minute to an hour.

import {
  byId,
  bytes,
  draw,
  duration,
  latency,
  make,
  model,
  NONE,
  nowMs,
  number,
  percent,
  rate,
  resultsOf,
  setText,
  t,
} from "./base.js";

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

const column = (index) => () => model.history.map((point) => [point[0], point[index]]);

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

export function buildPlots() {
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

export function showPlots() {
  for (const plot of plots) showPlot(plot);
}

/** Even steps: of 1, 2 or 5, and of powers of two for bytes. */
function niceStep(rough, { isBinary }) {
  if (isBinary) return 2 ** Math.max(Math.ceil(Math.log2(rough)), 0);
  const power = 10 ** Math.floor(Math.log10(rough));
  return [1, 2, 5, 10].find((factor) => factor * power >= rough * 0.999) * power;
}

/** The top of the value axis, which begins at 0, and its step. */
function valueRange(plot, values) {
  const highest = Math.max(...values, plot.say === percent ? 4 : 1);
  const step = niceStep(highest / 4, plot);
  const top = Math.max(Math.ceil(highest / step), 2) * step;
  return { top: plot.say === percent ? Math.min(top, 100) : top, step };
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
  const { top, step } = valueRange(plot, values);
  const x = (atMs) => box.left + ((atMs - startMs) / (now - startMs)) * (box.right - box.left);
  const y = (value) => box.bottom - (value / top) * (box.bottom - box.top);

  const parts = [];
  for (let value = 0; value <= top * 1.0001; value += step) {
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
