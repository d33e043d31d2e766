// Mouse, fingers and wheel: move, zoom, wipe.

const pointers = new Map(); // id → {x, y}: touching fingers, or the pressed mouse button
let wiping = false;

function place(event, box) {
  const rect = box.getBoundingClientRect();
  return [event.clientX - rect.left - rect.width / 2, event.clientY - rect.top - rect.height / 2];
}

function tileOf(box) {
  if (box === el.wipeview) return tiles.get(ui.a);
  for (const tile of tiles.values()) if (tile.view === box) return tile.fw ? tile : largest();
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
  if (box === el.wipeview) ui.current = sides()[Number(px / size.w + 0.5 > ui.wipe)].id;
  else ui.current = [...tiles.values()].find((one) => one.view === box).id;
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
  if (view.zoom > 1.01) actNamed("fit");
  else zoomBy(Math.max(limits().one, 4), ...place(event, box), tile);
});

el.handle.addEventListener("keydown", (event) => {
  const steps = { ArrowLeft: -0.02, ArrowDown: -0.02, ArrowRight: 0.02, ArrowUp: 0.02, PageDown: -0.1, PageUp: 0.1, Home: -1, End: 1 };
  if (event.shiftKey || !(event.key in steps)) return;
  ui.wipe = clamp(ui.wipe + steps[event.key], 0, 1);
  event.preventDefault();
  event.stopPropagation();
  schedule();
});
