// The user's last results in IndexedDB. The files of this folder are joined, in the order of SCRIPTS in __init__.py, to
// the body of gr.HTML's js_on_load, with `element, props, trigger, upload` given. They share one scope.
//
// A result: { key, when (ms), tab, title, settings, name (of its file), width, height, png (Blob), thumb (Blob) }

const MOST = 20; // results
const MOST_BYTES = 200e6;

function done(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

// The database. It rejects where the browser has none, as some have none in private windows.
let opened;
function database() {
  if (opened) return opened;
  opened = new Promise((resolve, reject) => {
    const request = indexedDB.open("gansr-results", 1);
    request.onupgradeneeded = () => request.result.createObjectStore("results", { keyPath: "key" });
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
    request.onblocked = () => reject(new Error("blocked"));
  });
  return opened;
}

async function results(mode, work) {
  const store = (await database()).transaction("results", mode).objectStore("results");
  return done(work(store));
}

// All results, the newest first.
async function all() {
  const found = await results("readonly", (store) => store.getAll());
  return found.sort((a, b) => b.when - a.when);
}

async function remove(key) {
  await results("readwrite", (store) => store.delete(key));
}

// Keep a result, and as many of the older ones as the bounds allow.
async function keep(result) {
  const others = (await all()).filter((other) => other.key !== result.key);
  let bytes = result.png.size;
  let count = 1;
  for (const other of others) {
    bytes += other.png.size;
    count += 1;
    if (count > MOST || bytes > MOST_BYTES) await remove(other.key);
  }
  await results("readwrite", (store) => store.put(result));
}
