// Rounds: what is asked, answers by buttons and keys, and the names afterwards.

const KEYS = { ArrowLeft: "left", ArrowRight: "right", ArrowDown: "same", ArrowUp: "bad" };
const TITLES = {
  better: "Which looks better?",
  closer: "Which is closer to the original?",
  quality: "How good is this picture?",
};
const WORDS = { left: "left", right: "right", same: "no difference", bad: "both bad" };
const WORST = "Training, not counted: such a picture has the score 1.";
const BEST = "Training, not counted: such a picture has the score 5.";
const BETWEEN = "Training, not counted: such a picture lies between.";
let state = null;
let busy = false;
let opened = false;
let drawn = 0; // when the pictures were drawn

function stored(value) {
  try {
    if (value === undefined) return localStorage.getItem("gansr.rating") || "";
    if (value) localStorage.setItem("gansr.rating", value);
    else localStorage.removeItem("gansr.rating");
  } catch {
    /* not allowed: the session ends with the page */
  }
  return value || "";
}
let token = stored();

function send(action, more = {}) {
  if (busy) return;
  busy = true;
  root.setAttribute("aria-busy", "true");
  trigger("select", { do: action, token, question: el.question.value, each: el.each.value, ...more });
}

function answer(name) {
  if (!state || !state.trial || busy) return;
  send("vote", { trial: state.trial.id, answer: name, seconds: (performance.now() - drawn) / 1000 });
}

function update(value) {
  if (!value || !value.serial) return;
  busy = false;
  root.removeAttribute("aria-busy");
  [state, token] = [value, stored(value.token)];
  const { trial, revealed, over } = state;
  el.say.textContent = state.message;
  el.question.value = state.question;
  el.each.value = state.each ? "1" : "";
  el.progress.textContent = progress();
  el.title.textContent = title();
  el.hint.textContent = hint();
  el.ask.hidden = !trial;
  el.names.hidden = !revealed.length;
  el.names.replaceChildren(...revealed.map(named));
  el.undo.hidden = !state.undo;
  el.go.hidden = !(over || revealed.length);
  el.go.textContent = over && !revealed.length ? "Show the names" : over ? "Next round" : "Next";
  if (trial) show(trial);
  const focused = document.activeElement;
  if (!focused || focused === document.body || focused.getAttribute("role") === "tab") el.title.focus({ preventScroll: true });
}

function progress() {
  const { place, of, answered, cap, trial } = state;
  if (trial && trial.training) return `Training ${place + 1} of ${of}`;
  return `Round: ${place} of ${of} · in all: ${answered} of at most ${cap}`;
}

function title() {
  if (state.trial) return TITLES[state.trial.question];
  if (state.revealed.length) return "The names";
  return state.over ? "The round is over." : "You have judged everything that is asked here. Thank you.";
}

function hint() {
  const { trial } = state;
  if (!trial) return state.over && !state.revealed.length ? "The names come next. After that, answers cannot be changed." : "";
  if (trial.training) return { worst: WORST, best: BEST, between: BETWEEN }[trial.training];
  if (trial.question === "quality") return "Judge how good it looks, as if you did not know the original. Keys: 1 to 5.";
  return "Both were made from the same small picture. Zoom with the wheel or two fingers, move by dragging.";
}

function show(trial) {
  const single = trial.question === "quality";
  el.rightbox.hidden = el.smallbox.hidden = single;
  el.truthbox.hidden = !trial.truth;
  el.stage.classList.toggle("rt-one", single);
  el.stage.classList.toggle("rt-three", Boolean(trial.truth));
  el.pairs.hidden = single;
  el.scores.hidden = !single;
  el.leftname.textContent = single ? "Picture" : "Left";
  for (const name of CANVASES) if (trial[name]) draw(el[name], trial[name]);
  Object.assign(view, { zoom: 1, x: 0.5, y: 0.5 });
  moved();
  root.dataset.trial = trial.id;
  drawn = performance.now();
}

function named({ picture, sides, metrics, answer: given, crowd, control }) {
  const total = Object.values(crowd).reduce((sum, count) => sum + count, 0);
  const rows = sides.map((side, at) => make("tr", {}, make("th", { scope: "row" }, side), make("td", {}, metrics[at])));
  const votes = Object.entries(crowd).map(([name, count]) => `${word(name, sides)} ${count}`);
  const own = `Your answer: ${word(given, sides)}`;
  const all = `All votes (${total}): ${votes.join(" · ")}`;
  const notes = control ? [make("p", {}, "A control pair: it shows who looks.")] : [];
  return make("article", {}, make("h3", {}, picture), make("p", {}, make("b", {}, own)), make("table", {}, make("tbody", {}, ...rows)), make("p", {}, all), ...notes);
}

function word(name, sides) {
  if (name === "left") return sides[0];
  if (name === "right") return sides[1];
  return WORDS[name] || name;
}

function go() {
  if (!state || el.go.hidden) return;
  send(state.over && !state.revealed.length ? "reveal" : "next");
}

el.pairs.addEventListener("click", (event) => answer(event.target.closest("[data-answer]")?.dataset.answer));
el.scores.addEventListener("click", (event) => answer(event.target.closest("[data-answer]")?.dataset.answer));
el.go.addEventListener("click", go);
el.undo.addEventListener("click", () => send("undo"));
el.question.addEventListener("change", () => send("open"));
el.each.addEventListener("change", () => send("open"));
el.delete.addEventListener("click", () => (el.sure.hidden = false));
el.no.addEventListener("click", () => (el.sure.hidden = true));
el.yes.addEventListener("click", () => {
  el.sure.hidden = true;
  send("delete");
});

function onKey(event) {
  if (!root.isConnected) return document.removeEventListener("keydown", onKey);
  if (!root.clientWidth || event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || !state) return undefined;
  if (event.target.closest?.("textarea, select, input, [contenteditable=true], dialog[open]")) return undefined;
  if (event.repeat) return undefined;
  const single = state.trial && state.trial.question === "quality";
  const name = single ? (/^[1-5]$/.test(event.key) ? event.key : "") : KEYS[event.key];
  if (name && state.trial) answer(name);
  else if (event.key === "Backspace" && state.undo) send("undo");
  else if (event.key === "Enter" && !el.go.hidden && !event.target.closest?.("button, summary, a")) go();
  else return undefined;
  event.preventDefault();
  return undefined;
}
document.addEventListener("keydown", onKey);

window.addEventListener("gansr-rating-failed", () => {
  busy = false;
  root.removeAttribute("aria-busy");
  el.say.textContent = "The server did not take this. Try again in a moment.";
});

watch("value", () => update(props.value));
// Asked when the tab is seen: the page opens without it.
new IntersectionObserver((seen) => {
  if (opened || !seen.some((one) => one.isIntersecting)) return;
  opened = true;
  send("resume");
}).observe(root);
