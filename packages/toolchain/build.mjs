// Builds every package. Plain JavaScript, because it runs before anything is compiled.
//
//   1. packages/*/generate.mjs     writes that package's src/gen/ (skipped while its inputs are unchanged)
//   2. packages/*/src/**/*.ts  →   dist/**/*.js          one file each, ES modules: what tests import
//   3. packages/*/src/bin/*.ts →   dist/bin/*.cjs        one self-contained bundle per process: what users run
//   4. test/**/*.ts            →   test/dist/**/*.js
//
// Usage: node packages/toolchain/build.mjs [--quiet] [--no-bundle] [package ...]
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import * as esbuild from 'esbuild';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const args = process.argv.slice(2);
const quiet = args.includes('--quiet');
const bundle = !args.includes('--no-bundle');
const only = args.filter((arg) => !arg.startsWith('--'));
const started = performance.now();

/** Every file below `dir` that `keep` accepts, as absolute paths. */
function walk(dir, keep) {
  if (!existsSync(dir)) return [];
  return readdirSync(dir, { withFileTypes: true }).flatMap((entry) => {
    const path = join(dir, entry.name);
    if (entry.isDirectory()) return entry.name === 'dist' || entry.name === 'node_modules' ? [] : walk(path, keep);
    return keep(path) ? [path] : [];
  });
}

const isSource = (path) => path.endsWith('.ts') && !path.endsWith('.d.ts');
const packages = readdirSync(join(root, 'packages')).filter((name) => existsSync(join(root, 'packages', name, 'src')));
const chosen = only.length > 0 ? packages.filter((name) => only.includes(name)) : packages;
const failures = [];
/** Bundles smaller than this load fast enough by themselves, bytes. */
const launcherFrom = 100_000;

async function generate(name) {
  const script = join(root, 'packages', name, 'generate.mjs');
  if (existsSync(script)) await (await import(pathToFileURL(script).href)).generate({ root, quiet });
}

/** Removes outputs whose source is gone, so that a deleted test does not run on. */
function prune(srcDir, outDir, keepDir) {
  for (const path of outputs(outDir)) {
    if ((keepDir && path.startsWith(keepDir)) || !/\.js(\.map)?$/.test(path)) continue;
    const source = join(srcDir, relative(outDir, path)).replace(/\.js(\.map)?$/, '.ts');
    if (!existsSync(source)) rmSync(path);
  }
}
function outputs(dir) {
  if (!existsSync(dir)) return [];
  return readdirSync(dir, { withFileTypes: true }).flatMap((e) =>
    e.isDirectory() ? outputs(join(dir, e.name)) : [join(dir, e.name)],
  );
}

async function transpile(srcDir, outDir) {
  const files = walk(srcDir, isSource);
  const stale = files.filter((file) => {
    const out = join(outDir, relative(srcDir, file)).replace(/\.ts$/, '.js');
    return !existsSync(out) || statSync(out).mtimeMs < statSync(file).mtimeMs;
  });
  prune(srcDir, outDir, join(outDir, 'bin'));
  if (stale.length === 0) return;
  mkdirSync(outDir, { recursive: true });
  await esbuild.build({
    entryPoints: stale,
    outdir: outDir,
    outbase: srcDir,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    sourcemap: true,
    logLevel: 'error',
  });
}

async function bundleProcesses(name) {
  const dir = join(root, 'packages', name, 'src', 'bin');
  const entries = existsSync(dir) ? readdirSync(dir).filter((f) => f.endsWith('.ts') && !f.endsWith('.test.ts')) : [];
  if (entries.length === 0) return;
  await esbuild.build({
    entryPoints: entries.map((f) => join(dir, f)),
    outdir: join(root, 'packages', name, 'dist', 'bin'),
    outExtension: { '.js': '.cjs' },
    bundle: true,
    format: 'cjs',
    platform: 'node',
    target: 'node20',
    minifySyntax: true,
    minifyWhitespace: true,
    sourcemap: 'external',
    logLevel: 'error',
    define: { 'import.meta.url': '__flotilla_url' },
    banner: { js: 'const __flotilla_url=require("node:url").pathToFileURL(__filename).href;' },
    // Optional native or rarely used parts that libraries probe for inside try/catch.
    external: ['bufferutil', 'utf-8-validate'],
    // The launcher runs bundles as scripts, which have no loader for `import()`: it becomes a require.
    supported: { 'dynamic-import': false },
    plugins: [modernise],
  });
  for (const entry of entries) addLauncher(join(root, 'packages', name, 'dist', 'bin', entry.replace(/\.ts$/, '.cjs')));
}

/** http-proxy asks Node for a function that has long been Object.assign, and that newer versions warn of in every log. */
const modernise = {
  name: 'modernise',
  setup(build) {
    build.onLoad({ filter: /node_modules\/http-proxy\/lib\/.*\.js$/ }, ({ path }) => ({
      contents: readFileSync(path, 'utf8').replace(/require\(['"]util['"]\)\._extend/g, 'Object.assign'),
      loader: 'js',
    }));
  },
};

/** Puts the code-cache launcher in front of a bundle that is large enough to gain by it. */
function addLauncher(path) {
  for (const file of readdirSync(dirname(path))) {
    if (file.startsWith(`${basename(path, '.cjs')}.bundle.cjs`)) rmSync(join(dirname(path), file));
  }
  if (statSync(path).size < launcherFrom) return;
  renameSync(path, path.replace(/\.cjs$/, '.bundle.cjs'));
  copyFileSync(join(root, 'packages', 'toolchain', 'launch.cjs'), path);
}

async function attempt(what, work) {
  try {
    await work();
  } catch (error) {
    failures.push(what);
    console.error(`build: ${what}: ${error.message}`);
  }
}

for (const name of packages) await attempt(`${name} (generate)`, () => generate(name));
await Promise.all(
  chosen.map((name) =>
    attempt(name, () => transpile(join(root, 'packages', name, 'src'), join(root, 'packages', name, 'dist'))),
  ),
);
if (only.length === 0 || only.includes('test')) {
  await attempt('test', () => transpile(join(root, 'test'), join(root, 'test', 'dist')));
}
if (bundle) await Promise.all(chosen.map((name) => attempt(`${name} (bundle)`, () => bundleProcesses(name))));

if (failures.length > 0) process.exitCode = 1;
else if (!quiet) console.log(`built ${chosen.length} packages in ${Math.round(performance.now() - started)} ms`);
