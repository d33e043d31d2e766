// Everything the viewer can do, by name: for its buttons, its keys, the list of keys and the command palette.

// name, title, key as it is written, what it does, how many pictures it needs (1 unless given)
const ACTIONS = [
  ["grid", "Grid: all pictures side by side", "G", () => setMode("grid")],
  ["wipe", "Wipe: A and B over each other, with a divider", "W", () => setMode(mode() === "wipe" ? "grid" : "wipe"), 2],
  ["swap", "Flicker: swap A and B", "F", () => (ui.swapped = !ui.swapped), 2],
  ["in", "Zoom in", "+", () => zoomBy(1.4)],
  ["out", "Zoom out", "−", () => zoomBy(1 / 1.4)],
  ["fit", "Show the whole picture", "0", () => (Object.assign(view, { zoom: 1, x: 0.5, y: 0.5 }), moved())],
  ["one", "1:1, one screen pixel per picture pixel", "Z", () => zoomBy(limits().one / view.zoom)],
  ["pixels", "Show pixels without smoothing", "P", () => (ui.pixels = !ui.pixels)],
  ["lens", "Magnify under the pointer", "M", () => (ui.lens = !ui.lens)],
  ["reference", "Make this picture the reference", "R", () => setReference(current())],
  ["signed", "Signed difference to the reference", "D", () => setMap("signed")],
  ["absolute", "Absolute difference to the reference", "", () => setMap("absolute")],
  ["ssim", "SSIM map against the reference", "S", () => setMap("ssim")],
  ["left", "Move this picture 1 px to the left", "Shift ←", () => alignBy(current(), -1, 0)],
  ["right", "Move this picture 1 px to the right", "Shift →", () => alignBy(current(), 1, 0)],
  ["up", "Move this picture 1 px up", "Shift ↑", () => alignBy(current(), 0, -1)],
  ["down", "Move this picture 1 px down", "Shift ↓", () => alignBy(current(), 0, 1)],
  ["unalign", "Put this picture back in its place", "Shift 0", () => unalign(current())],
  ["save", "Save comparison image", "", () => saveComparison()],
  ["flicker", "Save flicker: A and B in turn, as an animated WebP", "", () => saveFlicker(), 2],
  ["blind", "Judge these pictures blindly", "B", () => openBlind(), 2],
  ["full", "Full screen", "", () => toggleFull()],
  ["commands", "All commands", "Ctrl K", () => openPalette()],
  ["keys", "Show the keys", "?", () => openKeys(), 0],
  ["more", "More controls", "", () => root.classList.toggle("gv-open"), 0],
].map(([name, title, hint, run, pictures = 1]) => ({ name, title, hint, run, pictures }));
const ACTION = Object.fromEntries(ACTIONS.map((action) => [action.name, action]));
const KEYS = { g: "grid", w: "wipe", p: "pixels", m: "lens", d: "signed", s: "ssim", r: "reference", b: "blind", z: "one", "+": "in", "=": "in", "-": "out", "−": "out", 0: "fit", "?": "keys" };
const ARROWS = { ArrowLeft: [1, 0, "left"], ArrowRight: [-1, 0, "right"], ArrowUp: [0, 1, "up"], ArrowDown: [0, -1, "down"] };

function needs(name) {
  return ACTION[name].pictures;
}

function act(run) {
  say("");
  run();
  arrange();
  drawMaps();
}

// Run the action if there are pictures for it.
function actNamed(name) {
  if (pictured().length >= needs(name)) act(ACTION[name].run);
}

function setMode(name) {
  [ui.mode, ui.solo, ui.arranged] = [name, "", true];
}

// Show one tile alone, or all again if it is.
function setSolo(id) {
  ui.solo = ui.solo === id ? "" : id;
}

function setMap(kind) {
  ui.map = ui.map === kind ? "" : kind;
}

function setReference(tile) {
  if (!tile || !tile.data.url) return say("Point at a picture first, or go to it with Tab.");
  ui.reference = tile.data.url === value.truth ? "truth" : `tile:${tile.id}`;
  ui.referenceChosen = true;
  return say(`Reference: ${tile.title.textContent}.${ui.map ? "" : " D shows the difference to it, S the SSIM map."}`);
}

function setPicture(name, id) {
  const other = name === "a" ? "b" : "a";
  if (ui[other] === id) ui[other] = ui[name];
  [ui[name], ui.swapped, ui.chosen] = [id, false, true];
}

root.addEventListener("click", (event) => {
  const button = event.target.closest("[data-do]");
  if (button) actNamed(button.dataset.do);
});

for (const name of ["a", "b"]) el[name].addEventListener("change", () => act(() => setPicture(name, el[name].value)));

el.map.addEventListener("change", () => act(() => (ui.map = el.map.value)));

el.reference.addEventListener("change", () => act(() => ([ui.reference, ui.referenceChosen] = [el.reference.value, true])));

el.scale.addEventListener("input", () => act(() => (ui.scale = Math.min(255, 2 ** Number(el.scale.value)))));

// --------------------------------------------------------------------------------------------------- keys

let inside = false; // the pointer is over the viewer
root.addEventListener("pointerenter", () => (inside = true));
root.addEventListener("pointerleave", () => (inside = false));

// A key is for this viewer if it has the focus, or if no viewer has and the pointer is over it.
function isOurs(event) {
  const target = event.target.closest ? event.target : document.body;
  if (event.defaultPrevented || !root.clientWidth || root.querySelector("dialog[open]")) return false;
  const typing = "textarea, select, [contenteditable=true], input:not([type=checkbox], [type=radio], [type=range], [type=button])";
  if (target.closest(typing) || (event.key.startsWith("Arrow") && target.closest("input"))) return false;
  const focused = document.activeElement && document.activeElement.closest(".gv");
  return focused ? focused === root : inside;
}

let held = 0; // time at which F was pressed; 0: not pressed

function onKey(event) {
  if (!root.isConnected) return document.removeEventListener("keydown", onKey);
  if (!isOurs(event)) return undefined;
  if (pressed(event)) event.preventDefault();
  return undefined;
}
document.addEventListener("keydown", onKey);

// Does what the key means; true if it means something.
function pressed(event) {
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if ((event.ctrlKey || event.metaKey) && !event.altKey && key === "k") return actNamed("commands"), true;
  if (event.ctrlKey || event.metaKey || event.altKey) return false;
  const digit = /^(?:Digit|Numpad)(\d)$/.exec(event.code);
  if (key === "Escape" && root.classList.contains("gv-full")) toggleFull();
  else if (event.shiftKey && digit && digit[1] === "0") actNamed("unalign");
  else if (event.shiftKey && ARROWS[key]) actNamed(ARROWS[key][2]);
  else if (/^[1-9]$/.test(key) || (digit && digit[1] !== "0" && !event.shiftKey)) {
    const tile = [...tiles.values()][Number(/^[1-9]$/.test(key) ? key : digit[1]) - 1];
    if (!tile) return false;
    act(() => setSolo(tile.id));
  } else if (key === "f") {
    if (event.repeat) return true;
    held = performance.now();
    actNamed("swap");
  } else if (KEYS[key]) {
    actNamed(KEYS[key]);
    if (root.contains(document.activeElement)) lookAtMiddle();
  } else if (ARROWS[key]) {
    if (view.zoom <= 1.001 && !root.contains(document.activeElement)) return false; // the page scrolls
    const [dx, dy] = ARROWS[key];
    panBy(0.1 * dx * size.w, 0.1 * dy * size.h);
    lookAtMiddle();
  } else return false;
  return true;
}

function onRelease(event) {
  if (!root.isConnected) document.removeEventListener("keyup", onRelease);
  else if (event.key.toLowerCase() === "f") release();
}
document.addEventListener("keyup", onRelease);
window.addEventListener("blur", () => release());

function release() {
  if (held && performance.now() - held > HOLD && ui.swapped) actNamed("swap");
  held = 0;
}

// With the keyboard, show the pixel values at the centre of the view.
function lookAtMiddle() {
  if (inside && hover) return; // the pointer shows its own
  hover = { u: clamp(view.x, 0, 0.99999), v: clamp(view.y, 0, 0.99999), touch: false };
  schedule();
}

buttons.swap.addEventListener("pointerdown", () => (held = 0));
