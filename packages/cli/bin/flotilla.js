#!/usr/bin/env node
// The command's first step, in JavaScript that any Node can read: check the version, find the build, hand over.
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

const [major, minor] = process.versions.node.split('.').map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  console.error(`flotilla needs Node.js 20.19 or newer; this is ${process.versions.node}. See https://nodejs.org`);
  process.exit(1);
}
const bundle = fileURLToPath(new URL('../dist/bin/flotilla.cjs', import.meta.url));
if (!existsSync(bundle)) {
  console.error('flotilla is not built yet. In its directory, run: npm ci   (or: npm run build)');
  process.exit(1);
}
createRequire(import.meta.url)(bundle);
