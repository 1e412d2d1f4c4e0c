// The page of `testbed console`: one WebSocket with snapshots, requests for what is asked or changed.

import { byId, html, rows } from "./drawing";
import { NetworkMap } from "./networkmap";
import { showCurves } from "./ratecurves";
import { bits, nothing, reduce, type Box, type Flow, type Operator, type Snapshot } from "./snapshot";
import { SubscriberTerminal } from "./subscriberterminal";

const base = new URL(".", location.href);
const sockets = new URL(base);
sockets.protocol = "ws:";
const RETRY = 1500, SAID_EVERY = 3; // ms, seconds

let remembered = nothing(), first = true, over = false, busy = false, saidAt = 0, shownFlows = "";
let latest: Snapshot | null = null;
const map = new NetworkMap(byId("map"), chooseBox);
new SubscriberTerminal(sockets.href);

function connect(): void {
  const socket = new WebSocket(`${sockets.href}live`);
  socket.onmessage = (message) => show(JSON.parse(message.data as string) as Snapshot);
  socket.onclose = (end) => {
    if (over) return;
    if (end.code === 4001) stop("Another browser has taken this console over.");
    else {
      state("○", "the connection is lost; trying again");
      setTimeout(() => void again(), RETRY);
    }
  };
}

async function again(): Promise<void> {
  try {
    const answer = await fetch(base, { redirect: "manual" });
    if (answer.status === 403) return stop(await answer.text());
    connect();
  } catch {
    stop("The console has ended: nothing answers any more.");
  }
}

function stop(words: string): void {
  over = true;
  state("■", "ended");
  alarm(words);
  for (const one of document.querySelectorAll<HTMLButtonElement>("button:not(#theme)")) one.disabled = true;
}

function show(snapshot: Snapshot): void {
  const now = performance.now() / 1000;
  remembered = reduce(remembered, snapshot, now, first);
  first = false;
  byId("title").textContent = snapshot.map.title || snapshot.map.scenario;
  byId("where").textContent = `${snapshot.map.scenario} · phase ${snapshot.map.phase} · ${snapshot.t.toFixed(0)} s`;
  document.title = `${snapshot.map.scenario}/${snapshot.map.phase}`;
  state("●", snapshot.running.length ? `live, ${snapshot.running.length} running` : "live");
  map.show(snapshot, remembered);
  latest = snapshot;
  setTimeout(dim, 2100);
  showCurves(byId("curves"), remembered.curves, snapshot.t);
  showPhases(snapshot);
  showTables(snapshot);
  showFlows(snapshot.recent);
  showVantages(snapshot.map.vantages);
  say(now);
  if (snapshot.ended) {
    const { by, valid, problems } = snapshot.ended;
    stop(`The world has ended by ${by}; it was ${valid ? "valid" : "INVALID"}. ${problems.join(" ")}`);
  } else if (snapshot.problems.length) alarm(`The world is INVALID: ${snapshot.problems.join(" ")}`);
}

/** What fired some time ago is lit no longer, also while nothing else changes. */
function dim(): void {
  const now = performance.now() / 1000;
  remembered = { ...remembered, lit: new Map([...remembered.lit].filter(([, until]) => until > now)) };
  if (latest) map.show(latest, remembered);
}

function state(sign: string, words: string): void {
  const place = byId("state");
  place.dataset.sign = sign;
  (place.firstElementChild as HTMLElement).textContent = sign;
  if (byId("state-words").textContent !== words) byId("state-words").textContent = words;
}

function alarm(words: string): void {
  const place = byId("alert");
  place.hidden = !words;
  if (place.textContent !== words) place.textContent = words;
}

/** For a screen reader: what fired, at most every few seconds. */
function say(now: number): void {
  if (remembered.fired.length && now - saidAt > SAID_EVERY) {
    byId("announced").textContent = `fired: ${remembered.fired.slice(0, 3).join(", ")}`;
    saidAt = now;
  }
}

function showPhases(snapshot: Snapshot): void {
  const place = byId("phases"), known = snapshot.map.phases;
  if (place.childElementCount !== known.length) {
    place.replaceChildren(...known.map(({ name, title }) => {
      const button = html("button", { type: "button", "data-phase": name, title }, name);
      button.addEventListener("click", () => void control("phase", { phase: name }));
      return button;
    }));
  }
  for (const button of place.querySelectorAll<HTMLButtonElement>("button")) {
    const holds = button.dataset.phase === snapshot.map.phase;
    button.setAttribute("aria-pressed", String(holds));
    button.textContent = `${holds ? "▶ " : ""}${button.dataset.phase}`;
    button.disabled = busy;
  }
}

function showTables(snapshot: Snapshot): void {
  rows(byId("rules"), snapshot.rules.slice(0, 12).map((one) =>
    [one.rule, String(one.times), `${one.action}${one.limit ? ` ${bits(one.limit)}` : ""}`, `${one.name || one.flow}, at ${one.last.toFixed(1)} s`]));
  rows(byId("vantages"), Object.entries(snapshot.vantages).map(([name, counts]) => {
    const [down, up] = snapshot.links[`${name}:eth0`] ?? [0, 0];
    return [name, String(counts.flows), String(counts.fired), bits(down), bits(up)];
  }));
  const losses = [
    snapshot.dropped ? `${snapshot.dropped} updates were left out: this page is slower than the world` : "",
    snapshot.skipped ? `${snapshot.skipped} events came too fast to be shown; events.jsonl has them` : "",
    snapshot.uncounted ? `${snapshot.uncounted} events of flows or rules beyond those that are known by name` : "",
    ...snapshot.notes.slice(-2),
  ].filter(Boolean).join("; ");
  if (byId("losses").textContent !== losses) byId("losses").textContent = losses;
  const past = byId("past");
  const lines = snapshot.past.map((one) => `${one.phase}, ${one.seconds.toFixed(0)} s: ${[one.fired || "no rule fired", one.words].filter(Boolean).join("; ")}`);
  if (past.childElementCount !== lines.length) past.replaceChildren(...lines.map((line) => html("li", {}, line)));
}

function showFlows(recent: Flow[]): void {
  const latest = recent.filter((one) => one.flow).slice(-14).reverse();
  const now = JSON.stringify(latest);
  if (now === shownFlows) return;
  shownFlows = now;
  const focused = document.activeElement?.getAttribute("data-flow");
  byId("flows").replaceChildren(...latest.map((one) => {
    const sign = one.kind === "match" ? "●" : one.kind === "measured" ? "○" : "◇";
    const what = one.kind === "match" ? `fired ${one.rule}` : one.kind === "measured" ? one.outcome : `${one.kind}: ${one.rule}`;
    const button = html("button", { type: "button", class: `flow ${one.kind}`, "data-flow": one.flow },
      html("span", { class: "sign", "aria-hidden": "true" }, sign),
      html("span", { class: "what" }, one.name || one.flow), html("span", { class: "quiet" }, `${one.vantage}, ${one.t.toFixed(1)} s, ${what}`));
    button.addEventListener("click", () => void ladder(one));
    return html("li", {}, button);
  }));
  if (focused) document.querySelector<HTMLElement>(`[data-flow="${CSS.escape(focused)}"]`)?.focus();
}

function showVantages(names: string[]): void {
  const place = byId<HTMLSelectElement>("vantage");
  if (place.childElementCount !== names.length) {
    place.replaceChildren(...names.map((name) => html("option", { value: name }, name)));
  }
}

async function ladder(flow: Flow): Promise<void> {
  const place = byId("ladder");
  place.textContent = "Reading…";
  const answer = await fetch(new URL(`story?flow=${encodeURIComponent(flow.flow)}&t=${flow.t}`, base));
  const story = (await answer.json()) as { text?: string; error?: string };
  place.textContent = story.text ?? `There is no ladder: ${story.error}`;
}

/** Change the world; what it refuses is shown. */
async function control(what: "phase" | "change", body: Record<string, unknown>): Promise<string> {
  if (busy) return "one change is going on";
  busy = true;
  try {
    const answer = await fetch(new URL(what, base), { method: "POST", body: JSON.stringify(body) });
    const found = answer.ok ? {} : ((await answer.json()) as { error?: string });
    alarm(found.error ?? "");
    return found.error ?? "";
  } catch {
    return "nothing answers";
  } finally {
    busy = false;
  }
}

function chooseBox(box: Box, operator: Operator): void {
  if (over) return;
  const dialog = byId<HTMLDialogElement>("box"), hop = byId<HTMLSelectElement>("box-hop"), model = byId<HTMLSelectElement>("box-model");
  byId("box-title").textContent = box.name;
  byId("box-about").textContent = `${box.profile}; rules: ${box.rules.map((rule) => `${rule.name} (${rule.does})`).join(", ")}`;
  byId("box-error").textContent = box.at === "hop" ? "" : "A resolver cannot be moved.";
  const hops = Array.from({ length: operator.hops }, (_, number) => String(number + 1));
  hop.replaceChildren(...hops.map((one) => html("option", { value: one }, one)));
  hop.value = String(box.hop);
  const models = [...new Set([...box.models, ...known])];
  model.replaceChildren(html("option", { value: "" }, `as it is (${box.models.join("+")})`), ...models.map((one) => html("option", { value: one }, one)));
  byId<HTMLButtonElement>("box-apply").onclick = async () => {
    const change = { box: box.name, hop: Number(hop.value), model: model.value || null };
    const refused = await control("change", change);
    byId("box-error").textContent = refused;
    if (!refused) dialog.close();
  };
  dialog.showModal();
}

const known = ["T", "R", "A", "C", "D", "P"];

function theme(dark: boolean): void {
  document.documentElement.dataset.theme = dark ? "dark" : "light";
  byId("theme").textContent = dark ? "Light" : "Dark";
}
let dark = matchMedia("(prefers-color-scheme: dark)").matches;
theme(dark);
byId("theme").addEventListener("click", () => theme((dark = !dark)));
connect();
