// The N-way picture viewer: the body of gr.HTML's js_on_load, with `element, props, trigger, watch` given.
//
// All pictures share one view: `zoom` (1 = the whole picture fits) and the point (x, y) of the picture, in [0,1], at the
// centre. Each picture is fitted into its tile and then transformed, so pictures of different sizes stay aligned and
// moving costs one CSS transform per picture. Canvases are used only for differences and pixel values.
const root = element.querySelector(".gv");
const el = Object.fromEntries([...root.querySelectorAll("[data-el]")].map((node) => [node.dataset.el, node]));
const buttons = Object.fromEntries([...root.querySelectorAll("[data-do]")].map((node) => [node.dataset.do, node]));
const MAX_READ = 4.2e6; // pixels: larger pictures are not read as a whole
const LENS = 4; // magnification of the magnifier
const GAP = 8; // px between tiles, as in viewer.css
const HOLD = 350; // ms: a shorter press of F toggles, a longer one swaps while it lasts

const view = { zoom: 1, x: 0.5, y: 0.5 };
const ui = { mode: root.dataset.start || "grid", a: "", b: "", swapped: false, pixels: false, lens: false, diff: "", gain: 4, wipe: 0.5, chosen: false };
const tiles = new Map(); // id → tile, in the order of the value
const references = new Map(); // url → Promise of its image
let value = { tiles: [], truth: null, input: null };
let size = { w: 0, h: 0 }; // of every tile's view, px
let hover = null; // {u, v}: the point of the picture under the pointer

// ------------------------------------------------------------------------------------------- small tools

function make(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, content] of Object.entries(attributes)) node.setAttribute(name, content);
  node.append(...children);
  return node;
}

function clamp(number, min, max) {
  return Math.min(Math.max(number, min), max);
}

// The absolute URL of a file: its address is relative to the root of the page, which a proxy may have moved.
function address(url) {
  if (!url || /^(data:|blob:|https?:|\/)/.test(url)) return url || "";
  const home = (window.gradio_config && window.gradio_config.root) || "";
  const ours = home.startsWith(location.origin) ? home : location.origin + location.pathname;
  return ours.replace(/\/+$/, "") + "/" + url;
}

// Announce a text to screen readers after `delay` ms; a later announcement replaces one that is still waiting.
let announcement;
function announce(text, delay = 0) {
  clearTimeout(announcement);
  announcement = setTimeout(() => (el.live.textContent = text), delay);
}

// ------------------------------------------------------------------------------------------------- tiles

function newTile(id) {
  const tile = { id, data: {}, width: 0, height: 0, fw: 0, fh: 0, read: null, drawn: "" };
  tile.img = make("img", { alt: "", decoding: "sync", draggable: "false" });
  tile.layer = make("div", { class: "gv-layer", hidden: "" }, tile.img);
  tile.slot = make("div", { class: "gv-slot" }, tile.layer);
  tile.note = make("div", { class: "gv-note" });
  tile.bit = make("div", { class: "gv-bit", hidden: "" });
  tile.lens = make("div", { class: "gv-lens", hidden: "" });
  tile.cross = make("div", { class: "gv-cross", hidden: "" });
  tile.swatch = make("b");
  tile.number = make("span");
  tile.rgb = make("div", { class: "gv-rgb", hidden: "" }, tile.swatch, tile.number);
  tile.extras = [tile.lens, tile.cross, tile.rgb];
  tile.view = make("div", { class: "gv-view", tabindex: "0", role: "group" }, tile.slot, tile.note, tile.bit, ...tile.extras);
  tile.letter = make("i");
  tile.title = make("b");
  tile.text = make("small");
  tile.measures = make("small");
  tile.link = make("a", { hidden: "" }, "PNG ↓");
  tile.cap = make("figcaption", { class: "gv-cap" }, tile.link, tile.letter, tile.title, tile.text, tile.measures);
  tile.figure = make("figure", { class: "gv-tile", "data-tile": id }, tile.view, tile.cap);
  tile.img.addEventListener("load", () => loaded(tile));
  tile.img.addEventListener("error", () => {
    tile.text.textContent = "This picture could not be loaded.";
  });
  return tile;
}

function loaded(tile) {
  const changed = tile.width !== tile.img.naturalWidth || tile.height !== tile.img.naturalHeight;
  [tile.width, tile.height] = [tile.img.naturalWidth, tile.img.naturalHeight];
  [tile.read, tile.far, tile.drawn] = [null, null, ""];
  tile.layer.hidden = false;
  if (changed) layout();
  differ();
  schedule();
}

function fill(tile, data) {
  const before = tile.data;
  tile.data = data;
  const { title = tile.id, state = "waiting", text = "" } = data;
  const pictured = Boolean(data.url);
  tile.figure.dataset.state = state;
  tile.figure.dataset.pictured = pictured ? "1" : "";
  tile.title.textContent = title;
  const inside = !pictured || state === "error" || state === "blocked";
  tile.text.textContent = inside ? { waiting: "", running: "", done: "", error: "failed", blocked: "not run" }[state] || "" : text;
  tile.note.replaceChildren(...(inside && text ? [make("span", {}, text)] : []));
  if (data.action) {
    const remedy = make("button", { type: "button" }, data.action);
    remedy.addEventListener("click", () => trigger("select", { tile: tile.id, action: data.action }));
    tile.note.append(remedy);
  }
  tile.measures.textContent = data.note || "";
  tile.bit.hidden = state !== "running";
  tile.bit.style.transform = `scaleX(${clamp(data.progress || 0, 0, 1)})`;
  tile.link.hidden = !data.download;
  if (data.download) {
    tile.link.href = address(data.url);
    tile.link.download = data.download;
    tile.link.setAttribute("aria-label", `PNG ↓: download ${title}`);
  }
  tile.view.setAttribute("aria-label", `${title}: ${pictured ? "picture" : text || state}`);
  tile.img.alt = title;
  if (data.url !== before.url) {
    if (pictured) tile.img.src = address(data.url);
    else {
      tile.img.removeAttribute("src");
      [tile.layer.hidden, tile.width, tile.height, tile.read, tile.drawn] = [true, 0, 0, null, ""];
    }
  }
  if (before.state && before.state !== state && state !== "running") announce(`${title}: ${state}. ${text}`);
}

function update(next) {
  value = next && Array.isArray(next.tiles) ? next : { tiles: [], truth: null, input: null };
  const ids = value.tiles.map((data) => String(data.id));
  for (const [id, tile] of [...tiles]) {
    if (ids.includes(id)) continue;
    tile.layer.remove();
    tile.figure.remove();
    tiles.delete(id);
  }
  const kept = new Map(tiles);
  tiles.clear();
  value.tiles.forEach((data, index) => {
    const id = ids[index];
    const tile = kept.get(id) || newTile(id);
    tiles.set(id, tile);
    fill(tile, data);
    if (el.stage.children[index + 2] !== tile.figure) el.stage.insertBefore(tile.figure, el.stage.children[index + 2] || null);
  });
  if (!tiles.has(ui.a) || !tiles.has(ui.b)) ui.chosen = false;
  if (!ui.chosen) {
    const pictured = ids.filter((id) => tiles.get(id).data.url);
    ui.a = pictured[0] || ids[0] || "";
    ui.b = [...pictured, ...ids].find((id) => id !== ui.a) || ui.a;
  }
  for (const select of [el.a, el.b]) options(select, [...tiles.values()].map((tile) => [tile.id, tile.title.textContent]));
  const has = (name) => Boolean(value[name]) || value.tiles.some((data) => data[name]);
  const found = [["", "off"], ...(has("truth") ? [["truth", "to the original"]] : []), ...(has("input") ? [["input", "to the input"]] : [])];
  options(el.diff, found);
  if (!found.some(([name]) => name === ui.diff)) ui.diff = "";
  el.empty.hidden = tiles.size > 0;
  const urls = new Set(value.tiles.flatMap((data) => [data.truth, data.input]).concat(value.truth, value.input));
  for (const url of [...references.keys()]) if (!urls.has(url)) references.delete(url);
  arrange();
  differ();
}

function options(select, pairs) {
  const wanted = JSON.stringify(pairs);
  if (select.dataset.has === wanted) return;
  select.dataset.has = wanted;
  select.replaceChildren(...pairs.map(([id, title]) => make("option", { value: id }, title)));
}

// ------------------------------------------------------------------------------------- arrangement, layout

// Moves each picture to where it is shown: its own tile, the tile it is swapped with, or one side of the wipe.
function arrange() {
  const wipe = ui.mode === "wipe" && tiles.size > 1;
  const a = tiles.get(ui.a);
  const b = tiles.get(ui.b);
  const seat = (tile, slot) => tile && tile.layer.parentNode !== slot && slot.append(tile.layer);
  for (const tile of tiles.values()) {
    tile.figure.hidden = wipe;
    if (tile === a || tile === b) continue;
    seat(tile, tile.slot);
  }
  if (a && b) {
    const [one, two] = wipe ? [el.slota, el.slotb] : [a.slot, b.slot];
    seat(a, ui.swapped ? two : one);
    seat(b, ui.swapped ? one : two);
  }
  for (const tile of tiles.values()) {
    const shown = ui.swapped && tile === a ? b : ui.swapped && tile === b ? a : tile;
    tile.shows = shown;
    tile.title.textContent = shown.data.title || shown.id;
    tile.letter.textContent = a === b ? "" : shown === a ? "A" : shown === b ? "B" : "";
    const home = wipe ? el.wipeview : tile.view;
    for (const extra of tile.extras) if (wipe ? tile === a : true) home.append(extra);
  }
  el.wipebox.hidden = !wipe;
  if (wipe) {
    el.namea.textContent = a.title.textContent;
    el.nameb.textContent = b.title.textContent;
    el.wipeview.append(el.handle);
  }
  el.a.value = ui.a;
  el.b.value = ui.b;
  el.diff.value = ui.diff;
  el.gainbox.hidden = !ui.diff;
  root.dataset.mode = wipe ? "wipe" : "grid";
  root.dataset.swapped = ui.swapped ? "1" : "";
  root.dataset.diff = ui.diff;
  root.classList.toggle("gv-pixels", ui.pixels);
  const pressed = { grid: !wipe, wipe, swap: ui.swapped, pixels: ui.pixels, lens: ui.lens, full: isFull() };
  for (const [name, on] of Object.entries(pressed)) buttons[name].setAttribute("aria-pressed", String(on));
  for (const name of ["wipe", "swap"]) buttons[name].disabled = tiles.size < 2;
  layout();
}

function largest() {
  let best = null;
  for (const tile of tiles.values()) if (tile.width && (!best || tile.width > best.width)) best = tile;
  return best;
}

function layout() {
  const width = el.stage.clientWidth;
  if (!width) return;
  const first = largest();
  const aspect = clamp(first ? first.width / first.height : 1, 0.6, 2);
  const full = isFull();
  const room = full ? window.innerHeight - el.stage.offsetTop - 40 : window.innerHeight * 0.72;
  const wipe = root.dataset.mode === "wipe";
  let columns = 1;
  if (!wipe) columns = full ? bestColumns(width, room, aspect) : pageColumns(width);
  const w = (width - GAP * (columns - 1)) / columns;
  const rows = wipe ? 1 : Math.ceil(tiles.size / columns) || 1;
  const most = full && !wipe ? Math.max(120, (room - rows * 50) / rows) : room;
  size = { w, h: Math.round(Math.min(w / aspect, most)) };
  el.stage.style.setProperty("--cols", columns);
  el.stage.style.setProperty("--h", `${size.h}px`);
  for (const tile of tiles.values()) {
    if (!tile.width) continue;
    const scale = Math.min(size.w / tile.width, size.h / tile.height);
    [tile.fw, tile.fh] = [tile.width * scale, tile.height * scale];
    tile.layer.style.width = `${tile.fw}px`;
    tile.layer.style.height = `${tile.fh}px`;
  }
  schedule();
}

function pageColumns(width) {
  const most = width < 240 ? 1 : width < 760 ? 2 : tiles.size === 4 ? (width < 1000 ? 2 : 4) : width > 1000 && tiles.size > 6 ? 4 : 3;
  return Math.min(tiles.size, most) || 1;
}

function bestColumns(width, room, aspect) {
  let [best, largestSide] = [1, 0];
  for (let columns = 1; columns <= tiles.size; columns++) {
    const rows = Math.ceil(tiles.size / columns);
    const side = Math.min((width - GAP * (columns - 1)) / columns, ((room - rows * 50) / rows) * aspect);
    if (side > largestSide) [best, largestSide] = [columns, side];
  }
  return best;
}

// ------------------------------------------------------------------------------------------- zoom and pan

function limits() {
  const tile = largest();
  const one = tile ? tile.width / tile.fw : 1; // the zoom at which one picture pixel is one screen pixel
  return { min: Math.min(1, one), max: Math.max(8, 48 * one), one };
}

// Keeps the zoom in its limits and the view inside the picture.
function settle() {
  const tile = largest();
  const { min, max } = limits();
  view.zoom = clamp(view.zoom, min, max);
  if (!tile) return;
  for (const [axis, room, side] of [["x", size.w, tile.fw], ["y", size.h, tile.fh]]) {
    const half = room / (2 * side * view.zoom);
    view[axis] = half >= 0.5 ? 0.5 : clamp(view[axis], half, 1 - half);
  }
}

// Zoom by `factor` around (px, py), in px from the centre of the view: that point of the picture stays in place.
function zoomBy(factor, px = 0, py = 0, tile = largest()) {
  if (!tile || !tile.fw) return;
  const [u, v] = [view.x + px / (tile.fw * view.zoom), view.y + py / (tile.fh * view.zoom)];
  const { min, max } = limits();
  view.zoom = clamp(view.zoom * factor, min, max);
  view.x = u - px / (tile.fw * view.zoom);
  view.y = v - py / (tile.fh * view.zoom);
  moved();
}

function panBy(dx, dy, tile = largest()) {
  if (!tile || !tile.fw) return;
  view.x -= dx / (tile.fw * view.zoom);
  view.y -= dy / (tile.fh * view.zoom);
  moved();
}

let rest;
function moved() {
  settle();
  root.classList.add("gv-moving");
  clearTimeout(rest);
  rest = setTimeout(() => {
    root.classList.remove("gv-moving");
    schedule();
  }, 220);
  schedule();
}

let pending = false;
function schedule() {
  if (pending) return;
  pending = true;
  requestAnimationFrame(render);
}

function render() {
  pending = false;
  settle();
  const [zoom, x, y] = [view.zoom.toFixed(4), view.x.toFixed(5), view.y.toFixed(5)];
  Object.assign(root.dataset, { zoom, x, y });
  root.classList.toggle("gv-zoomed", view.zoom > 1.001);
  for (const tile of tiles.values()) {
    if (!tile.fw) continue;
    const left = size.w / 2 - view.x * tile.fw * view.zoom;
    const top = size.h / 2 - view.y * tile.fh * view.zoom;
    tile.layer.style.transform = `translate(${left.toFixed(2)}px,${top.toFixed(2)}px) scale(${zoom})`;
    Object.assign(tile.img.dataset, { zoom, x, y });
  }
  el.percent.textContent = `${Math.round((100 * view.zoom) / limits().one)} %`;
  if (root.dataset.mode === "wipe") renderWipe();
  renderHover();
}

function renderWipe() {
  const share = clamp(ui.wipe, 0, 1);
  el.slotb.style.clipPath = `inset(0 0 0 ${(100 * share).toFixed(2)}%)`;
  el.slota.style.clipPath = `inset(0 ${(100 * (1 - share)).toFixed(2)}% 0 0)`;
  el.handle.style.transform = `translateX(${(share * size.w).toFixed(1)}px)`;
  el.handle.setAttribute("aria-valuenow", Math.round(100 * share));
  el.handle.setAttribute("aria-valuetext", `${Math.round(100 * share)} % ${el.namea.textContent}`);
}

// --------------------------------------------------------------------- under the pointer: values, magnifier

function renderHover() {
  const wipe = root.dataset.mode === "wipe";
  const still = hover && !pointers.size && hover.u >= 0 && hover.u < 1 && hover.v >= 0 && hover.v < 1;
  const lines = [];
  for (const tile of tiles.values()) {
    const shown = tile.shows || tile;
    const here = Boolean(still && shown.fw && (!wipe || tile.id === ui.a));
    tile.cross.hidden = !here || ui.lens;
    tile.lens.hidden = !(here && ui.lens);
    tile.rgb.hidden = !here || wipe;
    const rgb = still && shown.fw ? valueAt(shown) : null;
    const seen = !wipe || tile.id === ui.a || tile.id === ui.b;
    if (rgb && seen) lines.push(`${shown.data.title || shown.id} ${rgb.join(" ")}`);
    if (!here) continue;
    const left = size.w / 2 + (hover.u - view.x) * shown.fw * view.zoom;
    const top = size.h / 2 + (hover.v - view.y) * shown.fh * view.zoom;
    tile.cross.style.transform = `translate(${Math.round(left)}px,${Math.round(top)}px)`;
    tile.number.textContent = rgb ? rgb.join(" ") : "…";
    tile.swatch.style.background = rgb ? `rgb(${rgb.join(",")})` : "";
    if (ui.lens) renderLens(tile, wipe && left > ui.wipe * size.w ? tiles.get(ui.b).shows : shown, left, top);
  }
  const tile = largest();
  let text = "";
  if (still && tile) {
    const place = `x ${Math.floor(hover.u * tile.width)}, y ${Math.floor(hover.v * tile.height)} of ${tile.width}×${tile.height}`;
    text = `${place} · RGB: ${lines.join(" · ")}`;
  }
  if (el.read.textContent !== text) {
    el.read.textContent = text;
    if (text) announce(text, 900);
  }
}

function renderLens(tile, shown, left, top) {
  const scale = Math.min(view.zoom * LENS, limits().max * 1.5);
  const url = `url("${shown.img.src}")`;
  if (tile.lens.dataset.url !== url) tile.lens.style.backgroundImage = tile.lens.dataset.url = url;
  tile.lens.style.backgroundSize = `${shown.fw * scale}px ${shown.fh * scale}px`;
  tile.lens.style.backgroundPosition = `${62 - hover.u * shown.fw * scale}px ${62 - hover.v * shown.fh * scale}px`;
  tile.lens.style.transform = `translate(${left}px,${top - (hover.touch ? 84 : 0)}px)`;
}

// The 8-bit RGB of a tile at the hovered point; null while it is being read.
function valueAt(tile) {
  const [px, py] = [Math.floor(hover.u * tile.width), Math.floor(hover.v * tile.height)];
  if (tile.width * tile.height > MAX_READ) return oneValue(tile, px, py);
  if (!tile.read) {
    readSoon();
    return null;
  }
  const at = 4 * (py * tile.width + px);
  return tile.read.length ? [...tile.read.subarray(at, at + 3)] : null;
}

const dot = make("canvas", { width: 1, height: 1 }).getContext("2d", { willReadFrequently: true });
function oneValue(tile, px, py) {
  dot.drawImage(tile.img, px, py, 1, 1, 0, 0, 1, 1);
  return [...dot.getImageData(0, 0, 1, 1).data.subarray(0, 3)];
}

// Read one picture per task, so that the page stays responsive.
let reading = false;
function readSoon() {
  if (reading) return;
  reading = true;
  setTimeout(() => {
    reading = false;
    const tile = [...tiles.values()].find((one) => one.width && !one.read && one.width * one.height <= MAX_READ);
    if (tile) tile.read = pixelsOf(tile.img, tile.width, tile.height);
    schedule();
  }, 0);
}

function pixelsOf(image, width, height) {
  const context = make("canvas", { width, height }).getContext("2d", { willReadFrequently: true });
  context.imageSmoothingQuality = "high";
  try {
    context.drawImage(image, 0, 0, width, height);
    return context.getImageData(0, 0, width, height).data;
  } catch {
    return new Uint8ClampedArray(0); // the browser does not allow reading a picture of another site
  }
}

// --------------------------------------------------------------------------------------------- difference

function reference(url) {
  if (!references.has(url)) {
    const image = new Image();
    image.src = address(url);
    references.set(url, image.decode().then(() => image));
  }
  return references.get(url);
}

let differing = false;
async function differ() {
  for (const tile of tiles.values()) {
    const url = ui.diff && tile.width ? tile.data[ui.diff] || value[ui.diff] : "";
    if (!url && tile.canvas) {
      tile.canvas.remove();
      [tile.canvas, tile.far, tile.drawn] = [null, null, ""];
    }
  }
  if (differing || !ui.diff) return;
  differing = true;
  for (let tile; (tile = undrawn()); ) {
    const key = drawnKey(tile);
    try {
      await differOne(tile);
      await new Promise(requestAnimationFrame);
    } catch {
      tile.text.textContent = "The difference could not be computed.";
    }
    tile.drawn = key;
  }
  differing = false;
}

function drawnKey(tile) {
  const url = tile.data[ui.diff] || value[ui.diff];
  return ui.diff && url && tile.width ? `${tile.img.src} ${url} ${ui.gain}` : "";
}

function undrawn() {
  return [...tiles.values()].find((tile) => drawnKey(tile) && tile.drawn !== drawnKey(tile));
}

// |picture − reference| × gain; the browser scales the reference to the picture's size.
async function differOne(tile) {
  const url = tile.data[ui.diff] || value[ui.diff];
  const scale = Math.min(1, Math.sqrt(MAX_READ / (tile.width * tile.height)));
  const [w, h] = [Math.round(tile.width * scale), Math.round(tile.height * scale)];
  const basis = `${tile.img.src} ${url}`;
  if (!tile.far || tile.far.basis !== basis) {
    const other = pixelsOf(await reference(url), w, h);
    const own = scale === 1 ? (tile.read = tile.read || pixelsOf(tile.img, w, h)) : pixelsOf(tile.img, w, h);
    for (let i = 0; i < other.length; i++) other[i] = Math.abs(own[i] - other[i]);
    tile.far = { basis, data: other };
  }
  const picture = new ImageData(w, h);
  const [from, to, gain] = [tile.far.data, picture.data, ui.gain];
  for (let i = 0; i < from.length; i++) to[i] = from[i] * gain;
  for (let i = 3; i < to.length; i += 4) to[i] = 255;
  if (!tile.canvas) {
    tile.canvas = make("canvas", { role: "img", "aria-label": "difference" });
    tile.layer.append(tile.canvas);
  }
  if (tile.canvas.width !== w || tile.canvas.height !== h) [tile.canvas.width, tile.canvas.height] = [w, h];
  tile.canvas.getContext("2d").putImageData(picture, 0, 0);
  tile.canvas.dataset.gain = gain;
}

// ----------------------------------------------------------------------------------------------- commands

const COMMANDS = {
  grid: () => (ui.mode = "grid"),
  wipe: () => (ui.mode = ui.mode === "wipe" ? "grid" : "wipe"),
  swap: () => (ui.swapped = !ui.swapped && tiles.size > 1),
  pixels: () => (ui.pixels = !ui.pixels),
  lens: () => (ui.lens = !ui.lens),
  in: () => zoomBy(1.4),
  out: () => zoomBy(1 / 1.4),
  fit: () => (Object.assign(view, { zoom: 1, x: 0.5, y: 0.5 }), moved()),
  one: () => zoomBy(limits().one / view.zoom),
  diff: () => {
    const names = [...el.diff.options].map((option) => option.value);
    ui.diff = names[(names.indexOf(ui.diff) + 1) % names.length];
  },
  full: () => toggleFull(),
  save: () => saveComparison(),
};
const KEYS = { g: "grid", w: "wipe", p: "pixels", m: "lens", d: "diff", "+": "in", "=": "in", "-": "out", "−": "out", 0: "fit", 1: "one" };
const ARROWS = { ArrowLeft: [1, 0], ArrowRight: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };

function act(name) {
  COMMANDS[name]();
  arrange();
  differ();
}

root.addEventListener("click", (event) => {
  const button = event.target.closest("[data-do]");
  if (button) act(button.dataset.do);
});

for (const name of ["a", "b"]) {
  el[name].addEventListener("change", () => {
    const other = name === "a" ? "b" : "a";
    if (ui[other] === el[name].value) ui[other] = ui[name];
    [ui[name], ui.swapped, ui.chosen] = [el[name].value, false, true];
    arrange();
  });
}

el.diff.addEventListener("change", () => {
  ui.diff = el.diff.value;
  arrange();
  differ();
});

el.gain.addEventListener("input", () => {
  ui.gain = 2 ** Number(el.gain.value);
  el.gainout.textContent = ui.gain.toFixed(ui.gain % 1 ? 1 : 0);
  el.gain.setAttribute("aria-valuetext", `times ${el.gainout.textContent}`);
  differ();
});

let held = 0; // time at which F was pressed; 0: not pressed
root.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("select, input")) return;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (key === "Escape" && root.classList.contains("gv-full")) toggleFull();
  else if (key === "f") {
    if (!event.repeat) {
      held = performance.now();
      act("swap");
    }
  } else if (KEYS[key]) {
    act(KEYS[key]);
    lookAtMiddle();
  } else if (ARROWS[key] && event.target !== el.handle) {
    const [dx, dy] = ARROWS[key];
    panBy(0.1 * dx * size.w, 0.1 * dy * size.h);
    lookAtMiddle();
  } else return;
  event.preventDefault();
});

root.addEventListener("keyup", (event) => {
  if (event.key.toLowerCase() === "f") release();
});
window.addEventListener("blur", () => release());

function release() {
  if (held && performance.now() - held > HOLD && ui.swapped) act("swap");
  held = 0;
}

// With the keyboard, show the pixel values at the centre of the view.
function lookAtMiddle() {
  hover = { u: clamp(view.x, 0, 0.99999), v: clamp(view.y, 0, 0.99999), touch: false };
  schedule();
}

buttons.swap.addEventListener("pointerdown", () => (held = 0));

// ------------------------------------------------------------------------------------------------ pointer

const pointers = new Map(); // id → {x, y}: touching fingers, or the pressed mouse button
let wiping = false;

function place(event, box) {
  const rect = box.getBoundingClientRect();
  return [event.clientX - rect.left - rect.width / 2, event.clientY - rect.top - rect.height / 2];
}

function tileOf(box) {
  if (box === el.wipeview) return tiles.get(ui.a);
  for (const tile of tiles.values()) if (tile.view === box) return tile.shows && tile.shows.fw ? tile.shows : largest();
  return null;
}

function boxOf(event) {
  return event.target.closest && !event.target.closest("button, a") ? event.target.closest(".gv-view") : null;
}

el.stage.addEventListener("pointerdown", (event) => {
  const box = boxOf(event);
  if (!box || event.button > 0) return;
  wiping = event.target === el.handle;
  if (!wiping && pointers.size < 2) pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
  event.target.setPointerCapture(event.pointerId);
  schedule();
});

el.stage.addEventListener("pointermove", (event) => {
  const box = boxOf(event);
  if (!box) return;
  if (wiping) {
    ui.wipe = clamp(place(event, box)[0] / size.w + 0.5, 0, 1);
    schedule();
  } else if (pointers.has(event.pointerId)) drag(event, box);
  else point(event, box);
});

function drag(event, box) {
  const before = [...pointers.values()].map(({ x, y }) => ({ x, y }));
  Object.assign(pointers.get(event.pointerId), { x: event.clientX, y: event.clientY });
  const after = [...pointers.values()];
  const middle = (dots) => dots.reduce((sum, { x, y }) => ({ x: sum.x + x / dots.length, y: sum.y + y / dots.length }), { x: 0, y: 0 });
  const [from, to] = [middle(before), middle(after)];
  const tile = tileOf(box);
  panBy(to.x - from.x, to.y - from.y, tile);
  if (after.length === 2) {
    const apart = (dots) => Math.hypot(dots[0].x - dots[1].x, dots[0].y - dots[1].y) || 1;
    zoomBy(apart(after) / apart(before), ...place({ clientX: to.x, clientY: to.y }, box), tile);
  }
}

function point(event, box) {
  const tile = tileOf(box);
  if (!tile || !tile.fw) return;
  const [px, py] = place(event, box);
  const [u, v] = [view.x + px / (tile.fw * view.zoom), view.y + py / (tile.fh * view.zoom)];
  hover = { u, v, touch: event.pointerType === "touch" };
  schedule();
}

function lift(event) {
  const down = pointers.get(event.pointerId);
  pointers.delete(event.pointerId);
  wiping = false;
  const box = boxOf(event);
  if (down && box && event.type === "pointerup") point(event, box);
  schedule();
}
el.stage.addEventListener("pointerup", lift);
el.stage.addEventListener("pointercancel", lift);
el.stage.addEventListener("pointerleave", (event) => {
  if (event.pointerType === "touch" || pointers.size) return;
  hover = null;
  schedule();
});

el.stage.addEventListener(
  "wheel",
  (event) => {
    const box = boxOf(event);
    const tile = box && tileOf(box);
    if (!tile || !tile.fw) return;
    const delta = event.deltaY * (event.deltaMode === 1 ? 16 : event.deltaMode === 2 ? 400 : 1);
    const { min } = limits();
    if (!event.ctrlKey && delta > 0 && view.zoom <= Math.max(1, min)) return; // fully zoomed out: scroll the page
    event.preventDefault();
    zoomBy(Math.exp(clamp(-delta * (event.ctrlKey ? 0.01 : 0.002), -0.5, 0.5)), ...place(event, box), tile);
  },
  { passive: false },
);

el.stage.addEventListener("dblclick", (event) => {
  const box = boxOf(event);
  const tile = box && tileOf(box);
  if (!tile || event.target === el.handle) return;
  if (view.zoom > 1.01) act("fit");
  else zoomBy(Math.max(limits().one, 4), ...place(event, box), tile);
});

el.handle.addEventListener("keydown", (event) => {
  const steps = { ArrowLeft: -0.02, ArrowDown: -0.02, ArrowRight: 0.02, ArrowUp: 0.02, PageDown: -0.1, PageUp: 0.1, Home: -1, End: 1 };
  if (!(event.key in steps)) return;
  ui.wipe = clamp(ui.wipe + steps[event.key], 0, 1);
  event.preventDefault();
  event.stopPropagation();
  schedule();
});

// ------------------------------------------------------------------------ full screen and comparison image

function isFull() {
  return document.fullscreenElement === root || root.classList.contains("gv-full");
}

async function toggleFull() {
  if (document.fullscreenElement) await document.exitFullscreen();
  else if (root.classList.contains("gv-full") || !root.requestFullscreen) root.classList.toggle("gv-full");
  else await root.requestFullscreen().catch(() => root.classList.add("gv-full"));
  arrange();
}
document.addEventListener("fullscreenchange", () => arrange());

// The visible part of each picture with its name and metrics, in one PNG made by the browser.
function saveComparison() {
  const shown = [...tiles.values()].filter((tile) => tile.fw);
  if (!shown.length) return announce("There are no pictures to save yet.");
  const w = 480;
  const h = Math.round((w * size.h) / size.w);
  const wide = Math.min(shown.length, 6);
  const rows = Math.ceil(shown.length / wide);
  const canvas = make("canvas", { width: wide * (w + GAP) + GAP, height: rows * (h + 64) + GAP });
  const context = canvas.getContext("2d");
  context.fillStyle = "#fff";
  context.fillRect(0, 0, canvas.width, canvas.height);
  shown.forEach((tile, index) => {
    const left = GAP + (index % wide) * (w + GAP);
    const top = GAP + Math.floor(index / wide) * (h + 64);
    drawTile(context, tile, left, top, w, h);
  });
  canvas.toBlob((blob) => {
    const link = make("a", { href: URL.createObjectURL(blob), download: "gansr-comparison.png" });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  }, "image/png");
}

function drawTile(context, tile, left, top, w, h) {
  const scale = (w / size.w) * view.zoom;
  context.save();
  context.beginPath();
  context.rect(left, top, w, h);
  context.clip();
  context.imageSmoothingEnabled = !ui.pixels;
  context.imageSmoothingQuality = "high";
  const source = tile.canvas || tile.img;
  const [x, y] = [left + w / 2 - view.x * tile.fw * scale, top + h / 2 - view.y * tile.fh * scale];
  context.drawImage(source, x, y, tile.fw * scale, tile.fh * scale);
  context.restore();
  context.fillStyle = "#111";
  context.font = "600 20px system-ui, sans-serif";
  context.fillText(tile.data.title || tile.id, left, top + h + 24, w);
  context.font = "15px system-ui, sans-serif";
  context.fillStyle = "#555";
  context.fillText(tile.data.note || tile.data.text || "", left, top + h + 46, w);
}

// -------------------------------------------------------------------------------------------------- start

new ResizeObserver(() => layout()).observe(el.stage);
watch("value", () => update(props.value));
update(props.value);
