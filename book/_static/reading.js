/* What a page does beside being read: tables are sorted, and what scrolls says so and is reached by keyboard.
   Pages are whole without it. */
"use strict";

const MINUS = /\u2212/g;  // the book sets a true minus sign

function worth(cell) {
  const text = cell.textContent.trim().replace(MINUS, "-").replace(/,(?=\d{3})/g, "");
  const number = /^[<>≤≥]?\s*-?\.?\d/.test(text) ? parseFloat(text.replace(/^[<>≤≥]\s*/, "")) : NaN;
  return { text, number };
}

function compare(one, other) {
  if (isNaN(one.number) !== isNaN(other.number)) return isNaN(one.number) ? 1 : -1;  // words after numbers
  return isNaN(one.number) ? one.text.localeCompare(other.text) : one.number - other.number;
}

function sortable(table) {
  const [head, ...more] = table.tHead ? table.tHead.rows : [];
  if (!head || more.length || table.tBodies.length !== 1) return false;
  const rows = [...table.tBodies[0].rows];
  // A row whose first cell is empty goes on from the row above: it cannot move.
  const alone = (row) => row.cells.length === head.cells.length && row.cells[0].textContent.trim();
  return rows.length > 2 && rows.every(alone);
}

function sortBy(table, column) {
  const headers = [...table.tHead.rows[0].cells];
  const downwards = headers[column].getAttribute("aria-sort") === "ascending";
  headers.forEach((header) => header.removeAttribute("aria-sort"));
  headers[column].setAttribute("aria-sort", downwards ? "descending" : "ascending");
  const rows = [...table.tBodies[0].rows].map((row) => ({ row, key: worth(row.cells[column]) }));
  rows.sort((a, b) => (downwards ? -1 : 1) * compare(a.key, b.key));
  table.tBodies[0].append(...rows.map(({ row }) => row));
}

function offerSorting(table) {
  [...table.tHead.rows[0].cells].forEach((header, column) => {
    const name = header.textContent.trim();
    if (!name) return;
    const button = document.createElement("button");
    button.className = "sort";
    button.setAttribute("aria-label", `Sort by ${name}`);
    (header.querySelector(":scope > p:last-child") || header).append(button);
    header.addEventListener("click", () => sortBy(table, column));
  });
}

function nameOf(box) {
  const headings = [...document.querySelectorAll(".bd-article :is(h1, h2, h3)")];
  const above = headings.filter((h) => h.compareDocumentPosition(box) & Node.DOCUMENT_POSITION_FOLLOWING).pop();
  const what = box.querySelector("table") ? "Table" : box.matches(".math") ? "Formula" : "Text";
  return `${what}, scrolls sideways: ${above ? above.textContent.replace("#", "").trim() : document.title}`;
}

function tellScrolling(box) {
  const scrolls = box.scrollWidth > box.clientWidth + 1;
  box.classList.toggle("scrolls", scrolls && box.querySelector("table") !== null);
  for (const [name, value] of [["tabindex", "0"], ["role", "region"], ["aria-label", nameOf(box)]]) {
    if (scrolls) box.setAttribute(name, value);
    else box.removeAttribute(name);
  }
}

document.addEventListener("DOMContentLoaded", () => {
  document.querySelectorAll(".bd-article table").forEach((table) => sortable(table) && offerSorting(table));
  const boxes = ".pst-scrollable-table-container, div.cell_output div:has(> table), div.panel-table, div.math, pre";
  const watched = new ResizeObserver((changes) => changes.forEach((change) => tellScrolling(change.target)));
  document.querySelectorAll(`.bd-article :is(${boxes})`).forEach((box) => watched.observe(box));
});
