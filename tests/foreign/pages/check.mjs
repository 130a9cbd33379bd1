// Holds pages against axe-core. Each line of input is {"name", "html"} as JSON, each line of output what is wrong with
// it. Without a browser there is no layout: contrast and sizes are looked at elsewhere.

import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { JSDOM, VirtualConsole } from "jsdom";

const source = createRequire(import.meta.url)("axe-core").source;

for await (const line of createInterface({ input: process.stdin })) {
  const { name, html } = JSON.parse(line);
  const { window } = new JSDOM(html, { runScripts: "outside-only", virtualConsole: new VirtualConsole() });
  window.eval(source);
  const { violations, passes } = await window.axe.run({ rules: { "color-contrast": { enabled: false } } });
  const wrong = violations.map((each) => `${each.id}: ${each.nodes.map((node) => node.html).join(" ")}`);
  process.stdout.write(`${JSON.stringify({ name, wrong, passed: passes.length })}\n`);
  window.close();
}
