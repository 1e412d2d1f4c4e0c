// Elements made by code: text is always text, whatever a name holds.

const SVG = "http://www.w3.org/2000/svg";
type Attributes = Record<string, string | number>;

export function svg(name: string, attributes: Attributes = {}, ...children: (Node | string)[]): SVGElement {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value));
  made.append(...children);
  return made;
}

export function html(name: string, attributes: Attributes = {}, ...children: (Node | string)[]): HTMLElement {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value));
  made.append(...children);
  return made;
}

export function byId<T extends HTMLElement>(id: string): T {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no ${id}`);
  return found as T;
}

/** Replace the children only where their text differs, so that a screen reader and the focus stay where they are. */
export function rows(body: HTMLElement, lines: string[][], head = true): void {
  lines.forEach((cells, number) => {
    let row = body.children[number];
    if (!row) body.append((row = html("tr")));
    cells.forEach((text, column) => {
      let cell = row.children[column];
      if (!cell) row.append((cell = column === 0 && head ? html("th", { scope: "row" }) : html("td")));
      if (cell.textContent !== text) cell.textContent = text;
    });
  });
  while (body.children.length > lines.length) body.lastElementChild?.remove();
}
