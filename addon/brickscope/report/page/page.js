// Sorting, filtering, shortening of tables. Everything is on the page without this script as well, and on paper all of it.
"use strict";
(() => {
  const FIRST_ROWS = matchMedia("(max-width: 760px)").matches ? 5 : 12;
  const FILTER_FROM = 8;
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const make = (name, properties = {}, children = []) => {
    const element = Object.assign(document.createElement(name), properties);
    element.append(...children);
    return element;
  };
  const live = document.getElementById("live");
  const order = new Intl.Collator("en", { numeric: true, sensitivity: "base" });

  function keyOf(cell) {
    return "value" in cell.dataset ? Number(cell.dataset.value) : cell.textContent.trim();
  }

  function equip(box) {
    const table = box.querySelector("table");
    if (!table) return;
    const caption = box.querySelector("h3").textContent.trim();
    const body = table.tBodies[0];
    const rows = [...body.rows];
    // A few rows more are not worth a button.
    let whole = rows.length <= FIRST_ROWS + 4;
    let words = [];
    const status = make("span");
    status.setAttribute("role", "status");
    const more = make("button", { type: "button", className: "show-all" });

    function show() {
      let matched = 0;
      for (const row of body.rows) {
        const fits = words.every((word) => row.dataset.text.includes(word));
        matched += fits;
        row.classList.toggle("off", !fits || (!whole && matched > FIRST_ROWS));
      }
      const seen = whole ? matched : Math.min(matched, FIRST_ROWS);
      const of = matched === rows.length ? "rows" : `rows that match, of ${rows.length.toLocaleString("en")}`;
      more.hidden = seen === matched;
      more.textContent = `Show all ${matched.toLocaleString("en")} rows`;
      status.textContent = `${seen === matched ? "" : `${seen} of `}${matched.toLocaleString("en")} ${of}`;
    }

    for (const row of rows) row.dataset.text = row.textContent.toLowerCase();
    for (const [source, name] of [[more, "click"], [box, "show-all"]]) {
      source.addEventListener(name, () => { whole = true; show(); });
    }

    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) => {
      const label = head.textContent;
      const numeric = "value" in rows[0].cells[column].dataset;
      const button = make("button", { type: "button", textContent: label });
      // Browsers do not paint buttons in the heads that they repeat on each printed page.
      head.replaceChildren(button, make("span", { className: "printed", textContent: label }));
      head.setAttribute("aria-sort", "none");
      button.addEventListener("click", () => {
        // Numbers are first wanted from the top.
        const now = head.getAttribute("aria-sort");
        const ascending = now === "none" ? !numeric : now === "descending";
        for (const other of heads) other.setAttribute("aria-sort", "none");
        head.setAttribute("aria-sort", ascending ? "ascending" : "descending");
        const sign = ascending ? 1 : -1;
        const keyed = [...body.rows].map((row) => [keyOf(row.cells[column]), row]);
        keyed.sort(([a], [b]) => sign * (numeric ? a - b : order.compare(a, b)));
        body.append(...keyed.map(([, row]) => row));
        show();
        live.textContent = `${caption}: sorted by ${label}, ${ascending ? "ascending" : "descending"}`;
      });
    });

    if (rows.length >= FILTER_FROM) {
      const input = make("input", { type: "search", autocomplete: "off", spellcheck: false });
      input.setAttribute("aria-label", `Filter: ${caption}`);
      input.addEventListener("input", () => {
        words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
        show();
      });
      table.before(make("div", { className: "tools" }, [make("label", {}, ["Filter", input]), status]));
    }
    table.after(more);
    show();
  }
  all(".table").forEach(equip);

  const openAll = () => {
    for (const part of all("details")) part.open = true;
    for (const box of all(".table")) box.dispatchEvent(new Event("show-all"));
  };
  const open = make("button", { type: "button", textContent: "Open all", title: "Show every row and open every part" });
  open.addEventListener("click", openAll);
  const print = make("button", { type: "button", textContent: "Print" });
  print.addEventListener("click", () => window.print());
  document.getElementById("buttons").append(open, print);

  // On paper nothing can be opened. Rows are shown there by the style sheet.
  let closed = [];
  window.addEventListener("beforeprint", () => {
    closed = all("details:not([open])");
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
})();
