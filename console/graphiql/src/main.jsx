import { GraphiQL } from "graphiql";
import { createRoot } from "react-dom/client";
import "graphiql/style.css";
import "./page.css";
import { fetcherToThisAddress } from "./fetcher.js";
import { memoryStorage } from "./memory.js";
import { takeTokenFromAddress } from "./token.js";

const welcome = `# Write a query and press Ctrl-Enter.
# Your token goes into the Headers editor below; it is forgotten when you close the page.
{
  __typename
}
`;

const headers = { Authorization: `Bearer ${takeTokenFromAddress()}` };

// A new token pasted into the address of an open page: start again with it.
addEventListener("hashchange", () => location.reload());

createRoot(document.getElementById("page")).render(
  <GraphiQL
    fetcher={fetcherToThisAddress(headers)}
    storage={memoryStorage()}
    shouldPersistHeaders={false}
    defaultHeaders={JSON.stringify(headers, null, 2)}
    defaultEditorToolsVisibility="headers"
    defaultQuery={welcome}
  />,
);
