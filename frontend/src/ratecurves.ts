// What came to each box and what it let down, over the last minute, with the limit of its policer or shaper.

import { html, svg } from "./drawing";
import { bits, WINDOW, type Curve } from "./snapshot";

const WIDTH = 560, HEIGHT = 150, LEFT = 74, BOTTOM = 22, TOP = 12;

export function showCurves(place: HTMLElement, curves: Map<string, Curve>, now: number): void {
  const busy = [...curves].filter(([, one]) => one.limit !== null || one.before.some(([, rate]) => rate > 0));
  if (!busy.length) {
    place.replaceChildren(html("p", { class: "quiet" }, "Nothing has passed a box in the last minute."));
    return;
  }
  place.replaceChildren(...busy.map(([box, curve]) => figure(box, curve, now)));
}

function figure(box: string, curve: Curve, now: number): HTMLElement {
  const after = curve.after.map(([, rate]) => rate);
  // A burst before the policer begins would make the rest flat: the scale is that of what leaves, or the limit.
  const top = Math.max(1000, curve.limit ? curve.limit * 3 : Math.max(0, ...curve.before.map(([, rate]) => rate)),
    curve.limit ? 0 : Math.max(0, ...after));
  const x = (t: number) => LEFT + ((t - (now - WINDOW)) / WINDOW) * (WIDTH - LEFT - 8);
  const y = (rate: number) => HEIGHT - BOTTOM - (Math.min(rate, top) / top) * (HEIGHT - BOTTOM - TOP);
  const path = (points: [number, number][]) => points.map(([t, rate]) => `${x(t).toFixed(1)},${y(rate).toFixed(1)}`).join(" ");
  const last = (points: [number, number][]) => points.at(-1)?.[1] ?? 0;
  const marks = [0, top / 2, top].flatMap((rate) => [
    svg("line", { class: "grid", x1: LEFT, x2: WIDTH - 8, y1: y(rate), y2: y(rate) }),
    svg("text", { class: "small", x: LEFT - 6, y: y(rate) + 4, "text-anchor": "end" }, bits(rate)),
  ]);
  const limit = curve.limit === null ? [] : [
    svg("line", { class: "limit", x1: LEFT, x2: WIDTH - 8, y1: y(curve.limit), y2: y(curve.limit) }),
    svg("text", { class: "small limitname", x: WIDTH - 10, y: y(curve.limit) - 4, "text-anchor": "end" }, `limit of a flow ${bits(curve.limit)}`),
  ];
  const words = `${box}: ${bits(last(curve.before))} reach it, ${bits(last(curve.after))} leave it` +
    (curve.limit === null ? "" : `, limit of a flow ${bits(curve.limit)}`);
  return html("figure", {},
    svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": words }, ...marks,
      svg("polyline", { class: "reaches", points: path(curve.before) }),
      svg("polyline", { class: "leaves", points: path(curve.after) }),
      ...limit,
      svg("text", { class: "small", x: LEFT, y: HEIGHT - 5 }, "60 s ago"),
      svg("text", { class: "small", x: WIDTH - 8, y: HEIGHT - 5, "text-anchor": "end" }, "now")),
    html("figcaption", {}, html("strong", {}, box), ": ┄ reaches it ", html("span", { class: "number" }, bits(last(curve.before))),
      " ━ leaves it ", html("span", { class: "number" }, bits(last(curve.after)))));
}
