export { parseCurl, parseWget } from './tools/arguments.js';
