// SPDX-License-Identifier: MIT
// Copyright (c) 2026 the OpenSSPI authors
//
// Draws the status page. Asks <path>.json?after=<last sample> every second; the server keeps the
// samples, so neither a reload nor a sleeping tab loses any. Text goes in as text, never as HTML.
"use strict";
(() => {
const SVG = "http://www.w3.org/2000/svg";
const KEEP = 300, WINDOW_MS = 60000;
const byId = id => document.getElementById(id);

// --- Words and numbers ---

const whole = value => Math.round(value).toLocaleString("en-US");
const short = value => value >= 1e6 ? `${+(value / 1e6).toPrecision(3)}M`
  : value >= 1e4 ? `${+(value / 1e3).toPrecision(3)}k`
  : value >= 100 || value === Math.round(value) ? whole(value) : `${+value.toPrecision(2)}`;
const duration = us => us >= 1e6 ? `${+(us / 1e6).toPrecision(3)} s` : us >= 1e3 ? `${+(us / 1e3).toPrecision(3)} ms`
  : `${Math.round(us)} µs`;
const percent = share => share > 0 && share < .001 ? "<0.1 %" : `${+(share * 100).toFixed(1)} %`;
const ago = seconds => seconds === 0 ? "now" : seconds < 60 ? `${seconds} s ago`
  : `${Math.floor(seconds / 60)} min ${seconds % 60} s ago`;
const span = seconds => [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]]
  .map(([size, name], i, all) => [Math.floor((i ? seconds % all[i - 1][0] : seconds) / size), name])
  .filter(([count, name]) => count || name === "s").slice(0, 2).map(part => part.join(" ")).join(" ");

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}
function shape(name, attributes, text) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

// --- What is known ---

let latest = null;           // the last JSON
let next = 0;                // number of the sample that is to come
let samples = [];            // the newest KEEP, as objects
let snapshots = [];          // histograms of about the last minute: {at, calls, delay}
let period = "minute";
let hovered = null;          // samples back from now, or null
let lost = false;

function perSecond(sample, name) { return sample[name] * 1000 / Math.max(1, sample.span_ms); }

function take(json) {
  const rows = json.samples;
  if (!latest || json.started_ms !== latest.started_ms || rows.first > next) {
    samples = [];            // another server, or a gap
    if (!latest || json.started_ms !== latest.started_ms) snapshots = [];
  }
  const names = Object.keys(rows).filter(name => Array.isArray(rows[name]));
  for (let i = 0; i < rows.next - rows.first; i++)
    samples.push(Object.fromEntries(names.map(name => [name, rows[name][i]])));
  samples = samples.slice(-KEEP);
  next = rows.next;
  latest = json;
  snapshots.push({ at: json.uptime_ms, calls: json.library.calls, delay: json.loop.delay });
  while (snapshots.length > 2 && snapshots[1].at <= json.uptime_ms - WINDOW_MS) snapshots.shift();
}

// --- The verdict: the worst of the last ten seconds ---

function judge() {
  const recent = samples.slice(-10), server = latest.server;
  const most = name => Math.max(0, ...recent.map(sample => sample[name]));
  const sum = name => recent.reduce((total, sample) => total + sample[name], 0);
  const rules = [
    [sum("refused") > 0, "overloaded", "calls were refused: the queue was full"],
    [most("wait_p99_us") >= 1 << 20, "overloaded", `handshakes wait ${duration(most("wait_p99_us"))} for a worker`],
    [most("delay_us") >= 50000 && most("busy") < 500, "busy",
      `short of CPU: the event loop is ${duration(most("delay_us"))} late, and has little to do`],
    [most("delay_us") >= 250000, "overloaded", `the event loop is ${duration(most("delay_us"))} late`],
    [sum("timed_out") > 0, "busy", "calls timed out"],
    [server.open >= server.max_connections, "busy", "all places are taken; new clients wait"],
    [most("wait_p99_us") >= 1 << 17, "busy", `handshakes wait ${duration(most("wait_p99_us"))} for a worker`],
    [most("delay_us") >= 50000, "busy", `the event loop is ${duration(most("delay_us"))} late`],
    [sum("failures") > sum("handshakes"), "busy", "more handshakes fail than succeed"],
    [sum("connections") + sum("requests") === 0, "idle", "no requests"],
  ];
  return rules.find(rule => rule[0]) || [true, "healthy", "no call waits long"];
}

function showVerdict() {
  const [, state, reason] = lost ? [true, "lost", "no answer from the server"] : judge();
  document.body.dataset.state = state;
  byId("state").textContent = { lost: "no contact" }[state] || state;
  byId("reason").textContent = reason;
}

// --- Tiles ---

const tiles = [
  { id: "handshakes", label: "Handshakes", unit: "/s", value: s => perSecond(s, "handshakes"), show: short,
    more: json => `${whole(json.server.handshakes)} in all, ${whole(json.server.failures)} failed`,
    level: s => s.failures > s.handshakes ? 2 : s.failures > 0 ? 1 : 0 },
  { id: "requests", label: "Requests", unit: "/s", value: s => perSecond(s, "requests"), show: short,
    more: json => `${whole(json.server.requests)} in all`, level: () => 0 },
  { id: "open", label: "Connections", unit: "open", value: () => latest.server.open, show: short,
    more: json => `room for ${whole(json.server.max_connections)}`,
    level: () => latest.server.open >= latest.server.max_connections ? 1 : 0 },
  { id: "queue", label: "Calls that wait", unit: "", value: s => s.queue_most, show: short,
    more: json => `${json.library.workers} worker${json.library.workers === 1 ? "" : "s"}`,
    level: s => s.refused > 0 ? 2 : s.wait_p99_us >= 1 << 17 ? 1 : 0 },
  { id: "leg", label: "Leg, 99 of 100", unit: "", value: s => s.wait_p99_us + s.run_p99_us,
    show: us => us ? duration(us) : "–",
    more: () => "wait and run, at most", level: s => s.wait_p99_us >= 1 << 20 ? 2 : s.wait_p99_us >= 1 << 17 ? 1 : 0 },
  { id: "delay", label: "Loop late by", unit: "", value: s => s.delay_us, show: duration,
    more: () => `at most; ${(samples.at(-1).busy / 10).toFixed(0)} % busy`,
    level: s => s.delay_us >= 250000 ? 2 : s.delay_us >= 50000 ? 1 : 0 },
];

function makeTiles() {
  for (const tile of tiles) {
    tile.now = element("span");
    tile.sub = element("dd", { class: "more" });
    tile.card = element("div", { class: "tile", id: `tile-${tile.id}` }, element("dl", {},
      element("dt", {}, tile.label),
      element("dd", { class: "now" }, tile.now, " ", element("small", {}, tile.unit)), tile.sub));
    byId("tiles").append(tile.card);
  }
}

function showTiles() {
  const sample = samples.at(-1);
  if (!sample) return;
  for (const tile of tiles) {
    const value = tile.value(sample);
    tile.now.textContent = tile.show(value);
    tile.now.dataset.value = value;
    tile.sub.textContent = tile.more(latest);
    tile.card.className = `tile ${["", "warn", "bad"][tile.level(sample)]}`;
  }
}

// --- Charts over time ---

const charts = [
  { id: "handshakes", title: "Handshakes per second", show: short, series: [
    { label: "done", color: "blue", area: true, rate: true, value: s => perSecond(s, "handshakes") },
    { label: "failed", color: "red", bars: true, value: s => perSecond(s, "failures") }] },
  { id: "queue", title: "Calls that wait", show: short, series: [
    { label: "for a worker", color: "blue", area: true, value: s => s.queue_most },
    { label: "callbacks", color: "orange", value: s => s.callbacks_most },
    { label: "refused", color: "red", bars: true, value: s => s.refused }] },
  { id: "leg", title: "A leg of a handshake", show: duration, log: true, floor: 10, series: [
    { label: "waits, 99 %", color: "blue", value: s => s.wait_p99_us || null },
    { label: "50 %", color: "blue", thin: true, value: s => s.wait_p50_us || null },
    { label: "runs, 99 %", color: "orange", value: s => s.run_p99_us || null },
    { label: "50 %", color: "orange", thin: true, value: s => s.run_p50_us || null }] },
  { id: "requests", title: "Requests per second", show: short, series: [
    { label: "answered", color: "blue", area: true, rate: true, value: s => perSecond(s, "requests") }] },
  { id: "open", title: "Open connections", show: short, series: [
    { label: "open", color: "blue", area: true, value: s => s.open }] },
  { id: "delay", title: "Event loop", show: duration, log: true, floor: 10, series: [
    { label: "late, at most", color: "blue", area: true, value: s => Math.max(1, s.delay_us) }],
    also: { label: "busy", show: s => percent(s.busy / 1000) } },
];

function makeCharts() {
  for (const chart of charts) {
    const legend = element("div", { class: "legend" },
      ...chart.series.map(line => element("span", { class: line.thin ? `${line.color} thin` : line.color }, element("b", {}, line.label))));
    chart.svg = shape("svg", { height: 156, role: "img" });
    chart.card = element("div", { class: "chart", id: `chart-${chart.id}` }, element("h3", {}, chart.title), legend, chart.svg);
    chart.svg.addEventListener("pointermove", event => hover(chart, event));
    chart.svg.addEventListener("pointerdown", event => hover(chart, event));
    chart.svg.addEventListener("pointerleave", () => { hovered = null; byId("tip").hidden = true; showCharts(); });
    byId("charts").append(chart.card);
    new ResizeObserver(() => drawChart(chart)).observe(chart.svg);
  }
}

// A young server has little to show; what there is may take the room.
const shownSeconds = () => [60, 120].find(seconds => samples.length <= seconds) || KEEP;
const LEFT = 46, BOTTOM = 20, TOP = 8;

// Round steps: 1, 2 or 5 times a power of ten, three to five of them.
function linearTicks(most) {
  const top = Math.max(most, 4), rough = top / 4, base = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map(n => n * base).find(n => n >= rough);
  return Array.from({ length: Math.ceil(top / step - 1e-9) + 1 }, (_, i) => i * step);
}

function scaleOf(chart, height) {
  const values = samples.flatMap(sample => chart.series.map(line => line.value(sample) || 0));
  const most = Math.max(1, ...values), room = height - BOTTOM - TOP;
  if (!chart.log) {
    const ticks = linearTicks(most);
    return { ticks, y: value => height - BOTTOM - value / ticks.at(-1) * room };
  }
  const low = Math.log10(chart.floor), high = Math.max(5, Math.ceil(Math.log10(most)));
  const ticks = Array.from({ length: high - low + 1 }, (_, i) => 10 ** (low + i));
  const place = value => (Math.log10(Math.max(value, chart.floor)) - low) / (high - low);
  return { ticks, y: value => height - BOTTOM - place(value) * room };
}

// Five minutes are more points than pixels, so three seconds share one: the mean of what is a rate, else the most. Which
// three depends on the sample's number, or the curve would dance.
function pointsOf(line) {
  const first = next - samples.length, share = shownSeconds() === KEEP ? 3 : 1, points = [];
  for (let i = 0; i < samples.length;) {
    const end = Math.min(samples.length, i + share - (first + i) % share);
    const values = samples.slice(i, end).map(line.value).filter(value => value !== null);
    const value = values.length === 0 ? null : line.rate ? values.reduce((a, b) => a + b) / values.length : Math.max(...values);
    points.push([samples.length - (i + end + 1) / 2, value]);
    i = end;
  }
  return points;
}

function drawSeries(chart, line, x, y, base, parts) {
  const points = pointsOf(line).map(([back, value]) => [x(back), value]);
  if (line.bars) {
    const wide = Math.max(1.5, x(0) - x(1) - .4);
    for (const [at, value] of points.filter(point => point[1] > 0))
      parts.push(shape("rect", { class: `count ${line.color}`, x: at - wide / 2, width: wide, y: y(value), height: Math.max(1, base - y(value)) }));
    return;
  }
  let path = "", pen = "M";
  for (const [at, value] of points) {
    if (value === null) { pen = "M"; continue; }
    path += `${pen}${at.toFixed(1)} ${y(value).toFixed(1)}${pen === "M" ? "h.1" : ""}`; // a lone point is a dot
    pen = "L";
  }
  if (!path) return;
  if (line.area) parts.push(shape("path", { class: "area",
    d: `${path}L${points.at(-1)[0].toFixed(1)} ${base}L${points[0][0].toFixed(1)} ${base}Z` }));
  parts.push(shape("path", { class: `line ${line.color}${line.thin ? " thin" : ""}`, d: path }));
}

function drawChart(chart) {
  const width = chart.svg.clientWidth, height = 156, base = height - BOTTOM;
  if (width < 60) return;
  chart.svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  const shown = shownSeconds(), x = back => width - 4 - back * (width - 4 - LEFT) / (shown - 1);
  const { ticks, y } = scaleOf(chart, height), parts = [];
  for (const tick of ticks) {
    parts.push(shape("line", { class: "grid", x1: LEFT, x2: width - 4, y1: y(tick), y2: y(tick) }));
    parts.push(shape("text", { x: LEFT - 6, y: y(tick) + 4, "text-anchor": "end" }, chart.show(tick)));
  }
  const apart = shown > 120 ? 60 : shown > 60 ? 30 : 15;
  for (let back = 0; back < shown; back += apart)
    parts.push(shape("text", { x: x(back), y: height - 4, "text-anchor": back ? "middle" : "end" },
      back === 0 ? "now" : apart === 60 ? `−${back / 60} min` : `−${back} s`));
  parts.push(shape("line", { class: "axis", x1: LEFT, x2: width - 4, y1: base, y2: base }));
  for (const line of chart.series) drawSeries(chart, line, x, y, base, parts);
  const sample = hovered === null ? null : samples.at(-1 - hovered);
  if (sample) {
    parts.push(shape("line", { class: "cross", x1: x(hovered), x2: x(hovered), y1: TOP, y2: base }));
    for (const line of chart.series.filter(line => line.value(sample) !== null && !line.bars))
      parts.push(shape("circle", { class: `dot ${line.color}`, cx: x(hovered), cy: y(line.value(sample)), r: 3.5 }));
  }
  chart.svg.replaceChildren(...parts);
  const last = samples.at(-1);
  chart.svg.setAttribute("aria-label", `${chart.title}: ${last ? chart.series.map(line =>
    `${line.label} ${line.value(last) === null ? "none" : chart.show(line.value(last))}`).join(", ") : "nothing yet"}`);
  chart.svg.dataset.points = samples.length;
}

function showCharts() { charts.forEach(drawChart); }

// --- Hover ---

function place(event, title, lines) {
  const tip = byId("tip");
  tip.replaceChildren(element("b", {}, title), ...lines.map(([label, value, color]) =>
    element("span", { class: color || "" }, label, element("i", {}, value))));
  tip.hidden = false;
  const left = Math.min(event.pageX + 14, document.documentElement.clientWidth - tip.offsetWidth - 8);
  tip.style.left = `${Math.max(8, left)}px`;
  tip.style.top = `${event.pageY + 16}px`;
}

function hover(chart, event) {
  const box = chart.svg.getBoundingClientRect();
  const back = Math.round((box.right - 4 - event.clientX) * (shownSeconds() - 1) / (box.width - 4 - LEFT));
  const sample = back >= 0 ? samples.at(-1 - back) : undefined;
  hovered = sample ? back : null;
  byId("tip").hidden = true;
  if (sample) {
    const lines = chart.series.map(line => [line.label,
      line.value(sample) === null ? "–" : chart.show(line.value(sample)), line.color]);
    if (chart.also) lines.push([chart.also.label, chart.also.show(sample)]);
    place(event, ago(back), lines);
  }
  showCharts();
}

// --- Histograms ---

const kinds = [["accept_context", "Accept context"], ["delete_context", "Delete context"],
  ["initialize_context", "Initialize context"], ["acquire_credentials", "Acquire credentials"],
  ["free_credentials", "Free credentials"]];
const BUCKETS = 26;          // the last one shown has all above 16 s
let cards = [];

function makeHistograms() {
  const add = (name, title, color, read) => {
    const card = { name, read, color, facts: element("p", { class: "facts" }), svg: shape("svg", { height: 112, role: "img" }) };
    card.box = element("div", { class: "histogram", id: `histogram-${name}` },
      element("header", {}, element("h3", {}, title), card.facts), card.svg);
    card.title = title;
    card.unit = name === "delay" ? "ticks" : "calls";
    byId("histograms").append(card.box);
    card.svg.addEventListener("pointermove", event => hoverBar(card, event));
    card.svg.addEventListener("pointerleave", () => { byId("tip").hidden = true; });
    cards.push(card);
    new ResizeObserver(() => drawHistogram(card)).observe(card.box);
  };
  for (const [kind, title] of kinds) {
    add(`${kind}-wait`, `${title}: waits`, "blue", from => from.calls[kind].queue_wait);
    add(`${kind}-run`, `${title}: runs`, "orange", from => from.calls[kind].run_time);
  }
  add("delay", "Event loop: late", "blue", from => from.delay);
  byId("histograms").append(byId("reading"));
}

function bucketsOf(card) {
  const now = card.read({ calls: latest.library.calls, delay: latest.loop.delay }).bucket;
  const before = period === "all" ? null : card.read(snapshots[0]).bucket;
  return now.map((count, i) => before ? count - before[i] : count);
}

function upTo(buckets, share) {
  const total = buckets.reduce((a, b) => a + b, 0);
  let seen = 0;
  for (let i = 0; i < buckets.length; i++)
    if ((seen += buckets[i]) >= total * share) return 2 ** i;
  return 0;
}

function drawHistogram(card) {
  if (!latest) return;
  const all = bucketsOf(card), total = all.reduce((a, b) => a + b, 0);
  const shown = all.slice(0, BUCKETS);
  shown[BUCKETS - 1] += all.slice(BUCKETS).reduce((a, b) => a + b, 0);
  card.box.dataset.count = total;
  card.box.hidden = card.read({ calls: latest.library.calls, delay: latest.loop.delay }).count === 0;
  const width = card.svg.clientWidth, height = 112, base = height - BOTTOM, most = Math.max(1, ...shown);
  if (width < 60) return;
  const x = bucket => 2 + bucket * (width - 4) / BUCKETS, parts = [];
  card.svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  for (const us of [10, 100, 1e3, 1e4, 1e5, 1e6, 1e7]) {
    const at = x(Math.log2(us) + 1);
    parts.push(shape("line", { class: "grid", x1: at, x2: at, y1: 4, y2: base }),
      shape("text", { x: at, y: height - 4, "text-anchor": "middle" }, duration(us)));
  }
  shown.forEach((count, i) => {
    if (!count) return;
    const tall = Math.max(2, count / most * (base - 6));
    parts.push(shape("rect", { class: `count ${card.color}`, x: x(i) + 1, width: Math.max(1, x(1) - x(0) - 2), y: base - tall, height: tall,
      rx: 1.5, "data-bucket": i, "data-count": count }));
  });
  parts.push(shape("line", { class: "axis", x1: 0, x2: width, y1: base, y2: base }));
  card.svg.replaceChildren(...parts);
  card.shown = shown;
  const figures = total ? [["median", duration(upTo(all, .5))], ["99 of 100", duration(upTo(all, .99))]] : [];
  card.facts.replaceChildren(`${whole(total)} ${card.unit}`, ...figures.flatMap(([label, value]) => [`, ${label} < `, element("b", {}, value)]));
  card.svg.setAttribute("aria-label", `${card.title}: ${card.facts.textContent}`);
}

function hoverBar(card, event) {
  const box = card.svg.getBoundingClientRect();
  const bucket = Math.floor((event.clientX - box.left - 2) / (box.width - 4) * BUCKETS);
  const total = card.shown ? card.shown.reduce((a, b) => a + b, 0) : 0;
  byId("tip").hidden = true;
  if (bucket < 0 || bucket >= BUCKETS || !total) return;
  const range = bucket === 0 ? "below 1 µs" : bucket === BUCKETS - 1 ? `${duration(2 ** (bucket - 1))} and more`
    : `${duration(2 ** (bucket - 1))} to ${duration(2 ** bucket)}`;
  const below = card.shown.slice(0, bucket + 1).reduce((a, b) => a + b, 0);
  place(event, range, [["here", `${whole(card.shown[bucket])} (${percent(card.shown[bucket] / total)})`, card.color],
    ["up to here", percent(below / total)]]);
}

function showHistograms() {
  cards.forEach(drawHistogram);
  const quiet = kinds.filter(([kind]) => latest.library.calls[kind].run_time.count === 0 &&
    latest.library.calls[kind].queue_wait.count === 0).map(([, title]) => title.toLowerCase());
  byId("quiet").textContent = quiet.length ? `No asynchronous call yet: ${quiet.join(", ")}.` : "";
}

// --- Counters ---

const groups = [
  ["Calls so far", [["calls_queued", "accepted"], ["calls_completed", "completed"], ["calls_refused", "refused", true],
    ["calls_cancelled", "cancelled"], ["calls_timed_out", "timed out", true]]],
  ["Callbacks", [["callbacks_run", "run"], ["callbacks_pending", "to come"], ["callbacks_waited", "had to wait"],
    ["spare_workers_released", "spare workers released"]]],
  ["Threads and queue, now", [["workers", "workers"], ["blocking_threads", "blocking threads"], ["queue_depth", "calls that wait"],
    ["calls_abandoned_running", "abandoned, still running", true]]],
  ["Handles, now", [["live_credentials", "credentials"], ["live_contexts", "security contexts"], ["live_async_contexts", "async contexts"],
    ["live_completion_queues", "completion queues"]]],
];

function makeCounters() {
  for (const [caption, rows] of groups)
    byId("counters").append(element("table", {}, element("caption", {}, caption), element("tbody", {},
      ...rows.map(([name, label]) => element("tr", {}, element("th", { scope: "row" }, label),
        element("td", { id: `counter-${name}` }, "–"))))));
}

function showCounters() {
  for (const [, rows] of groups)
    for (const [name, , alarming] of rows) {
      const cell = byId(`counter-${name}`), value = latest.library[name];
      cell.textContent = whole(value);
      cell.dataset.value = value;
      cell.parentElement.className = alarming && value > 0 ? "bad" : "";
    }
}

// --- Going on ---

function show() {
  showVerdict();
  if (!latest) return;
  const server = latest.server;
  byId("about").textContent = `OpenSSPI ${server.version}, port ${server.port}, up ${span(Math.floor(latest.uptime_ms / 1000))}`;
  byId("clock").textContent = `As of ${new Date(latest.time_ms).toLocaleString("sv-SE")}, this browser's time zone.`;
  showTiles();
  showCharts();
  showHistograms();
  showCounters();
  document.body.dataset.next = next;
}

async function poll() {
  try {
    const answer = await fetch(`${location.pathname}.json?after=${next ? next - 1 : ""}`, { cache: "no-store" });
    if (!answer.ok) throw new Error(`${answer.status}`);
    take(await answer.json());
    lost = false;
  } catch {
    lost = true;
  }
  if (latest || lost) show();
  setTimeout(poll, document.hidden ? 5000 : 1000);
}

for (const button of document.querySelectorAll("[data-period]"))
  button.addEventListener("click", () => {
    period = button.dataset.period;
    for (const other of document.querySelectorAll("[data-period]"))
      other.setAttribute("aria-pressed", String(other === button));
    if (latest) showHistograms();
  });

makeTiles();
makeCharts();
makeHistograms();
makeCounters();
poll();
})();
