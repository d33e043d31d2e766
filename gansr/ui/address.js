() => {
  // Writes the address and reads it: see address.py. KNOWN: usual (tab → name → value), presets (tab → preset → name →
  // value), examples (Gradio's copy → name), longest (characters of a value).
  const known = KNOWN, names = new Set(["tab", "example"]);
  for (const usual of Object.values(known.usual)) Object.keys(usual).forEach(name => names.add(name));
  const query = () => new URLSearchParams(location.search);
  const tabIn = address => (address.get("tab") in known.usual ? address.get("tab") : "");
  const settings = {};  // tab → name → text: what differs from the usual
  const early = {};  // tab → the values of its controls while they are being restored
  const resting = {};  // tab → the timer that ends when its controls have not changed for a moment
  let active = tabIn(query()) || "compare", ready = false, visit = "";

  const read = name => {
    try { return JSON.parse(sessionStorage.getItem(`gansr.${name}`)) || {}; } catch { return {}; }
  };
  /** The picture of the user's own that a tab had, if the server still has it. */
  const pictureOf = async tab => {
    const picture = read(tab).picture;
    try { return picture?.url && (await fetch(picture.url, { method: "HEAD" })).ok ? picture : null; } catch { return null; }
  };
  const keep = (name, value) => {
    try { sessionStorage.setItem(`gansr.${name}`, JSON.stringify(value)); } catch { /* not allowed or full */ }
  };
  const text = value => Array.isArray(value) ? value.join(",") : String(value);

  /** The texts of a tab's values, the picture first, that differ from the usual ones and from the preset's. */
  const named = (tab, [picture, ...values]) => {
    const usual = known.usual[tab], found = {}, path = picture?.path ?? "";
    const example = known.examples[path.split(/[\\/]/).slice(-2).join("/")];
    if (example) found.example = example;
    const given = Object.fromEntries(Object.keys(usual).map((name, at) => [name, values[at]]));
    const base = { ...usual, ...known.presets[tab]?.[given.preset] };
    for (const [name, value] of Object.entries(given)) {
      if (value === null || value === undefined || text(value) === text(name === "preset" ? usual.preset : base[name])) continue;
      if (text(value).length <= known.longest) found[name] = text(value);
    }
    return found;
  };

  /** The address of the active tab; what is not ours in it, such as __theme, stays. */
  const address = () => {
    const others = [...query()].filter(([name]) => !names.has(name));
    return "?" + new URLSearchParams([["tab", active], ...Object.entries(settings[active] ?? {}), ...others]);
  };
  const write = push => {
    if (address() !== "?" + query()) history[push ? "pushState" : "replaceState"](history.state, "", address() + location.hash);
  };
  const rested = tab => {
    if (tab === active) write(false);
    document.getElementById(`${tab}-rested`)?.click();  // what a run costs: see cost_line.py
  };
  const button = tab => document.querySelector(`button[role=tab][data-tab-id="${tab}"]`);

  addEventListener("popstate", () => {
    active = tabIn(query()) || "compare";
    button(active)?.click();
    write(false);  // with the settings as they are now
  });

  window.gansr = {
    /** What the page has to restore: [{visit, tab, tabs: {tab: {name: text}}, gone: whether the server no longer has an own
     * picture}, the own picture of each of `drawn`]. */
    saved: async drawn => {
      const tabs = Object.fromEntries(Object.keys(known.usual).map(tab => [tab, read(tab).settings ?? {}]));
      if (tabIn(query())) tabs[active] = Object.fromEntries([...query()].filter(([name]) => names.has(name) && name !== "tab"));
      const own = await Promise.all(drawn.map(pictureOf));
      const gone = drawn.some((tab, at) => read(tab).picture?.url && !own[at]);
      return [{ visit: read("visit").token ?? "", tab: tabIn(query()), tabs, gone }, ...own];
    },
    /** The controls have what was saved; from now on their changes are the user's. The runs of the visit are shown. */
    restored: told => {
      ready = true;
      for (const tab in early) window.gansr.changed(tab, early[tab]);
      if (told?.visit) keep("visit", { token: visit = told.visit });
      for (const tab of told?.tabs ?? []) document.getElementById(`${tab}-rejoin`)?.click();
    },
    visit: () => visit,
    changed: (tab, values) => {
      if (!ready) { early[tab] = values; return; }
      settings[tab] = named(tab, values);
      keep(tab, { settings: settings[tab], picture: settings[tab].example ? null : values[0] });
      clearTimeout(resting[tab]);  // a slider moves many times a second
      resting[tab] = setTimeout(rested, 300, tab);
    },
    selected: () => {
      const tab = document.querySelector("button[role=tab][aria-selected=true]")?.dataset.tabId;
      if (!(tab in known.usual) || tab === active) return;
      active = tab;
      write(true);
    },
    ready: () => ready,
    /** The address for others: without what is Gradio's in it. */
    link: () => {
      write(false);
      const own = [...query()].filter(([name]) => names.has(name));
      return location.origin + location.pathname + "?" + new URLSearchParams(own.length ? own : [["tab", active]]);
    },
  };
}
