"use strict";
// Draws the charts, again when the colour scheme changes, and in light colours for paper; computes the cost again.
(() => {
  const charts = JSON.parse(document.getElementById("charts").textContent);
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const config = { displayModeBar: false, responsive: true, doubleClick: false };
  let curve = null;  // of the visitor's own use; until then the chart is as Python drew it

  const figure = (name, theme) => {
    const { data, layout } = charts[name][theme];
    if (name !== "break_even" || !curve) return { data, layout };
    const line = (trace, i) => ({ ...trace, x: curve.points.map((p) => p[0]), y: curve.points.map((p) => p[i + 1]) });
    const use = (trace, i) => ({ ...trace, x: [curve.x], y: [curve.at[i - Cost.sides.length]] });
    const top = Math.max(...curve.points.flatMap((p) => p.slice(1)), ...curve.at);
    return {
      data: data.map((trace, i) => (i < Cost.sides.length ? line : use)(trace, i)),
      layout: {
        ...layout,
        xaxis: { ...layout.xaxis, title: { ...layout.xaxis.title, text: curve.label }, range: [0, curve.end] },
        yaxis: { ...layout.yaxis, range: [0, top * 1.05 || 1] },
      },
    };
  };
  const drawOne = (place, theme, size = {}) => {
    const { data, layout } = figure(place.dataset.chart, theme);
    return Plotly.react(place, data, { ...layout, ...size }, config);
  };
  const places = [...document.querySelectorAll("[data-chart]")];
  const draw = (theme, size = {}) => {
    const drawn = places.filter((place) => place.getClientRects().length).map((place) => drawOne(place, theme, size));
    Promise.all(drawn).then(() => { document.documentElement.dataset.charts = theme; });
  };
  const scheme = () => (dark.matches ? "dark" : "light");
  const redraw = () => draw(scheme());
  dark.addEventListener("change", redraw);
  // A chart within something closed has no size yet.
  document.addEventListener("toggle", (event) => {
    event.target.querySelectorAll("[data-chart]").forEach((place) => drawOne(place, scheme()));
  }, true);
  // A4 and Letter in portrait both hold that width; paper opens nothing, so what is closed is opened before.
  addEventListener("beforeprint", () => {
    document.querySelectorAll("details.printed").forEach((details) => { details.open = true; });
    draw("light", { autosize: false, width: 640 });
  });
  addEventListener("afterprint", redraw);
  // A link into something closed opens it.
  const reveal = () => {
    const details = location.hash && document.getElementById(location.hash.slice(1))?.querySelector(":scope > details");
    if (details) details.open = true;
  };
  addEventListener("hashchange", reveal);
  reveal();
  redraw();

  const form = document.getElementById("cost-inputs");
  if (!form || !Cost) return;
  const error = document.getElementById("cost-error");
  const read = () => {
    const values = {};
    for (const [name, { label, scale, optional, maximum }] of Object.entries(Cost.inputs)) {
      const text = form.elements[name].value.trim();
      const value = Number(text) * scale;
      if (text === "" && optional && !form.elements[name].validity.badInput) {
        values[name] = null;
      } else if (text === "" || !(value >= 0 && value <= maximum)) {
        return { wrong: `${label}: must be a number from 0 to ${(maximum / scale).toLocaleString("en")}` };
      } else {
        values[name] = value;
      }
    }
    return { values };
  };
  const update = () => {
    const { values, wrong } = read();
    error.hidden = !wrong;
    error.textContent = wrong ?? "";
    if (wrong) return;
    const usage = Cost.usageOf(values);
    const along = form.elements.axis.value;
    const serving = form.elements.serving.checked;
    const totals = { true: Cost.totals(usage, true), false: Cost.totals(usage, false) };
    document.querySelectorAll("[data-money]").forEach((place) => {
      const [period, with_endpoint, side] = place.dataset.money.split(" ");
      place.textContent = Cost.shown(totals[with_endpoint][period][side]);
    });
    const month = Cost.drivers(usage).month;
    document.querySelectorAll("[data-line]").forEach((place) => {
      place.textContent = Cost.dollars(Cost.amount(Cost.estimate.lines[place.dataset.line], month));
    });
    const { points, words } = Cost.breakEven(usage, along, serving);
    document.getElementById("cost-words").textContent = words;
    curve = { points, x: usage[along], at: Cost.costs(usage, serving), label: Cost.axes[along].label, end: points.at(-1)[0] };
    drawOne(document.querySelector("[data-chart=break_even]"), scheme());
  };
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("input", (event) => {
    if (event.target.name === "axis") form.elements.serving.checked = Cost.axes[event.target.value].serving;
    update();
  });
})();
