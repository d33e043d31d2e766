// The N-way picture viewer. The files of this folder are joined, in the order of SCRIPTS in __init__.py, to the body of
// gr.HTML's js_on_load, with `element, props, trigger, watch` given. They share one scope.
//
// All pictures share one view: `zoom` (1 = the whole picture fits) and the point (x, y) of the picture, in [0,1], at the
// centre. Each picture is fitted into its tile and then transformed, so pictures of different sizes stay aligned and
// moving costs one CSS transform per picture. Canvases are used only for maps, pixel values and files.
const root = element.querySelector(".gv");
const el = Object.fromEntries([...root.querySelectorAll("[data-el]")].map((node) => [node.dataset.el, node]));
const buttons = Object.fromEntries([...root.querySelectorAll("[data-do]")].map((node) => [node.dataset.do, node]));
const USES = JSON.parse(root.dataset.uses || "[]"); // [name, title] of each tab that takes a result as its input
const MAX_READ = 4.2e6; // pixels: larger pictures are not read as a whole
const LENS = 4; // magnification of the magnifier
const GAP = 8; // px between tiles, as in viewer.css
const CAPTION = 76; // px: a tile's name and text, in full screen
const HOLD = 350; // ms: a shorter press of F toggles, a longer one swaps while it lasts

const view = { zoom: 1, x: 0.5, y: 0.5 };
const ui = {
  mode: "grid",
  arranged: false, // the mode is the user's choice
  solo: "", // id of the tile that is shown alone
  a: "",
  b: "",
  chosen: false, // a and b are the user's choice
  swapped: false,
  current: "", // id of the tile that was pointed at or focused last
  pixels: false,
  lens: false,
  map: "", // what is shown in place of the pictures: "signed", "absolute", "ssim"
  reference: "", // what the maps compare with: "truth", "input" or "tile:" and an id
  referenceChosen: false,
  scale: 32, // steps of 255 at the ends of a difference's colours
  wipe: 0.5,
};
const tiles = new Map(); // id → tile, in the order of the value
const references = new Map(); // url → Promise of its image
let value = { tiles: [], truth: null, input: null };
let size = { w: 0, h: 0 }; // of every tile's view, px
let hover = null; // {u, v}: the point of the picture under the pointer

function make(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, content] of Object.entries(attributes)) node.setAttribute(name, content);
  node.append(...children);
  return node;
}

// A text in the language of the page, where it is not the page that shows it; see gansr/ui/languages.
const inLanguage = window.inLanguage || ((text) => text);

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

// A message below the pictures, which screen readers read too.
function say(text) {
  el.say.textContent = text;
}
