/**
 * A stand-in for localStorage that forgets everything when the page goes.
 *
 * GraphiQL's history keeps the headers of each request, and so the caller's token. Nothing of that may reach
 * the disk.
 */
export function memoryStorage() {
  const values = new Map();
  return {
    get length() {
      return values.size;
    },
    getItem: (key) => values.get(key) ?? null,
    setItem: (key, value) => void values.set(key, String(value)),
    removeItem: (key) => void values.delete(key),
    clear: () => values.clear(),
  };
}
