// A terminal as a subscriber: xterm.js over a WebSocket to a shell in the vantage.

import { FitAddon } from "@xterm/addon-fit";
import { Terminal } from "@xterm/xterm";
import { byId } from "./drawing";

/** xterm.js makes <style> elements, which the page's policy forbids: their text goes into sheets of the document. */
function withSheets<T>(make: () => T): T {
  const create = Document.prototype.createElement;
  document.createElement = function (this: Document, name: string, options?: ElementCreationOptions) {
    if (name.toLowerCase() !== "style") return create.call(this, name, options);
    const stand = create.call(this, "span"), sheet = new CSSStyleSheet();
    stand.hidden = true;
    document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
    const set = (text: string) => sheet.replaceSync(text);
    Object.defineProperty(stand, "textContent", { set, get: () => "" });
    Object.defineProperty(stand, "innerText", { set, get: () => "" });
    Object.defineProperty(stand, "sheet", { get: () => sheet });
    stand.remove = () => {
      document.adoptedStyleSheets = document.adoptedStyleSheets.filter((one) => one !== sheet);
      HTMLElement.prototype.remove.call(stand);
    };
    return stand;
  } as typeof document.createElement;
  try {
    return make();
  } finally {
    delete (document as { createElement?: unknown }).createElement;
  }
}

export class SubscriberTerminal {
  private terminal: Terminal | null = null;
  private socket: WebSocket | null = null;
  private fit = new FitAddon();
  private place = byId("terminal");
  private state = byId("terminal-state");

  constructor(private base: string) {
    new ResizeObserver(() => this.resize()).observe(this.place);
    byId("open").addEventListener("click", () => this.open(byId<HTMLSelectElement>("vantage").value));
    byId("close").addEventListener("click", () => this.close("The terminal was ended."));
  }

  open(vantage: string): void {
    this.close("");
    const dark = getComputedStyle(document.documentElement).getPropertyValue("--dark").trim() === "1";
    const theme = dark ? { background: "#0c1118", foreground: "#e6edf3", cursor: "#e6edf3" }
      : { background: "#fbfcfd", foreground: "#17202a", cursor: "#17202a", selectionBackground: "#b6d4fe" };
    const terminal = new Terminal({ fontSize: 14, scrollback: 5000, screenReaderMode: true, cursorBlink: true, theme });
    this.terminal = terminal;
    this.fit = new FitAddon();
    terminal.loadAddon(this.fit);
    withSheets(() => terminal.open(this.place));
    this.fit.fit();
    this.place.scrollIntoView({ block: "nearest" }); // xterm.js draws nothing while it is out of sight
    terminal.attachCustomKeyEventHandler((event) => !(event.key === "Tab" && event.ctrlKey));
    const socket = new WebSocket(`${this.base}terminal/${encodeURIComponent(vantage)}?cols=${terminal.cols}&rows=${terminal.rows}`);
    this.socket = socket;
    socket.binaryType = "arraybuffer";
    socket.onopen = () => this.say(`Terminal as a subscriber of ${vantage}.`, true);
    socket.onmessage = (message) => terminal.write(new Uint8Array(message.data as ArrayBuffer));
    socket.onclose = (end) => {
      if (this.socket === socket) this.close(end.reason || "The shell has ended.", true);
    };
    const coder = new TextEncoder();
    terminal.onData((text) => socket.readyState === WebSocket.OPEN && send(socket, coder.encode(text)));
    terminal.onBinary((text) => socket.readyState === WebSocket.OPEN && socket.send(Uint8Array.from(text, (one) => one.charCodeAt(0))));
    terminal.focus();
  }

  close(words: string, keep = false): void {
    const socket = this.socket;
    this.socket = null;
    socket?.close();
    if (!keep) {
      this.terminal?.dispose();
      this.terminal = null;
      this.place.replaceChildren();
    }
    if (words) this.say(words, false);
  }

  private say(words: string, open: boolean): void {
    this.state.textContent = words;
    byId<HTMLButtonElement>("close").disabled = !open;
  }

  private resize(): void {
    if (!this.terminal) return;
    this.fit.fit();
    if (this.socket?.readyState === WebSocket.OPEN) {
      this.socket.send(JSON.stringify({ resize: [this.terminal.cols, this.terminal.rows] }));
    }
  }
}

/** What was pasted may be longer than a message may be. */
function send(socket: WebSocket, data: Uint8Array): void {
  for (let from = 0; from < data.length; from += 16384) socket.send(data.slice(from, from + 16384));
}
