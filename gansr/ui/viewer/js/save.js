// Full screen, and files made by the browser: the comparison image and the flicker.

const FLICKER = 500; // ms for each of A and B

function isFull() {
  return document.fullscreenElement === root || root.classList.contains("gv-full");
}

async function toggleFull() {
  if (document.fullscreenElement) await document.exitFullscreen();
  else if (root.classList.contains("gv-full") || !root.requestFullscreen) root.classList.toggle("gv-full");
  else await root.requestFullscreen().catch(() => root.classList.add("gv-full"));
  arrange();
}
document.addEventListener("fullscreenchange", () => arrange());

function download(blob, name) {
  const link = make("a", { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

// The visible part of each picture with its name and text, in one PNG.
function saveComparison() {
  const order = (tile) => Number(tile.figure.style.order);
  const one = alone();
  const shown = [...tiles.values()].filter((tile) => tile.fw && (!one || tile === one)).sort((a, b) => order(a) - order(b));
  if (!shown.length) return say("There are no pictures to save yet.");
  const [w, below] = [480, 88];
  const h = Math.round((w * size.h) / size.w);
  const wide = Math.min(shown.length, 6);
  const rows = Math.ceil(shown.length / wide);
  const canvas = make("canvas", { width: wide * (w + GAP) + GAP, height: rows * (h + below) + GAP });
  const context = canvas.getContext("2d");
  context.fillStyle = "#fff";
  context.fillRect(0, 0, canvas.width, canvas.height);
  shown.forEach((tile, index) => {
    const left = GAP + (index % wide) * (w + GAP);
    const top = GAP + Math.floor(index / wide) * (h + below);
    drawTile(context, tile, left, top, w, h);
  });
  canvas.toBlob((blob) => download(blob, "gansr-comparison.png"), "image/png");
}

function drawTile(context, tile, left, top, w, h) {
  const scale = (w / size.w) * view.zoom;
  context.save();
  context.beginPath();
  context.rect(left, top, w, h);
  context.clip();
  context.imageSmoothingEnabled = !ui.pixels;
  context.imageSmoothingQuality = "high";
  const source = tile.canvas || tile.img;
  const x = left + w / 2 + (tile.dx / tile.width - view.x) * tile.fw * scale;
  const y = top + h / 2 + (tile.dy / tile.height - view.y) * tile.fh * scale;
  context.drawImage(source, x, y, tile.fw * scale, tile.fh * scale);
  context.restore();
  context.fillStyle = "#111";
  context.font = "600 20px system-ui, sans-serif";
  context.fillText(tile.title.textContent, left, top + h + 24, w);
  context.font = "15px system-ui, sans-serif";
  context.fillStyle = "#555";
  context.fillText(inLanguage(tile.data.note || tile.data.text || ""), left, top + h + 46, w);
  const colours = tile.canvas ? `${MAPS[ui.map].title} to ${referenceTitle()}, colours ${el.low.textContent} … ${el.high.textContent}` : "";
  const more = [tile.moved.textContent, colours].filter(Boolean).join(" · ");
  context.fillText(inLanguage(more), left, top + h + 68, w);
}

// A and B in turn, whole and in the size of the larger, as an animated WebP.
async function saveFlicker() {
  const pair = [tiles.get(ui.a), tiles.get(ui.b)];
  if (pair.some((tile) => !tile || !tile.width)) return say("There are no two pictures to save yet.");
  const { width, height } = pair[0].width >= pair[1].width ? pair[0] : pair[1];
  const canvas = make("canvas", { width, height });
  const context = canvas.getContext("2d");
  context.imageSmoothingEnabled = !ui.pixels;
  context.imageSmoothingQuality = "high";
  const stills = [];
  for (const tile of pair) {
    context.fillRect(0, 0, width, height);
    context.drawImage(tile.img, (tile.dx / tile.width) * width, (tile.dy / tile.height) * height, width, height);
    const blob = await new Promise((done) => canvas.toBlob(done, "image/webp", 1));
    if (!blob || blob.type !== "image/webp") return say("This browser cannot write WebP. Chrome, Edge and Firefox can.");
    stills.push(new Uint8Array(await blob.arrayBuffer()));
  }
  const names = pair.map((tile) => tile.id.replace(/[^\w-]+/g, "-")).join("-");
  download(new Blob([animatedWebp(stills, width, height, FLICKER)], { type: "image/webp" }), `gansr-flicker-${names}.webp`);
  return say(lossless(stills) ? "Flicker saved, lossless." : "Flicker saved. This browser compresses WebP with small losses.");
}
