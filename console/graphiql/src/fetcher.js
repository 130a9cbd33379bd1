import { createGraphiQLFetcher } from "@graphiql/toolkit";
import { parse } from "graphql";

const lowerCased = (headers) =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));

/** The parsed query, or undefined when it is not one: then the server shall say what is wrong with it. */
function parsed(query) {
  try {
    return parse(query);
  } catch {
    return undefined;
  }
}

/**
 * Sends queries over HTTP and subscriptions over graphql-transport-ws, both to the address of this page.
 *
 * A WebSocket carries no headers of ours: they travel in the payload of `connection_init`, where the gateway
 * looks for `authorization` in lower case. GraphiQL asks for the schema before its Headers editor is there and
 * therefore without headers, and its own parsed query lags behind fast typing: both are made good here.
 */
export function fetcherToThisAddress(firstHeaders) {
  const url = location.origin + location.pathname;
  const send = createGraphiQLFetcher({ url, subscriptionUrl: url.replace(/^http/, "ws") });
  return (operation, options) =>
    send(operation, {
      ...options,
      headers: lowerCased(options?.headers ?? firstHeaders),
      documentAST: parsed(operation.query),
    });
}
