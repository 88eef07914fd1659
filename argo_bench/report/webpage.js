"use strict";
(() => {
  // The page is whole without this: it fills what is opened, filters, sorts, searches, names marks and saves files.
  const all = (what, root = document) => [...root.querySelectorAll(what)];
  const make = (tag, attributes = {}, ...inside) => {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    made.append(...inside);
    return made;
  };
  const button = (words, act, attributes = {}) => {
    const made = make("button", { type: "button", ...attributes }, words);
    made.addEventListener("click", act);
    return made;
  };
  const save = (text, type, name) => {
    const link = make("a", { href: URL.createObjectURL(new Blob([text], { type })), download: name });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  };
  const nameOf = (near, ending) => {
    const part = near.closest(".one")?.querySelector("h3")?.textContent ?? document.title.slice(0, 30);
    return part.trim().replace(/\W+/g, "-").toLowerCase() + ending;
  };

  // Chapters wait as text inside <noscript> until they are opened.
  const open = (details) => {
    const waiting = details.querySelector(":scope > .body > noscript");
    if (!waiting) return;
    const body = waiting.parentElement;
    body.innerHTML = waiting.textContent;
    enhance(body);
  };
  const opened = (event) => {
    if (event.target.open) open(event.target);
  };
  document.addEventListener("toggle", opened, true);
  const follow = () => {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    const details = target?.closest("details");
    if (!details) return;
    details.open = true;
    open(details);
    details.scrollIntoView();
  };
  addEventListener("hashchange", follow);
  const menu = document.querySelector(".menu");
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[href^='#']");
    if (link?.getAttribute("href") === location.hash) follow();
    if (menu && (link || !menu.contains(event.target))) menu.open = false;
  });

  // A mark says its numbers to a pointer and to the keyboard; arrow keys go from mark to mark.
  const tip = make("div", { id: "tip", "aria-hidden": "true", hidden: "" });
  document.body.append(tip);
  const hide = () => (tip.hidden = true);
  const show = (mark) => {
    tip.textContent = mark.getAttribute("aria-label").replaceAll("; ", "\n");
    tip.hidden = false;
    const at = mark.getBoundingClientRect();
    const left = Math.min(Math.max(12, at.left + at.width / 2 - tip.offsetWidth / 2), innerWidth - tip.offsetWidth - 12);
    const above = at.bottom + tip.offsetHeight > innerHeight;
    tip.style.left = `${left + scrollX}px`;
    tip.style.top = `${scrollY + (above ? at.top - tip.offsetHeight : at.bottom)}px`;
  };
  for (const event of ["mouseover", "focusin"])
    document.addEventListener(event, (happened) => {
      const mark = happened.target.closest(".mark");
      if (mark) show(mark);
      else if (!happened.target.closest("#tip")) hide();
    });
  document.addEventListener("focusout", hide);
  // A finger has no hover: the first touch of a mark says its numbers, the second one follows it.
  let touched = null;
  document.addEventListener("click", (event) => {
    const mark = event.target.closest(".mark");
    const isFirst = mark && event.pointerType === "touch" && touched !== mark;
    touched = mark;
    if (isFirst) event.preventDefault();
  });
  const STEPS = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      hide();
      if (menu?.open) {
        menu.open = false;
        menu.firstElementChild.focus();
      }
    }
    const mark = event.target.closest?.(".mark");
    if (!mark || !(event.key in STEPS)) return;
    event.preventDefault();
    const marks = all(".mark", mark.ownerSVGElement);
    const next = marks[(marks.indexOf(mark) + STEPS[event.key] + marks.length) % marks.length];
    mark.setAttribute("tabindex", "-1");
    next.setAttribute("tabindex", "0");
    next.focus();
  });

  // Chips choose verdicts; a table shows the rows that are chosen and have what is searched for.
  const chosen = new Set();
  const isShown = (word) => !chosen.size || chosen.has(word);
  const filters = [];
  const choose = (word) => {
    if (!chosen.delete(word)) chosen.add(word);
    for (const chip of all("button[data-filter]")) chip.setAttribute("aria-pressed", chosen.has(chip.dataset.filter));
    for (const part of all(".hero .part")) part.classList.toggle("dim", !isShown(part.dataset.word));
    for (const each of filters) each();
  };
  for (const chip of all("li[data-filter]")) {
    const word = chip.dataset.filter;
    const made = button("", () => choose(word), { class: chip.className, "data-filter": word, "aria-pressed": "false" });
    made.append(...chip.childNodes);
    chip.className = "";
    delete chip.dataset.filter;
    chip.append(made);
  }

  const UNITS = { ns: 1e-9, us: 1e-6, ms: 1e-3, s: 1, min: 60, KiB: 1024, MiB: 2 ** 20, GiB: 2 ** 30 };
  const numberIn = (cell) => {
    if (cell.dataset.order) return Number(cell.dataset.order);
    const found = /^[<>=\s]*(-?[\d,]*\.?\d+(?:e[+-]?\d+)?)\s*([a-zA-Z]*)/.exec(cell.textContent.trim());
    return found ? Number(found[1].replaceAll(",", "")) * (UNITS[found[2]] ?? 1) : NaN;
  };
  const sort = (table, column, direction) => {
    const body = table.tBodies[0];
    const rows = (table.order ??= [...body.rows]);
    const numbers = new Map(rows.map((row) => [row, numberIn(row.cells[column])]));
    const isNumeric = rows.filter((row) => !isNaN(numbers.get(row))).length > rows.length / 2;
    const compare = (one, other) => {
      if (!isNumeric) return one.cells[column].textContent.localeCompare(other.cells[column].textContent, "en", { numeric: true });
      const [a, b] = [numbers.get(one), numbers.get(other)];
      return isNaN(a) || isNaN(b) ? (isNaN(a) - isNaN(b)) * direction : a - b;
    };
    body.append(...(direction ? [...rows].sort((one, other) => direction * compare(one, other)) : rows));
  };
  const makeSortable = (table) => {
    for (const [column, head] of [...table.tHead.rows[0].cells].entries()) {
      const act = () => {
        const next = { none: "ascending", ascending: "descending", descending: "none" }[head.getAttribute("aria-sort") ?? "none"];
        for (const each of table.tHead.rows[0].cells) each.removeAttribute("aria-sort");
        if (next !== "none") head.setAttribute("aria-sort", next);
        sort(table, column, { ascending: 1, descending: -1, none: 0 }[next]);
      };
      head.replaceChildren(button(head.textContent, act));
    }
  };
  const asText = (cell) => {
    const copy = cell.cloneNode(true);
    for (const line of all("br", copy)) line.replaceWith("; ");
    return `"${copy.textContent.trim().replaceAll('"', '""')}"`;
  };
  const asCsv = (table) => [...table.rows].map((row) => [...row.cells].map(asText).join(",")).join("\r\n");
  const equip = (table) => {
    const rows = [...table.tBodies[0].rows];
    const frame = table.parentElement;
    let tools = frame.previousElementSibling;
    if (!tools?.matches(".tools")) frame.before((tools = make("div", { class: "tools" })));
    const heads = [...table.tHead.rows[0].cells].map((head) => head.textContent);
    for (const row of rows)
      for (const [column, cell] of [...row.cells].entries()) {
        cell.dataset.of = heads[column];
        const lines = [...cell.childNodes].map((node) => node.textContent.length);
        if (Math.max(0, ...lines) <= 24) cell.classList.add("whole");
      }
    const isGrouped = rows.some((row) => row.querySelectorAll("td:empty").length > 1);
    if (rows.length > 2 && !isGrouped) makeSortable(table);
    if (rows.length > 8) {
      const counted = make("output", { class: "quiet" });
      const input = make("input", { type: "search", placeholder: "Search this table", "aria-label": "Search this table" });
      const filter = () => {
        const words = input.value.toLowerCase();
        for (const row of rows)
          row.hidden = !(isShown(row.dataset.word) || !row.dataset.word) || !row.textContent.toLowerCase().includes(words);
        const shown = rows.filter((row) => !row.hidden).length;
        counted.textContent = shown < rows.length ? `${shown} of ${rows.length} rows` : "";
      };
      input.addEventListener("input", filter);
      if (!table.closest(".one")) filters.push(filter);
      tools.append(input, counted);
    }
    tools.append(button("Save as CSV", () => save(asCsv(table), "text/csv", nameOf(table, ".csv"))));
  };

  // A figure is saved with the colours that it has now, because it leaves the page's variables behind.
  const saveFigure = (figure) => {
    const drawing = all("svg", figure).find((each) => each.checkVisibility());
    const copy = drawing.cloneNode(true);
    copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
    for (const link of all(".mark", copy)) link.remove();
    const rules = [...document.styleSheets[0].cssRules].filter((rule) => /^\.s\d+$/.test(rule.selectorText));
    const used = rules.filter((rule) => copy.querySelector(rule.selectorText)).map((rule) => rule.cssText);
    const sheet = document.createElementNS("http://www.w3.org/2000/svg", "style");
    sheet.textContent = used.join("\n");
    copy.prepend(sheet);
    const style = getComputedStyle(document.documentElement);
    const text = new XMLSerializer().serializeToString(copy).replace(/var\(--([\w-]+)\)/g, (_, name) =>
      style.getPropertyValue(`--${name}`).trim().replaceAll('"', "'"));
    save(text, "image/svg+xml", nameOf(figure, ".svg"));
  };

  const enhance = (root) => {
    for (const drawing of all("svg", root)) {
      for (const title of all(".mark title", drawing)) title.remove();
      for (const mark of all(".mark", drawing).slice(1)) mark.setAttribute("tabindex", "-1");
    }
    for (const table of all("table", root)) equip(table);
    for (const figure of all("figure:not(.spark)", root))
      figure.querySelector("figcaption").after(button("Save as SVG", () => saveFigure(figure)));
  };
  enhance(document);
  follow();
})();
