// Tiles: one per entry of the value, kept while their id stays, so that a new value changes only what differs.

const WORDS = { waiting: "waiting", running: "running", done: "", error: "failed", blocked: "not run" };

function newTile(id) {
  const tile = { id, data: {}, url: "", native: false, dx: 0, dy: 0, mapKey: "" };
  Object.assign(tile, { width: 0, height: 0, fw: 0, fh: 0, read: null, map: null, canvas: null });
  tile.img = make("img", { alt: "", decoding: "sync", draggable: "false" });
  tile.layer = make("div", { class: "gv-layer", hidden: "" }, tile.img);
  tile.slot = make("div", { class: "gv-slot" }, tile.layer);
  tile.wait = make("span");
  tile.note = make("div", { class: "gv-note" }, tile.wait);
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
  tile.head = make("div", { class: "gv-head" }, tile.letter, tile.title);
  [tile.text, tile.measures, tile.moved, tile.found] = ["text", "note", "moved", "found"].map((name) => make("small", { "data-is": name }));
  tile.link = make("a", { hidden: "" }, "PNG ↓");
  tile.other = make("button", { type: "button", class: "gv-native", "aria-pressed": "false", hidden: "" });
  tile.remedy = make("div", { class: "gv-remedy", hidden: "" });
  tile.use = make("select", { class: "gv-use", hidden: "" });
  tile.cap = make("figcaption", { class: "gv-cap" }, tile.link, tile.text, tile.measures, tile.moved, tile.found, tile.other, tile.use);
  tile.figure = make("figure", { class: "gv-tile", "data-tile": id }, tile.head, tile.view, tile.cap);
  tile.img.addEventListener("load", () => loaded(tile));
  tile.img.addEventListener("error", () => {
    tile.text.textContent = "This picture could not be loaded.";
  });
  tile.view.addEventListener("focus", () => (ui.current = id));
  tile.other.addEventListener("click", () => showNative(tile, !tile.native));
  tile.remedy.addEventListener("click", (event) => {
    if (event.target.closest("button")) trigger("select", { tile: id, action: event.target.textContent });
  });
  tile.use.addEventListener("change", () => {
    trigger("select", { tile: id, use: tile.use.value });
    tile.use.value = "";
  });
  return tile;
}

function loaded(tile) {
  const [width, height] = [tile.img.naturalWidth, tile.img.naturalHeight];
  const changed = tile.width !== width || tile.height !== height;
  if (tile.width && changed) {
    tile.dx *= width / tile.width; // the same shift, in pixels of the new picture
    tile.dy *= height / tile.height;
    writeMoved(tile);
  }
  Object.assign(tile, { width, height, read: null });
  tile.layer.hidden = false;
  if (changed) layout();
  drawMaps();
  schedule();
}

function fill(tile, data) {
  const before = tile.data;
  tile.data = data;
  const { title = tile.id, state = "waiting", text = "" } = data;
  const seen = Boolean(data.url);
  const word = WORDS[state] || "";
  const bad = state === "error" || state === "blocked";
  tile.figure.dataset.state = state;
  tile.figure.dataset.pictured = seen ? "1" : "";
  tile.title.textContent = title;
  const line = bad && seen && text ? `${word}: ${text}` : bad ? word : text;
  tile.text.textContent = seen || bad ? line : "";
  const noteText = seen ? "" : text || word;
  if (tile.wait.textContent !== noteText) tile.wait.textContent = noteText;
  tile.note.hidden = seen;
  const home = seen ? tile.cap : tile.note;
  if (tile.remedy.parentNode !== home) home.append(tile.remedy);
  const actions = data.actions || [];
  tile.remedy.hidden = !actions.length;
  if (String(before.actions || []) !== String(actions)) tile.remedy.replaceChildren(...actions.map((text) => make("button", { type: "button" }, text)));
  tile.measures.textContent = (seen && data.note) || "";
  tile.bit.hidden = state !== "running";
  tile.bit.style.transform = `scaleX(${clamp(data.progress || 0, 0, 1)})`;
  tile.link.hidden = !(data.download && seen);
  if (data.download && seen) {
    tile.link.href = address(data.url);
    tile.link.download = data.download;
    tile.link.setAttribute("aria-label", `PNG ↓: download ${title}`);
  }
  tile.use.hidden = !(data.use && seen && USES.length);
  tile.view.setAttribute("aria-label", `${title}: ${seen ? "picture" : text || word}`);
  tile.img.alt = title;
  tile.other.hidden = !(data.native && seen);
  tile.other.textContent = data.native ? data.native.text : "";
  if (!seen || !data.native) tile.native = false;
  showUrl(tile);
  if (data.record && seen && data.url !== before.url) tellOf(data);
  if (before.state && before.state !== state && state !== "running") announce(`${title}: ${word || "done"}. ${text}`);
}

// A finished result: whoever keeps results in this browser hears of it.
function tellOf({ url, record }) {
  window.dispatchEvent(new CustomEvent("gansr-result", { detail: { ...record, url: address(url) } }));
}

// Load the tile's picture, or its native one, unless it is there.
function showUrl(tile) {
  const url = (tile.native ? tile.data.native.url : tile.data.url) || "";
  tile.other.setAttribute("aria-pressed", String(tile.native));
  if (url === tile.url) return;
  tile.url = url;
  if (url) tile.img.src = address(url);
  else {
    tile.img.removeAttribute("src");
    Object.assign(tile, { width: 0, height: 0, fw: 0, fh: 0, dx: 0, dy: 0, read: null });
    tile.layer.hidden = true;
    writeMoved(tile);
  }
}

// The picture as the method gave it, or the one that is compared. Both fill the tile, so the field that is seen stays.
function showNative(tile, on) {
  tile.native = on && Boolean(tile.data.native);
  showUrl(tile);
}

function update(next) {
  value = next && Array.isArray(next.tiles) ? next : { tiles: [], truth: null, input: null };
  const ids = value.tiles.map((data) => String(data.id));
  for (const [id, tile] of [...tiles]) {
    if (ids.includes(id)) continue;
    tile.layer.remove();
    tile.figure.remove();
    for (const extra of [...tile.extras, tile.use]) extra.remove();
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
  el.empty.hidden = tiles.size > 0;
  if (!ui.arranged) ui.mode = value.start || root.dataset.start || "grid";
  choosePair();
  chooseReference();
  const urls = new Set(value.tiles.flatMap((data) => [data.truth, data.input]).concat(value.truth, value.input));
  for (const url of [...references.keys()]) if (!urls.has(url)) references.delete(url);
  arrange();
  drawMaps();
}

function pictured() {
  return [...tiles.values()].filter((tile) => tile.data.url);
}

function titleOf(id) {
  return tiles.has(id) ? tiles.get(id).title.textContent : "";
}

// A and B: the first two pictures, unless the user has chosen.
function choosePair() {
  const ids = pictured().map((tile) => tile.id);
  if (!ids.includes(ui.a) || !ids.includes(ui.b)) ui.chosen = false;
  if (!ui.chosen) [ui.a, ui.b] = [ids[0] || "", ids[1] || ids[0] || ""];
  if (ui.a === ui.b) ui.swapped = false;
  if (!tiles.has(ui.solo)) ui.solo = "";
  for (const select of [el.a, el.b]) options(select, ids.map((id) => [id, titleOf(id)]));
}

// The reference: the original or else the first picture, unless the user has chosen.
function chooseReference() {
  const has = (name) => Boolean(value[name]) || value.tiles.some((data) => data[name]);
  const found = has("truth") ? [["truth", "Original"]] : [];
  for (const tile of pictured()) if (tile.data.url !== value.truth) found.push([`tile:${tile.id}`, titleOf(tile.id)]);
  if (has("input")) found.push(["input", "Your picture"]);
  if (!found.some(([name]) => name === ui.reference)) ui.referenceChosen = false;
  if (!ui.referenceChosen) ui.reference = found.length ? found[0][0] : "";
  options(el.reference, found);
}

function options(select, pairs) {
  const wanted = JSON.stringify(pairs);
  if (select.dataset.has === wanted) return;
  select.dataset.has = wanted;
  select.replaceChildren(...pairs.map(([id, title]) => make("option", { value: id }, title)));
}
