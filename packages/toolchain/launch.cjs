'use strict';
// Runs the bundle beside it with V8's code cache, which saves the compiling of what every start runs again: about 30 ms
// a process. The cache is written by the first run that lives long enough, and ignored by any other version of Node.
const { readFileSync, renameSync, writeFileSync } = require('node:fs');
const { Script } = require('node:vm');

const filename = __filename.replace(/\.cjs$/, '.bundle.cjs');
const cacheFile = `${filename}.${process.version}.cache`;
let cachedData;
try {
  cachedData = readFileSync(cacheFile);
} catch {
  // The first run here.
}
const script = new Script(
  `(function(exports,require,module,__filename,__dirname){${readFileSync(filename, 'utf8')}\n})`,
  { filename, cachedData },
);
script.runInThisContext()(exports, require, module, filename, __dirname);
if (cachedData === undefined || script.cachedDataRejected) {
  const keep = () => {
    process.off('exit', keep);
    clearTimeout(timer);
    try {
      const draft = `${cacheFile}.${process.pid}`;
      writeFileSync(draft, script.createCachedData());
      renameSync(draft, cacheFile);
    } catch {
      // A read-only installation starts a little slower.
    }
  };
  const timer = setTimeout(keep, 3000).unref();
  process.once('exit', keep);
}
