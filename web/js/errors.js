// What an error of ours says, where both frontends show it: newer ones keep the text behind a sign or in a report.

import { api } from "../../../scripts/api.js";
import { app } from "../../../scripts/app.js";

const SECONDS = 60; // in which the server says that a graph is refused
const EVERY = 250; // ms: no event says so
const REFUSED = "custom_validation_failed"; // by a node's own check; others the frontends say in words of their own

let waiting = null;
let said = null; // what was shown last, which newer frontends keep until the next answer
const shown = []; // what takes away each message that is in the page

/** Put a message into the page; what is given back takes it away. Frontends since 1.58 go by a number of their own. */
function put(summary, detail, seconds) {
  const { toast } = app.extensionManager;
  if (toast.dismiss) {
    const id = toast.error(summary, { description: detail, duration: 1000 * seconds });
    return () => toast.dismiss(id);
  }
  const message = { severity: "error", summary, detail, life: 1000 * seconds };
  toast.add(message);
  return () => toast.remove(message);
}

function show(node, type, detail, seconds) {
  const id = String(node).split(":").at(0);
  const summary = (app.rootGraph ?? app.graph).getNodeById(Number(id))?.title ?? type;
  shown.push(put(summary, detail, seconds));
}

/** What was said of the run before. */
function clear() {
  for (const remove of shown.splice(0)) remove();
}

/** Show why our nodes refuse a graph, if it is known by now. The server repeats a node's reason at each input. */
function look() {
  const refused = app.lastNodeErrors;
  if (!refused || refused === said || !Object.keys(refused).length) return;
  said = refused;
  clearInterval(waiting);
  for (const [node, { class_type: type, errors }] of Object.entries(refused)) {
    if (!type?.startsWith("EADNet")) continue;
    const reasons = errors
      .filter((error) => error.type === REFUSED)
      .map(({ details, extra_info: of }) => details.replace(`${of?.input_name} - `, ""));
    for (const reason of new Set(reasons)) show(node, type, reason, 60);
  }
}

app.registerExtension({
  name: "eadnet.Errors",
  setup() {
    api.addEventListener("execution_error", ({ detail }) => {
      if (!detail?.node_type?.startsWith("EADNet")) return;
      show(detail.node_id, detail.node_type, detail.exception_message.trim(), 30);
    });
    // Run was pressed: core takes away its own errors here. 1.32 has no such event, and shows all of it by itself.
    api.addEventListener("promptQueueing", () => {
      clear();
      clearInterval(waiting);
      const end = Date.now() + 1000 * SECONDS;
      waiting = setInterval(() => (Date.now() < end ? look() : clearInterval(waiting)), EVERY);
    });
    api.addEventListener("promptQueued", () => waiting && look());
  },
});
