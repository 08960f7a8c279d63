// Colours of our sockets and links, so that a graph can be read: warm for sound, green for feeling, blue for the face.
import { app } from "../../../scripts/app.js";

const COLOURS = {
  EADNET_MODEL: "#b39ddb",
  EADNET_AUDIO_ENCODER: "#ffb74d",
  EADNET_AUDIO: "#ff8a65",
  EADNET_TEXT_ENCODER: "#dce775",
  EADNET_EMOTION: "#f06292",
  EADNET_TFRM: "#90a4ae",
  EADNET_SYNCNET: "#a1887f",
  EADNET_FACE_TRACK: "#4dd0e1",
  EADNET_RIG: "#4fc3f7",
  EADNET_EXPRESSION: "#81c784",
};

// Nodes 2.0 reads custom properties, which a stylesheet gives without touching those of the chosen palette.
function addStyles() {
  const style = document.createElement("style");
  const lines = Object.entries(COLOURS).map(([type, colour]) => `--color-datatype-${type}: ${colour};`);
  style.textContent = `:root, body { ${lines.join(" ")} }`;
  document.head.append(style);
}

// The canvas has a table of its own, which every change of the palette fills anew.
function colourCanvas() {
  Object.assign(app.canvas.default_connection_color_byType, COLOURS);
  Object.assign(app.canvas.constructor.link_type_colors, COLOURS);
  app.canvas.setDirty(true, true);
}

app.registerExtension({
  name: "eadnet.SocketColours",
  setup() {
    addStyles();
    colourCanvas();
    app.ui.settings.addEventListener("Comfy.ColorPalette.change", () => setTimeout(colourCanvas, 500));
  },
  afterConfigureGraph() {
    colourCanvas();
  },
});
