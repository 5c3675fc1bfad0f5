// The table of probes.

import { byId, make, setText } from "./dom.js";
import { model, resultsOf } from "./model.js";
import { isNumber, latency, NONE, number, t } from "./text.js";

const PROBES_SHOWN = 20;

export function showProbes() {
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
