/* A picture looked at closer: what stands at the place that is pointed at, or stepped to with ← and →, is told below
   it. The places of a panel, `datamix.publishing.places`, are loaded when a reader first comes to its picture. */
"use strict";

const FAR = 12;  // pixels from which a point is no longer pointed at
const told = {};

function datamixPlaces(panel, { words, at }) {
  told[panel] = at.map(([x, y, width, height, which]) => ({
    x: x / 1e4, y: y / 1e4, width: width / 1e4, height: height / 1e4, words: words[which],
  }));
}

function placeAt(places, x, y, size) {
  const inside = places.find((p) => p.width && x >= p.x && x < p.x + p.width && y >= p.y && y < p.y + p.height);
  if (inside) return inside;
  const away = (p) => (p.width ? Infinity : Math.hypot((p.x - x) * size.width, (p.y - y) * size.height));
  const nearest = places.reduce((best, p) => (away(p) < away(best) ? p : best), places[0]);
  return away(nearest) <= FAR ? nearest : null;
}

function lookCloser(figure) {
  const link = figure.querySelector(".panel-image");
  const picture = link.querySelector("img");
  const says = figure.querySelector(".panel-reads");
  const panel = figure.dataset.places.match(/fig(\w+)\.js$/)[1];
  const mark = document.createElement("span");
  mark.className = "panel-mark";
  let now = -1;

  const load = () => {
    if (panel in told) return;
    told[panel] = [];
    const script = document.createElement("script");
    script.src = figure.dataset.places;
    document.head.append(script);
  };
  const show = (place) => {
    now = told[panel].indexOf(place);
    mark.hidden = !place;
    if (!place) return;
    says.textContent = place.words;
    link.append(mark);
    const round = place.width ? 0 : 0.006;  // around a point
    const tall = round * (picture.width / picture.height);
    const [left, top] = [place.x - round, place.y - tall];
    const [width, height] = [place.width + 2 * round, place.height + 2 * tall];
    mark.style.left = `${picture.offsetLeft + left * picture.offsetWidth}px`;
    mark.style.top = `${picture.offsetTop + top * picture.offsetHeight}px`;
    mark.style.width = `${width * picture.offsetWidth}px`;
    mark.style.height = `${height * picture.offsetHeight}px`;
  };
  link.addEventListener("pointerenter", load);
  link.addEventListener("focus", load);
  link.addEventListener("pointermove", (event) => {
    if (!told[panel]?.length) return;
    const size = picture.getBoundingClientRect();
    show(placeAt(told[panel], (event.clientX - size.left) / size.width, (event.clientY - size.top) / size.height, size));
  });
  link.addEventListener("pointerleave", () => show(undefined));
  link.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    const places = told[panel] || [];
    if (event.key === "Escape") show(undefined);
    if (!step || !places.length) return;
    event.preventDefault();
    show(places[(now + step + places.length) % places.length]);
    mark.scrollIntoView({ block: "nearest", inline: "nearest" });
  });
}

document.addEventListener("DOMContentLoaded", () => {
  document.querySelectorAll("figure[data-places]").forEach(lookCloser);
});
