// The live view: what a node of ours is making, in the node, while it makes it; and the finished film again
// after the page was loaded anew. The server sends nothing to a page that is not looked at.

import { api } from "../../../scripts/api.js";
import { app } from "../../../scripts/app.js";

const FILM = "EADNetRenderVideo";
// Nodes that say what they make. They have their view from the start: Nodes 2.0 of 1.32 shows no widget that comes
// after Run was pressed or a value changed, since it keeps a copy of the list from then on.
const MAKERS = [FILM, "EADNetRenderRig", "EADNetSampler", "EADNetExpressionFromSpeech"];
const RESULT = "eadnet_result"; // among a node's properties
const LINE = 22; // pixels of the line of text
const PICTURE = 170;
const MARGIN = 20; // what the classic canvas leaves free above and below such a widget, together

let told = null; // what the server last heard

async function tell() {
  const said = `${api.clientId} ${!document.hidden}`;
  if (!api.clientId || said === told) return;
  told = said;
  const body = JSON.stringify({ client: api.clientId, looks: !document.hidden });
  try {
    await api.fetchApi("/eadnet/looking", { method: "POST", body, headers: { "Content-Type": "application/json" } });
  } catch {
    told = null; // the server is away: told when it is back
  }
}

/** The node that an id of the server means; of one in a subgraph that is not open, the subgraph's own node. */
function nodeOf(id) {
  let graph = app.rootGraph ?? app.graph;
  let found = null;
  for (const part of String(id).split(":")) {
    const node = graph?.getNodeById(Number(part)) ?? graph?.getNodeById(part);
    if (!node) break;
    if (!found || node.graph === app.canvas?.graph) found = node;
    graph = node.subgraph;
  }
  return found;
}

/** The view in a node, made when it is first needed. */
function viewOf(node) {
  if (node.eadnetLive) return node.eadnetLive;
  const element = document.createElement("div");
  element.className = "eadnet-live";
  element.style.cssText = "display:none;flex-direction:column;align-items:center;gap:2px;overflow:hidden;width:100%";
  const stage = document.createElement("div");
  const bar = document.createElement("div");
  const text = document.createElement("div");
  stage.style.cssText = "flex:1;min-height:0;display:flex;justify-content:center";
  bar.style.cssText = "height:3px;width:0;background:#6cc5f0;align-self:flex-start;border-radius:2px;flex:none";
  text.style.cssText = `font:12px sans-serif;line-height:${LINE - 5}px;color:var(--input-text,#ddd);flex:none`;
  text.setAttribute("role", "status");
  element.append(stage, bar, text);
  const view = { element, stage, bar, text, height: 0 };
  const widget = node.addDOMWidget("live_view", "EADNET_LIVE", element, {
    serialize: false,
    hideOnZoom: false,
    getMinHeight: () => (view.height ? view.height + MARGIN : 0),
    getMaxHeight: () => (view.height ? view.height + MARGIN : 0),
    getValue: () => "",
  });
  widget.serialize = false;
  node.eadnetLive = view;
  return view;
}

function resize(node, view, height) {
  if (view.height === height) return;
  view.height = height;
  view.element.style.height = `${height}px`;
  view.element.style.display = height ? "flex" : "none";
  const [width, high] = node.size;
  if (high !== view.madeHigh) view.high = high; // as it was laid out, or as somebody has pulled it
  view.madeHigh = Math.max(node.computeSize()[1], view.high);
  node.setSize([width, view.madeHigh]);
  app.graph.setDirtyCanvas(true, true);
}

function show({ node: id, clip, text, share }) {
  const node = nodeOf(id);
  if (!node) return;
  const view = viewOf(node);
  if (clip) {
    let picture = view.stage.querySelector("img");
    if (!picture) {
      picture = document.createElement("img");
      picture.alt = "What is being made";
      picture.style.cssText = "max-width:100%;max-height:100%;object-fit:contain;border-radius:4px";
      view.stage.replaceChildren(picture);
    }
    picture.src = clip;
  }
  if (text !== undefined) view.text.textContent = text;
  if (share !== undefined) view.bar.style.width = `${Math.round(100 * share)}%`;
  resize(node, view, LINE + (view.stage.firstChild ? PICTURE : 4));
}

/** Put every view away, before a run and when a film has come into its node. */
function clear(node) {
  const view = node?.eadnetLive;
  if (!view) return;
  view.stage.replaceChildren();
  view.text.textContent = "";
  view.bar.style.width = "0";
  resize(node, view, 0);
}

function everyNode(graph, visit) {
  for (const node of graph?.nodes ?? graph?._nodes ?? []) {
    visit(node);
    if (node.subgraph) everyNode(node.subgraph, visit);
  }
}

/** The film that a node made, played again. */
function replay(node, { filename, subfolder = "", type = "output" }) {
  const view = viewOf(node);
  const film = document.createElement("video");
  Object.assign(film, { controls: true, loop: true, muted: true, autoplay: true, playsInline: true });
  film.style.cssText = "max-width:100%;max-height:100%;border-radius:4px";
  film.onerror = () => clear(node); // it was moved or deleted
  film.onloadeddata = () => {
    view.stage.replaceChildren(film);
    view.text.textContent = filename;
    resize(node, view, LINE + PICTURE);
  };
  film.src = api.apiURL(`/view?${new URLSearchParams({ filename, subfolder, type })}`);
}

app.registerExtension({
  name: "eadnet.Live",
  setup() {
    for (const event of ["status", "execution_start", "reconnected"]) {
      api.addEventListener(event, () => {
        if (event === "reconnected") told = null;
        tell();
      });
    }
    document.addEventListener("visibilitychange", tell);
    tell();
    api.addEventListener("eadnet.live", ({ detail }) => show(detail));
    api.addEventListener("execution_start", () => everyNode(app.rootGraph ?? app.graph, clear));
    api.addEventListener("executed", ({ detail }) => {
      const node = nodeOf(detail.display_node ?? detail.node);
      if (node?.eadnetLive) clear(node); // what the node has to show at its end comes in its place
      const film = detail.output?.images?.find(({ filename }) => filename?.endsWith(".mp4"));
      if (node?.comfyClass !== FILM || !film) return;
      node.properties[RESULT] = film; // core shows it from here on
    });
  },
  nodeCreated(node) {
    if (MAKERS.includes(node.comfyClass)) viewOf(node);
    if (node.comfyClass === FILM) node.previewMediaType = "video"; // Nodes 2.0 of 1.32 goes by this, not by the file
  },
  loadedGraphNode(node) {
    const film = node.comfyClass === FILM ? node.properties?.[RESULT] : null;
    if (film?.filename) replay(node, film);
  },
});
