// Translates the page in the browser. Stands in the page before Gradio's script, with `given`: {language, tags, texts}.
//
// Every text that appears is looked up: as a whole, then by a template with `{}` for what changes, then in parts. What
// a template's fields hold is translated too. Only texts and the attributes below change, never HTML or a value.

const ATTRIBUTES = ["title", "aria-label", "aria-valuetext", "alt", "placeholder", "data-caption"];
const LEFT_ALONE = "script, style, textarea, code, pre, [translate=no], .api-docs";
// Between parts of a text, and what stands there in Chinese.
const SEPARATORS = [[" · ", " · "], ["; ", "；"], [". ", "。"], [": ", "："], [", ", "，"], [" and ", "和"]];
const WITH_NUMBERS = [/^()([\d.]+ )(.+)$/, /^(.+?)( [−+\d.,e∞ -]+(?: (?:dB|px|MB|s))?| [↑↓])()$/];
const LONGEST = 2000; // characters: longer texts are not ours
const KEPT = 1000; // translations
const DEEPEST = 9; // fields and parts inside each other
// Letters of a template. One with fewer than SHORT comes after the separators; below SURE its fields must be translated,
// names or numbers; below LONG they hold no list. Otherwise it fits by chance.
const [SHORT, SURE, LONG] = [6, 8, 20];
const CHINESE = /[\u3000-\u30ff\u3400-\u9fff\uff00-\uffef“”…]/;

// One space for any, without the last full stop.
function plain(text) {
  return text.replace(/\s+/g, " ").trim().replace(/\.$/, "");
}

// As `key` in __init__.py: the first letter small, too.
function key(text) {
  const found = plain(text);
  return found.slice(0, 1).toLowerCase() + found.slice(1);
}

const whole = new Map(Object.entries(given.texts).map(([english, text]) => [key(english), text]));
// {parts: what stands around the fields, text, letters: how many the parts have}, those that say most first
const templates = [...whole]
  .filter(([english]) => english.includes("{}"))
  .map(([english, text]) => ({ parts: english.split("{}"), text, letters: english.replace(/[^A-Za-z]/g, "").length }))
  .sort((one, other) => other.letters - one.letters || other.parts.length - one.parts.length);
const long = templates.filter(({ letters }) => letters >= SHORT);
const short = templates.filter(({ letters }) => letters < SHORT);
const kept = new Map();

function translate(text, depth = 0) {
  if (!/[A-Za-z]/.test(text) || text.length > LONGEST || depth > DEEPEST) return text;
  if (kept.has(text)) return kept.get(text);
  const found = translated(text, depth);
  if (kept.size >= KEPT) kept.clear();
  kept.set(text, found);
  return found;
}

function translated(text, depth) {
  const english = plain(text);
  const found =
    whole.get(key(english)) ||
    byTemplate(long, english, depth) ||
    inParts(english, depth) ||
    byTemplate(short, english, depth) ||
    besideNumbers(english, depth);
  if (!found) return text;
  const ended = found.replace(/[。.]$/, "") + (/\.\s*$/.test(text) && !/[？！…：]$/.test(found) ? "。" : "");
  const before = CHINESE.test(ended[0]) ? "" : text.match(/^\s*/)[0];
  return before + ended + (CHINESE.test(ended.slice(-1)) ? "" : text.match(/\s*$/)[0]);
}

function byTemplate(some, english, depth) {
  for (const { parts, text, letters } of some) {
    const fields = fieldsOf(english, parts);
    const stays = (number) => text.includes(`{${number}!}`) || (number === 0 && text.includes("{!}"));
    if (!fields || fields.some((field, number) => !stays(number) && isPart(field, letters))) continue;
    const found = fields.map((field, number) => (stays(number) ? field : translate(field, depth + 1)));
    if (letters < SURE && found.some((field, index) => field === fields[index] && /\b[a-z]{3}/.test(field))) continue;
    let next = 0;
    return spaced(text.replace(/\{(\d?)!?\}/g, (_, number) => found[number === "" ? next++ : Number(number)]));
  }
  return "";
}

// Whether a field holds more than one: the template fits what stands around a separator.
function isPart(field, letters) {
  if (/[:;,·]\s*$/.test(field)) return true;
  return (field.includes(" · ") || (letters < LONG && field.includes("; "))) && !whole.has(key(field));
}

// A space between Chinese signs and letters or digits, and none between Chinese signs.
function spaced(text) {
  const joined = text.replace(/([\u3400-\u9fff]) (?=[\u3400-\u9fff])/g, "$1");
  return joined.replace(/([\u3400-\u9fff])(?=[A-Za-z0-9])/g, "$1 ").replace(/([A-Za-z0-9%])(?=[\u3400-\u9fff])/g, "$1 ");
}

// What stands between `parts` in `english`, each found at its first place; it may be empty. null where one is missing.
function fieldsOf(english, parts) {
  const last = parts[parts.length - 1];
  if (!english.endsWith(last)) return null;
  const end = english.length - last.length;
  const start = english.slice(0, 1).toLowerCase() + english.slice(1, parts[0].length);
  if (parts[0] && start !== parts[0]) return null;
  const fields = [];
  let from = parts[0].length;
  for (const part of parts.slice(1, -1)) {
    const at = english.indexOf(part, from);
    if (at < 0) return null;
    fields.push(english.slice(from, at));
    from = at + part.length;
  }
  if (from > end) return null;
  return [...fields, english.slice(from, end)];
}

function inParts(english, depth) {
  for (const [separator, written] of SEPARATORS) {
    const at = english.indexOf(separator);
    if (at < 0) continue;
    const two = [english.slice(0, at), english.slice(at + separator.length)];
    const found = two.map((part) => translate(part, depth + 1));
    if (found.some((part, index) => part !== two[index])) return found.join(written);
  }
  return "";
}

// "generator loss 0.12", "1 Bicubic", "Time ↓"
function besideNumbers(english, depth) {
  for (const pattern of WITH_NUMBERS) {
    const found = english.match(pattern);
    const two = found && [found[1], found[3]].map((part) => translate(part, depth + 1));
    if (found && (two[0] !== found[1] || two[1] !== found[3])) return two[0] + found[2] + two[1];
  }
  return "";
}

// --------------------------------------------------------------------------------------------------- the page

function translateText(node) {
  const found = translate(node.data);
  if (found !== node.data && !(node.parentElement && node.parentElement.closest(LEFT_ALONE))) node.data = found;
}

function translateAttribute(element, name) {
  const text = element.getAttribute(name);
  const found = text && translate(text);
  if (found !== text && !element.closest(LEFT_ALONE)) element.setAttribute(name, found);
}

function translateTree(root) {
  if (root.nodeType === Node.TEXT_NODE) return translateText(root);
  if (root.nodeType !== Node.ELEMENT_NODE || root.closest(LEFT_ALONE)) return;
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) translateText(walker.currentNode);
  for (const name of ATTRIBUTES) {
    if (root.hasAttribute(name)) translateAttribute(root, name);
    for (const element of root.querySelectorAll(`[${name}]`)) translateAttribute(element, name);
  }
}

function watchPage() {
  const observer = new MutationObserver((changes) => {
    for (const { type, target, attributeName, addedNodes } of changes) {
      if (type === "childList") addedNodes.forEach(translateTree);
      else if (type === "attributes") translateAttribute(target, attributeName);
      else translateText(target);
    }
    observer.takeRecords(); // our own changes
  });
  observer.observe(document, { subtree: true, childList: true, characterData: true, attributes: true, attributeFilter: ATTRIBUTES });
}

// Labels of choices: a closed menu shows one as the value of an input, where no text appears.
function translateChoices() {
  for (const { props } of window.gradio_config.components) {
    for (const choice of props.choices || []) if (Array.isArray(choice)) choice[0] = translate(choice[0]);
  }
}

// A link to another language keeps the rest of the address: the tab and its settings.
document.addEventListener("click", (event) => {
  const link = event.target.closest("[data-language]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  const address = new URL(location.href);
  address.searchParams.set("lang", link.dataset.language);
  location.assign(address);
});

// Gradio goes by the browser's language alone, and would show its own texts in another one than the page's.
const tag = given.tags[given.language] || "en";
Object.defineProperty(navigator, "language", { value: tag, configurable: true });
if (given.language in given.tags) {
  translateChoices();
  watchPage();
  window.inLanguage = (text) => translate(text);
}
