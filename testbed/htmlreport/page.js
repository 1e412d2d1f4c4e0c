"use strict";
(() => {
  const PAGE = 50;
  const said = document.getElementById("said");
  const words = new Intl.Collator("en", { numeric: true });

  const text = (cell) => (Array.isArray(cell) ? cell[0] : cell);
  const amount = (shown) => {
    const found = parseFloat(shown.replaceAll(",", ""));
    return Number.isNaN(found) ? -Infinity : found;
  };
  const compared = (numeric, sign) => (a, b) =>
    sign * (numeric ? amount(a) - amount(b) || words.compare(a, b) : words.compare(a, b));

  function filled(cell, value, numeric) {
    const [shown, tone, sign, more] = Array.isArray(value) ? value : [value, "", "", ""];
    if (tone) cell.classList.add(tone);
    if (numeric) cell.classList.add("number");
    if (sign) {
      const mark = document.createElement("span");
      mark.className = "sign";
      mark.setAttribute("aria-hidden", "true");
      mark.textContent = sign;
      cell.append(mark, "\u00a0");
    }
    cell.append(shown);
    if (more) {
      const small = document.createElement("small");
      small.textContent = more;
      cell.append(small);
    }
    return cell;
  }

  function rowOf(values, numeric) {
    const row = document.createElement("tr");
    values.forEach((value, at) => {
      const cell = document.createElement(at ? "td" : "th");
      if (!at) cell.scope = "row";
      row.append(filled(cell, value, numeric[at]));
    });
    return row;
  }

  // A long table: its rows are data until somebody asks for them.
  function long(table, pager, data) {
    let all = null;
    let shown = null;
    let from = 0;
    const body = table.tBodies[0];
    const numeric = [...table.tHead.rows[0].cells].map((cell) => cell.classList.contains("number"));
    const [back, on] = pager.querySelectorAll("button");
    const input = pager.querySelector("input");
    const output = pager.querySelector("output");
    const rows = () => (all ??= JSON.parse(data.textContent));
    function show() {
      const part = shown.slice(from, from + PAGE);
      body.replaceChildren(...part.map((values) => rowOf(values, numeric)));
      output.value = part.length
        ? `${(from + 1).toLocaleString("en")} to ${(from + part.length).toLocaleString("en")} of ${shown.length.toLocaleString("en")}`
        : "no row has it";
      back.disabled = !from;
      on.disabled = from + PAGE >= shown.length;
    }
    function filter() {
      const wanted = input.value.trim().toLowerCase();
      shown = wanted
        ? rows().filter((row) => row.some((cell) => text(cell).toLowerCase().includes(wanted)))
        : rows().slice();
      from = 0;
      show();
    }
    back.addEventListener("click", () => { shown ??= rows().slice(); from = Math.max(0, from - PAGE); show(); });
    on.addEventListener("click", () => { shown ??= rows().slice(); from += PAGE; show(); });
    input.addEventListener("input", filter);
    return (column, order) => {
      rows().sort((a, b) => order(text(a[column]), text(b[column])));
      filter();
    };
  }

  function short(table) {
    const body = table.tBodies[0];
    return (column, order) => {
      const key = (row) => row.cells[column].textContent.replace(/^[✓◆✗!–]\s*/, "").trim();
      const rows = [...body.rows].map((row) => [key(row), row]);
      rows.sort((a, b) => order(a[0], b[0]));
      body.append(...rows.map(([, row]) => row));
    };
  }

  for (const table of document.querySelectorAll("table[id]")) {
    const data = document.getElementById(`${table.id}-data`);
    const pager = document.querySelector(`[data-for="${table.id}"]`);
    const sort = data ? long(table, pager, data) : short(table);
    for (const button of table.tHead.querySelectorAll("button")) {
      button.addEventListener("click", () => {
        const head = button.parentElement;
        const up = head.getAttribute("aria-sort") !== "ascending";
        for (const other of table.tHead.querySelectorAll("[aria-sort]")) other.setAttribute("aria-sort", "none");
        head.setAttribute("aria-sort", up ? "ascending" : "descending");
        sort(head.cellIndex, compared(head.classList.contains("number"), up ? 1 : -1));
        said.textContent = `sorted by ${button.textContent}, ${up ? "ascending" : "descending"}`;
      });
    }
  }

  const folds = [...document.querySelectorAll("details")];
  const every = document.getElementById("open-all");
  every.addEventListener("click", () => {
    const open = folds.some((one) => !one.open);
    for (const one of folds) one.open = open;
    every.textContent = open ? "Close everything" : "Open everything";
  });
  let closed = [];
  addEventListener("beforeprint", () => {
    closed = folds.filter((one) => !one.open);
    for (const one of closed) one.open = true;
  });
  addEventListener("afterprint", () => { for (const one of closed) one.open = false; });
})();
