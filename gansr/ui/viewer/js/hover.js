// Under the pointer: a cross in every picture, its values, and the magnifier.

function renderHover() {
  const wipe = root.dataset.mode === "wipe";
  const still = hover && !pointers.size && hover.u >= 0 && hover.u < 1 && hover.v >= 0 && hover.v < 1;
  const lines = [];
  for (const tile of tiles.values()) {
    const here = Boolean(still && tile.fw && (!wipe || tile.id === ui.a));
    tile.cross.hidden = !here || ui.lens;
    tile.lens.hidden = !(here && ui.lens);
    tile.rgb.hidden = !here || wipe;
    const rgb = still && tile.fw ? valueAt(tile) : null;
    const seen = !wipe || tile.id === ui.a || tile.id === ui.b;
    if (rgb && seen) lines.push(`${tile.title.textContent} ${rgb.join(" ")}`);
    if (!here) continue;
    const left = size.w / 2 + (hover.u - view.x) * tile.fw * view.zoom;
    const top = size.h / 2 + (hover.v - view.y) * tile.fh * view.zoom;
    tile.cross.style.transform = `translate(${Math.round(left)}px,${Math.round(top)}px)`;
    tile.number.textContent = rgb ? rgb.join(" ") : "…";
    tile.swatch.style.background = rgb && rgb.length ? `rgb(${rgb.join(",")})` : "";
    if (ui.lens) renderLens(tile, wipe ? sides()[Number(left > ui.wipe * size.w)] : tile, left, top);
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
  const [u, v] = [hover.u - shown.dx / shown.width, hover.v - shown.dy / shown.height];
  tile.lens.style.backgroundSize = `${shown.fw * scale}px ${shown.fh * scale}px`;
  tile.lens.style.backgroundPosition = `${62 - u * shown.fw * scale}px ${62 - v * shown.fh * scale}px`;
  tile.lens.style.transform = `translate(${left}px,${top - (hover.touch ? 84 : 0)}px)`;
}

// The 8-bit RGB of a tile at the hovered point; null while it is being read or where a moved picture ends.
function valueAt(tile) {
  const [px, py] = [Math.floor(hover.u * tile.width - tile.dx), Math.floor(hover.v * tile.height - tile.dy)];
  if (px < 0 || py < 0 || px >= tile.width || py >= tile.height) return null;
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
    if (tile) tile.read = pixelsOf(tile.img, 0, 0, tile.width, tile.height);
    schedule();
  }, 0);
}

// RGBA of a canvas of w×h px on which `image` is drawn with w×h px, its corner at (left, top); of `box` [x, y, w, h] only.
function pixelsOf(image, left, top, w, h, box = [0, 0, w, h]) {
  const context = make("canvas", { width: w, height: h }).getContext("2d", { willReadFrequently: true });
  context.imageSmoothingQuality = "high";
  try {
    context.drawImage(image, left, top, w, h);
    return context.getImageData(...box).data;
  } catch {
    return new Uint8ClampedArray(0); // the browser does not allow reading a picture of another site
  }
}
