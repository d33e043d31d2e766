// Maps in place of the pictures: the difference to the reference, or SSIM. Colours are those of gansr/ui/render.py.

const DIVERGING = [[33, 102, 171], [145, 196, 222], [247, 247, 247], [245, 166, 130], [179, 23, 43]];
const SEQUENTIAL = [[0, 0, 5], [82, 18, 122], [217, 71, 71], [252, 173, 56], [252, 255, 191]];
const NOT_COVERED = 0xff808080; // ABGR of a pixel that only one of the two pictures covers
const MAPS = {
  signed: {
    title: "Signed difference",
    colours: DIVERGING,
    help: "blue is darker, red is brighter; mean over RGB",
    mean: (value) => `mean signed difference ${signed(value)} of 255`,
  },
  absolute: {
    title: "Absolute difference",
    colours: SEQUENTIAL,
    help: "brighter is a larger difference; mean over RGB",
    mean: (value) => `mean absolute difference ${signed(value)} of 255`,
  },
  ssim: {
    title: "SSIM",
    colours: SEQUENTIAL,
    help: "1 is equal structure; 11×11 px Gaussian window, on luma",
    mean: (value) => `SSIM ${value.toFixed(4)}`,
  },
};

function reference(url) {
  if (!references.has(url)) {
    const image = new Image();
    image.src = address(url);
    references.set(url, image.decode().then(() => image));
  }
  return references.get(url);
}

// What `tile` is compared with: {url, image, tile}, image being a promise; null where there is nothing, or not yet.
function referenceOf(tile) {
  if (!ui.map || !tile.width) return null;
  if (ui.reference.startsWith("tile:")) {
    const other = tiles.get(ui.reference.slice(5));
    return other && other.width && other !== tile ? { url: other.url, image: Promise.resolve(other.img), tile: other } : null;
  }
  const url = tile.data[ui.reference] || value[ui.reference];
  if (!url || url === tile.url) return null;
  const same = [...tiles.values()].find((other) => other.url === url);
  return { url, image: reference(url), tile: same || null };
}

function isReference(tile) {
  const url = tile.data[ui.reference] || value[ui.reference];
  return ui.reference === `tile:${tile.id}` || Boolean(tile.url && url === tile.url);
}

// How far the reference is moved against the tile, in shares of the picture.
function shift(tile, other) {
  const [u, v] = other && other.width ? [other.dx / other.width, other.dy / other.height] : [0, 0];
  return [u - tile.dx / tile.width, v - tile.dy / tile.height];
}

// Names the map that `tile` should show, without its colours; "" for none.
function basisOf(tile) {
  const other = referenceOf(tile);
  return other ? [ui.map, tile.url, other.url, ...shift(tile, other.tile)].join(" ") : "";
}

function keyOf(tile) {
  const basis = basisOf(tile);
  return basis && `${basis} ${ui.scale}`;
}

// Draw what is missing, one map after another; what changes meanwhile is drawn anew.
let drawing = false;
async function drawMaps() {
  for (const tile of tiles.values()) {
    if (!keyOf(tile)) {
      Object.assign(tile, { map: null, mapKey: "" });
      unpaint(tile);
    }
    writeFound(tile);
  }
  if (drawing) return;
  drawing = true;
  for (let tile; (tile = [...tiles.values()].find((one) => keyOf(one) && one.mapKey !== keyOf(one))); ) {
    const [basis, key] = [basisOf(tile), keyOf(tile)];
    try {
      if (!tile.map || tile.map.basis !== basis) tile.map = { basis, ...(await compare(tile)) };
      if (keyOf(tile) === key && !tile.map.problem) paint(tile);
      await new Promise(requestAnimationFrame);
    } catch (error) {
      unpaint(tile);
      tile.map = { basis, problem: `No ${MAPS[ui.map] ? MAPS[ui.map].title : "map"}: ${error.message || "the browser failed"}` };
    }
    if (basis === basisOf(tile)) tile.mapKey = key;
    writeFound(tile);
  }
  drawing = false;
}

// The values of a tile's map: {values, mean, w, h, box}. The browser scales the reference to the tile's size.
async function compare(tile) {
  const [kind, other] = [ui.map, referenceOf(tile)];
  const scale = Math.min(1, Math.sqrt(MAX_READ / (tile.width * tile.height)));
  const [w, h] = [Math.round(tile.width * scale), Math.round(tile.height * scale)];
  const [left, top] = shift(tile, other.tile).map((share, axis) => Math.round(1e4 * share * [w, h][axis]) / 1e4);
  const [x, y] = [Math.ceil(Math.max(0, left)), Math.ceil(Math.max(0, top))];
  const box = [x, y, Math.floor(Math.min(w, w + left)) - x, Math.floor(Math.min(h, h + top)) - y];
  if (Math.min(box[2], box[3]) < (kind === "ssim" ? 11 : 1)) throw new Error("the pictures overlap too little");
  const two = pixelsOf(await other.image, left, top, w, h, box);
  const one = pixelsOf(tile.img, 0, 0, w, h, box);
  if (!one.length || !two.length) throw new Error("the browser does not allow reading the pictures");
  const found = kind === "ssim" ? await ssim(one, two, box[2], box[3]) : difference(one, two, kind === "absolute");
  return { ...found, w, h, box };
}

// The mean over RGB of one − two, or of |one − two|, in steps of 255.
function difference(one, two, absolute) {
  const values = new Float32Array(one.length / 4);
  let sum = 0;
  for (let i = 0, p = 0; i < values.length; i++, p += 4) {
    const r = one[p] - two[p];
    const g = one[p + 1] - two[p + 1];
    const b = one[p + 2] - two[p + 2];
    values[i] = (absolute ? Math.abs(r) + Math.abs(g) + Math.abs(b) : r + g + b) / 3;
    sum += values[i];
  }
  return { values, mean: sum / values.length };
}

// 256 colours between the stops, as ABGR.
function colourTable(stops) {
  return Uint32Array.from({ length: 256 }, (_, index) => {
    const place = (index / 255) * (stops.length - 1);
    const below = Math.min(Math.floor(place), stops.length - 2);
    const [r, g, b] = stops[below].map((from, c) => Math.round(from + (place - below) * (stops[below + 1][c] - from)));
    return ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0;
  });
}

function paint(tile) {
  const { values, w, h, box } = tile.map;
  const [x, y, across, down] = box;
  const colours = colourTable(MAPS[ui.map].colours);
  const [zero, one] = ui.map === "ssim" ? [0, 1] : ui.map === "signed" ? [-ui.scale, ui.scale] : [0, ui.scale];
  const picture = new ImageData(w, h);
  const pixels = new Uint32Array(picture.data.buffer).fill(NOT_COVERED);
  for (let row = 0, i = 0; row < down; row++) {
    for (let at = (y + row) * w + x, end = at + across; at < end; at++, i++) {
      pixels[at] = colours[Math.round(255 * clamp((values[i] - zero) / (one - zero), 0, 1))];
    }
  }
  if (!tile.canvas) {
    tile.canvas = make("canvas", { role: "img" });
    tile.layer.append(tile.canvas);
  }
  if (tile.canvas.width !== w || tile.canvas.height !== h) [tile.canvas.width, tile.canvas.height] = [w, h];
  tile.canvas.setAttribute("aria-label", `${MAPS[ui.map].title} to ${referenceTitle()}`);
  tile.canvas.getContext("2d").putImageData(picture, 0, 0);
  Object.assign(tile.canvas.dataset, { map: ui.map, scale: ui.scale });
}

function unpaint(tile) {
  if (tile.canvas) tile.canvas.remove();
  tile.canvas = null;
}

function writeFound(tile) {
  const there = tile.map && tile.map.basis === basisOf(tile) ? tile.map : null;
  let text = "";
  if (ui.map && tile.width && isReference(tile)) text = "reference";
  else if (there && there.problem) text = there.problem;
  else if (there) text = MAPS[ui.map].mean(there.mean);
  if (tile.found.textContent !== text) tile.found.textContent = text;
}

// With a minus sign of its width, and none before 0.00.
function signed(number) {
  return (Math.round(100 * number) / 100 || 0).toFixed(2).replace("-", "−");
}

function referenceTitle() {
  const option = el.reference.selectedOptions[0];
  return option ? option.textContent : "";
}

// The colour scale below the pictures.
function writeScale() {
  const kind = MAPS[ui.map];
  el.scalebox.hidden = !ui.map || ui.map === "ssim";
  el.legend.hidden = !kind;
  if (!kind) return;
  const ends = { signed: [`−${ui.scale}`, `+${ui.scale} of 255`], absolute: ["0", `${ui.scale} of 255`], ssim: ["0", "1"] }[ui.map];
  [el.low.textContent, el.high.textContent] = ends;
  el.ramp.style.background = `linear-gradient(to right, ${kind.colours.map((rgb) => `rgb(${rgb.join(",")})`).join(",")})`;
  el.meaning.textContent = `${kind.title} to ${referenceTitle()}: ${kind.help}.`;
  el.scaleout.textContent = `${ui.map === "signed" ? "±" : ""}${ui.scale}`;
  el.scale.setAttribute("aria-valuetext", `${el.scaleout.textContent} steps of 255`);
}
