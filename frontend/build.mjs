// Builds the page of `testbed console` into testbed/console/assets, from the packages of package-lock.json.
import { build } from "esbuild";
import { copyFile, mkdir, rm } from "node:fs/promises";

const place = new URL("../testbed/console/assets/", import.meta.url).pathname;
await rm(place, { recursive: true, force: true });
await mkdir(place, { recursive: true });
await build({
  entryPoints: ["src/console.ts", "src/console.css", "src/classroom.ts", "src/classroom.css"],
  bundle: true,
  minify: true,
  format: "esm",
  target: ["chrome109", "firefox115", "safari16"],
  legalComments: "linked", // the licences of the packages, beside what is built from them
  outdir: place,
});
for (const name of ["index.html", "classroom.html", "icon.svg"]) await copyFile(`src/${name}`, `${place}/${name}`);
