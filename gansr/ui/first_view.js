(() => {
  const view = document.getElementById("first-view"), query = new URLSearchParams(location.search);
  const dark = query.get("__theme") ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
  view.classList.toggle("dark", dark === "dark");
  let visited = false;
  try { visited = sessionStorage.getItem("gansr.compare") !== null; } catch { /* not allowed */ }
  if (visited || query.has("example") || (query.get("tab") ?? "compare") !== "compare") return view.remove();
  const watch = new MutationObserver(() => {
    if (!document.querySelector("#compare-viewer .gv-tile img[src]")) return;
    view.remove();
    watch.disconnect();
  });
  watch.observe(document.body, { childList: true, subtree: true, attributes: true, attributeFilter: ["src"] });
})();
