import type { HttpSpec } from '../config/http-config.js';

type Options = Pick<HttpSpec, 'normalizePath' | 'mergeSlashes' | 'escapedSlashes'>;

/** Envoy's path normalization. Undefined if the path must be refused. The query is left alone. */
export function normalizePath(path: string, options: Options): string | undefined {
  const end = path.search(/[?#]/);
  const rest = end < 0 ? '' : path.slice(end);
  let bare = end < 0 ? path : path.slice(0, end);
  if (/%2f|%5c/i.test(bare)) {
    if (options.escapedSlashes === 'REJECT_REQUEST') return undefined;
    if (options.escapedSlashes.startsWith('UNESCAPE')) bare = bare.replace(/%2f/gi, '/').replace(/%5c/gi, '\\');
  }
  if (options.normalizePath) {
    bare = removeDots(unescapeUnreserved(bare.replaceAll('\\', '/')));
  }
  if (options.mergeSlashes) bare = bare.replace(/\/{2,}/g, '/');
  return bare + rest;
}

/** RFC 3986 §6.2.2.2: letters, digits and `-._~` need no escape; §6.2.2.1: the others in upper case. */
function unescapeUnreserved(path: string): string {
  return path.replace(/%[0-9a-fA-F]{2}/g, (escaped) => {
    const char = String.fromCharCode(Number.parseInt(escaped.slice(1), 16));
    return /[A-Za-z0-9\-._~]/.test(char) ? char : escaped.toUpperCase();
  });
}

/** RFC 3986 §5.2.4: what climbs above the root stays at the root. */
function removeDots(path: string): string {
  if (!path.includes('/.')) return path;
  const out: string[] = [];
  const segments = path.slice(1).split('/');
  for (const [i, segment] of segments.entries()) {
    const last = i === segments.length - 1;
    if (segment === '..') {
      out.pop();
    } else if (segment !== '.') {
      out.push(segment);
      continue;
    }
    if (last) out.push('');
  }
  return `/${out.join('/')}`;
}
