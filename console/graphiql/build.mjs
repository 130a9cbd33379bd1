// Builds the page into ../static/graphiql: one script, one style sheet, the page and the licences of what is
// inside. The same sources and lock give the same bytes.

import { copyFile, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const out = process.argv[2] ?? join(here, "../static/graphiql");

/** GraphiQL's style sheet carries whole fonts, nearly all of its size; the page uses the system's. */
const withoutFonts = {
  name: "without-fonts",
  setup(build) {
    build.onLoad({ filter: /graphiql[/\\]dist[/\\]style\.css$/ }, async ({ path }) => {
      const css = await readFile(path, "utf8");
      return { contents: css.replace(/@font-face\s*\{[^}]*\}/g, ""), loader: "css" };
    });
  },
};

async function bundle() {
  const { metafile } = await build({
    absWorkingDir: here,
    entryPoints: { graphiql: "src/main.jsx" },
    outdir: out,
    bundle: true,
    minify: true,
    format: "iife",
    target: "es2022",
    jsx: "automatic",
    charset: "utf8",
    legalComments: "none", // LICENSES.txt says it all
    define: { "process.env.NODE_ENV": '"production"' },
    plugins: [withoutFonts],
    metafile: true,
  });
  return Object.keys(Object.values(metafile.outputs).reduce((all, one) => ({ ...all, ...one.inputs }), {}));
}

/** The folder of the package a bundled file belongs to, or undefined for our own files. */
function packageFolder(file) {
  return file.match(/^.*node_modules\/(?:@[^/]+\/)?[^/]+/)?.[0];
}

async function licenceText(folder) {
  const names = (await readdir(folder)).filter((name) => /^(licen[cs]e|copying|notice)/i.test(name)).sort();
  const texts = await Promise.all(names.map((name) => readFile(join(folder, name), "utf8")));
  return texts.map((text) => text.trim().replaceAll("\r\n", "\n")).join("\n\n");
}

async function describe(folder) {
  const { name, version, license } = JSON.parse(await readFile(join(folder, "package.json"), "utf8"));
  if (typeof license !== "string") throw new Error(`${name} does not name its licence`);
  const text = (await licenceText(folder)) || `(The package brings no licence text; it declares ${license}.)`;
  return { heading: `${name} ${version} (${license})`, text };
}

async function licences(files) {
  const folders = new Set(files.map(packageFolder).filter(Boolean).map((folder) => join(here, folder)));
  const all = await Promise.all([...folders].map(describe));
  all.sort((a, b) => (a.heading < b.heading ? -1 : 1));
  const list = all.map(({ heading }) => heading).join("\n");
  const texts = all.map(({ heading, text }) => `${"-".repeat(80)}\n${heading}\n\n${text}`).join("\n\n");
  return `graphiql.js and graphiql.css contain code from these packages:\n\n${list}\n\n${texts}\n`;
}

await rm(out, { recursive: true, force: true });
await mkdir(out, { recursive: true });
const files = await bundle();
await copyFile(join(here, "src/index.html"), join(out, "index.html"));
await writeFile(join(out, "LICENSES.txt"), await licences(files));
