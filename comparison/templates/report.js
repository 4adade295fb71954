"use strict";
// Draws the charts, again when the colour scheme changes, and in light colours for paper.
(() => {
  const charts = JSON.parse(document.getElementById("charts").textContent);
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const draw = (theme, size = {}) => {
    const drawn = [...document.querySelectorAll("[data-chart]")].map((place) => {
      const { data, layout } = charts[place.dataset.chart][theme];
      const config = { displayModeBar: false, responsive: true, doubleClick: false };
      return Plotly.react(place, data, { ...layout, ...size }, config);
    });
    Promise.all(drawn).then(() => { document.documentElement.dataset.charts = theme; });
  };
  const redraw = () => draw(dark.matches ? "dark" : "light");
  dark.addEventListener("change", redraw);
  // A4 and Letter in portrait both hold that width.
  addEventListener("beforeprint", () => draw("light", { autosize: false, width: 640 }));
  addEventListener("afterprint", redraw);
  redraw();
})();
