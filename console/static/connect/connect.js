// The connect page in a frame of another page. One file for both sides.
//
// In the other page it defines <mandate-connect>:
//
//   <script type="module" src="https://mandate.example/connect/v1/connect.js"></script>
//   <mandate-connect></mandate-connect>
//   element.token = await yourServer();                       // from createConnectToken
//   element.addEventListener("connected", (event) => event.detail);
//
// Events: ready, opened, connected, failed, closed, each with what is known in `detail`, never a secret. They are hints:
// let your server ask Mandate. Messages go to exact origins both ways, and are taken from exact origins and windows.

const MARK = "mandate-connect";
const VERSION = 1;
const OURS = new URL(import.meta.url).origin;
const POLL_MILLISECONDS = 1500;
const page = document.querySelector("main[data-mandate-origin]");

if (page) {
  beFrame(page);
} else if (!customElements.get(MARK)) {
  customElements.define(MARK, hostElement());
}

function beFrame(main) {
  const host = main.dataset.mandateOrigin;
  const tell = (type, detail = {}) => parent.postMessage({ mandate: MARK, v: VERSION, type, ...detail }, host);
  const form = (name) => document.querySelector(`form[data-form="${name}"]`);

  new ResizeObserver(() => tell("resize", { height: Math.ceil(document.documentElement.getBoundingClientRect().height) }))
    .observe(document.body);

  const waiting = form("token");
  if (waiting) {
    addEventListener("message", (event) => {
      const said = event.data;
      if (event.source !== parent || event.origin !== host) return;
      if (said?.mandate !== MARK || said.type !== "init" || typeof said.token !== "string") return;
      waiting.elements.token.value = said.token;
      waiting.submit();
    });
  }
  const told = JSON.parse(main.dataset.mandateTold ?? "null");
  if (told) tell(told.type, told.detail);
  for (const leaving of document.querySelectorAll('form[target="_blank"]')) {
    leaving.addEventListener("submit", () => {
      tell("opened");
      form("look").hidden = false;
      main.dataset.waiting = "";
      watch(form("look"));
    });
  }
  document.querySelector("[data-close]")?.addEventListener("click", () => tell("closed"));

  async function watch(look) {
    for (;;) {
      await new Promise((resolve) => setTimeout(resolve, POLL_MILLISECONDS));
      try {
        const answer = await fetch("/connect/frame/state", { method: "POST", body: new URLSearchParams(new FormData(look)) });
        if (answer.ok && (await answer.json()).state !== "open") return look.submit();
        if (answer.status === 404) return look.submit();
      } catch {
        // The network was away; the next round tells.
      }
    }
  }
}

function hostElement() {
  return class extends HTMLElement {
    #frame = null;
    #token = null;
    #listen = (event) => this.#heard(event);

    set token(text) {
      this.#token = text;
      this.#show();
    }

    connectedCallback() {
      addEventListener("message", this.#listen);
      this.#show();
    }

    disconnectedCallback() {
      removeEventListener("message", this.#listen);
      this.#frame?.remove();
      this.#frame = null;
    }

    #show() {
      if (!this.isConnected || !this.#token) return;
      const frame = document.createElement("iframe");
      frame.title = this.getAttribute("label") ?? "Connect an account";
      frame.src = `${OURS}/connect?origin=${encodeURIComponent(location.origin)}`;
      frame.sandbox.add(
        "allow-scripts", "allow-forms", "allow-same-origin", "allow-popups", "allow-popups-to-escape-sandbox",
      );
      frame.style.cssText = "display:block;width:100%;height:360px;border:0;color-scheme:light dark";
      this.#frame?.remove();
      this.#frame = frame;
      this.append(frame);
    }

    #heard(event) {
      const said = event.data;
      if (event.source !== this.#frame?.contentWindow || event.origin !== OURS) return;
      if (said?.mandate !== MARK || said.v !== VERSION) return;
      const { mandate, v, type, ...detail } = said;
      if (type === "resize") {
        this.#frame.style.height = `${Math.min(Math.max(detail.height, 120), 4000)}px`;
        return;
      }
      if (type === "ready" && this.#token) {
        event.source.postMessage({ mandate, v, type: "init", token: this.#token }, OURS);
        this.#token = null;
      }
      if (["ready", "opened", "connected", "failed", "closed"].includes(type)) {
        this.dispatchEvent(new CustomEvent(type, { detail }));
      }
    }
  };
}
