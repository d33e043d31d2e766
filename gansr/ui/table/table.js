// The body of gr.HTML's js_on_load, with `element, props, watch` given.
const root = element.querySelector(".mt");
const find = (selector) => root.querySelector(selector);
let order = { column: -1, up: false };

function make(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, content] of Object.entries(attributes)) node.setAttribute(name, content);
  node.append(...children);
  return node;
}

function draw() {
  const { columns = [], rows = [], missing = {}, note = "" } = props.value || {};
  find(".mt-wrap").hidden = find(".mt-bar").hidden = !rows.length;
  find(".mt-note").textContent = note;
  find(".mt-missing").replaceChildren(...Object.entries(missing).map(([title, why]) => make("li", {}, `${title}: ${why}`)));
  if (order.column >= columns.length) order.column = -1;
  const heads = columns.map((column, index) => {
    const words = { type: "button", title: `${column.explain} Press to sort by it.`, "data-column": index };
    const button = make("button", words, `${column.title}\u00a0${column.arrow}`.trim(), make("small", {}, column.unit));
    const sorted = order.column === index ? (order.up ? "ascending" : "descending") : "none";
    return make("th", { scope: "col", "aria-sort": sorted }, button);
  });
  find("thead").replaceChildren(make("tr", {}, make("th", { scope: "col" }, "Method"), ...heads));
  find("tbody").replaceChildren(...sorted(rows).map(line));
}

function line(row) {
  const cells = row.texts.map((text, index) => {
    const attributes = { class: row.best[index] ? "best" : row.values[index] === null ? "none" : "" };
    if (row.reasons[index]) attributes.title = row.reasons[index];
    return make("td", attributes, text);
  });
  const how = row.how ? [make("small", {}, row.how)] : [];
  return make("tr", {}, make("th", { scope: "row" }, row.title, ...how), ...cells);
}

function sorted(rows) {
  if (order.column < 0) return rows;
  const value = (row) => row.values[order.column];
  const known = rows.filter((row) => value(row) !== null).sort((a, b) => (order.up ? 1 : -1) * (value(a) - value(b)));
  return [...known, ...rows.filter((row) => value(row) === null)];
}

function sortBy(column) {
  const bestFirst = props.value.columns[column].better === "lower"; // the first click puts the best on top
  order = { column, up: order.column === column ? !order.up : bestFirst };
  draw();
  find(`[data-column="${column}"]`).focus();
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = make("textarea", { "aria-hidden": "true", style: "position: fixed; opacity: 0" }); // without permission for the clipboard
    area.value = text;
    root.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
}

async function exportAs(kind) {
  const text = props.value[kind] || "";
  if (kind === "json") {
    const href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
    make("a", { href, download: "gansr-compare.json" }).click();
    setTimeout(() => URL.revokeObjectURL(href), 10000);
  } else {
    await copy(text);
  }
  find(".mt-done").textContent = kind === "json" ? "Downloaded." : "Copied.";
}

root.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  if (button.dataset.column) sortBy(Number(button.dataset.column));
  else exportAs(button.dataset.take);
});
watch("value", draw);
draw();
