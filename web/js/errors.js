// What an error of ours says, where both frontends show it: newer ones keep the text in a report.

import { api } from "../../../scripts/api.js";
import { app } from "../../../scripts/app.js";

app.registerExtension({
  name: "eadnet.Errors",
  setup() {
    api.addEventListener("execution_error", ({ detail }) => {
      if (!detail?.node_type?.startsWith("EADNet")) return;
      const id = String(detail.node_id).split(":").at(0);
      const title = (app.rootGraph ?? app.graph).getNodeById(Number(id))?.title ?? detail.node_type;
      const toast = app.extensionManager?.toast;
      toast?.add({ severity: "error", summary: title, detail: detail.exception_message.trim(), life: 30000 });
    });
  },
});
