// The body of gr.HTML's js_on_load. props.value is {serial, picture: data URL of the small picture, side: px}. A stroke
// that has changed a pixel raises "select" with {url: the painted picture as the data URL of a PNG}; "Back to the
// original" raises it with {back: true}.

const root = element.querySelector(".retouch");
const el = Object.fromEntries([...root.querySelectorAll("[data-el]")].map((node) => [node.dataset.el, node]));
const paint = el.canvas.getContext("2d", { willReadFrequently: true });
const SIZES = [1, 2, 3, 5, 8, 16]; // px of the small picture
let side = 0;
let first = null; // the pixels of the original
let tool = "brush";
let last = null; // [x, y] of the stroke's last pixel
let changed = false;

async function show() {
  const value = props.value;
  if (!value?.picture) return;
  const image = new Image();
  image.src = value.picture;
  await image.decode();
  if (props.value.serial !== value.serial) return; // another one has come since
  side = el.canvas.width = el.canvas.height = value.side;
  paint.drawImage(image, 0, 0);
  first = paint.getImageData(0, 0, side, side);
  const sizes = SIZES.filter((size) => size <= side / 4 || size === 1);
  el.size.replaceChildren(...sizes.map((size) => new Option(`${size} px`, size)));
  offer();
}

function offer() {
  el.save.href = el.canvas.toDataURL("image/png");
}

function choose(name) {
  tool = name;
  for (const button of root.querySelectorAll("[data-tool]")) button.setAttribute("aria-pressed", String(button.dataset.tool === name));
}

function pixel(event) {
  const box = el.canvas.getBoundingClientRect();
  const edge = el.canvas.clientLeft;
  const place = [event.clientX - box.left - edge, event.clientY - box.top - edge];
  return place.map((at) => Math.floor((at / (box.width - 2 * edge)) * side));
}

// The brush is a square whose middle, or for an even size the pixel after it, is the pointer's pixel.
function dab([x, y]) {
  const size = Number(el.size.value);
  const [left, top] = [x, y].map((at) => at - Math.floor(size / 2));
  if (tool === "erase") paint.putImageData(first, 0, 0, left, top, size, size);
  else {
    paint.fillStyle = el.colour.value;
    paint.fillRect(left, top, size, size);
  }
  changed = true;
}

function line(from, to) {
  const steps = Math.max(1, ...to.map((end, axis) => Math.abs(end - from[axis])));
  for (let n = 1; n <= steps; n++) dab(to.map((end, axis) => Math.round(from[axis] + ((end - from[axis]) * n) / steps)));
}

function pick([x, y]) {
  const [r, g, b] = paint.getImageData(x, y, 1, 1).data;
  el.colour.value = `#${[r, g, b].map((level) => level.toString(16).padStart(2, "0")).join("")}`;
  choose("brush");
}

el.canvas.addEventListener("pointerdown", (event) => {
  if (!first || event.button !== 0 || !event.isPrimary) return;
  event.preventDefault();
  if (tool === "pick") return pick(pixel(event));
  el.canvas.setPointerCapture(event.pointerId);
  last = pixel(event);
  dab(last);
});
el.canvas.addEventListener("pointermove", (event) => {
  if (!last || !event.isPrimary) return;
  const now = pixel(event);
  line(last, now);
  last = now;
});
function lifted(event) {
  if (!last || !event.isPrimary) return;
  last = null;
  if (!changed) return;
  changed = false;
  offer();
  trigger("select", { url: el.save.href });
}
el.canvas.addEventListener("pointerup", lifted);
el.canvas.addEventListener("pointercancel", lifted);
el.colour.addEventListener("input", () => choose("brush"));
for (const button of root.querySelectorAll("[data-tool]")) button.addEventListener("click", () => choose(button.dataset.tool));
el.back.addEventListener("click", () => {
  if (!first) return;
  paint.putImageData(first, 0, 0);
  offer();
  trigger("select", { back: true });
});
watch("value", show);
show();
