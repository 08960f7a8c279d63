// "Show advanced": the widgets that a first film does not need are put away until somebody asks for them. They
// keep their values and places, so files and prompts are the same. Newer frontends do it themselves, by a button
// of Nodes 2.0 and the canvas's menu; 1.32 gets a button in the node.

import { app } from "../../../scripts/app.js";

const KNOWN = "Comfy.Node.AlwaysShowAdvancedWidgets"; // a setting of those newer ones
const ASKS = { true: "Hide advanced", false: "Show advanced" };

const linked = (node, widget) => node.inputs?.some((input) => input.widget?.name === widget.name && input.link != null);

const fit = (node, spare = 0) => node.setSize([node.size[0], node.computeSize()[1] + spare]);

/** Put widgets away or back, as `showAdvanced` says, which the frontend saves with the node. */
function apply(node, button) {
  const shown = Boolean(node.showAdvanced);
  for (const widget of node.widgets) {
    if (!widget.options?.advanced) continue;
    widget.hidden = !shown && !linked(node, widget); // the canvas goes by this
    widget.options.hidden = widget.hidden; // and Nodes 2.0 by this
  }
  button.name = button.label = ASKS[shown];
  const widgets = [...node.widgets];
  node.widgets = []; // Nodes 2.0 looks at them when the list changes
  node.widgets = widgets;
  app.graph?.setDirtyCanvas(true, true);
}

app.registerExtension({
  name: "eadnet.Advanced",
  nodeCreated(node) {
    if (!node.comfyClass?.startsWith("EADNet") || !node.widgets?.some((widget) => widget.options?.advanced)) return;
    if (app.ui.settings.getSettingValue(KNOWN) !== undefined) {
      for (const widget of node.widgets) if (widget.options?.advanced) widget.advanced = true; // the canvas goes by this
      return;
    }
    const press = () => {
      const spare = Math.max(0, node.size[1] - node.computeSize()[1]);
      node.showAdvanced = !node.showAdvanced;
      apply(node, button);
      fit(node, spare);
      node.graph?.onNodeAdded?.(node); // Nodes 2.0 keeps a copy of the list once a value has changed: read anew
    };
    const button = node.addWidget("button", ASKS.false, null, press, { serialize: false });
    button.serialize = false;
    apply(node, button);
    fit(node);
    const { onConfigure, onConnectionsChange } = node;
    node.onConfigure = function (...values) {
      onConfigure?.apply(this, values);
      apply(this, button);
    };
    node.onConnectionsChange = function (...values) {
      const answer = onConnectionsChange?.apply(this, values);
      apply(this, button);
      return answer;
    };
  },
});
