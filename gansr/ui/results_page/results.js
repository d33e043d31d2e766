// The body of gr.HTML's js_on_load, with `element, props, watch, trigger` given; the static site calls it the same way.
// props.value is what gansr.results.contents makes. A dot that is pressed raises "select" with {picture, dataset,
// method, variant}; picture is "" for the dot of a mean.

const root = element.querySelector(".rp");
const el = Object.fromEntries([...root.querySelectorAll("[data-el]")].map((node) => [node.dataset.el, node]));
const SVG = "http://www.w3.org/2000/svg";
const [LEFT, RIGHT, TOP, BOTTOM] = [56, 16, 14, 44]; // px around the plane
const LETTER = 6.6; // px: about the width of one at 12 px
const LINE = 14; // px between names
const COLOURS = [[194, 65, 12], [124, 111, 130], [29, 78, 216]]; // as gansr.results.plane
const [FAR, CLOSE] = [25, 50]; // dB of LR-consistency at the ends of the colours
const LIGHT = { text: "#1f2937", quiet: "#52525b", grid: "#d4d4d8", ground: "#fff" }; // of the downloads
const SHOWN = { // on the page, which may be dark
  text: "var(--body-text-color)", quiet: "var(--rp-quiet)", grid: "var(--border-color-primary)", ground: "var(--body-background-fill)",
};

function make(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, content] of Object.entries(attributes)) node.setAttribute(name, content);
  node.append(...children);
  return node;
}

function draw(tag, attributes = {}, ...children) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, content] of Object.entries(attributes)) node.setAttribute(name, content);
  node.append(...children);
  return node;
}

// ------------------------------------------------------------------------------------------------ the plane

// The dots of what is chosen: [{row, x, y, pictures: [[name, x, y]]}], x and y being [mean, half of the interval].
function dots() {
  const problem = chosen();
  return problem.rows
    .filter((row) => row.axes[el.x.value] && row.axes[el.y.value])
    .map((row) => {
      const [xs, ys] = [row.each[el.x.value], row.each[el.y.value]];
      const pictures = problem.pictures.map((name, index) => [name, xs[index], ys[index]]);
      return { row, x: row.axes[el.x.value], y: row.axes[el.y.value], pictures: pictures.filter(([, a, b]) => a !== null && b !== null) };
    });
}

function ends(found, axis, each) {
  const values = found.flatMap((dot) => [dot[axis][0] - dot[axis][1], dot[axis][0] + dot[axis][1]]);
  if (each) values.push(...found.flatMap((dot) => dot.pictures.map((picture) => picture[axis === "x" ? 1 : 2])));
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const margin = 0.06 * (high - low) || 0.5;
  return [low - margin, high + margin];
}

// 3 to 9 round numbers between the ends.
function ticks([low, high], most) {
  const rough = (high - low) / most;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((times) => times * power).find((size) => size >= rough);
  const found = [];
  for (let n = Math.ceil(low / step - 1e-9); n * step <= high + 1e-9 * step; n++) found.push(Number((n * step).toPrecision(10)));
  return found;
}

function colour(consistency) {
  if (consistency === null) return "rgb(128,128,128)";
  const at = 2 * Math.min(1, Math.max(0, (consistency - FAR) / (CLOSE - FAR)));
  const [low, high] = at < 1 ? [COLOURS[0], COLOURS[1]] : [COLOURS[1], COLOURS[2]];
  const share = at < 1 ? at : at - 1;
  return `rgb(${low.map((from, index) => Math.round(from + share * (high[index] - from))).join(",")})`;
}

function radius(seconds) {
  return Math.min(14, 4 + 2.5 * Math.log10(1 + 10 * Math.max(0, seconds)));
}

// The SVG, `width` px wide, with the colours of `paint`; dots can be pressed if it is `live`.
function picture(width, paint, live) {
  const [found, each] = [dots(), pressed()];
  const height = Math.round(Math.max(300, Math.min(460, 0.62 * width)));
  const [right, bottom] = [width - RIGHT, height - BOTTOM];
  const across = ends(found, "x", each), up = ends(found, "y", each);
  const x = (value) => Math.round(10 * (LEFT + ((value - across[0]) / (across[1] - across[0])) * (right - LEFT))) / 10;
  const y = (value) => Math.round(10 * (bottom - ((value - up[0]) / (up[1] - up[0])) * (bottom - TOP))) / 10;
  const title = `${chosen().title}: ${named(el.x)}, ${named(el.y)}`;
  const svg = draw("svg", { viewBox: `0 0 ${width} ${height}`, width, height, style: "font: 12px system-ui, sans-serif", role: "group", "aria-label": title });
  svg.append(draw("rect", { width, height, fill: paint.ground }));
  for (const value of ticks(across, Math.max(3, width / 110))) {
    svg.append(draw("path", { d: `M${x(value)} ${TOP}V${bottom}`, stroke: paint.grid }));
    svg.append(draw("text", { x: x(value), y: bottom + 16, "text-anchor": "middle", fill: paint.quiet }, String(value)));
  }
  for (const value of ticks(up, 5)) {
    svg.append(draw("path", { d: `M${LEFT} ${y(value)}H${right}`, stroke: paint.grid }));
    svg.append(draw("text", { x: LEFT - 6, y: y(value) + 4, "text-anchor": "end", fill: paint.quiet }, String(value)));
  }
  svg.append(axis(el.x, props.value.higher.includes(el.x.value), { x: (LEFT + right) / 2, y: height - 8 }, paint));
  const middle = (TOP + bottom) / 2;
  svg.append(axis(el.y, false, { x: 12, y: middle, transform: `rotate(-90 12 ${middle})` }, paint));
  const front = (chosen().fronts[`${el.x.value} ${el.y.value}`] || []).map((name) => found.find(({ row }) => row.title === name));
  const line = front.map((dot) => `${x(dot.x[0])},${y(dot.y[0])}`).join(" ");
  svg.append(draw("polyline", { points: line, fill: "none", stroke: paint.quiet, "stroke-dasharray": "4 3", "data-front": front.length }));
  for (const dot of found) svg.append(bars(dot, x, y, paint));
  if (each) for (const dot of found) svg.append(...dot.pictures.map((one) => small(dot, one, x, y, paint, live)));
  const names = placed(found, x, y, width);
  found.forEach((dot, index) => svg.append(large(dot, names[index], x, y, paint, live)));
  return svg;
}

function axis(select, higher, place, paint) {
  return draw("text", { ...place, "text-anchor": "middle", fill: paint.text }, `${named(select)}; better: ${higher ? "→" : "←"}`);
}

function bars({ x: [mx, hx], y: [my, hy] }, x, y, paint) {
  const d = `M${x(mx - hx)} ${y(my)}H${x(mx + hx)}M${x(mx)} ${y(my - hy)}V${y(my + hy)}`;
  return draw("path", { d, stroke: paint.quiet, fill: "none" });
}

// Where names stand: right of the dot or, where there is no room, left of it; below another name that is in the way.
function placed(found, x, y, width) {
  const there = [];
  return found.map(({ row, x: [mx], y: [my] }) => {
    const [wide, gap] = [LETTER * row.title.length, radius(row.seconds) + 5];
    const left = x(mx) + gap + wide > width - 2;
    const start = left ? Math.max(LEFT, x(mx) - gap - wide) : x(mx) + gap;
    let at = y(my) - 4;
    const inWay = () => there.some((one) => Math.abs(one.at - at) < LINE && one.start < start + wide && start < one.end);
    while (inWay()) at += LINE;
    there.push({ at, start, end: start + wide });
    return { x: start, y: at };
  });
}

function large(dot, name, x, y, paint, live) {
  const { row } = dot;
  const circle = draw("circle", { cx: x(dot.x[0]), cy: y(dot.y[0]), r: radius(row.seconds).toFixed(1), fill: colour(row.consistency), stroke: paint.ground });
  const label = draw("text", { ...name, fill: paint.text }, row.title);
  const said = [row.title, `${named(el.x)} ${dot.x[0]} ± ${dot.x[1]}`, `${named(el.y)} ${dot.y[0]} ± ${dot.y[1]}`, `${row.seconds} s`].join(", ");
  return live ? button(said, row, "", 0, circle, label) : draw("g", {}, circle, label);
}

function small({ row }, [name, a, b], x, y, paint, live) {
  const circle = draw("circle", { cx: x(a), cy: y(b), r: 4, fill: colour(row.consistency), stroke: paint.quiet, "stroke-width": 0.7, opacity: 0.8 });
  return live ? button(`${row.title}, ${name}, ${named(el.x)} ${a}, ${named(el.y)} ${b}`, row, name, -1, circle) : circle;
}

function button(label, row, name, tabindex, ...children) {
  const words = { role: "button", tabindex, "aria-label": label, "data-picture": name, "data-row": chosen().rows.indexOf(row) };
  return draw("g", words, draw("title", {}, label), ...children);
}

// ------------------------------------------------------------------------------------------------ the table

function table() {
  const { columns, rows } = chosen();
  const heads = [["Method"], ["n"], ...columns.map(([title, unit]) => [title, make("small", {}, unit)])];
  el.some.querySelector("thead").replaceChildren(make("tr", {}, ...heads.map((words) => make("th", { scope: "col" }, ...words))));
  el.some.querySelector("tbody").replaceChildren(...rows.map((row) => make("tr", {}, make("th", { scope: "row" }, row.title), make("td", {}, String(row.n)), ...row.cells.map(cell))));
}

function cell([mean, half, published]) {
  const ours = half ? `${mean} ± ${half}` : mean || "–";
  return make("td", {}, ours, ...(published ? [make("small", {}, `published ${published}`)] : []));
}

function protocol() {
  const { measured, rows } = chosen();
  const listed = (pairs) => make("dl", {}, ...pairs.flatMap(([name, text]) => [make("dt", {}, name), make("dd", {}, text)]));
  const methods = rows.flatMap((row) => {
    const told = row.published ? [["Published", row.published[0]], ["Published protocol", row.published[1]]] : [];
    return [make("b", {}, row.title), listed([...row.protocol, ...told])];
  });
  el.protocol.replaceChildren(listed(measured), ...methods);
}

// ------------------------------------------------------------------------------------------------ downloads

function save(blob, suffix) {
  const href = URL.createObjectURL(blob);
  const name = chosen().title.replace(/[^A-Za-z0-9]+/g, "-").toLowerCase();
  make("a", { href, download: `gansr-${name}.${suffix}` }).click();
  setTimeout(() => URL.revokeObjectURL(href), 10000);
}

// At a width of 800 px, on white, in English.
function drawing() {
  const svg = picture(800, LIGHT, false);
  svg.setAttribute("xmlns", SVG);
  return new Blob([new XMLSerializer().serializeToString(svg)], { type: "image/svg+xml" });
}

async function png() {
  const href = URL.createObjectURL(drawing());
  const image = new Image();
  image.src = href;
  await image.decode();
  const canvas = make("canvas", { width: 2 * image.width, height: 2 * image.height });
  canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
  URL.revokeObjectURL(href);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
}

async function take(kind) {
  if (kind === "svg") save(drawing(), kind);
  else if (kind === "png") save(await png(), kind);
  else save(new Blob([chosen().texts[kind]], { type: "text/plain" }), kind);
  el.say.textContent = "Downloaded.";
}

// ------------------------------------------------------------------------------------------------ what is chosen

function chosen() {
  return props.value.problems[Number(el.problem.value) || 0];
}

function named(select) {
  return select.selectedOptions[0].textContent;
}

function pressed() {
  return el.each.getAttribute("aria-pressed") === "true";
}

// Dots that are there may have been translated: names in the drawing come from the data.
function plane() {
  const width = Math.floor(el.plane.clientWidth);
  if (width) el.plane.replaceChildren(dots().length ? picture(width, SHOWN, true) : make("p", {}, "No picture has both measures."));
}

function fill(select, options, before) {
  select.replaceChildren(...options.map(([value, title]) => make("option", { value, translate: "no" }, title)));
  if (options.some(([value]) => value === before)) select.value = before;
}

function show() {
  const { problems = [], x = [], y = [] } = props.value || {};
  el.none.hidden = problems.length > 0;
  el.some.hidden = !problems.length;
  if (!problems.length) return;
  fill(el.problem, problems.map((problem, index) => [String(index), problem.title]), el.problem.value);
  fill(el.x, x, el.x.value);
  fill(el.y, y, el.y.value);
  all();
}

function all() {
  el.say.textContent = "";
  plane();
  table();
  protocol();
}

function select(dot) {
  const row = chosen().rows[Number(dot.dataset.row)];
  el.say.textContent = dot.getAttribute("aria-label");
  trigger("select", { picture: dot.dataset.picture, dataset: chosen().dataset, method: row.method, variant: row.variant });
}

function move(dot, by) {
  const there = [...el.plane.querySelectorAll("[role=button]")];
  there[(there.indexOf(dot) + by + there.length) % there.length].focus();
}

el.plane.addEventListener("click", (event) => {
  const dot = event.target.closest("[role=button]");
  if (dot) select(dot);
});
el.plane.addEventListener("keydown", (event) => {
  const dot = event.target.closest("[role=button]");
  if (!dot) return;
  if (event.key === "Enter" || event.key === " ") select(dot);
  else if (event.key === "ArrowRight" || event.key === "ArrowDown") move(dot, 1);
  else if (event.key === "ArrowLeft" || event.key === "ArrowUp") move(dot, -1);
  else return;
  event.preventDefault();
});
for (const one of [el.problem, el.x, el.y]) one.addEventListener("change", all);
el.each.addEventListener("click", () => {
  el.each.setAttribute("aria-pressed", String(!pressed()));
  plane();
});
root.addEventListener("click", (event) => {
  const taken = event.target.closest("[data-take]");
  if (taken) take(taken.dataset.take);
});
let before = 0; // px: a new width is drawn anew; a tab that was closed has none until it is opened
new ResizeObserver(() => {
  if (el.plane.clientWidth === before || el.some.hidden) return;
  before = el.plane.clientWidth;
  plane();
}).observe(el.plane);
watch("value", show);
show();
