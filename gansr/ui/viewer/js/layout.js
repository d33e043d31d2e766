// Which tiles are shown and where: all of them, one alone, or A over B.

// The tile that is shown alone, if one is. While A and B are swapped it gives way to the other of them.
function alone() {
  if (!tiles.has(ui.solo)) return null;
  return tiles.get(ui.swapped ? (ui.solo === ui.a ? ui.b : ui.a) : ui.solo);
}

// "solo", "wipe" or "grid". There is no wipe before there are two pictures.
function mode() {
  if (alone()) return "solo";
  return ui.mode === "wipe" && ui.a && ui.a !== ui.b ? "wipe" : "grid";
}

// The tiles on the left and on the right of the wipe.
function sides() {
  const pair = [tiles.get(ui.a), tiles.get(ui.b)];
  return ui.swapped ? pair.reverse() : pair;
}

// The tile that a key acts on: the one that was pointed at or focused last.
function current() {
  const now = mode();
  if (now === "solo") return alone();
  if (now === "wipe") return tiles.get(ui.current === ui.a ? ui.a : ui.b);
  return tiles.get(ui.current) || null;
}

function arrange() {
  const now = mode();
  const wipe = now === "wipe";
  const pair = tiles.size ? sides() : [];
  const order = [...tiles.keys()];
  if (ui.swapped) for (const [index, id] of [...tiles.keys()].entries()) order[index] = id === ui.a ? ui.b : id === ui.b ? ui.a : id;
  for (const tile of tiles.values()) {
    const side = wipe ? pair.indexOf(tile) : -1;
    const slot = side < 0 ? tile.slot : [el.slota, el.slotb][side];
    if (tile.layer.parentNode !== slot) slot.append(tile.layer);
    tile.figure.hidden = wipe || (now === "solo" && tile !== alone());
    tile.figure.style.order = order.indexOf(tile.id); // the whole tile moves when A and B are swapped
    const letter = ui.a === ui.b || !tile.data.url ? "" : tile.id === ui.a ? "A" : tile.id === ui.b ? "B" : "";
    tile.letter.textContent = letter;
    const home = wipe && tile.id === ui.a ? el.wipeview : tile.view;
    for (const extra of tile.extras) if (extra.parentNode !== home) home.append(extra);
    placeUse(tile, wipe && pair.includes(tile));
  }
  el.wipebox.hidden = !wipe;
  root.dataset.mode = now;
  writeNames();
  root.dataset.swapped = ui.swapped ? "1" : "";
  root.dataset.map = ui.map;
  root.classList.toggle("gv-pixels", ui.pixels);
  writeControls(now);
  layout();
}

// The menu of a result stands with its tile, or below the wipe; there it says whose it is.
function placeUse(tile, below) {
  const home = below ? el.uses : tile.cap;
  if (tile.use.parentNode !== home) home.append(tile.use);
  const title = tile.title.textContent;
  tile.use.setAttribute("aria-label", `Use ${title} as input of …`);
  options(tile.use, [["", below ? `Use ${title} as input of …` : "Use as input of …"], ...USES]);
}

// The names above the wipe.
function writeNames() {
  if (root.dataset.mode !== "wipe") return;
  const name = (tile) => [tile.title.textContent, tile.moved.textContent].filter(Boolean).join(", ");
  [el.namea.textContent, el.nameb.textContent] = sides().map(name);
}

function writeControls(now) {
  const count = pictured().length;
  for (const [name, node] of Object.entries(buttons)) node.disabled = count < needs(name);
  for (const name of ["a", "b", "map", "reference", "scale"]) el[name].disabled = !count;
  [el.a.value, el.b.value, el.map.value, el.reference.value] = [ui.a, ui.b, ui.map, ui.reference];
  const pressed = { grid: now === "grid", wipe: now === "wipe", swap: ui.swapped, pixels: ui.pixels, lens: ui.lens, full: isFull() };
  for (const [name, on] of Object.entries(pressed)) buttons[name].setAttribute("aria-pressed", String(on));
  buttons.more.setAttribute("aria-expanded", String(root.classList.contains("gv-open")));
  writeScale();
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
  const room = full ? window.innerHeight - el.stage.offsetTop - CAPTION : window.innerHeight * 0.72;
  const grid = root.dataset.mode === "grid";
  const columns = !grid ? 1 : full ? bestColumns(width, room, aspect) : pageColumns(width);
  const w = (width - GAP * (columns - 1)) / columns;
  const rows = grid ? Math.ceil(tiles.size / columns) || 1 : 1;
  const most = full && grid ? Math.max(120, (room - (rows - 1) * CAPTION) / rows) : room;
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
    const side = Math.min((width - GAP * (columns - 1)) / columns, ((room - (rows - 1) * CAPTION) / rows) * aspect);
    if (side > largestSide) [best, largestSide] = [columns, side];
  }
  return best;
}
