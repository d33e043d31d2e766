// Judging the pictures of this viewer blindly: all pairs in random order, without names. The tally is this user's alone:
// it is shown at the end, and nothing is sent or kept.

const BLIND_KEYS = { ArrowLeft: 0, ArrowRight: 1, ArrowDown: 2 };
let blind = null; // {pairs: [[tile, tile]], at, wins: tile → points, seen: tile → pairs}

function shuffled(items) {
  const found = [...items];
  for (let at = found.length - 1; at > 0; at -= 1) {
    const other = Math.floor(Math.random() * (at + 1));
    [found[at], found[other]] = [found[other], found[at]];
  }
  return found;
}

function openBlind() {
  const judged = pictured().filter((tile) => tile.data.url !== value.truth && tile.data.state === "done");
  if (judged.length < 2) return say("There are fewer than two finished results to judge.");
  const pairs = judged.flatMap((one, at) => judged.slice(at + 1).map((other) => shuffled([one, other])));
  blind = { pairs: shuffled(pairs), at: 0, wins: new Map(judged.map((tile) => [tile, 0])), seen: new Map(judged.map((tile) => [tile, 0])) };
  el.blindbox.showModal();
  return askBlind();
}

// Canvases of one size: neither an address nor a size tells the method.
function askBlind() {
  const pair = blind.pairs[blind.at];
  el.blindask.hidden = !pair;
  el.tally.hidden = Boolean(pair);
  el.blindtitle.textContent = pair ? `Which looks better? ${blind.at + 1} of ${blind.pairs.length}` : "Your tally, kept nowhere";
  if (!pair) return showTally();
  const { width, height } = largest();
  pair.forEach((tile, side) => {
    const canvas = el[side ? "blindright" : "blindleft"];
    Object.assign(canvas, { width, height });
    canvas.getContext("2d").drawImage(tile.img, 0, 0, width, height);
  });
  return undefined;
}

// `choice`: 0 left, 1 right, 2 no difference, which is half a point for each.
function answerBlind(choice) {
  const pair = blind && blind.pairs[blind.at];
  if (!pair) return;
  pair.forEach((tile, side) => {
    blind.wins.set(tile, blind.wins.get(tile) + (choice === 2 ? 0.5 : Number(choice === side)));
    blind.seen.set(tile, blind.seen.get(tile) + 1);
  });
  blind.at += 1;
  askBlind();
}

function showTally() {
  const rows = [...blind.wins].sort(([, one], [, other]) => other - one);
  const line = ([tile, wins]) => make("tr", {}, make("th", { scope: "row" }, tile.title.textContent), make("td", {}, `${wins} / ${blind.seen.get(tile)}`));
  el.tally.replaceChildren(make("table", {}, make("tbody", {}, ...rows.map(line))));
}

el.blindask.addEventListener("click", (event) => {
  const choice = event.target.closest("[data-choice]")?.dataset.choice;
  if (choice) answerBlind(Number(choice));
});
el.blindclose.addEventListener("click", () => el.blindbox.close());
el.blindbox.addEventListener("keydown", (event) => {
  if (!(event.key in BLIND_KEYS) || event.repeat) return;
  event.preventDefault();
  answerBlind(BLIND_KEYS[event.key]);
});
