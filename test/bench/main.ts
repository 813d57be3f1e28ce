import { benchFailover } from './failover.js';
import { benchStart } from './start.js';

const benchmarks: Record<string, () => Promise<void>> = { start: benchStart, failover: benchFailover };
const chosen = process.argv.slice(2);
const unknown = chosen.filter((name) => !(name in benchmarks));
if (unknown.length > 0) {
  console.error(`no benchmark ${unknown.join(', ')}; choose from: ${Object.keys(benchmarks).join(', ')}`);
  process.exit(2);
}
for (const name of chosen.length > 0 ? chosen : Object.keys(benchmarks)) await benchmarks[name]!();
