// Keyboard and live queue. Pages work without it; nothing here makes HTML from text.
(() => {
  "use strict";
  const base = document.body.dataset.base;
  const dialog = document.getElementById("keys");
  const switcher = document.getElementById("keys-on");
  const goes = { q: "/console", c: "/console/customers", h: "/console/channels" };
  let going = 0;

  const store = {
    get off() { try { return localStorage.getItem("single-keys") === "off"; } catch { return false; } },
    set off(value) { try { localStorage.setItem("single-keys", value ? "off" : "on"); } catch { /* private window */ } },
  };

  const rows = () => [...document.querySelectorAll("[data-row]")];

  function move(step) {
    const all = rows();
    if (!all.length) return;
    const here = all.indexOf(document.activeElement);
    const next = here < 0 ? (step > 0 ? 0 : all.length - 1) : Math.min(Math.max(here + step, 0), all.length - 1);
    all[next].focus();
    all[next].closest("li, p")?.scrollIntoView({ block: "nearest" });
  }

  const keys = {
    j: () => move(1),
    k: () => move(-1),
    g: () => { going = Date.now(); },
    "/": () => document.getElementById("find")?.focus(),
    "?": () => dialog.showModal(),
    ".": () => live?.load(),
  };

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || dialog.open) return;
    if (event.target.closest("input, textarea, select, [contenteditable]")) return;
    if (store.off && event.key !== "?") return;
    const target = Date.now() - going < 1200 ? goes[event.key] : undefined;
    going = 0;
    if (target) location.href = base + target;
    else if (Object.hasOwn(keys, event.key)) keys[event.key]();
    else return;
    event.preventDefault();
  });

  document.querySelector(".keys-open")?.removeAttribute("hidden");
  document.querySelector(".keys-open")?.addEventListener("click", () => dialog.showModal());
  switcher.checked = !store.off;
  switcher.addEventListener("change", () => { store.off = !switcher.checked; });

  // A choice of a filter applies at once; the button is for browsers without scripts.
  const filters = document.querySelector(".filters");
  filters?.querySelector(".apply").setAttribute("hidden", "");
  filters?.addEventListener("change", () => filters.requestSubmit());
  filters?.addEventListener("submit", () => {
    for (const field of filters.elements) if (field.name && !field.value) field.disabled = true;
  });

  // The queue polls; it is never changed under someone's focus or pointer.
  function watch(list, bar) {
    const said = bar.querySelector("[role=status]");
    const loader = bar.querySelector("[data-load]");
    const pauser = bar.querySelector("[data-pause]");
    let fresh = null;
    let paused = false;

    const busy = () => list.contains(document.activeElement) || list.matches(":hover");

    function load() {
      if (!fresh) return;
      list.replaceWith(fresh);
      list = fresh;
      fresh = null;
      loader.hidden = true;
      said.textContent = "Up to date";
    }

    async function poll() {
      if (paused || document.hidden) return;
      const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
      if (!answer.ok) throw new Error(String(answer.status));
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const found = page.getElementById("list");
      if (!found) throw new Error("signed out");
      if (found.dataset.mark === list.dataset.mark) { said.textContent = "Up to date"; return; }
      fresh = document.importNode(found, true);
      if (busy()) { said.textContent = "The queue has changed"; loader.hidden = false; } else load();
    }

    pauser.addEventListener("click", () => {
      paused = !paused;
      pauser.setAttribute("aria-pressed", String(paused));
      pauser.textContent = paused ? "Resume" : "Pause";
      said.textContent = paused ? "Paused" : "Up to date";
    });
    loader.addEventListener("click", load);
    said.textContent = "Live";
    bar.hidden = false;
    setInterval(() => poll().catch(() => { said.textContent = "Not updating: reload the page"; }), 10000);
    return { load };
  }

  const list = document.getElementById("list");
  const bar = document.querySelector(".live");
  const live = list && bar ? watch(list, bar) : null;
})();
