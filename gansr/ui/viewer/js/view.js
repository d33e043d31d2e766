// Zoom, pan and alignment: where each picture is drawn in its tile.

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

// Move one picture against the others, by (dx, dy) of its own pixels. Its file stays as it is.
function alignBy(tile, dx, dy) {
  if (!tile || !tile.width) return say("Point at a picture first, or go to it with Tab.");
  tile.dx += dx;
  tile.dy += dy;
  aligned(tile);
}

function unalign(tile) {
  if (!tile) return;
  [tile.dx, tile.dy] = [0, 0];
  aligned(tile);
}

function aligned(tile) {
  writeMoved(tile);
  announce(`${tile.title.textContent}: ${tile.moved.textContent || "not moved"}`);
  drawMaps();
  schedule();
}

function writeMoved(tile) {
  const [dx, dy] = [tile.dx, tile.dy].map((shift) => String(Math.round(100 * shift) / 100).replace("-", "−"));
  tile.moved.textContent = tile.dx || tile.dy ? `moved ${dx}, ${dy} px` : "";
  writeNames();
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
    const left = size.w / 2 + (tile.dx / tile.width - view.x) * tile.fw * view.zoom;
    const top = size.h / 2 + (tile.dy / tile.height - view.y) * tile.fh * view.zoom;
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
