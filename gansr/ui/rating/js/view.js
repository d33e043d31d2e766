// The blind rating. The files of this folder are joined to the body of gr.HTML's js_on_load, with `element, props,
// trigger, watch` given. They share one scope.
//
// All pictures of a question arrive in one answer of the server as masked bytes of equal length: neither addresses, nor
// sizes, nor the order of loading tell which method made which.
const root = element.querySelector(".rt");
const el = Object.fromEntries([...root.querySelectorAll("[data-el]")].map((node) => [node.dataset.el, node]));
const CANVASES = ["left", "right", "truth", "small"];
const view = { zoom: 1, x: 0.5, y: 0.5 }; // as in the viewer: the point (x, y) of the pictures is in the middle
const MOST_ZOOM = 16;

function make(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, content] of Object.entries(attributes)) node.setAttribute(name, content);
  node.append(...children);
  return node;
}

// The byte stream that the server has added: a hash of the place and the seed (murmur3's last steps), four bytes each.
function unmask({ seed, data }) {
  const bytes = Uint8Array.from(atob(data), (sign) => sign.charCodeAt(0));
  for (let at = 0; at < bytes.length; at += 4) {
    let word = (at / 4 + seed) | 0;
    word = Math.imul(word ^ (word >>> 16), 0x85ebca6b);
    word = Math.imul(word ^ (word >>> 13), 0xc2b2ae35);
    word ^= word >>> 16;
    for (let part = 0; part < 4 && at + part < bytes.length; part += 1) bytes[at + part] ^= (word >>> (8 * part)) & 255;
  }
  return bytes;
}

function draw(canvas, picture) {
  const [width, height] = picture.size;
  const bytes = unmask(picture);
  const pixels = new ImageData(width, height);
  for (let from = 0, to = 0; to < pixels.data.length; from += 3, to += 4) {
    pixels.data.set(bytes.subarray(from, from + 3), to);
    pixels.data[to + 3] = 255;
  }
  Object.assign(canvas, { width, height });
  canvas.getContext("2d").putImageData(pixels, 0, 0);
}

function moved() {
  view.zoom = Math.min(Math.max(view.zoom, 1), MOST_ZOOM);
  const half = 0.5 / view.zoom;
  for (const axis of ["x", "y"]) view[axis] = Math.min(Math.max(view[axis], half), 1 - half);
  const shift = (at) => `${(100 * (0.5 - at * view.zoom)).toFixed(3)}%`;
  for (const name of CANVASES) el[name].style.transform = `translate(${shift(view.x)}, ${shift(view.y)}) scale(${view.zoom})`;
  root.dataset.zoom = view.zoom.toFixed(3);
}

// Zoom by `factor` so that the point under the pointer stays in place.
function zoomAt(event, factor) {
  const box = event.target.closest(".rt-view").getBoundingClientRect();
  const [px, py] = [(event.clientX - box.left) / box.width - 0.5, (event.clientY - box.top) / box.height - 0.5];
  const before = view.zoom;
  view.zoom = Math.min(Math.max(before * factor, 1), MOST_ZOOM);
  view.x += px / before - px / view.zoom;
  view.y += py / before - py / view.zoom;
  moved();
}

const pointers = new Map(); // id → the last event of each finger
el.stage.addEventListener("wheel", (event) => {
  if (!event.target.closest(".rt-view")) return;
  event.preventDefault();
  zoomAt(event, Math.exp(-event.deltaY / 400));
}, { passive: false });
el.stage.addEventListener("dblclick", (event) => event.target.closest(".rt-view") && zoomAt(event, view.zoom > 1 ? 1 / MOST_ZOOM : 3));
el.stage.addEventListener("pointerdown", (event) => event.target.closest(".rt-view") && pointers.set(event.pointerId, event));
el.stage.addEventListener("pointermove", (event) => {
  const last = pointers.get(event.pointerId);
  if (!last) return;
  const box = last.target.closest(".rt-view").getBoundingClientRect();
  if (pointers.size === 2) {
    const other = [...pointers.values()].find((one) => one.pointerId !== event.pointerId);
    const apart = (one) => Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY) || 1;
    zoomAt(last, apart(event) / apart(last));
  } else {
    view.x -= (event.clientX - last.clientX) / box.width / view.zoom;
    view.y -= (event.clientY - last.clientY) / box.height / view.zoom;
    moved();
  }
  pointers.set(event.pointerId, event);
});
for (const name of ["pointerup", "pointercancel"]) window.addEventListener(name, (event) => pointers.delete(event.pointerId));
