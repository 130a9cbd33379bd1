import { CopilotChat, CopilotKit } from "@copilotkit/react-core/v2";
import "@copilotkit/react-core/v2/styles.css";
import { createRoot } from "react-dom/client";

import { Approvals } from "./Approvals.jsx";

createRoot(document.getElementById("root")).render(
  <CopilotKit runtimeUrl="/api/copilotkit">
    <main style={{ display: "grid", gridTemplateColumns: "2fr 1fr", gap: "1rem", height: "95vh" }}>
      <CopilotChat />
      <Approvals />
    </main>
  </CopilotKit>,
);
