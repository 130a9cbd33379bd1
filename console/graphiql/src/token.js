/**
 * The token given as `#token=...`, or an empty string. The fragment leaves the address bar, so that it is
 * neither copied along with the address nor shown to whoever looks on.
 */
export function takeTokenFromAddress() {
  const token = new URLSearchParams(location.hash.slice(1)).get("token") ?? "";
  if (location.hash) history.replaceState(null, "", location.pathname + location.search);
  return token;
}
