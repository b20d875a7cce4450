// Sorting, filtering, tooltips. Everything is on the page without this script as well; it only makes it handier.
"use strict";
(() => {
  const FIRST_ROWS = 12;
  const FILTER_FROM = 8;
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const make = (name, properties = {}, children = []) => {
    const element = Object.assign(document.createElement(name), properties);
    element.append(...children);
    return element;
  };
  const live = document.getElementById("live");

  // -- tables -------------------------------------------------------------------------------------------------
  const order = new Intl.Collator("en", { numeric: true, sensitivity: "base" });

  function keyOf(row, column, numeric) {
    const cell = row.cells[column];
    const value = cell.dataset.value ?? cell.textContent.trim();
    return numeric ? Number(value) : value;
  }

  function equip(box) {
    const table = box.querySelector("table");
    if (!table) return;
    const caption = box.querySelector(".caption").firstChild.textContent.trim();
    const body = table.tBodies[0];
    const rows = [...body.rows];
    // A few rows more are not worth a button.
    let whole = rows.length <= FIRST_ROWS + 4;
    let words = [];
    const status = make("span");
    status.setAttribute("role", "status");
    const more = make("button", { type: "button", className: "show-all" });
    const cut = make("p", { className: "cut" });

    function show() {
      let matched = 0;
      for (const row of body.rows) {
        const fits = words.every((word) => row.dataset.text.includes(word));
        matched += fits;
        row.hidden = !fits || (!whole && matched > FIRST_ROWS);
      }
      const seen = whole ? matched : Math.min(matched, FIRST_ROWS);
      more.hidden = cut.hidden = seen === matched;
      cut.textContent = `${seen} of ${matched.toLocaleString("en")} rows are printed. “Open all” before printing has all of them printed.`;
      more.textContent = `Show all ${matched.toLocaleString("en")} rows`;
      const of = matched === rows.length ? "rows" : `rows that match, of ${rows.length.toLocaleString("en")}`;
      status.textContent = seen === matched ? `${matched.toLocaleString("en")} ${of}` : `${seen} of ${matched.toLocaleString("en")} ${of}`;
    }

    for (const row of rows) row.dataset.text = row.textContent.toLowerCase();
    more.addEventListener("click", () => { whole = true; show(); });
    box.addEventListener("show-all", () => { whole = true; show(); });

    [...table.tHead.rows[0].cells].forEach((head, column) => {
      const label = head.textContent.trim();
      if (!label) { head.append(make("span", { className: "sr", textContent: "Mark" })); return; }
      const numeric = head.dataset.kind === "n";
      const button = make("button", { type: "button", textContent: label });
      // Browsers do not paint buttons in the heads that they repeat on each printed page.
      head.replaceChildren(button, make("span", { className: "printed", textContent: label }));
      head.setAttribute("aria-sort", "none");
      button.addEventListener("click", () => {
        // Numbers are first wanted from the top.
        const now = head.getAttribute("aria-sort");
        const ascending = now === "none" ? !numeric : now === "descending";
        for (const other of table.tHead.rows[0].cells) if (other.hasAttribute("aria-sort")) other.setAttribute("aria-sort", "none");
        head.setAttribute("aria-sort", ascending ? "ascending" : "descending");
        const sign = ascending ? 1 : -1;
        const keyed = [...body.rows].map((row) => [keyOf(row, column, numeric), row]);
        keyed.sort(([a], [b]) => sign * (numeric ? a - b : order.compare(a, b)));
        body.append(...keyed.map(([, row]) => row));
        show();
        live.textContent = `${caption}: sorted by ${label}, ${ascending ? "ascending" : "descending"}`;
      });
    });

    const tools = make("div", { className: "tools" });
    if (rows.length >= FILTER_FROM) {
      const input = make("input", { type: "search", autocomplete: "off", spellcheck: false });
      input.setAttribute("aria-label", `Filter: ${caption}`);
      input.addEventListener("input", () => {
        words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
        show();
      });
      tools.append(make("label", {}, ["Filter", input]));
    }
    if (rows.length >= FILTER_FROM) tools.append(status);
    if (tools.childElementCount) box.querySelector(".scroll").before(tools);
    box.querySelector(".scroll").after(more, cut);
    show();
  }
  all(".table").forEach(equip);

  // -- tooltips -----------------------------------------------------------------------------------------------
  const tip = make("div", { className: "tip", hidden: true });
  tip.setAttribute("aria-hidden", "true");
  document.body.append(tip);
  // The browser's own tooltips come late and never on a touch screen.
  for (const title of all(".chart title")) {
    title.parentNode.dataset.tip = title.textContent;
    title.remove();
  }

  function point(target, x, y) {
    tip.textContent = target.dataset.tip;
    tip.hidden = false;
    const box = tip.getBoundingClientRect();
    const left = Math.min(Math.max(8, x + 14), document.documentElement.clientWidth - box.width - 8);
    const below = y + 18 + box.height < window.innerHeight;
    tip.style.left = `${Math.max(8, left)}px`;
    tip.style.top = `${below ? y + 18 : Math.max(8, y - box.height - 12)}px`;
  }
  const hide = () => { tip.hidden = true; };
  const over = (event) => {
    const target = event.target.closest?.("[data-tip]");
    if (target) point(target, event.clientX, event.clientY); else hide();
  };
  document.addEventListener("pointermove", over);
  document.addEventListener("pointerdown", over);
  document.addEventListener("scroll", hide, { passive: true, capture: true });
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") hide(); });

  // A chart in focus is walked through by the arrow keys.
  for (const chart of all("[data-chart]")) {
    const slots = all(".slot", chart);
    let at = -1;
    const leave = () => { slots[at]?.classList.remove("on"); hide(); };
    chart.addEventListener("blur", leave);
    chart.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1, Home: -slots.length, End: slots.length }[event.key];
      if (!step || !slots.length) return;
      event.preventDefault();
      leave();
      at = Math.min(Math.max(at + step, 0), slots.length - 1);
      const slot = slots[at];
      slot.classList.add("on");
      const box = slot.getBoundingClientRect();
      point(slot, box.right, box.top + box.height / 3);
      live.textContent = slot.dataset.tip;
    });
  }

  // -- the page -----------------------------------------------------------------------------------------------
  const themes = ["auto", "light", "dark"];
  const theme = make("button", { type: "button", title: "Colours: as the system has it, light, or dark" });
  function setTheme(name) {
    if (name === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = name;
    theme.replaceChildren(make("span", { className: "label", textContent: "Theme: " }), name);
    theme.dataset.now = name;
  }
  theme.addEventListener("click", () => setTheme(themes[(themes.indexOf(theme.dataset.now) + 1) % themes.length]));
  setTheme("auto");

  const open = make("button", { type: "button", textContent: "Open all" });
  open.title = "Show every row and open every part, for searching and printing";
  open.addEventListener("click", () => {
    for (const part of all("details")) part.open = true;
    for (const box of all(".table")) box.dispatchEvent(new Event("show-all"));
  });
  const print = make("button", { type: "button", textContent: "Print" });
  print.addEventListener("click", () => window.print());
  document.getElementById("buttons").append(theme, open, print);

  // On paper nothing can be opened: rules are printed open.
  let closed = [];
  window.addEventListener("beforeprint", () => {
    closed = all("details[data-print]:not([open])");
    for (const part of closed) part.open = true;
  });
  window.addEventListener("afterprint", () => { for (const part of closed) part.open = false; });

  // A link into a closed part opens it.
  const reveal = () => {
    const part = location.hash && document.getElementById(location.hash.slice(1))?.closest("details");
    if (part) part.open = true;
  };
  window.addEventListener("hashchange", reveal);
  reveal();

  const links = new Map(all(".contents a").map((link) => [link.hash.slice(1), link]));
  const seen = new Set();
  const watcher = new IntersectionObserver((entries) => {
    for (const entry of entries) seen[entry.isIntersecting ? "add" : "delete"](entry.target.id);
    const current = [...links.keys()].find((id) => seen.has(id));
    if (!current) return;
    for (const [id, link] of links) {
      if (id === current) link.setAttribute("aria-current", "true"); else link.removeAttribute("aria-current");
    }
  }, { rootMargin: "-64px 0px -55% 0px" });
  for (const section of all("main > section")) watcher.observe(section);
})();
