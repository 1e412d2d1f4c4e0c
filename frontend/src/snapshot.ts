// What the server sends, and what the page remembers of it: curves, and which boxes fire.

export interface Box {
  name: string; at: "hop" | "resolver"; hop: number; profile: string; models: string[];
  rules: { name: string; does: string }[]; limit: number | null;
}
export interface Operator { key: string; name: string; asn: number; hops: number; boxes: Box[] }
export interface WorldMap {
  scenario: string; title: string; phase: string; phases: { name: string; title: string }[];
  operators: Operator[]; outside: boolean; vantages: string[]; sites: string[]; more_sites: number; models: string[];
}
export interface Rule { rule: string; times: number; last: number; name: string; flow: string; action: string; limit: number | null }
export interface Flow { t: number; flow: string; vantage: string; rule: string; name: string; kind: string; outcome: string }
export interface Counts { flows: number; fired: number }
export interface Curve { limit: number | null; before: [number, number][]; after: [number, number][] }
export interface Ending { by: string; valid: boolean; problems: string[] }
export interface Snapshot {
  t: number; map: WorldMap; vantages: Record<string, Counts>; rules: Rule[]; recent: Flow[];
  links: Record<string, [number, number]>; curves: Record<string, Curve>; notes: string[];
  skipped: number; uncounted: number; dropped: number;
  running: { vantage: string; command: string }[]; problems: string[];
  past: { phase: string; seconds: number; fired: string; words: string }[]; ended: Ending | null;
}

export const WINDOW = 60; // seconds of a curve
const FRESH = 2.0; // seconds for which a box that fired is lit

export interface Remembered {
  curves: Map<string, Curve>;
  times: Map<string, number>; // rule -> how often it had fired
  lit: Map<string, number>; // box -> until when it is lit, in seconds of the page's clock
  fired: string[]; // rules that fired since the last snapshot
}

export function nothing(): Remembered {
  return { curves: new Map(), times: new Map(), lit: new Map(), fired: [] };
}

/** What the page remembers after a snapshot. `now`: seconds of the page's clock; `first`: nothing is news yet. */
export function reduce(before: Remembered, snapshot: Snapshot, now: number, first: boolean): Remembered {
  const curves = new Map<string, Curve>();
  for (const [box, more] of Object.entries(snapshot.curves)) {
    const had = before.curves.get(box);
    const joined = (one: "before" | "after") =>
      [...(had?.[one] ?? []), ...more[one]].filter(([t]) => t > snapshot.t - WINDOW);
    curves.set(box, { limit: more.limit, before: joined("before"), after: joined("after") });
  }
  const times = new Map(before.times);
  const lit = new Map([...before.lit].filter(([, until]) => until > now));
  const fired: string[] = [];
  for (const rule of snapshot.rules) {
    if (rule.times > (times.get(rule.rule) ?? 0)) {
      times.set(rule.rule, rule.times);
      if (!first) {
        fired.push(rule.rule);
        lit.set(rule.rule.slice(0, rule.rule.lastIndexOf("/")), now + FRESH);
      }
    }
  }
  return { curves, times, lit, fired };
}

/** 17896 -> "17.9 kbit/s". */
export function bits(rate: number): string {
  for (const [unit, size] of [["Gbit/s", 1e9], ["Mbit/s", 1e6], ["kbit/s", 1e3]] as const) {
    if (rate >= size) return `${Number((rate / size).toPrecision(3))} ${unit}`;
  }
  return rate ? `${Math.round(rate)} bit/s` : "0";
}
