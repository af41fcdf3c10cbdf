"use strict";
const root = document.documentElement;
const data = JSON.parse(document.getElementById("data").textContent);
const words = data.words;
// Okabe & Ito's palette, which the colour-blind can tell apart; after eight colours the dash changes.
const palette = { light: ["#0072b2", "#d55e00", "#009e73", "#b45f92", "#8a6d00", "#3b8fc4", "#444444", "#a0522d"],
  dark: ["#56b4e9", "#ff9a4d", "#3fd0a5", "#e6a0c8", "#f0e442", "#9cd3f5", "#d0d0d0", "#d99b6c"] };
const dashes = ["solid", "dash", "dot", "dashdot"];

function theme() { return root.dataset.theme; }
function setTheme(name) {
  root.dataset.theme = name;
  const button = document.getElementById("theme");
  button.textContent = name === "dark" ? words.light : words.dark;
  button.setAttribute("aria-pressed", String(name === "dark"));
}
setTheme(matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
document.getElementById("theme").addEventListener("click", () => { setTheme(theme() === "dark" ? "light" : "dark"); draw(); });

function sortable(table) {
  const heads = [...table.tHead.rows[0].cells];
  // On a phone a row is a card, and each cell says what it is.
  for (const row of table.tBodies[0].rows) [...row.cells].forEach((cell, i) => { cell.dataset.label = heads[i].textContent.trim(); });
  heads.forEach((head, column) => head.firstElementChild.addEventListener("click", () => {
    const down = head.getAttribute("aria-sort") === "ascending";
    heads.forEach((other) => other.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const key = (row) => row.cells[column].dataset.sort ?? row.cells[column].textContent.trim();
    const order = (a, b) => {
      const x = key(a), y = key(b);
      // Rows without a value stay at the end, whichever way the others go.
      if (x === "" || y === "") return (x === "") - (y === "");
      const difference = isNaN(x) || isNaN(y) ? x.localeCompare(y, "en", { numeric: true }) : x - y;
      return down ? -difference : difference;
    };
    table.tBodies[0].append(...[...table.tBodies[0].rows].sort(order));
  }));
}
document.querySelectorAll("table.sortable").forEach(sortable);

function colour(index) { const list = palette[theme()]; return list[index % list.length]; }
function translucent(hex, alpha) {
  const n = parseInt(hex.slice(1), 16);
  return `rgba(${n >> 16},${(n >> 8) & 255},${n & 255},${alpha})`;
}
function layout(extra) {
  const style = getComputedStyle(root);
  const ink = style.getPropertyValue("--ink").trim(), rule = style.getPropertyValue("--rule").trim();
  const narrow = innerWidth < 640;
  const axis = { gridcolor: rule, zerolinecolor: rule, linecolor: rule, automargin: true };
  return { paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", font: { color: ink, size: narrow ? 11 : 13 },
    margin: { l: 10, r: 10, t: 10, b: 10 }, hovermode: "closest", separators: data.separators, ...extra,
    // At the bottom of its chart, which makes room for as many rows as there are.
    legend: { orientation: "h", x: 0, yref: "container", y: 0, yanchor: "bottom" },
    xaxis: { ...axis, ...extra.xaxis }, yaxis: { ...axis, ...extra.yaxis } };
}
// The one button, which comes with the pointer, saves a drawing that scales.
const options = { responsive: true, displaylogo: false, modeBarButtons: [["toImage"]], toImageButtonOptions: { format: "svg", filename: document.title },
  locale: "page", locales: { page: { dictionary: { "Download plot": words.download } } } };
// An axis of what is never negative does not begin below 0, not even where all of it is 0.
function mode(values) { return values.every((v) => v === null || v >= 0) ? "nonnegative" : "normal"; }
// Names that fit: numbers in four digits, the middle left out; never so that two of them look the same.
function fit(names, most) {
  const rounded = (text) => text.replace(/-?\d+\.\d{4,}(e-?\d+)?/g, (n) => String(Number(Number(n).toPrecision(4))));
  const cut = (text) => { const short = rounded(text), half = Math.floor((most - 1) / 2); return short.length > most ? `${short.slice(0, half)}…${short.slice(-half)}` : short; };
  const whole = new Set(names).size;
  for (const told of [names, names.map(rounded), names.map(cut)]) if (told.every((n) => n.length <= most) && new Set(told).size === whole) return told;
  return new Set(names.map(rounded)).size === whole ? names.map(rounded) : names;
}
function shorten(text, most) { return text.length > most ? text.slice(0, most - 1) + "…" : text; }

function fill(select, options) {
  for (const [key, option] of Object.entries(options)) select.add(new Option(option.name, key));
  select.addEventListener("change", draw);
}
const strip = document.getElementById("spread-metric");
const curve = document.getElementById("curves-metric");
if (strip) {
  fill(strip, data.metrics);
  fill(curve, data.curves);
  if ("val/loss" in data.curves) curve.value = "val/loss";
  document.getElementById("curves-log").addEventListener("change", draw);
  document.getElementById("curves-section").hidden = Object.keys(data.curves).length === 0;
  document.getElementById("parallel-section").hidden = !data.parallel;
  document.getElementById("spread-section").hidden = data.groups.length < 2;
}

function drawSpread() {
  const name = strip.value, most = innerWidth < 640 ? 18 : 44;
  const groups = data.groups.filter((g) => g.values[name] && g.values[name].mean !== null);
  const traces = [{ type: "scatter", mode: "markers", name: words.runs, x: [], y: [], marker: { color: translucent(colour(0), 0.45), size: 8 },
    hovertemplate: "%{y}<br>%{x}<extra></extra>" },
  { type: "scatter", mode: "markers", name: words.interval, x: [], y: [], marker: { color: colour(1), size: 11, symbol: "diamond" },
    error_x: { type: "data", symmetric: false, array: [], arrayminus: [], color: colour(1), thickness: 2 }, hovertemplate: `%{y}<br>${words.mean} %{x}<extra></extra>` }];
  groups.forEach((group) => {
    const v = group.values[name];
    v.all.forEach((x) => { traces[0].x.push(x); traces[0].y.push(group.variant); });
    traces[1].x.push(v.mean); traces[1].y.push(group.variant);
    traces[1].error_x.array.push(v.interval ? v.interval[1] - v.mean : 0);
    traces[1].error_x.arrayminus.push(v.interval ? v.mean - v.interval[0] : 0);
  });
  const names = groups.map((g) => g.variant);
  const height = Math.max(260, 120 + 30 * names.length);
  Plotly.react("spread", traces, layout({ height, xaxis: { title: { text: data.metrics[name].name }, rangemode: mode(traces[0].x) },
    yaxis: { autorange: "reversed", categoryorder: "array", categoryarray: names, tickvals: names, ticktext: fit(names, most) } }), options);
}

// One line per series, with a band from its lowest to its highest run.
function lines(series, how) {
  const traces = [], names = fit(series.map((c) => c.name), 40);
  series.forEach((c, i) => {
    const shade = colour(i), dash = dashes[Math.floor(i / palette.light.length) % dashes.length];
    if (c.low && c.runs !== 1) traces.push({ type: "scatter", mode: "lines", x: [...c.x, ...[...c.x].reverse()], y: [...c.high, ...[...c.low].reverse()],
      fill: "toself", fillcolor: translucent(shade, 0.14), line: { width: 0 }, hoverinfo: "skip", showlegend: false, legendgroup: c.name });
    traces.push({ type: "scatter", mode: how.markers ? "lines+markers" : "lines", name: names[i], x: c.x, y: c.mean,
      line: { color: shade, width: 2, dash }, marker: { size: 7 }, legendgroup: c.name,
      hovertemplate: `${c.name.replace(/</g, "&lt;")}<br>${how.x} %{x}: %{y}<extra></extra>` });
  });
  return traces;
}
function rowsOf(series) { return Math.ceil(series.length / (innerWidth < 640 ? 1 : 3)); }

function drawCurves() {
  const name = curve.value;
  if (!name) return;
  const { series, name: title } = data.curves[name];
  const log = document.getElementById("curves-log").checked;
  Plotly.react("curves", lines(series, { x: words.epoch }), layout({ height: 400 + 20 * rowsOf(series), xaxis: { title: { text: words.epoch } },
    yaxis: { title: { text: title }, type: log ? "log" : "linear", rangemode: mode(series.flatMap((c) => c.low || c.mean)) } }), options);
}

const draws = {
  lines(place, c) {
    const traces = lines(c.series, c);
    if (c.diagonal) traces.push({ type: "scatter", mode: "lines", x: [0, 1], y: [0, 1], hoverinfo: "skip", showlegend: false, line: { dash: "dot", width: 1, color: getComputedStyle(root).color } });
    const axis = (title, log) => ({ title: { text: title }, type: log ? "log" : "linear", ...(log ? { exponentformat: "power", dtick: undefined } : {}) });
    Plotly.react(place, traces, layout({ height: 340 + 20 * Math.ceil(c.series.length / (innerWidth < 640 ? 1 : 2)), xaxis: axis(c.x, c.logX), yaxis: axis(c.y === c.title ? "" : c.y, c.logY) }), options);
  },
  heat(place, c) {
    const shades = theme() === "dark" ? [[0, "#1e2329"], [1, "#1f6ea8"]] : [[0, "#f6f4ee"], [1, "#6fb2e0"]];
    const trace = { type: "heatmap", x: c.columns, y: c.rows, z: c.z, text: c.texts, texttemplate: "%{text}", textfont: { color: getComputedStyle(root).getPropertyValue("--ink").trim() }, colorscale: shades,
      colorbar: { thickness: 12 }, hovertemplate: `${c.x} %{x}<br>${c.y} %{y}<br>${c.unit} %{text}<extra></extra>` };
    Plotly.react(place, [trace], layout({ height: 150 + Math.max(140, 44 * c.rows.length), xaxis: { title: { text: c.x }, type: "category", showgrid: false },
      yaxis: { title: { text: c.y }, type: "category", autorange: "reversed", showgrid: false } }), options);
  },
  bars(place, c) {
    const names = c.rows.map((row) => row[0]), ink = getComputedStyle(root).getPropertyValue("--ink").trim();
    const trace = { type: "bar", orientation: "h", y: names, x: c.rows.map((row) => row[1]), marker: { color: translucent(colour(0), 0.75) },
      error_x: { type: "data", symmetric: false, array: c.rows.map((row) => Math.max(0, row[3] - row[1])), arrayminus: c.rows.map((row) => Math.max(0, row[1] - row[2])), color: ink, thickness: 1.5, width: 4 },
      customdata: c.rows.map((row) => [row[2], row[3]]), hovertemplate: "%{y}: %{x}<br>%{customdata[0]} – %{customdata[1]}<extra></extra>" };
    Plotly.react(place, [trace], layout({ height: 110 + 30 * names.length, bargap: 0.35, xaxis: { title: { text: c.x }, rangemode: "tozero" },
      yaxis: { autorange: "reversed", showgrid: false, tickvals: names, ticktext: names.map((n) => shorten(n, innerWidth < 640 ? 20 : 44)) } }), options);
  },
  boundary(place, c) {
    const shades = theme() === "dark" ? [[0, "#1d4f73"], [0.5, "#2a3036"], [1, "#8a4a14"]] : [[0, "#a9cfe6"], [0.5, "#ffffff"], [1, "#f2c19c"]];
    const traces = [{ type: "contour", x: c.x1, y: c.x2, z: c.z, zmin: 0, zmax: 1, colorscale: shades, contours: { start: 0.25, end: 0.75, size: 0.25 },
      line: { width: 1 }, colorbar: { thickness: 12, title: { text: c.unit, side: "right" } }, hovertemplate: `${c.unit} %{z:.3f}<extra></extra>` }];
    c.groups.forEach((g, i) => traces.push({ type: "scatter", mode: "markers", name: g.name, x: g.x, y: g.y, hoverinfo: "name",
      marker: { size: 4, color: colour(i), symbol: i ? "triangle-up" : "circle", opacity: 0.75 } }));
    Plotly.react(place, traces, layout({ height: 400, xaxis: { title: { text: "x₁" }, showgrid: false }, yaxis: { title: { text: "x₂" }, showgrid: false } }), options);
  },
  // Contours side by side, on one scale; a path from the square where it began to the star of the kept weights.
  planes(place, c) {
    const columns = Math.min(c.planes.length, innerWidth < 640 ? 2 : 4), rows = Math.ceil(c.planes.length / columns);
    const all = c.planes.flatMap((p) => p.z.flat()), low = Math.min(...all), high = Math.max(...all), step = (high - low) / 16 || 1;
    const ticks = [-3, -2, -1, 0, 1, 2, 3, 4, 5, 6].flatMap((n) => [1, 2, 5].map((d) => d * 10 ** n)).filter((x) => Math.log10(x) >= low && Math.log10(x) <= high);
    const traces = [], axes = {}, annotations = [];
    c.planes.forEach((p, i) => {
      const n = i ? i + 1 : "", column = i % columns, row = Math.floor(i / columns), ends = { x: [column / columns, (column + 0.94) / columns], y: [1 - (row + 0.9) / rows, 1 - (row + 0.1) / rows] };
      for (const [way, values, other] of [["x", p.a, "y"], ["y", p.b, "x"]]) axes[`${way}axis${n}`] = { domain: ends[way], anchor: `${other}${n}`, range: [values[0], values[values.length - 1]], showgrid: false, zeroline: false, showticklabels: false, ticks: "" };
      const at = { xaxis: `x${n}`, yaxis: `y${n}`, showlegend: false };
      traces.push({ ...at, type: "contour", x: p.a, y: p.b, z: p.z, text: p.z.map((line) => line.map((v) => Number((10 ** v).toPrecision(3)))), zmin: low, zmax: high, colorscale: "Cividis",
        contours: { start: low, end: high, size: step }, line: { width: 0.5, color: "rgba(255,255,255,0.5)" }, showscale: i === 0, hovertemplate: `${c.unit} %{text}<extra></extra>`,
        colorbar: { thickness: 12, title: { text: c.unit, side: "right" }, tickvals: ticks.map(Math.log10), ticktext: ticks.map((x) => String(x).replace(".", data.separators[0])) } });
      if (p.path) {
        traces.push({ ...at, type: "scatter", mode: "lines", x: p.path[0], y: p.path[1], hoverinfo: "skip", line: { color: "#ff7f2a", width: 2.5 } });
        traces.push({ ...at, type: "scatter", mode: "markers", x: [p.path[0][0]], y: [p.path[1][0]], hoverinfo: "skip", marker: { symbol: "square", size: 8, color: "#ffffff", line: { width: 1, color: "#000000" } } });
      }
      traces.push({ ...at, type: "scatter", mode: "markers", x: [0], y: [0], hoverinfo: "skip", marker: { symbol: "star", size: 11, color: "#ffb000", line: { width: 1, color: "#000000" } } });
      annotations.push({ text: shorten(p.name, innerWidth < 640 ? 24 : 40), showarrow: false, xref: "paper", yref: "paper", x: ends.x[0], y: ends.y[1], xanchor: "left", yanchor: "bottom" });
    });
    Plotly.react(place, traces, { ...layout({ height: 30 + rows * (innerWidth < 640 ? 190 : 270), annotations }), ...axes }, options);
  },
};

function drawParallel() {
  const p = data.parallel;
  if (!p) return;
  const columns = [...p.axes.map((key, i) => ({ key, values: p.lines.map((l) => l.settings[i]) })), { key: p.metric, values: p.lines.map((l) => l.mean) }];
  const scales = columns.map(({ values }, last) => {
    const distinct = [...new Set(values)].sort((a, b) => (typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b), "en", { numeric: true })));
    // Settings are spaced evenly (grids are rarely linear); the metric keeps its scale.
    if (last < columns.length - 1) return { at: (v) => (distinct.length > 1 ? distinct.indexOf(v) / (distinct.length - 1) : 0.5), ticks: distinct };
    const low = Math.min(...values), high = Math.max(...values);
    return { at: (v) => (high > low ? (v - low) / (high - low) : 0.5), ticks: [low, high] };
  });
  const title = data.metrics[p.metric].name, up = data.metrics[p.metric].max, last = scales.length - 1;
  const traces = p.lines.map((line) => {
    const row = [...line.settings, line.mean], good = up ? scales[last].at(line.mean) : 1 - scales[last].at(line.mean);
    return { type: "scatter", mode: "lines", x: row.map((_, i) => i), y: row.map((v, i) => scales[i].at(v)), showlegend: false,
      line: { width: 1 + 2.5 * good, color: translucent(colour(good > 0.66 ? 1 : 0), 0.25 + 0.6 * good), shape: "spline", smoothing: 0.6 },
      hovertemplate: `${line.variant.replace(/</g, "&lt;")}<br>${title} ${line.mean}<extra></extra>` };
  });
  const annotations = scales.flatMap((scale, i) => scale.ticks.map((tick) => ({ x: i, y: scale.at(tick), xanchor: i === last ? "left" : "right", xshift: i === last ? 5 : -5,
    text: typeof tick === "number" ? String(Number(tick.toPrecision(4))) : shorten(String(tick), 14), showarrow: false, font: { size: 11 } })));
  const shapes = scales.map((_, i) => ({ type: "line", x0: i, x1: i, y0: 0, y1: 1, line: { width: 1, color: getComputedStyle(root).getPropertyValue("--soft").trim() } }));
  Plotly.react("parallel", traces, layout({ height: 380, annotations, shapes,
    xaxis: { tickvals: columns.map((_, i) => i), ticktext: columns.map((c, i) => (i === last ? title : c.key.split(".").pop())), showgrid: false, zeroline: false, range: [-0.45, last + 0.45], fixedrange: true },
    yaxis: { visible: false, range: [-0.06, 1.06], fixedrange: true } }), options);
}

function draw() {
  if (!window.Plotly) return;
  data.charts.forEach((chart, i) => draws[chart.kind](`chart-${i}`, chart));
  if (strip) { drawSpread(); drawCurves(); drawParallel(); }
  root.dataset.drawn = String(Number(root.dataset.drawn || 0) + 1);
}

async function start() {
  const packed = document.getElementById("plotly");
  if (!packed) return;
  const bytes = Uint8Array.from(atob(packed.textContent), (c) => c.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  const script = document.createElement("script");
  script.textContent = await new Response(stream).text();
  document.head.append(script);
  packed.remove();
  draw();
}
start().catch((error) => {
  document.querySelectorAll(".chart").forEach((chart) => { chart.textContent = `${words.old} (${error.message})`; });
});
