// "Show advanced": the widgets that a first film does not need are put away until somebody asks for them. They
// keep their values and places, so files and prompts are the same. Nodes 2.0 of newer frontends has a button of
// its own for it; elsewhere this is the button.

import { app } from "../../../scripts/app.js";

const NODES_2 = "Comfy.VueNodes.Enabled";
const NOTHING = () => [0, -4]; // what cancels the 4 pixels below a widget
const ASKS = { true: "Hide advanced", false: "Show advanced" };

const setting = (name) => app.ui.settings.getSettingValue(name);
/** A setting that newer frontends have, which know what "advanced" says of a widget. */
const newer = () => setting("Comfy.Node.AlwaysShowAdvancedWidgets") !== undefined;
const linked = (node, widget) => node.inputs?.some((input) => input.widget?.name === widget.name && input.link != null);
const fit = (node, spare = 0) => node.setSize([node.size[0], node.computeSize()[1] + spare]);

/** Put widgets away or back, as `showAdvanced` says, which the frontend saves with the node. */
function apply(node) {
  const button = node.eadnetAdvanced;
  const shown = Boolean(node.showAdvanced);
  const cores = newer() && setting(NODES_2);
  for (const widget of node.widgets) {
    if (!widget.options?.advanced) continue;
    widget.hidden = !cores && !shown && !linked(node, widget); // the canvas goes by this
    widget.options.hidden = widget.hidden; // and Nodes 2.0 by this
    if (newer()) continue;
    if (widget.hidden) widget.computeSize = NOTHING; // the canvas of 1.32 leaves room for hidden widgets, too
    else if (widget.computeSize === NOTHING) delete widget.computeSize;
  }
  button.hidden = button.options.hidden = Boolean(cores);
  button.name = button.label = ASKS[shown];
  app.graph?.setDirtyCanvas(true, true);
  if (newer()) return;
  const widgets = [...node.widgets];
  node.widgets = []; // Nodes 2.0 looks at them when the list changes
  node.widgets = widgets;
}

function everyNode(graph, visit) {
  for (const node of graph?.nodes ?? []) {
    visit(node);
    if (node.subgraph) everyNode(node.subgraph, visit);
  }
}

app.registerExtension({
  name: "eadnet.Advanced",
  setup() {
    app.ui.settings.addEventListener(`${NODES_2}.change`, () =>
      everyNode(app.rootGraph ?? app.graph, (node) => node.eadnetAdvanced && apply(node)),
    );
  },
  nodeCreated(node) {
    if (!node.comfyClass?.startsWith("EADNet") || !node.widgets?.some((widget) => widget.options?.advanced)) return;
    const press = () => {
      const spare = Math.max(0, node.size[1] - node.computeSize()[1]);
      node.showAdvanced = !node.showAdvanced;
      apply(node);
      fit(node, spare);
      // Nodes 2.0 of 1.32 keeps a copy of the list once a value has changed: it is read anew.
      if (!newer()) node.graph?.onNodeAdded?.(node);
    };
    node.eadnetAdvanced = node.addWidget("button", ASKS.false, null, press, { serialize: false });
    node.eadnetAdvanced.serialize = false;
    apply(node);
    fit(node);
    const { onConfigure, onConnectionsChange } = node;
    node.onConfigure = function (...values) {
      onConfigure?.apply(this, values);
      apply(this);
    };
    node.onConnectionsChange = function (...values) {
      const answer = onConnectionsChange?.apply(this, values);
      apply(this);
      return answer;
    };
  },
});
