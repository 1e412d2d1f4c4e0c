// A student's page in a class on one server: tasks, the state of the world, a terminal in it.

import { byId, html, rows } from "./drawing";
import { SubscriberTerminal } from "./subscriberterminal";

type Task = { name: string; question: string; options: string[]; words: string; left: number; most: number };
type Room = { title: string; student: string; vantage: string; state: string; words: string; points: number; most: number; tasks: Task[] };

const base = new URL(".", location.href);
const sockets = new URL(base);
sockets.protocol = base.protocol === "https:" ? "wss:" : "ws:";
const RETRY = 1500; // ms
let over = false;

new SubscriberTerminal(sockets.href);
for (const what of ["start", "stop"]) byId(what).addEventListener("click", () => void ask(what));
const theme = byId<HTMLButtonElement>("theme"), root = document.documentElement;
root.dataset.theme = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
const named = () => (theme.textContent = root.dataset.theme === "dark" ? "Light" : "Dark");
theme.addEventListener("click", () => {
  root.dataset.theme = root.dataset.theme === "dark" ? "light" : "dark";
  named();
});
named();
connect();

function connect(): void {
  const socket = new WebSocket(`${sockets.href}live`);
  socket.onmessage = (message) => show(JSON.parse(message.data as string) as Room);
  socket.onclose = (end) => {
    if (over) return;
    if (end.code === 4001) stop("Another browser has taken this page over.");
    else {
      say("the connection is lost; trying again");
      setTimeout(() => void again(), RETRY);
    }
  };
}

async function again(): Promise<void> {
  try {
    const answer = await fetch(base, { redirect: "manual" });
    if (answer.status === 403) return stop(await answer.text());
  } catch {
    // the server may come back
  }
  connect();
}

async function ask(what: string): Promise<void> {
  byId<HTMLButtonElement>(what).disabled = true;
  say(await (await fetch(new URL(`world/${what}`, base), { method: "POST" })).text());
}

function say(words: string): void {
  if (byId("state").textContent !== words) byId("state").textContent = words;
}

function stop(words: string): void {
  over = true;
  byId("alert").hidden = false;
  byId("alert").textContent = words;
  for (const one of document.querySelectorAll<HTMLButtonElement>("button:not(#theme)")) one.disabled = true;
}

function show(room: Room): void {
  byId("title").textContent = room.title;
  byId("student").textContent = room.student;
  document.title = `${room.student}: ${room.title}`;
  say(room.words);
  byId<HTMLButtonElement>("start").disabled = room.state !== "stopped";
  byId<HTMLButtonElement>("stop").disabled = !["waiting", "starting", "ready"].includes(room.state);
  byId<HTMLButtonElement>("open").disabled = room.state !== "ready";
  const vantages = byId("vantage");
  if (!vantages.children.length) vantages.append(html("option", { value: room.vantage }, room.vantage));
  rows(byId("tasks"), room.tasks.map((one) => [
    one.name,
    one.options.length ? `${one.question} (one of: ${one.options.join(", ")})` : one.question,
    one.words, String(one.left), String(one.most),
  ]));
  byId("points").textContent = `${room.points} of ${room.most} points`;
}
