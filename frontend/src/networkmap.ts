// The network as it is now: a row for each operator, with its hops and the boxes on them.

import { svg } from "./drawing";
import { bits, type Box, type Operator, type Remembered, type Snapshot, type WorldMap } from "./snapshot";

const LEFT = 178, STEP = 128, ROW = 112, TOP = 22, RIGHT = 216;

interface Lines { line: SVGElement; words: SVGElement; key: string; side: 0 | 1 }

export class NetworkMap {
  private drawn = "";
  private lines: Lines[] = [];
  private boxes = new Map<string, { group: SVGElement; sign: SVGElement }>();

  constructor(private place: HTMLElement, private choose: (box: Box, operator: Operator) => void) {}

  show(snapshot: Snapshot, remembered: Remembered): void {
    const now = JSON.stringify(snapshot.map);
    if (now !== this.drawn) {
      this.draw(snapshot.map);
      this.drawn = now;
    }
    for (const { line, words, key, side } of this.lines) {
      const rate = snapshot.links[key]?.[side] ?? 0;
      line.setAttribute("stroke-width", String(rate ? 2 + Math.min(9, Math.log10(1 + rate / 1000) * 2.2) : 1.5));
      line.classList.toggle("busy", rate > 0);
      words.textContent = rate ? bits(rate) : "";
    }
    for (const [name, { group, sign }] of this.boxes) {
      const fires = remembered.lit.has(name);
      group.classList.toggle("lit", fires);
      sign.textContent = fires ? "● fires" : "";
    }
  }

  private draw(map: WorldMap): void {
    const focused = document.activeElement?.getAttribute("data-box");
    this.lines = [];
    this.boxes.clear();
    const most = Math.max(4, ...map.operators.map((one) => one.hops));
    const backbone = LEFT + most * STEP + 60;
    const count = map.operators.length + (map.outside ? 1 : 0);
    const width = backbone + RIGHT + 60, height = TOP + Math.max(2, count) * ROW;
    const picture = svg("svg", {
      viewBox: `0 0 ${width} ${height}`, role: "group", "aria-label": spoken(map),
    });
    const middle = height / 2;
    picture.append(
      svg("rect", { class: "backbone", x: backbone - 13, y: TOP, width: 26, height: height - TOP - 16, rx: 8 }),
      svg("text", { class: "small turned", x: backbone, y: middle, "text-anchor": "middle",
                    transform: `rotate(-90 ${backbone} ${middle})`, "dominant-baseline": "central" }, "backbone"),
    );
    map.operators.forEach((operator, number) => this.operator(picture, operator, TOP + number * ROW + 74, backbone));
    this.sites(picture, map, backbone, height);
    if (map.outside) {
      const y = TOP + map.operators.length * ROW + 50;
      picture.append(svg("circle", { class: "vantage", cx: LEFT - 40, cy: y, r: 13 }),
        svg("text", { class: "name", x: 8, y: y + 5 }, "outside"),
        svg("text", { class: "small", x: LEFT - 16, y: y + 5 }, "the vantage without a filter"));
    }
    this.place.replaceChildren(picture);
    if (focused) this.place.querySelector<SVGElement>(`[data-box="${CSS.escape(focused)}"]`)?.focus();
  }

  private operator(picture: SVGElement, operator: Operator, y: number, backbone: number): void {
    const x = (hop: number) => LEFT + hop * STEP;
    picture.append(svg("text", { class: "name", x: 8, y: y - 4 }, operator.key),
      svg("text", { class: "small", x: 8, y: y + 14 }, `AS${operator.asn}`));
    this.link(picture, LEFT - 40, x(1), y, `${operator.key}:eth0`, 0);
    for (let hop = 1; hop < operator.hops; hop++) {
      this.link(picture, x(hop), x(hop + 1), y, `${operator.key}.hop${hop}:out`, 0);
    }
    this.link(picture, x(operator.hops), backbone - 13, y, `${operator.key}.hop${operator.hops}:out`, 0);
    picture.append(svg("circle", { class: "vantage", cx: LEFT - 40, cy: y, r: 13 }));
    for (let hop = 1; hop <= operator.hops; hop++) {
      picture.append(svg("circle", { class: "hop", cx: x(hop), cy: y, r: 9 }),
        svg("text", { class: "small", x: x(hop), y: y + 26, "text-anchor": "middle" }, `hop ${hop}`));
    }
    const places = new Map<number, number>();
    for (const box of operator.boxes) {
      const hop = box.at === "hop" ? box.hop : operator.hops;
      const rank = places.get(hop) ?? 0;
      places.set(hop, rank + 1);
      this.box(picture, box, operator, x(hop), y - 62 - rank * 14);
    }
  }

  private link(picture: SVGElement, from: number, to: number, y: number, key: string, side: 0 | 1): void {
    const line = svg("line", { class: "link", x1: from, y1: y, x2: to, y2: y });
    const words = svg("text", { class: "rate", x: (from + to) / 2, y: y - 9, "text-anchor": "middle" });
    picture.append(line, words);
    this.lines.push({ line, words, key, side });
  }

  private box(picture: SVGElement, box: Box, operator: Operator, x: number, y: number): void {
    const short = box.name.slice(box.name.indexOf("/") + 1);
    const where = box.at === "hop" ? `hop ${box.hop}` : "resolver";
    const rules = box.rules.map((rule) => `${rule.name} (${rule.does})`).join(", ");
    const shown = short.length > 17 ? `${short.slice(0, 16)}…` : short;
    const kind = `▣ ${box.profile}${box.models.length ? ` · ${box.models.join("+")}` : ""}`;
    const sign = svg("text", { class: "sign", x, y: y - 4, "text-anchor": "middle", "aria-hidden": "true" });
    // Its name begins with the words that one sees, for those who say them to press it.
    const group = svg(
      "g", { class: "box", tabindex: 0, role: "button", "data-box": box.name,
             "aria-label": `${shown} ${kind}; box ${box.name}, ${where}; rules: ${rules}` },
      svg("rect", { x: x - 62, y, width: 124, height: 36, rx: 5 }),
      svg("text", { class: "boxname", x, y: y + 15, "text-anchor": "middle" }, shown),
      svg("text", { class: "small", x, y: y + 29, "text-anchor": "middle" }, kind),
      sign,
      svg("title", { "aria-hidden": "true" }, `${box.name}, ${where}: ${rules}`),
    );
    const chosen = () => this.choose(box, operator);
    group.addEventListener("click", chosen);
    group.addEventListener("keydown", (event) => {
      if (event instanceof KeyboardEvent && (event.key === "Enter" || event.key === " ")) {
        event.preventDefault();
        chosen();
      }
    });
    picture.append(group);
    this.boxes.set(box.name, { group, sign });
  }

  private sites(picture: SVGElement, map: WorldMap, backbone: number, height: number): void {
    const x = backbone + 60, room = Math.floor((height - TOP - 40) / 17);
    const shown = map.sites.slice(0, Math.max(3, room));
    const more = map.more_sites + map.sites.length - shown.length;
    picture.append(
      svg("line", { class: "link", x1: backbone + 13, y1: height / 2, x2: x, y2: height / 2 }),
      svg("rect", { class: "sites", x, y: TOP, width: RIGHT - 8, height: height - TOP - 16, rx: 8 }),
      ...[...shown, ...(more > 0 ? [`and ${more} more`] : [])].map((site, number) =>
        svg("text", { class: "small", x: x + 12, y: TOP + 22 + number * 17 }, site.length > 28 ? `${site.slice(0, 27)}…` : site)),
    );
  }
}

function spoken(map: WorldMap): string {
  const rows = map.operators.map((one) =>
    `${one.name}: ${one.hops} hops, ${one.boxes.map((box) => `${box.name} at ${box.at === "hop" ? `hop ${box.hop}` : "the resolver"}`).join(", ") || "no box"}`);
  return `Network of ${map.scenario} in phase ${map.phase}. ${rows.join(". ")}`;
}
