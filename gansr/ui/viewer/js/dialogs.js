// The list of keys, and the command palette: a box to type in, and the commands that contain every typed word.

let offered = []; // the commands of the palette, as filtered
let chosen = 0;

function openKeys() {
  const row = (key, title) => make("div", {}, make("dt", {}, make("kbd", {}, key)), make("dd", {}, title));
  const numbers = [...tiles.values()].slice(0, 9).map((tile, index) => `${index + 1} ${tile.title.textContent}`).join(", ");
  const rows = ACTIONS.filter((action) => action.hint).map((action) => row(action.hint, action.title));
  rows.splice(3, 0, row("1–9", `Show one picture alone; the same key again shows all${numbers ? ` (${numbers})` : ""}`));
  rows.push(row("← ↑ → ↓", "Move the view"), row("Esc", "Close this list"));
  el.keylist.replaceChildren(...rows);
  el.keysbox.showModal();
}

function commands() {
  const count = pictured().length;
  const hidden = ["commands", "more"];
  const found = ACTIONS.filter((action) => action.pictures <= count && !hidden.includes(action.name));
  const shown = current();
  if (ui.map) found.push({ title: "Show the pictures themselves, without a map", run: () => setMap(ui.map) });
  [...tiles.values()].forEach((tile, index) => {
    const { title, data, id } = { title: tile.title.textContent, data: tile.data, id: tile.id };
    found.push({ title: ui.solo === id ? "Show all pictures again" : `Show ${title} alone`, hint: index < 9 ? String(index + 1) : "", run: () => setSolo(id) });
    if (!data.url) return;
    if (tile !== shown) found.push({ title: `Make ${title} the reference`, run: () => setReference(tile) });
    if (count > 1) for (const name of ["a", "b"]) found.push({ title: `Picture ${name.toUpperCase()}: ${title}`, run: () => setPicture(name, id) });
    if (data.native) found.push({ title: `${title}: ${tile.native ? "as it is compared" : data.native.text}`, run: () => showNative(tile, !tile.native) });
    if (data.use) for (const [name, tab] of USES) found.push({ title: `Use ${title} as input of ${tab}`, run: () => trigger("select", { tile: id, use: name }) });
    if (data.download) found.push({ title: `Download ${title} (PNG)`, run: () => tile.link.click() });
  });
  return found;
}

function openPalette() {
  el.find.value = "";
  offer();
  el.palette.showModal();
  el.find.focus();
}

function offer() {
  const words = el.find.value.toLowerCase().split(/\s+/).filter(Boolean);
  const named = (title) => `${title} ${inLanguage(title)}`.toLowerCase();
  offered = commands().filter(({ title }) => words.every((word) => named(title).includes(word)));
  const items = offered.map(({ title, hint }, index) => {
    const item = make("li", { role: "option", id: `${el.found.id}-${index}` }, make("span", {}, title));
    if (hint) item.append(make("kbd", {}, hint));
    return item;
  });
  el.found.replaceChildren(...items);
  el.nothing.hidden = items.length > 0;
  choose(0);
}

function choose(index) {
  const items = [...el.found.children];
  chosen = items.length ? (index + items.length) % items.length : 0;
  items.forEach((item, at) => item.setAttribute("aria-selected", String(at === chosen)));
  el.find.setAttribute("aria-activedescendant", items.length ? items[chosen].id : "");
  if (items.length) items[chosen].scrollIntoView({ block: "nearest" });
}

function runCommand(index) {
  const command = offered[index];
  if (!command) return;
  el.palette.close(); // first: it gives the focus back
  act(command.run);
}

el.found.id = `gv-${Math.random().toString(36).slice(2)}`;
el.find.setAttribute("aria-controls", el.found.id);
el.find.addEventListener("input", offer);
el.find.addEventListener("keydown", (event) => {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (step) choose(chosen + step);
  else if (event.key === "Enter") runCommand(chosen);
  else return;
  event.preventDefault();
});
el.found.addEventListener("click", (event) => runCommand([...el.found.children].indexOf(event.target.closest("li"))));
for (const dialog of [el.palette, el.keysbox]) {
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close()); // beside it
}
el.close.addEventListener("click", () => el.keysbox.close());
