// The strip. A viewer tells of a finished result with the event "gansr-result" on the window; nothing is asked of the
// server but the result's own PNG.

const root = element.querySelector(".gs");
const el = Object.fromEntries([...root.querySelectorAll("[data-el]")].map((node) => [node.dataset.el, node]));
const THUMB = 168; // px: the height of a thumbnail, for screens of two pixels per px
const known = new Set(); // keys of the results of this visit: what was removed does not come back
let links = []; // object URLs of what is shown
let shown = null; // the result that is shown large

function make(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, content] of Object.entries(attributes)) node.setAttribute(name, content);
  node.append(...children);
  return node;
}

function linkTo(blob) {
  links.push(URL.createObjectURL(blob));
  return links[links.length - 1];
}

async function thumbnail(picture) {
  const height = Math.min(THUMB, picture.height);
  const width = Math.max(1, Math.round((picture.width * height) / picture.height));
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  canvas.getContext("2d").drawImage(picture, 0, 0, width, height);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/webp", 0.8));
}

async function take({ url, name, tab, title, settings }) {
  const key = url.split("/").at(-2); // the folder of the file: no two are equal
  if (known.has(key)) return;
  known.add(key);
  if ((await all()).some((result) => result.key === key)) return;
  const answer = await fetch(url);
  if (!answer.ok) return;
  const png = await answer.blob();
  const picture = await createImageBitmap(png);
  const { width, height } = picture;
  const thumb = await thumbnail(picture);
  picture.close();
  await keep({ key, when: Date.now(), tab, title, settings, name, width, height, png, thumb });
  await draw();
}

async function draw() {
  const found = await all();
  for (const link of links) URL.revokeObjectURL(link);
  links = [];
  root.hidden = !found.length;
  el.ask.hidden = true;
  el.row.replaceChildren(...found.map(one));
}

function one(result) {
  const time = new Date(result.when).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  const words = [make("b", {}, result.title), make("small", { title: result.settings }, result.settings), make("small", {}, time)];
  const label = `${result.title}, ${result.settings}, ${time}: show large`;
  const button = make("button", { type: "button", class: "gs-one", "aria-label": label }, make("img", { src: linkTo(result.thumb), alt: "" }), ...words);
  button.addEventListener("click", () => showLarge(result));
  return make("li", {}, button);
}

function showLarge(result) {
  shown = result;
  el.title.textContent = result.title;
  el.about.textContent = `${result.settings} · ${result.width}×${result.height} px · ${new Date(result.when).toLocaleString()}`;
  el.picture.src = el.save.href = URL.createObjectURL(result.png);
  el.picture.alt = `Result of ${result.title}`;
  el.save.download = result.name;
  el.large.showModal();
}

// The settings stand in the PNG; the server reads them there.
async function restore(result) {
  el.large.close();
  const { path } = await upload(new File([result.png], result.name, { type: "image/png" }));
  trigger("select", { path });
  say(`The settings of ${result.title} are restored in its tab.`);
}

async function download() {
  const found = await all();
  const files = found.map((result, index) => ({ name: `${String(index + 1).padStart(2, "0")}-${result.name}`, when: result.when, blob: result.png }));
  const href = URL.createObjectURL(await zipOf(files));
  make("a", { href, download: "gansr-results.zip" }).click();
  setTimeout(() => URL.revokeObjectURL(href), 10000);
}

function say(text) {
  el.say.textContent = text;
}

// What the user pressed; where it fails, the strip says so.
function when(node, work) {
  node.addEventListener("click", () => {
    say("");
    Promise.resolve(work()).catch(() => say("This browser did not do that. Is its storage full?"));
  });
}

when(el.zip, download);
when(el.clear, () => (el.ask.hidden = false));
when(el.no, () => (el.ask.hidden = true));
when(el.yes, () => results("readwrite", (store) => store.clear()).then(draw));
when(el.close, () => el.large.close());
when(el.restore, () => restore(shown));
when(el.remove, () => (el.large.close(), remove(shown.key).then(draw)));
el.large.addEventListener("close", () => URL.revokeObjectURL(el.save.href));
el.large.addEventListener("click", (event) => event.target === el.large && el.large.close()); // beside it
let queue = Promise.resolve(); // one after the other, so that the bounds hold
window.addEventListener("gansr-result", (event) => {
  queue = queue.then(() => take(event.detail)).catch(() => {}); // no database, or no room: the strip shows what it has
});
draw().catch(() => {}); // no database: the strip stays hidden
